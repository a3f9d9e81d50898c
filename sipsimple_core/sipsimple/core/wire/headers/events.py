"""Headers of event notification: Event, Subscription-State (RFC 6665 8.2), Suppress-If-Match (RFC 5839); and of
INFO: Info-Package (RFC 6086)."""

from __future__ import annotations

from collections.abc import Mapping

from sipsimple.core.wire.grammar import parse_number
from sipsimple.core.wire.headers.text import BaseWordHeader
from sipsimple.core.wire.headers.values import BaseValueHeader, FrozenValue, MutableValue
from sipsimple.core.wire.value import Frozen, Mutable

__all__ = [
    "BaseEventHeader",
    "BaseInfoPackageHeader",
    "BaseSubscriptionStateHeader",
    "BaseSuppressIfMatchHeader",
    "EventHeader",
    "FrozenEventHeader",
    "FrozenInfoPackageHeader",
    "FrozenSubscriptionStateHeader",
    "FrozenSuppressIfMatchHeader",
    "InfoPackageHeader",
    "SubscriptionStateHeader",
    "SuppressIfMatchHeader",
]


class BaseEventHeader(BaseValueHeader):
    """Event: the package, `event`, that a subscription is for (RFC 6665 8.2.1). Its case counts (8.4)."""

    __slots__ = ()
    _fields = ("event", "parameters")
    name = "Event"
    value_has_case = True

    def __init__(self, event: str, parameters: Mapping[str, str | None] | None = None) -> None:
        super().__init__(event, parameters)

    @property
    def event(self) -> str:
        """The event package, with its templates: 'presence', 'presence.winfo'."""
        event: str = self.value
        return event

    @event.setter
    def event(self, event: str) -> None:
        self.value = event

    @property
    def id(self) -> str | None:
        """What tells subscriptions of one dialog apart (RFC 6665 4.1.3)."""
        return dict.get(self.parameters, "id")


class EventHeader(MutableValue, BaseEventHeader):
    __slots__ = ()


class FrozenEventHeader(FrozenValue, BaseEventHeader, of=EventHeader):
    __slots__ = ()


class BaseSubscriptionStateHeader(BaseValueHeader):
    """Subscription-State: 'active', 'pending', 'terminated' or an extension, in NOTIFY (RFC 6665 8.2.3, 4.1.3)."""

    __slots__ = ()
    _fields = ("state", "parameters")
    name = "Subscription-State"

    def __init__(self, state: str, parameters: Mapping[str, str | None] | None = None) -> None:
        super().__init__(state, parameters)

    @property
    def state(self) -> str:
        """In lower case."""
        state: str = self.value.lower()
        return state

    @state.setter
    def state(self, state: str) -> None:
        self.value = state

    @property
    def reason(self) -> str | None:
        """Why the subscription ended: 'deactivated', 'probation', 'rejected', 'timeout', 'giveup', 'noresource',
        'invariant' (4.1.3), in lower case."""
        reason = dict.get(self.parameters, "reason")
        return reason and reason.lower()

    @property
    def expires(self) -> int | None:
        """Seconds that the subscription goes on. Raises SIPParseError if it is no number."""
        text = dict.get(self.parameters, "expires")
        return None if text is None else parse_number(text, "expires")

    @property
    def retry_after(self) -> int | None:
        """Seconds to wait before subscribing anew. Raises SIPParseError if it is no number."""
        text = dict.get(self.parameters, "retry-after")
        return None if text is None else parse_number(text, "retry-after")


class SubscriptionStateHeader(MutableValue, BaseSubscriptionStateHeader):
    __slots__ = ()


class FrozenSubscriptionStateHeader(FrozenValue, BaseSubscriptionStateHeader, of=SubscriptionStateHeader):
    __slots__ = ()


class BaseInfoPackageHeader(BaseValueHeader):
    """Info-Package: the `package` that an INFO belongs to (RFC 6086 9.1)."""

    __slots__ = ()
    _fields = ("package", "parameters")
    name = "Info-Package"
    value_has_case = True

    def __init__(self, package: str, parameters: Mapping[str, str | None] | None = None) -> None:
        super().__init__(package, parameters)

    @property
    def package(self) -> str:
        package: str = self.value
        return package

    @package.setter
    def package(self, package: str) -> None:
        self.value = package


class InfoPackageHeader(MutableValue, BaseInfoPackageHeader):
    __slots__ = ()


class FrozenInfoPackageHeader(FrozenValue, BaseInfoPackageHeader, of=InfoPackageHeader):
    __slots__ = ()


class BaseSuppressIfMatchHeader(BaseWordHeader):
    """Suppress-If-Match: the state that the subscriber has already, '*' for any (RFC 5839 7.2)."""

    __slots__ = ()
    name = "Suppress-If-Match"


class SuppressIfMatchHeader(Mutable, BaseSuppressIfMatchHeader):
    __slots__ = ()


class FrozenSuppressIfMatchHeader(Frozen, BaseSuppressIfMatchHeader, of=SuppressIfMatchHeader):
    __slots__ = ()
