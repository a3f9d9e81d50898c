"""Headers that hold an address: From, To, Contact, Route and their like (RFC 3261 20.10, 20.20, 20.30, 20.34, 20.39).

name-addr is `"Display name" <uri>;parameters`, addr-spec the bare `uri;parameters`. In an addr-spec everything behind
a ";" belongs to the header, and "?" and "," may not stand (20.10).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Self

from sipsimple.core.wire.absolute_uri import AnyBaseURI, AnyFrozenURI, AnyURI, parse_frozen_uri, to_uri
from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.grammar import TOKEN, parse_number, quote, readable, unquote
from sipsimple.core.wire.headers.parameterized import BaseParameterizedHeader, FrozenParameterized, MutableParameterized
from sipsimple.core.wire.uri import BaseURI
from sipsimple.core.wire.value import thaw

__all__ = [
    "AssertedIdentityHeader",
    "BaseAddressHeader",
    "BaseAssertedIdentityHeader",
    "BaseContactHeader",
    "BaseFromHeader",
    "BaseHopHeader",
    "BasePartyHeader",
    "BasePathHeader",
    "BasePreferredIdentityHeader",
    "BaseRecordRouteHeader",
    "BaseReferToHeader",
    "BaseReferredByHeader",
    "BaseReplyToHeader",
    "BaseRouteHeader",
    "BaseServiceRouteHeader",
    "BaseToHeader",
    "ContactHeader",
    "FromHeader",
    "FrozenAssertedIdentityHeader",
    "FrozenContactHeader",
    "FrozenFromHeader",
    "FrozenPathHeader",
    "FrozenPreferredIdentityHeader",
    "FrozenRecordRouteHeader",
    "FrozenReferToHeader",
    "FrozenReferredByHeader",
    "FrozenReplyToHeader",
    "FrozenRouteHeader",
    "FrozenServiceRouteHeader",
    "FrozenToHeader",
    "PathHeader",
    "PreferredIdentityHeader",
    "RecordRouteHeader",
    "ReferToHeader",
    "ReferredByHeader",
    "ReplyToHeader",
    "RouteHeader",
    "ServiceRouteHeader",
    "ToHeader",
]

_address = re.compile(
    r'(?:("[^"\\]*+(?:\\.[^"\\]*+)*+")[ \t]*+|([^"<>,;:@\\]*+))<([^<> \t\r\n]++)>[ \t]*+(?:;(.*+))?+'
    r'|([A-Za-z][^ \t\r\n<>";?,]*+)[ \t]*+(?:;(.*+))?+',
    re.DOTALL,
).fullmatch
_leading_tag = re.compile(rf"tag=({TOKEN}+)(?:;|\Z)").match  # saves parsing the parameters, where there is no other


class BaseAddressHeader(BaseParameterizedHeader):
    """A header that holds an address.

    uri -- a URI of any scheme; constructor and assignment also take its text. Asking for it raises SIPParseError if a
    parsed header has a malformed one
    display_name -- the name for people, unquoted; None or '' if there is none
    parameters -- those of the header, behind the closing bracket
    """

    __slots__ = ("_uri", "display_name")
    _fields = ("uri", "display_name", "parameters")

    display_name: str | None
    _uri: Any  # text until somebody asks

    def __init__(
        self, uri: BaseURI | str, display_name: str | None = None, parameters: Mapping[str, str | None] | None = None
    ) -> None:
        self._uri = self._own(to_uri(uri))
        self.display_name = display_name
        self._parameters = self._parameters_type(parameters)

    @classmethod
    def parse(cls, text: str) -> Self:
        header = cls.parse_lazily(text)
        _ = header.uri, header.parameters
        return header

    @classmethod
    def parse_lazily(cls, text: str) -> Self:
        match = _address(text)
        if match is None:
            raise SIPParseError(f"not an address for a {cls.name} header", text)
        quoted, plain, uri, parameters, bare_uri, bare_parameters = match.groups()
        header: Self = object.__new__(cls._open)
        if uri is None:
            uri, parameters = bare_uri, bare_parameters
            header.display_name = None
        else:
            name = plain.strip() if quoted is None else quoted[1:-1] if "\\" not in quoted else unquote(quoted)
            header.display_name = (name if name.isascii() else readable(name)) or None
        header._uri = uri
        header._parameters = parameters
        header.__class__ = cls
        return header

    @property
    def uri(self) -> AnyBaseURI:
        uri: AnyBaseURI = self._parsed_uri()
        return uri

    def _parsed_uri(self) -> Any:
        uri = self._uri
        if type(uri) is str:
            uri = self._own(parse_frozen_uri(uri))
            object.__setattr__(self, "_uri", uri)  # also in a frozen header: its value is the same
        return uri

    @property
    def body(self) -> str:
        name = f"{quote(self.display_name)} " if self.display_name else ""
        return f"{name}<{self._uri}>{self._printed_parameters()}"

    def _key(self) -> tuple[Any, ...]:
        return self.name, self.uri._key(), self.display_name or None, self.parameters.comparable()


class _Address(MutableParameterized, BaseAddressHeader):
    __slots__ = ()

    @property
    def uri(self) -> AnyURI:
        uri: AnyURI = self._parsed_uri()
        return uri

    @uri.setter
    def uri(self, uri: BaseURI | str) -> None:
        self._uri = thaw(to_uri(uri))


class _FrozenAddress(FrozenParameterized, BaseAddressHeader):
    __slots__ = ()

    @property
    def uri(self) -> AnyFrozenURI:
        uri: AnyFrozenURI = self._parsed_uri()
        return uri


class BasePartyHeader(BaseAddressHeader):
    """From or To: a party of a dialog."""

    __slots__ = ()

    @property
    def tag(self) -> str | None:
        """The tag (RFC 3261 19.3), None if there is none (yet)."""
        parameters = self._parameters
        if parameters is None:
            return None
        if type(parameters) is str and (match := _leading_tag(parameters)) is not None:
            tag: str = match[1]
            return tag
        return dict.get(self.parameters, "tag")

    @tag.setter
    def tag(self, tag: str | None) -> None:
        if tag is None:
            self.parameters.pop("tag", None)
        else:
            self.parameters["tag"] = tag


class BaseFromHeader(BasePartyHeader):
    """From: who sends the request (RFC 3261 20.20)."""

    __slots__ = ()
    name = "From"


class FromHeader(_Address, BaseFromHeader):
    __slots__ = ()


class FrozenFromHeader(_FrozenAddress, BaseFromHeader, of=FromHeader):
    __slots__ = ()


class BaseToHeader(BasePartyHeader):
    """To: whom the request is for (RFC 3261 20.39)."""

    __slots__ = ()
    name = "To"


class ToHeader(_Address, BaseToHeader):
    __slots__ = ()


class FrozenToHeader(_FrozenAddress, BaseToHeader, of=ToHeader):
    __slots__ = ()


class BaseContactHeader(BaseAddressHeader):
    """Contact: where to reach who sent it (RFC 3261 20.10; GRUU parameters: RFC 5627; instance: RFC 5626)."""

    __slots__ = ()
    name = "Contact"
    is_list = True

    @property
    def q(self) -> float | None:
        """The preference, 0 to 1; None if not stated. Raises SIPParseError if it is no qvalue."""
        text = dict.get(self.parameters, "q")
        return None if text is None else parse_q(text)

    @q.setter
    def q(self, q: float | None) -> None:
        if q is None:
            self.parameters.pop("q", None)
        else:
            self.parameters["q"] = print_q(q)

    @property
    def expires(self) -> int | None:
        """Seconds until this binding ends; None if not stated. Raises SIPParseError if it is no number."""
        text = dict.get(self.parameters, "expires")
        return None if text is None else parse_number(text, "expires")

    @expires.setter
    def expires(self, expires: int | None) -> None:
        if expires is None:
            self.parameters.pop("expires", None)
        else:
            self.parameters["expires"] = str(expires)

    @property
    def instance(self) -> str | None:
        """The instance's URN (+sip.instance, RFC 5626 4.1), without quotes and angle brackets."""
        text = self.parameters.text("+sip.instance")
        return text if text is None else text.strip("<>")

    @property
    def is_focus(self) -> bool:
        """Whether this is the focus of a conference (RFC 4579)."""
        return "isfocus" in self.parameters

    @property
    def public_gruu(self) -> str | None:
        """The public GRUU that a registrar gave (RFC 5627 5.1), as text."""
        return self.parameters.text("pub-gruu")

    @property
    def temporary_gruu(self) -> str | None:
        """The temporary GRUU that a registrar gave (RFC 5627 5.1), as text."""
        return self.parameters.text("temp-gruu")


