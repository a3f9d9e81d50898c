"""Media descriptions of MSRP: what is read of a peer's, and who connects (RFC 4975 8, RFC 6135)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipsimple.core import FrozenSDPSession, SDPAttribute, SDPMediaStream, SDPSession
from sipsimple.streams.msrp.sdp import (
    DIRECTIONS,
    MAX_TYPES,
    MSRPMedia,
    accepts_type,
    answer_setup,
    combine_directions,
    we_connect,
)

PATH = ("path", "msrp://192.0.2.1:2855/abc;tcp")


def sdp(*attributes: tuple[str, str], port: int = 2855, transport: str = "TCP/MSRP", media: str = "message") -> Any:
    line = SDPMediaStream(
        media, port, transport, formats=["*"], attributes=[SDPAttribute(*attribute) for attribute in attributes]
    )
    return FrozenSDPSession.parse(SDPSession("192.0.2.1", media=[line]).encode())


def read(*attributes: tuple[str, str], **options: Any) -> MSRPMedia | None:
    return MSRPMedia.read(sdp(*attributes, **options), 0)


def test_reads_the_example_of_the_chapter() -> None:
    """CHAT-003: m=message over TLS with path, accept-types and accept-wrapped-types."""
    media = read(
        ("path", "msrps://192.168.1.6:2855/ca7940f12ddef14c3c32;tcp"),
        ("accept-types", "message/cpim text/* application/im-iscomposing+xml"),
        ("accept-wrapped-types", "*"),
        transport="TCP/TLS/MSRP",
    )
    assert media is not None
    assert (media.media_type, media.port, media.secure, media.direction) == ("message", 2855, True, "sendrecv")
    assert [str(uri) for uri in media.path] == ["msrps://192.168.1.6:2855/ca7940f12ddef14c3c32;tcp"]
    assert media.accept_types == ("message/cpim", "text/*", "application/im-iscomposing+xml")
    assert media.accept_wrapped_types == ("*",)
    assert (media.setup, media.max_size, media.fingerprint, media.chatroom) == (None, None, None, frozenset())


def test_reads_everything_else() -> None:
    """MSRP-002: setup, direction, max-size, fingerprint and the capabilities of a chat room."""
    media = read(
        ("path", "msrp://relay.example.com:2855/r;tcp msrp://192.0.2.1:7654/abc;tcp"),
        ("accept-types", "TEXT/Plain nonsense text/html /x y/"),
        ("setup", "ACTPASS"),
        ("recvonly", ""),
        ("max-size", "1000"),
        ("fingerprint", "SHA-256 AB:CD"),
        ("chatroom", "nickname private-messages"),
    )
    assert media is not None
    assert len(media.path) == 2
    assert media.accept_types == ("text/plain", "text/html")
    assert (media.setup, media.direction, media.max_size) == ("actpass", "recvonly", 1000)
    assert (media.can_send, media.can_receive) == (False, True)
    assert media.fingerprint == "SHA-256 AB:CD"
    assert media.chatroom == {"nickname", "private-messages"}


@pytest.mark.parametrize(
    ("attributes", "options"),
    [
        ([], {}),
        ([("path", "")], {}),
        ([("path", "http://x/")], {}),
        ([("path", "msrp://h:1/a;udp")], {}),
        ([("path", "msrp://h:0/a;tcp")], {}),
        ([("path", "msrp://h:1;tcp")], {}),
        ([("path", "msrps://h:1/a;tcp")], {}),
        ([PATH], {"transport": "TCP/TLS/MSRP"}),
        ([PATH], {"transport": "RTP/AVP"}),
        ([("path", " ".join(["msrp://h:1/a;tcp"] * 50))], {}),
    ],
)
def test_unusable(attributes: list[tuple[str, str]], options: dict[str, Any]) -> None:
    """MSRP-002: no path that could be used, or another transport: nothing for an MSRP stream."""
    assert read(*attributes, **options) is None


def test_index_out_of_range() -> None:
    """STR-008: an index that the media list does not have is no error."""
    assert MSRPMedia.read(sdp(PATH), 1) is None
    assert MSRPMedia.read(sdp(PATH), -1) is None


def test_refused() -> None:
    """STR-013: a refused stream (RFC 3264 6) needs no path."""
    media = read(port=0)
    assert media is not None and media.port == 0 and media.path == ()


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=60)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["path", "accept-types", "accept-wrapped-types", "setup", "max-size", "fingerprint", "chatroom"]
            ),
            texts | st.sampled_from(["9" * 400, "-1", "*", " ", "msrp://[::1]:5/a;tcp", "msrp://x:99999/a;tcp", "٣"]),
        ),
        max_size=8,
    )
)
def test_hostile_attributes_never_raise(attributes: list[tuple[str, str]]) -> None:
    """STR-007: whatever a peer writes is a description or None."""
    line = SDPMediaStream("message", 2855, "TCP/MSRP", formats=["*"])
    line.attributes += [SDPAttribute(name, value) for name, value in attributes]
    media = MSRPMedia.read(SDPSession("192.0.2.1", media=[line]), 0)
    assert media is None or media.path


def test_types_are_bounded() -> None:
    """MSRP-005: a list of types without end is cut."""
    media = read(PATH, ("accept-types", "a/b " * 10 * MAX_TYPES))
    assert media is not None and len(media.accept_types) == MAX_TYPES


@pytest.mark.parametrize(
    ("accepted", "media_type", "expected"),
    [
        (("*",), "image/png", True),
        (("text/*",), "text/html", True),
        (("text/*",), "textual/html", False),
        (("text/plain",), "text/plain", True),
        (("text/plain",), "text/html", False),
        ((), "text/plain", False),
    ],
)
def test_accepts_type(accepted: tuple[str, ...], media_type: str, expected: bool) -> None:
    """CHAT-005: RFC 4975 8.6: a list of types with wildcards."""
    assert accepts_type(accepted, media_type) is expected


@pytest.mark.parametrize("local", DIRECTIONS)
@pytest.mark.parametrize("remote", DIRECTIONS)
def test_directions_agree(local: str, remote: str) -> None:
    """CHAT-002: RFC 3264 6.1: one side sends only if the other receives."""
    ours = combine_directions(local, remote)
    sends = ours in ("sendrecv", "sendonly")
    receives = ours in ("sendrecv", "recvonly")
    assert sends == (local in ("sendrecv", "sendonly") and remote in ("sendrecv", "recvonly"))
    assert receives == (local in ("sendrecv", "recvonly") and remote in ("sendrecv", "sendonly"))


@pytest.mark.parametrize(
    ("offered", "host", "expected"),
    [
        ("actpass", "192.0.2.7", "active"),
        ("passive", "192.0.2.7", "active"),
        ("active", "192.0.2.7", "passive"),
        ("holdconn", "192.0.2.7", None),
        (None, "192.0.2.7", None),
    ],
)
def test_answers(offered: str | None, host: str, expected: str | None) -> None:
    """MSRP-002: RFC 6135 4.2: the answerer connects where it may choose; without a=setup RFC 4975 counts."""
    offer = read(PATH, *([("setup", offered)] if offered else []))
    assert offer is not None
    assert answer_setup(offer, host) == expected


@pytest.mark.parametrize(
    ("path", "host", "expected"),
    [
        ("msrp://10.0.0.1:2855/a;tcp", "8.8.8.8", "passive"),
        ("msrp://10.0.0.1:2855/a;tcp", "10.0.0.2", "active"),
        ("msrp://127.0.0.1:2855/a;tcp", "127.0.0.1", "active"),
        ("msrp://0.0.0.0:2855/a;tcp", "10.0.0.2", "passive"),
        ("msrp://9.9.9.9:9/a;tcp", "8.8.8.8", "passive"),
        ("msrp://[fd00::1]:2855/a;tcp", "2606:4700::1", "passive"),
        ("msrp://example.com:2855/a;tcp", "8.8.8.8", "active"),
    ],
)
def test_who_is_behind_a_nat_connects(path: str, host: str, expected: str) -> None:
    """MSRP-002: an offerer that names an address where it cannot be reached from here is left to connect."""
    offer = read(("path", path), ("setup", "actpass"))
    assert offer is not None
    assert answer_setup(offer, host) == expected


@pytest.mark.parametrize("setup", ["active", "passive", None, "actpass"])
def test_exactly_one_side_connects(setup: str | None) -> None:
    """MSRP-002: both sides come to the same end; the offerer connects unless the answer says active."""
    assert we_connect(True, setup) is not we_connect(False, setup)
    assert we_connect(True, setup) is (setup != "active")
