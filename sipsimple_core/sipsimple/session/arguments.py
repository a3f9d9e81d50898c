"""What is given to a session's methods, checked where it is given."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sipsimple.streams import IMediaStream
from sipsimple.util import Route

__all__ = ["checked_code", "checked_routes", "checked_streams", "checked_text"]


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
    return text