class ContactHeader(_Address, BaseContactHeader):
    __slots__ = ()


class FrozenContactHeader(_FrozenAddress, BaseContactHeader, of=ContactHeader):
    __slots__ = ()


class BaseHopHeader(BaseAddressHeader):
    """A header whose value is a list of proxies to go through."""

    __slots__ = ()
    is_list = True

    @property
    def is_loose(self) -> bool:
        """Whether the proxy is a loose router (RFC 3261 19.1.1, lr)."""
        parameters = getattr(self.uri, "parameters", None)
        return parameters is not None and "lr" in parameters


class BaseRouteHeader(BaseHopHeader):
    """Route: a proxy the request must visit (RFC 3261 20.34)."""

    __slots__ = ()
    name = "Route"


class RouteHeader(_Address, BaseRouteHeader):
    __slots__ = ()


class FrozenRouteHeader(_FrozenAddress, BaseRouteHeader, of=RouteHeader):
    __slots__ = ()


class BaseRecordRouteHeader(BaseHopHeader):
    """Record-Route: a proxy that wants to see later requests of the dialog (RFC 3261 20.30)."""

    __slots__ = ()
    name = "Record-Route"


class RecordRouteHeader(_Address, BaseRecordRouteHeader):
    __slots__ = ()


class FrozenRecordRouteHeader(_FrozenAddress, BaseRecordRouteHeader, of=RecordRouteHeader):
    __slots__ = ()


