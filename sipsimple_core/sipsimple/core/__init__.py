"""The SIP stack: values of the wire layer, and the objects that talk.

Everything public is imported from here, and each name loads its module when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sipsimple.core.engine import Engine as Engine
    from sipsimple.core.engine import EngineError as EngineError
    from sipsimple.core.incoming_request import IncomingRequest as IncomingRequest
    from sipsimple.core.incoming_subscription import IncomingSubscription as IncomingSubscription
    from sipsimple.core.invitation import Invitation as Invitation
    from sipsimple.core.message import Message as Message
    from sipsimple.core.protocol.invite_events import InvalidStateError as InvalidStateError
    from sipsimple.core.publication import Publication as Publication
    from sipsimple.core.referral import IncomingReferral as IncomingReferral
    from sipsimple.core.referral import Referral as Referral
    from sipsimple.core.registration import Registration as Registration
    from sipsimple.core.request import Request as Request
    from sipsimple.core.subscription import Subscription as Subscription
    from sipsimple.core.wire import *  # noqa: F403
    from sipsimple.util import Route as Route

# Name → module. What is not here is looked for among the names of the wire layer.
_MODULES: dict[str, str] = {
    "Engine": "sipsimple.core.engine",
    "EngineError": "sipsimple.core.engine",
    "IncomingReferral": "sipsimple.core.referral",
    "IncomingRequest": "sipsimple.core.incoming_request",
    "IncomingSubscription": "sipsimple.core.incoming_subscription",
    "InvalidStateError": "sipsimple.core.protocol.invite_events",
    "Invitation": "sipsimple.core.invitation",
    "Message": "sipsimple.core.message",
    "Publication": "sipsimple.core.publication",
    "Referral": "sipsimple.core.referral",
    "Registration": "sipsimple.core.registration",
    "Request": "sipsimple.core.request",
    "Route": "sipsimple.util",
    "Subscription": "sipsimple.core.subscription",
}


def __getattr__(name: str) -> Any:
    if not name.startswith("_"):
        module = import_module(_MODULES.get(name, "sipsimple.core.wire"))
        if name in _MODULES or name in module.__all__:
            value = globals()[name] = getattr(module, name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES, *import_module("sipsimple.core.wire").__all__])
