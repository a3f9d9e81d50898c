"""SIP messages: requests and responses (RFC 3261 7).

A message is split once; its headers become typed values at first access (see HeaderFields). The accessors return
frozen values, None or an empty list where the header is absent, and raise SIPParseError where it is malformed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sipsimple.core.wire.absolute_uri import AnyFrozenURI, parse_frozen_uri
from sipsimple.core.wire.errors import Defect, SIPParseError
from sipsimple.core.wire.grammar import is_token, readable
from sipsimple.core.wire.header_fields import HeaderFields, HeaderValue
from sipsimple.core.wire.headers.addresses import (
    FrozenContactHeader,
    FrozenFromHeader,
    FrozenRecordRouteHeader,
    FrozenRouteHeader,
    FrozenToHeader,
)
from sipsimple.core.wire.headers.base import BaseHeader
from sipsimple.core.wire.headers.events import FrozenEventHeader
from sipsimple.core.wire.headers.numbers import (
    BaseNumberHeader,
    FrozenContentLengthHeader,
    FrozenCSeqHeader,
    FrozenExpiresHeader,
    FrozenMaxForwardsHeader,
)
from sipsimple.core.wire.headers.via import FrozenViaHeader
from sipsimple.core.wire.reasons import reason_phrase
from sipsimple.core.wire.uri import BaseURI

__all__ = ["SIPMessage", "SIPRequest", "SIPResponse", "make_response"]

SIP_VERSION = "2.0"

Headers = Iterable[tuple[str, HeaderValue] | BaseHeader] | Mapping[str, HeaderValue] | HeaderFields


class SIPMessage:
    """What requests and responses share.

    headers -- the header fields
    body -- octets
    version -- '2.0'
    defects -- what the parser found wrong and let pass: the validator's business
    """

    __slots__ = ("body", "defects", "headers", "version")

    headers: HeaderFields
    body: bytes
    version: str
    defects: tuple[Defect, ...]

    def __init__(self, headers: Headers, body: bytes) -> None:
        if isinstance(headers, HeaderFields):
            self.headers = headers
        else:
            self.headers = HeaderFields(headers.items() if isinstance(headers, Mapping) else headers)
        self.body = body
        self.version = SIP_VERSION
        self.defects = ()

    @property
    def start_line(self) -> str:
        raise NotImplementedError

    def encode(self) -> bytes:
        """The message as octets. Content-Length is set to the length of the body."""
        headers, length = self.headers, len(self.body)
        values = headers.index.get("content-length")
        if values is not None and (len(values) > 1 or values[0].strip() != str(length)):
            headers.set("Content-Length", length)
        missing = f"Content-Length: {length}\r\n" if values is None else ""
        head = f"{self.start_line}\r\n{headers.printed()}{missing}\r\n".encode("utf-8", "surrogateescape")
        return head + self.body if self.body else head

    def __bytes__(self) -> bytes:
        return self.encode()

    @property
    def via(self) -> FrozenViaHeader | None:
        """The topmost Via."""
        return self.headers.first(FrozenViaHeader)

    @property
    def vias(self) -> tuple[FrozenViaHeader, ...]:
        return self.headers.all(FrozenViaHeader)

    @property
    def from_header(self) -> FrozenFromHeader | None:
        return self.headers.first(FrozenFromHeader)

    @property
    def to_header(self) -> FrozenToHeader | None:
        return self.headers.first(FrozenToHeader)

    @property
    def call_id(self) -> str | None:
        return self.headers.get("call-id")

    @property
    def cseq(self) -> FrozenCSeqHeader | None:
        return self.headers.first(FrozenCSeqHeader)

    @property
    def contact(self) -> list[FrozenContactHeader]:
        """The contacts; empty also for "*", see contact_star."""
        values = self.headers.index.get("contact")
        if values is None or (len(values) == 1 and values[0].strip() == "*"):
            return []
        return list(self.headers.all(FrozenContactHeader))

    @property
    def contact_star(self) -> bool:
        """Whether the contact is "*": all of them, to be removed (RFC 3261 10.2.2)."""
        values = self.headers.index.get("contact")
        return values is not None and len(values) == 1 and values[0].strip() == "*"

    @property
    def route(self) -> list[FrozenRouteHeader]:
        return list(self.headers.all(FrozenRouteHeader))

    @property
    def record_route(self) -> list[FrozenRecordRouteHeader]:
        return list(self.headers.all(FrozenRecordRouteHeader))

    @property
    def max_forwards(self) -> int | None:
        return self._number(FrozenMaxForwardsHeader)

    @property
    def expires(self) -> int | None:
        """Seconds."""
        return self._number(FrozenExpiresHeader)

    @property
    def content_length(self) -> int | None:
        """What the header says; the length of the body itself is len(message.body)."""
        return self._number(FrozenContentLengthHeader)

    @property
    def content_type(self) -> str | None:
        """The media type in lower case, without its parameters."""
        value = self.headers.get("content-type")
        return value if value is None else value.partition(";")[0].strip().lower()

    @property
    def require(self) -> list[str]:
        return self.headers.elements("require")

    @property
    def supported(self) -> list[str]:
        return self.headers.elements("supported")

    @property
    def unsupported(self) -> list[str]:
        return self.headers.elements("unsupported")

    @property
    def allow(self) -> list[str]:
        return self.headers.elements("allow")

    @property
    def event(self) -> FrozenEventHeader | None:
        """The event package and its parameters."""
        return self.headers.first(FrozenEventHeader)

    @property
    def user_agent(self) -> str | None:
        """The software that sent the message: User-Agent or Server."""
        value = self.headers.get("user-agent") or self.headers.get("server")
        return value if value is None else readable(value)

    @property
    def subject(self) -> str | None:
        value = self.headers.get("subject")
        return value if value is None else readable(value)

    def _number(self, header: type[BaseNumberHeader]) -> int | None:
        value = self.headers.first(header)
        return value if value is None else value.number


class SIPRequest(SIPMessage):
    """A request.

    method -- in its own case ('INVITE')
    raw_uri -- the Request-URI as it stands in the request line
    """

    __slots__ = ("_uri", "method", "raw_uri")

    _uri: AnyFrozenURI | None

    def __init__(self, method: str, uri: BaseURI | str, headers: Headers = (), body: bytes = b"") -> None:
        super().__init__(headers, body)
        if not is_token(method):
            raise ValueError(f"not a method: {method!r}")
        self.method = method
        self.raw_uri = str(uri)
        if not self.raw_uri or any(character in self.raw_uri for character in " \t\r\n"):
            raise ValueError(f"not a Request-URI: {self.raw_uri!r}")
        self._uri = None

    @property
    def request_uri(self) -> AnyFrozenURI:
        """The Request-URI. Raises SIPParseError if it is none."""
        uri = self._uri
        if uri is None:
            uri = self._uri = parse_frozen_uri(self.raw_uri)
        return uri

    @request_uri.setter
    def request_uri(self, uri: BaseURI | str) -> None:
        self.raw_uri = str(uri)
        self._uri = None

    @property
    def start_line(self) -> str:
        return f"{self.method} {self.raw_uri} SIP/{self.version}"

    def __repr__(self) -> str:
        return f"<SIPRequest {self.method} {self.raw_uri}>"


class SIPResponse(SIPMessage):
    """A response.

    code -- the status code
    reason -- the reason phrase; the usual one of the code if None is given
    """

    __slots__ = ("_reason", "code")

    def __init__(self, code: int, reason: str | None = None, headers: Headers = (), body: bytes = b"") -> None:
        super().__init__(headers, body)
        self.code = code
        reason = reason_phrase(code) if reason is None else reason
        if "\r" in reason or "\n" in reason:
            raise ValueError("a line end in a reason phrase")
        self._reason = reason

    @property
    def reason(self) -> str:
        """The reason phrase."""
        return readable(self._reason)

    reason_phrase = reason

    @property
    def start_line(self) -> str:
        return f"SIP/{self.version} {self.code} {self._reason}"

    def __repr__(self) -> str:
        return f"<SIPResponse {self.code} {self.reason}>"


def make_response(
    request: SIPRequest,
    code: int,
    reason: str | None = None,
    to_tag: str | None = None,
    headers: Headers = (),
    body: bytes = b"",
) -> SIPResponse:
    """A response to `request`: its Vias, From, To, Call-ID and CSeq copied as they came (RFC 3261 8.2.6.2).

    to_tag -- is added to To unless it has a tag already or code is 100
    headers -- further header fields

    Record-Route is copied to responses that may make a dialog: 101 to 299 (12.1.1). Timestamp to 100 (8.2.6.1).
    """
    given = request.headers
    fields: list[tuple[str, HeaderValue]] = [("Via", value) for value in given.getall("via")]
    if 100 < code < 300:
        fields += [("Record-Route", value) for value in given.getall("record-route")]
    for name in ("From", "To", "Call-ID", "CSeq"):
        value = given.get(name)
        if value is not None:
            if name == "To" and to_tag is not None and code != 100 and not _has_tag(request):
                value = f"{value};tag={to_tag}"
            fields.append((name, value))
    if code == 100 and (timestamp := given.get("timestamp")) is not None:
        fields.append(("Timestamp", timestamp))
    extra = headers.items() if isinstance(headers, Mapping) else headers
    return SIPResponse(code, reason, [*fields, *extra], body)


def _has_tag(request: SIPRequest) -> bool:
    """Whether To has a tag, or is so malformed that none can be added."""
    try:
        to_header = request.to_header
    except SIPParseError:
        return True
    return to_header is None or to_header.tag is not None
