"""What is given to a session's methods, checked where it is given."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sipsimple.core import BaseSIPURI, BaseToHeader, ToHeader
from sipsimple.streams import IMediaStream
from sipsimple.util import Route

__all__ = ["checked_code", "checked_recipient", "checked_routes", "checked_streams", "checked_text"]


def checked_recipient(to_header: BaseToHeader) -> ToHeader:
    """The To header of who is called, fit for a request that no dialog is there for.

    It may come from elsewhere: the `remote_identity` of an earlier session has a tag, a link in a web page may have
    headers to be sent or a method. RFC 3261 8.1.1.2: no tag; 19.1.1, table 1: neither of the others.
    """
    if not isinstance(to_header, BaseToHeader):
        raise TypeError(f"to_header is a ToHeader, not {type(to_header).__name__}")
    to_header = ToHeader.new(to_header)
    uri = to_header.uri
    if not isinstance(uri, BaseSIPURI):
        raise ValueError(f"only a SIP URI can be called, not {uri}")
    to_header.parameters.pop("tag", None)
    uri.parameters.pop("method", None)
    uri.headers.clear()
    return to_header


def checked_streams(streams: Iterable[Any]) -> list[Any]:
    """At least one object with IMediaStream, none of them twice."""
    streams = list(streams)
    for stream in streams:
        if not IMediaStream.providedBy(stream):
            raise TypeError(f"a stream provides IMediaStream, {type(stream).__name__} does not")
    if not streams:
        raise ValueError("a session needs at least one stream")
    if len({id(stream) for stream in streams}) < len(streams):
        raise ValueError("a stream can be in a session only once")
    return streams


def checked_routes(routes: Iterable[Route]) -> list[Route]:
    """At least one Route."""
    routes = list(routes)
    for route in routes:
        if not isinstance(route, Route):
            raise TypeError(f"a route is a sipsimple.util.Route, not {type(route).__name__}")
    if not routes:
        raise ValueError("a session needs at least one route")
    return routes


def checked_code(code: int) -> int:
    """The status code of a refusal (RFC 3261 21.3 to 21.6)."""
    if isinstance(code, bool) or not isinstance(code, int):
        raise TypeError(f"a status code is an int, not {type(code).__name__}")
    if not 300 <= code <= 699:
        raise ValueError(f"a session is refused with a code from 300 to 699, not {code}")
    return code


def checked_text(what: str, text: str | None) -> str | None:
    """A text that becomes a header's value or a reason phrase: RFC 3261 7.3.1, a line break would end it."""
    if text is None:
        return None
    if not isinstance(text, str):
        raise TypeError(f"{what} is a str, not {type(text).__name__}")
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise ValueError(f"{what} contains a control character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what} contains half of a surrogate pair") from None
    return text
