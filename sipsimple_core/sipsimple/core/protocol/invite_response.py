"""Responses to INVITE with headers that can't be read (RFC 3261 13.2.2.4, 17.1.1.3; RFC 3262 3).

Whoever accepts or refuses a call, or rings reliably, repeats that until it is acknowledged, and to be without an answer
is all that a caller gets who drops it. So what is broken is taken from our own request where it is there too, and left
out otherwise: a call without a target that can be read still leads to its Request-URI, one without a description is
ended with BYE.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.headers import (
    BaseAddressHeader,
    FrozenContactHeader,
    FrozenContentTypeHeader,
    FrozenExpiresHeader,
    FrozenMinExpiresHeader,
)
from sipsimple.core.wire.message import SIPMessage, SIPRequest, SIPResponse

__all__ = ["mend_response"]

_find_tag = re.compile(r";\s*tag\s*=\s*([\w.!%*+`'~-]+)", re.ASCII | re.IGNORECASE).findall

#: What we can do without, and how it is read.
_DISPENSABLE: tuple[tuple[str, Callable[[SIPMessage], object]], ...] = (
    ("Record-Route", lambda message: [_whole(each) for each in message.record_route]),
    ("Content-Type", lambda message: message.headers.first(FrozenContentTypeHeader)),
    ("Expires", lambda message: message.headers.first(FrozenExpiresHeader)),
    ("Min-Expires", lambda message: message.headers.first(FrozenMinExpiresHeader)),
)


def mend_response(response: SIPResponse, request: SIPRequest) -> None:
    """Replaces or removes the headers of a response to `request` that can't be read. Others stay as they came."""
    headers = response.headers
    if not _is_readable(response, lambda message: _whole(message.from_header)):
        headers.set("From", request.headers.get("From") or "")
    if not _is_readable(response, lambda message: _whole(message.to_header)):
        tags = _find_tag(headers.get("To") or "")
        to_header = (request.headers.get("To") or "").strip()
        if tags and not _find_tag(to_header):
            # 8.2.6.2: that of the request, with a tag of the callee's
            to_header = f"{to_header};tag={tags[-1]}"
        headers.set("To", to_header)
    if not _is_readable(response, lambda message: [_whole_contact(each) for each in message.contact]):
        contacts = _readable_contacts(response)
        headers.remove("Contact")
        for contact in contacts:
            headers.add("Contact", contact)
    for name, read in _DISPENSABLE:
        if not _is_readable(response, read):
            headers.remove(name)


def _is_readable(message: SIPMessage, read: Callable[[SIPMessage], object]) -> bool:
    try:
        read(message)
    except SIPParseError:
        return False
    return True


def _readable_contacts(response: SIPResponse) -> list[str]:
    """Of several targets (8.1.3.4) those that can be read."""
    readable = []
    try:
        elements = response.headers.elements("Contact")
    except SIPParseError:
        return []
    for element in elements:
        try:
            _whole_contact(FrozenContactHeader.parse(element))
        except SIPParseError:
            continue
        readable.append(element)
    return readable


def _whole_contact(contact: FrozenContactHeader) -> object:
    return contact.uri, contact.parameters, contact.expires, contact.q


def _whole(header: BaseAddressHeader | None) -> object:
    """A header is read when somebody asks; this asks for all of it."""
    return header and (header.uri, header.parameters)
