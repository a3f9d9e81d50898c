"""The descriptions that a session sends."""

import pytest

from sipsimple.core import SDPMediaStream
from sipsimple.core.wire.sdp import FrozenSDPSession
from sipsimple.session.description import answer_session, offer_session, renewed_session


@pytest.mark.parametrize(
    ("address", "expected"), [("10.0.0.1", "IN IP4 10.0.0.1"), ("2001:db8::1", "IN IP6 2001:db8::1")]
)
def test_a_description_says_where_media_is_received(address: str, expected: str) -> None:
    """RFC 4566 5.7: a c= line at the session level, as streams need not have one of their own."""
    media = SDPMediaStream("application", 9, "TCP", formats=["whiteboard"])
    offer = FrozenSDPSession.new(offer_session(address, "test", [media]))
    for session in (offer, answer_session(address, "test", offer, {0: media}), renewed_session(offer, [media])):
        assert f"\r\nc={expected}\r\n" in session.encode().decode()
        connection = FrozenSDPSession.parse(session.encode()).connection_of(0)
        assert connection is not None and connection.address == address