class BasePathHeader(BaseHopHeader):
    """Path: a proxy on the way to who registers (RFC 3327)."""

    __slots__ = ()
    name = "Path"


class PathHeader(_Address, BasePathHeader):
    __slots__ = ()


class FrozenPathHeader(_FrozenAddress, BasePathHeader, of=PathHeader):
    __slots__ = ()


class BaseServiceRouteHeader(BaseHopHeader):
    """Service-Route: a proxy that the registrar wants requests to visit (RFC 3608)."""

    __slots__ = ()
    name = "Service-Route"


class ServiceRouteHeader(_Address, BaseServiceRouteHeader):
    __slots__ = ()


class FrozenServiceRouteHeader(_FrozenAddress, BaseServiceRouteHeader, of=ServiceRouteHeader):
    __slots__ = ()


class BaseReferToHeader(BaseAddressHeader):
    """Refer-To: what the recipient of a REFER is to contact (RFC 3515 2.1)."""

    __slots__ = ()
    name = "Refer-To"


class ReferToHeader(_Address, BaseReferToHeader):
    __slots__ = ()


class FrozenReferToHeader(_FrozenAddress, BaseReferToHeader, of=ReferToHeader):
    __slots__ = ()


class BaseReferredByHeader(BaseAddressHeader):
    """Referred-By: on whose behalf a request is made (RFC 3892)."""

    __slots__ = ()
    name = "Referred-By"


class ReferredByHeader(_Address, BaseReferredByHeader):
    __slots__ = ()


class FrozenReferredByHeader(_FrozenAddress, BaseReferredByHeader, of=ReferredByHeader):
    __slots__ = ()


class BaseReplyToHeader(BaseAddressHeader):
    """Reply-To: where to return a call (RFC 3261 20.31)."""

    __slots__ = ()
    name = "Reply-To"


class ReplyToHeader(_Address, BaseReplyToHeader):
    __slots__ = ()


class FrozenReplyToHeader(_FrozenAddress, BaseReplyToHeader, of=ReplyToHeader):
    __slots__ = ()


class BaseAssertedIdentityHeader(BaseAddressHeader):
    """P-Asserted-Identity: who a trusted network says the sender is (RFC 3325 9.1)."""

    __slots__ = ()
    name = "P-Asserted-Identity"
    is_list = True


class AssertedIdentityHeader(_Address, BaseAssertedIdentityHeader):
    __slots__ = ()


class FrozenAssertedIdentityHeader(_FrozenAddress, BaseAssertedIdentityHeader, of=AssertedIdentityHeader):
    __slots__ = ()


class BasePreferredIdentityHeader(BaseAddressHeader):
    """P-Preferred-Identity: which of its identities the sender wants asserted (RFC 3325 9.2)."""

    __slots__ = ()
    name = "P-Preferred-Identity"
    is_list = True


class PreferredIdentityHeader(_Address, BasePreferredIdentityHeader):
    __slots__ = ()


class FrozenPreferredIdentityHeader(_FrozenAddress, BasePreferredIdentityHeader, of=PreferredIdentityHeader):
    __slots__ = ()


_qvalue = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?").fullmatch


def parse_q(text: str) -> float:
    """A qvalue (RFC 3261 25.1): 0 to 1, at most three digits behind the point."""
    if not _qvalue(text):
        raise SIPParseError("not a qvalue from 0 to 1", text)
    return float(text)


def print_q(q: float) -> str:
    """q as a qvalue. Raises ValueError if it isn't within 0 and 1."""
    if not 0 <= q <= 1:
        raise ValueError(f"a q of {q} is not within 0 and 1")
    return f"{q:.3f}".rstrip("0").rstrip(".") or "0"
