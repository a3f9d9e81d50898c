"""What is owed to a message before anyone looks at what it asks for (RFC 3261 8.2, 16.3; RFC 4475).

`validate_request` is for every request. The `refuse_*` functions are the later steps of 8.2, which need to know what
the user agent is able to do; each gives a Refusal or None. A response is taken or dropped: nobody answers a response.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from sipsimple.core.wire.absolute_uri import BaseAbsoluteURI
from sipsimple.core.wire.errors import Defect, SIPParseError
from sipsimple.core.wire.headers import (
    BaseAddressHeader,
    BaseHeader,
    FrozenAcceptHeader,
    FrozenContentTypeHeader,
    FrozenDateHeader,
    FrozenExpiresHeader,
    FrozenMaxForwardsHeader,
    FrozenMinExpiresHeader,
    media_type_matches,
)
from sipsimple.core.wire.headers.names import SINGLE_HEADERS, canonical_name
from sipsimple.core.wire.message import SIP_VERSION, SIPMessage, SIPRequest, SIPResponse
from sipsimple.core.wire.reasons import reason_phrase
from sipsimple.core.wire.uri import BaseSIPURI

__all__ = [
    "Refusal",
    "refuse_accept",
    "refuse_content",
    "refuse_extensions",
    "refuse_method",
    "refuse_registration",
    "validate_request",
    "validate_response",
]

SUPPORTED_SCHEMES = frozenset(("sip", "sips", "tel"))
SUPPORTED_ENCODINGS = frozenset(("identity",))

# 8.1.1. Max-Forwards is not among them, for RFC 2543 did not know it (RFC 4475 3.4).
_REQUIRED = ("via", "from", "to", "call-id", "cseq")

_DEFECT_CODES = {Defect.URI_TOO_LONG: 414, Defect.HEADER_TOO_LONG: 513, Defect.TOO_MANY_HEADERS: 513}

_empty_part = re.compile(r"[;,][ \t]*(?:[;,]|$)").search

_Checks = tuple[tuple[str, Callable[[SIPMessage], object]], ...]

# Headers that are looked at wherever they are, so that whoever reads them later may rely on them.
_CHECKED_IN_RESPONSES: _Checks = (
    ("contact", lambda message: _check_contacts(message)),
    ("record-route", lambda message: _check_addresses(message.record_route)),
    ("content-type", lambda message: message.headers.first(FrozenContentTypeHeader)),
    ("expires", lambda message: message.headers.first(FrozenExpiresHeader)),
    ("min-expires", lambda message: message.headers.first(FrozenMinExpiresHeader)),
)
_CHECKED_IN_REQUESTS: _Checks = (
    *_CHECKED_IN_RESPONSES,
    ("max-forwards", lambda message: message.headers.first(FrozenMaxForwardsHeader)),
    ("route", lambda message: _check_addresses(message.route)),
    ("date", lambda message: message.headers.first(FrozenDateHeader)),
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer that a request is owed instead of being served.

    code, reason -- status and phrase
    headers -- what the response must say beside (Unsupported, Accept, ...)
    """

    code: int
    reason: str
    headers: tuple[BaseHeader | tuple[str, str], ...] = ()

    @classmethod
    def of(cls, code: int, why: str = "", *headers: BaseHeader | tuple[str, str]) -> Refusal:
        """A refusal whose phrase is the code's own, with `why` behind it."""
        phrase = reason_phrase(code)
        return cls(code, f"{phrase} ({why})" if why else phrase, headers)


def validate_request(request: SIPRequest, schemes: Collection[str] = SUPPORTED_SCHEMES) -> Refusal | None:
    """The refusal of a request that is malformed or of another protocol version; None if it may be served.

    schemes -- those of Request-URIs that are understood

    400: malformed (21.4.1); 414, 513: over a bound; 416: a scheme that is not understood (8.2.2.1); 505 (21.5.6).
    An ACK is not answered, whatever this says.
    """
    if request.version != SIP_VERSION:
        return Refusal.of(505)
    if request.defects:
        defect = request.defects[0]
        return Refusal.of(_DEFECT_CODES.get(defect, 400), defect)
    why = _malformed(request, _CHECKED_IN_REQUESTS)
    if why is not None:
        return Refusal.of(400, why)
    cseq = request.cseq
    if cseq is None or cseq.method != request.method:
        return Refusal.of(400, "CSeq is of another method")  # 8.1.1.5
    try:
        uri = request.request_uri
    except SIPParseError:
        return Refusal.of(400, "the Request-URI is malformed")
    if uri.scheme.lower() not in schemes:
        return Refusal.of(416)
    if isinstance(uri, BaseSIPURI) and uri.headers:
        return Refusal.of(400, "the Request-URI has headers")  # 19.1.1
    if request.body and "content-type" not in request.headers:
        return Refusal.of(400, "a body without Content-Type")  # 20.15
    return None


