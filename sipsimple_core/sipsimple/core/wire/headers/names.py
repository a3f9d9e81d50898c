"""Names of header fields: case, compact forms, and which may stand only once (RFC 3261 7.3, 20)."""

from __future__ import annotations

from sipsimple.core.wire.grammar import is_token

__all__ = ["COMPACT_FORMS", "SINGLE_HEADERS", "canonical_name", "header_key"]

# RFC 3261 7.3.3, 20; RFC 6665 (o, u); RFC 3515 (r); RFC 3892 (b); RFC 4028 (x); RFC 3841 (a, d, j); RFC 8224 (y)
COMPACT_FORMS = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}

_NAMES = (
    "Accept",
    "Accept-Contact",
    "Accept-Encoding",
    "Accept-Language",
    "Accept-Resource-Priority",
    "Alert-Info",
    "Allow",
    "Allow-Events",
    "Authentication-Info",
    "Authorization",
    "Call-ID",
    "Call-Info",
    "Contact",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Content-Length",
    "Content-Type",
    "CSeq",
    "Date",
    "Diversion",
    "Error-Info",
    "Event",
    "Expires",
    "Flow-Timer",
    "From",
    "Geolocation",
    "History-Info",
    "Identity",
    "In-Reply-To",
    "Info-Package",
    "Join",
    "Max-Breadth",
    "Max-Forwards",
    "MIME-Version",
    "Min-Expires",
    "Min-SE",
    "Organization",
    "P-Asserted-Identity",
    "P-Associated-URI",
    "P-Preferred-Identity",
    "Path",
    "Priority",
    "Privacy",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Require",
    "RAck",
    "Reason",
    "Record-Route",
    "Recv-Info",
    "Refer-Sub",
    "Refer-To",
    "Referred-By",
    "Reject-Contact",
    "Remote-Party-ID",
    "Replaces",
    "Reply-To",
    "Request-Disposition",
    "Require",
    "Resource-Priority",
    "Retry-After",
    "Route",
    "RSeq",
    "Security-Client",
    "Security-Server",
    "Security-Verify",
    "Server",
    "Service-Route",
    "Session-Expires",
    "SIP-ETag",
    "SIP-If-Match",
    "Subject",
    "Subscription-State",
    "Supported",
    "Suppress-If-Match",
    "Target-Dialog",
    "Timestamp",
    "To",
    "Unsupported",
    "User-Agent",
    "Via",
    "Warning",
    "WWW-Authenticate",
)

_CANONICAL = {name.lower(): name for name in _NAMES}

# Those that can't be a list: a second one contradicts the first (RFC 3261 7.3.1). Those that are only for people, as
# User-Agent, are not among them: a message is not refused for them.
SINGLE_HEADERS = frozenset(
    [
        *("call-id", "content-disposition", "content-length", "content-type", "cseq", "event", "expires", "from"),
        *("identity", "info-package", "max-forwards", "min-expires", "min-se", "rack", "refer-sub", "refer-to"),
        *("referred-by", "replaces", "retry-after", "rseq", "session-expires", "sip-etag", "sip-if-match"),
        *("subscription-state", "target-dialog", "to"),
    ]
)


class _Keys(dict[str, str]):
    """The key of every usual spelling of a name, so that a header takes one look-up; of others it is computed."""

    def __missing__(self, name: str) -> str:
        key = name.rstrip(" \t").lower()
        key = COMPACT_FORMS.get(key, key)
        return key if is_token(key) else ""


KEYS = _Keys()
for _name in _NAMES:
    for _spelling in (_name, _name.lower(), _name.upper(), _name.title(), _name.capitalize()):
        KEYS[_spelling] = _name.lower()
for _compact, _key in COMPACT_FORMS.items():
    KEYS[_compact] = KEYS[_compact.upper()] = _key


def header_key(name: str) -> str:
    """The one key of all spellings of a header's name: in lower case, not compact; '' if it can't be a name."""
    return KEYS[name]


def canonical_name(name: str) -> str:
    """The name as it is usually printed; a name that is not known as it is given."""
    return _CANONICAL.get(KEYS[name]) or name.strip()
