"""For tests of the SDK, of plugins and of applications: whole user agents in one process, and what they said.

Names are imported when they are first used, so that `sipsimple.testing` costs nothing at the start of pytest.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sipsimple.testing.agent import UserAgent as UserAgent
    from sipsimple.testing.contract import MediaStreamContract as MediaStreamContract
    from sipsimple.testing.digest_guard import DigestGuard as DigestGuard
    from sipsimple.testing.network import MemoryNetwork as MemoryNetwork
    from sipsimple.testing.recorder import NotificationRecorder as NotificationRecorder
    from sipsimple.testing.registrar import Registrar as Registrar
    from sipsimple.testing.sip_server import SIPServer as SIPServer

MODULES = {
    "DigestGuard": "digest_guard",
    "MediaStreamContract": "contract",
    "MemoryNetwork": "network",
    "NotificationRecorder": "recorder",
    "Registrar": "registrar",
    "SIPServer": "sip_server",
    "UserAgent": "agent",
}

__all__ = [
    "DigestGuard",
    "MediaStreamContract",
    "MemoryNetwork",
    "NotificationRecorder",
    "Registrar",
    "SIPServer",
    "UserAgent",
]


def __getattr__(name: str) -> Any:
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{MODULES[name]}"), name)