def validate_response(response: SIPResponse) -> str | None:
    """Why a response is to be dropped; None if it may be taken."""
    if response.version != SIP_VERSION:
        return f"SIP version {response.version}"
    if not 100 <= response.code <= 699:
        return "no status code"
    if response.defects:
        return response.defects[0]
    why = _malformed(response, _CHECKED_IN_RESPONSES)
    if why is not None:
        return why
    try:
        if len(response.vias) > 1:
            return "more than one Via: it is for somebody else"  # 8.1.3.3
    except SIPParseError:
        return "Via is malformed"
    return None


def refuse_method(request: SIPRequest, allowed: Collection[str], known: Collection[str] = ()) -> Refusal | None:
    """405 with Allow for a method that is not allowed here, 501 for one that is not even in `known` (8.2.1)."""
    if request.method in allowed:
        return None
    allow = ("Allow", ", ".join(allowed))
    return Refusal.of(405, "", allow) if request.method in known else Refusal.of(501, "", allow)


def refuse_extensions(request: SIPRequest, supported: Collection[str]) -> Refusal | None:
    """420 with Unsupported for required extensions that are not in `supported`, in lower case (8.2.2.3).

    ACK and CANCEL are never refused for it.
    """
    if request.method in ("ACK", "CANCEL") or "require" not in request.headers:
        return None
    unknown = [option for option in request.require if option.lower() not in supported]
    return Refusal.of(420, "", ("Unsupported", ", ".join(unknown))) if unknown else None


def refuse_content(request: SIPRequest, accepted: Collection[str]) -> Refusal | None:
    """415 with Accept (or Accept-Encoding) for a body of a type that is not in `accepted` (8.2.3).

    accepted -- media types and ranges. A body whose handling is optional is never refused (20.11).
    """
    content_type = request.content_type
    if not request.body or content_type is None:
        return None
    if "handling=optional" in (request.headers.get("content-disposition") or "").replace(" ", "").lower():
        return None
    encodings = [encoding.lower() for encoding in request.headers.elements("content-encoding")]
    if not SUPPORTED_ENCODINGS.issuperset(encodings):
        return Refusal.of(415, "", ("Accept-Encoding", ", ".join(SUPPORTED_ENCODINGS)))
    if any(media_type_matches(pattern, content_type) for pattern in accepted):
        return None
    return Refusal.of(415, "", ("Accept", ", ".join(accepted)))


def refuse_accept(request: SIPRequest, offered: str = "application/sdp") -> Refusal | None:
    """406 for a request whose Accept leaves out the type of body that we would answer with (21.4.7).

    offered -- that type. Without an Accept header application/sdp is accepted (20.1).
    """
    if "accept" not in request.headers:
        return None
    try:
        accepted = request.headers.all(FrozenAcceptHeader) if request.headers.get("accept") else ()
        if any(header.accepts(offered) for header in accepted):
            return None
    except SIPParseError:
        return Refusal.of(400, "Accept is malformed")
    return Refusal.of(406)


def refuse_registration(request: SIPRequest) -> Refusal | None:
    """What a registrar refuses before it asks for credentials (10.3): To and contacts that are no SIP URIs."""
    to_header = request.to_header
    if to_header is None or not isinstance(to_header.uri, BaseSIPURI):
        return Refusal.of(400, "To is no SIP URI")
    if request.contact_star and (request.headers.count("contact") != 1 or request.expires != 0):
        return Refusal.of(400, "Contact * without Expires 0")  # 10.2.2
    if any(isinstance(contact.uri, BaseAbsoluteURI) for contact in request.contact):
        return Refusal.of(400, "a contact that is neither a SIP nor a tel URI")
    return None


def _malformed(message: SIPMessage, checks: _Checks) -> str | None:
    """What is malformed in the headers that every message must or may have; None if nothing is."""
    headers = message.headers
    index = headers.index
    for name in _REQUIRED:
        if name not in index:
            return f"{canonical_name(name)} is missing"
    for name, values in index.items():
        if len(values) > 1 and name in SINGLE_HEADERS:
            return f"{canonical_name(name)} is there twice"
    if headers.has_bare_line_end():
        return "a line end that is not CR LF"
    name = "via"
    try:
        # All of these are asked for later anyhow; what is parsed here is remembered.
        via = message.via
        _ = via and via.parameters
        text = index["via"][0]
        if (";;" in text or "," in text or text[-1:] == ";") and '"' not in text and _empty_part(text):
            return "Via is malformed"
        name = "from"
        _check_addresses(filter(None, (message.from_header,)))
        name = "to"
        _check_addresses(filter(None, (message.to_header,)))
        name = "cseq"
        _ = message.cseq
        if not message.call_id:
            return "Call-ID is empty"
        for name, check in checks:
            if name in index:
                check(message)
    except SIPParseError:
        return f"{canonical_name(name)} is malformed"
    return None


def _check_contacts(message: SIPMessage) -> None:
    for contact in message.contact:
        _ = contact.uri, contact.expires, contact.q


def _check_addresses(headers: Iterable[BaseAddressHeader]) -> None:
    for header in headers:
        _ = header.uri, header.parameters
