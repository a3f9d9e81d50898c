"""MSRPStreamBase: the life of a stream, whoever connects and whatever goes wrong."""

from __future__ import annotations

import gc
import weakref
from typing import Any, ClassVar

import pytest
from twisted.internet.protocol import ClientFactory, Protocol
from zope.interface.verify import verifyObject

from msrplib.limits import Limits
from msrplib.session import MSRPSession
from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.session import IllegalStateError
from sipsimple.streams import IMediaStream, MediaStreamRegistry
from sipsimple.streams.msrp import MSRPMedia, MSRPStreamBase
from sipsimple.streams.msrp.base import CLOSE_GRACE, START_TIMEOUT
from sipsimple.streams.msrp.states import STATES, StreamEvent, StreamState
from sipsimple.streams.msrp.testing import StreamPair, edit


class _Plain(MSRPStreamBase):
    """The least that makes a stream; its name keeps the registry of other tests free of it."""

    media_type = "message"
    accept_types: ClassVar[list[str]] = ["text/plain"]
    accept_wrapped_types: ClassVar[list[str]] = ["*"]
    use_msrp_session = True

    def __init__(self, account: Any, direction: str = "sendrecv") -> None:
        super().__init__(account, direction)
        self.received: list[Any] = []
        self.requests: list[str] = []
        self.seen: list[str] = []

    @classmethod
    def new_from_sdp(cls, account: Any, remote_sdp: Any, stream_index: int) -> Any:
        remote = MSRPMedia.read(remote_sdp, stream_index)
        if remote is None:
            return None
        stream = cls(account)
        stream.remote_media = remote
        return stream

    def message_received(self, session: MSRPSession, message: Any) -> None:
        self.received.append(message.content)

    def _handle_SEND(self, chunk: Any) -> None:
        self.requests.append(chunk.method)

    def _handle_NICKNAME(self, chunk: Any) -> None:
        self.requests.append(chunk.method)
        assert self.msrp_session is not None
        self.msrp_session.respond(chunk, 200)

    def _NH_MediaStreamDidStart(self, notification: Any) -> None:
        self.seen.append(notification.name)

    def _NH_MediaStreamDidEnd(self, notification: Any) -> None:
        self.seen.append(notification.name)


def test_is_a_media_stream() -> None:
    """MSRP-002, MSRP-003, STR-006, STR-028, STR-029, STR-030: all of IMediaStream; the base is no stream of its
    own."""
    pair = StreamPair(_Plain)
    pair.propose()
    assert verifyObject(IMediaStream, pair.bob.stream)
    stream = pair.bob.stream
    assert not (stream.hold_supported or stream.on_hold or stream.on_hold_by_local or stream.on_hold_by_remote)
    assert MSRPStreamBase not in MediaStreamRegistry()
    assert not hasattr(MSRPStreamBase, "new_from_sdp")


def test_offer() -> None:
    """MSRP-004, MSRP-005, MSRP-006, CHAT-003: media type, port, path, accept-types, accept-wrapped-types, and
    a=setup."""
    pair = StreamPair(_Plain)
    pair.propose()
    media = pair.offer.media[0]
    stream = pair.alice.stream
    assert (media.media, media.transport, list(media.formats)) == ("message", "TCP/MSRP", ["*"])
    uri = stream.msrp_session.local_uri
    assert (uri.host, uri.port) == (pair.alice.realm.host.ip, media.port)
    assert len(uri.session_id) == 20
    assert media.attributes.getfirst("path") == str(uri)
    assert media.attributes.getfirst("accept-types") == "text/plain"
    assert media.attributes.getfirst("accept-wrapped-types") == "*"
    assert media.attributes.getfirst("setup") == "actpass"
    assert pair.alice.names() == ["MediaStreamDidInitialize"]


@pytest.mark.parametrize(
    ("offer", "answer", "who"),
    [
        (None, None, "bob"),
        (edit(("setup", "passive"), without=("setup",)), None, "bob"),
        (edit(("setup", "active"), without=("setup",)), None, "alice"),
        (edit(without=("setup",)), None, "alice"),
        (None, edit(without=("setup",)), "alice"),
    ],
)
def test_who_connects(offer: Any, answer: Any, who: str) -> None:
    """STR-014, MSRP-002: by a=setup (RFC 6135), and without it the offerer (RFC 4975 5.4)."""
    pair = StreamPair(_Plain, edit_offer=offer, edit_answer=answer)
    pair.start()
    addresses = [pair.alice.stream.msrp_session.local_address, pair.bob.stream.msrp_session.local_address]
    listening = [f'{side.realm.host.ip}:{sdp.media[0].port}' for side, sdp in
                 ((pair.alice, pair.offer), (pair.bob, pair.answer))]  # fmt: skip
    assert [address == port for address, port in zip(addresses, listening, strict=True)] == [
        who == "bob",
        who == "alice",
    ]
    pair.end()
    assert pair.alice.names() == pair.bob.names() == [
        'MediaStreamDidInitialize', 'MediaStreamDidStart', 'MediaStreamWillEnd', 'MediaStreamDidEnd',
    ]  # fmt: skip


def test_connected_before_the_answer_arrives() -> None:
    """STR-013, STR-014: a peer that is faster than its own answer is let in, and what it says is not lost."""
    pair = StreamPair(_Plain)
    pair.propose()
    pair.accept()
    pair.bob.wait("MediaStreamDidStart")
    pair.bob.run(pair.bob.stream.msrp_session.send_message, b"early", "text/plain")
    pair.network.run_until(lambda: pair.alice.stream.received)
    assert pair.alice.names() == ["MediaStreamDidInitialize"]
    before = pair.network.now
    pair.deliver_answer()
    assert pair.alice.names() == ["MediaStreamDidInitialize", "MediaStreamDidStart"]
    assert pair.network.now == before


def test_set_up_takes_one_and_a_half_round_trips() -> None:
    """STR-014: the answerer's SYN leaves with the answer: SYN, SYN+ACK, SEND, and bob's turn one more way."""
    pair = StreamPair(_Plain)
    pair.propose()
    began = pair.network.now
    pair.accept()
    pair.network.advance(pair.network.latency)
    pair.deliver_answer()
    pair.alice.wait("MediaStreamDidStart")
    assert pair.network.now - began <= 3.1 * pair.network.latency
    pair.bob.wait("MediaStreamDidStart")
    assert pair.network.now - began <= 4.1 * pair.network.latency


def test_requests_reach_their_handlers() -> None:
    """MSRP-007, MSRP-008: `_handle_XXX` gets requests, whole messages go to message_received."""
    from msrplib.protocol import MSRPData

    pair = StreamPair(_Plain)
    pair.start()
    session = pair.alice.stream.msrp_session
    pair.alice.run(session.send_message, b"hello", "text/plain")
    pair.network.run_until(lambda: pair.bob.stream.received == [b"hello"])
    headers = {
        "To-Path": str(pair.bob.stream.msrp_session.local_uri),
        "From-Path": str(session.local_uri),
        "Use-Nickname": '"Al"',
    }
    pair.alice.run(session.send_chunk, MSRPData("abcd1234", "NICKNAME", headers=headers))
    pair.network.run_until(lambda: "NICKNAME" in pair.bob.stream.requests)
    assert pair.bob.stream.requests.count("SEND") >= 1


def test_without_msrp_session_nothing_is_put_together() -> None:
    """MSRP-007: with use_msrp_session False only the requests are seen."""

    class Raw(_Plain):
        use_msrp_session = False

    pair = StreamPair(Raw)
    pair.start()
    before = len(pair.bob.stream.requests)
    pair.alice.run(pair.alice.stream.msrp_session.send_message, b"hello", "text/plain")
    pair.network.run_until(lambda: len(pair.bob.stream.requests) > before)
    pair.network.run_idle()
    assert pair.bob.stream.received == []


def test_observes_itself() -> None:
    """MSRP-009: `_NH_…` methods see the stream's own notifications, up to the last, and none of others."""
    pair = StreamPair(_Plain)
    pair.start()
    pair.end()
    assert pair.alice.stream.seen == ["MediaStreamDidStart", "MediaStreamDidEnd"]
    pair.alice.run(pair.alice.stream._post, "MediaStreamDidStart")
    assert pair.alice.stream.seen == ["MediaStreamDidStart", "MediaStreamDidEnd"]


def test_end_while_connecting() -> None:
    """STR-023, STR-024, STR-025, STR-035, STR-036: ended in the middle of it, once, and nobody is left connected."""
    pair = StreamPair(_Plain)
    pair.propose()
    pair.accept()
    pair.bob.run(pair.bob.stream.end)
    pair.bob.run(pair.bob.stream.end)
    pair.alice.run(pair.alice.stream.end)
    pair.network.run_idle()
    assert pair.bob.names() == ["MediaStreamDidInitialize", "MediaStreamWillEnd", "MediaStreamDidEnd"]
    assert pair.alice.names() == ["MediaStreamDidInitialize", "MediaStreamWillEnd", "MediaStreamDidEnd"]
    pair.network.advance(120)
    assert pair.bob.names()[-1] == "MediaStreamDidEnd"
    assert not pair.network.connections


@pytest.mark.parametrize("initialized", [False, True])
def test_end_before_start(initialized: bool) -> None:
    """STR-025: end() in every state."""
    pair = StreamPair(_Plain)
    alice = pair.alice
    alice.stream = alice.run(_Plain, alice.account)
    if initialized:
        alice.run(alice.stream.initialize, alice.session, "outgoing")
    alice.run(alice.stream.end)
    assert alice.names()[-2:] == ["MediaStreamWillEnd", "MediaStreamDidEnd"]
    assert alice.stream.state is StreamState.ENDED


def test_nobody_connects() -> None:
    """STR-014, STR-034: a start is bounded in time, and fails with a reason."""
    pair = StreamPair(_Plain)
    pair.propose()
    pair.bob.run(pair.bob.stream.end)
    media = pair.alice.run(pair.alice.stream.get_local_media, for_offer=True)
    edit(("setup", "active"), without=("setup",))(media)
    pair.answer = pair.bob.describe(media)
    began = pair.network.now
    pair.deliver_answer()
    data = pair.alice.wait("MediaStreamDidFail")
    assert pair.network.now - began == pytest.approx(START_TIMEOUT)
    assert data.context == "start" and "connection" in data.reason
    pair.alice.run(pair.alice.stream.end)
    assert pair.alice.names() == [
        'MediaStreamDidInitialize', 'MediaStreamDidFail', 'MediaStreamWillEnd', 'MediaStreamDidEnd',
    ]  # fmt: skip


def test_connection_refused() -> None:
    """STR-014, STR-034: nobody listens where the peer says it does."""
    pair = StreamPair(_Plain, edit_offer=edit(("path", "msrp://10.0.0.1:9999/abc;tcp"), without=("path",)))
    pair.propose()
    pair.accept()
    data = pair.bob.wait("MediaStreamDidFail")
    assert (data.context, data.failure is None) == ("start", False)


def test_wrong_session_id() -> None:
    """STR-034: the peer's port is right but its session is not: 481, and a failure that says so."""

    def change(media: Any) -> None:
        path = media.attributes.getfirst("path")
        edit(("path", path.rpartition("/")[0] + "/0000;tcp"), without=("path",))(media)

    pair = StreamPair(_Plain, edit_offer=change)
    pair.propose()
    pair.accept()
    assert "481" in pair.bob.wait("MediaStreamDidFail").reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda media: setattr(media, "port", 0), "refused"),
        (lambda media: setattr(media, "transport", "TCP/TLS/MSRP"), "no MSRP description"),
        (edit(("path", "nonsense"), without=("path",)), "no MSRP description"),
    ],
)
def test_answers_that_cannot_be_used(change: Any, reason: str) -> None:
    """STR-014, STR-034: refused media, another transport, no path."""
    pair = StreamPair(_Plain)
    pair.propose()
    media = pair.bob.run(pair.bob.stream.get_local_media, for_offer=False, remote_sdp=pair.offer, stream_index=0)
    change(media)
    pair.answer = pair.bob.describe(media)
    pair.deliver_answer()
    assert reason in pair.alice.wait("MediaStreamDidFail").reason


def test_answer_without_this_line() -> None:
    """STR-015: an answer that lost a media line (RFC 3264 6 forbids it) fails the stream, and raises nothing."""
    pair = StreamPair(_Plain)
    pair.propose()
    pair.answer = pair.bob.describe()
    pair.deliver_answer()
    assert pair.alice.wait("MediaStreamDidFail").context == "start"


def test_peer_is_gone() -> None:
    """STR-034: a connection that is closed without deactivate() fails the stream, a moment later."""
    pair = StreamPair(_Plain)
    pair.start()
    pair.bob.run(pair.bob.stream.end)
    began = pair.network.now
    data = pair.alice.wait("MediaStreamDidFail")
    assert data.context == "reading" and data.failure is not None
    assert CLOSE_GRACE <= pair.network.now - began < CLOSE_GRACE + 1
    pair.alice.run(pair.alice.stream.end)
    assert pair.alice.names()[-3:] == ["MediaStreamDidFail", "MediaStreamWillEnd", "MediaStreamDidEnd"]


@pytest.mark.parametrize("late", [False, True])
def test_close_after_deactivate_is_normal(late: bool) -> None:
    """STR-022: also when the BYE, and so deactivate(), comes a moment after the connection was closed."""
    pair = StreamPair(_Plain)
    pair.start()
    if not late:
        pair.alice.run(pair.alice.stream.deactivate)
    pair.bob.run(pair.bob.stream.end)
    pair.network.run_idle()
    pair.network.advance(CLOSE_GRACE / 2)
    pair.alice.run(pair.alice.stream.deactivate)
    pair.network.advance(60)
    assert "MediaStreamDidFail" not in pair.alice.names()
    pair.alice.run(pair.alice.stream.end)
    assert pair.alice.names()[-1] == "MediaStreamDidEnd"


def test_garbage_on_the_connection() -> None:
    """STR-034: octets that are no MSRP end the stream at once, with a reason."""
    pair = StreamPair(_Plain)
    pair.start()
    session = pair.alice.stream.msrp_session
    pair.alice.run(session._connection.transport.write, b"GET / HTTP/1.0\r\n\r\n" * 10)
    assert pair.bob.wait("MediaStreamDidFail", timeout=0.5).context == "reading"


@pytest.mark.parametrize(
    "octets", [b"\r\n" * 100, b"MSRP abcd SEND\r\nTo-Path: msrp://10.0.0.1:1/x;tcp\r\n", bytes(range(256)) * 200]
)
def test_strangers_at_the_port(octets: bytes) -> None:
    """STR-034: random octets and half a message, on connections of nobody: the streams do not notice."""
    pair = StreamPair(_Plain)
    pair.start()
    stranger = pair.network.add_host("stranger")

    class Stranger(Protocol):
        def connectionMade(self) -> None:
            assert self.transport is not None
            self.transport.write(octets)

    for _ in range(50):
        factory = ClientFactory.forProtocol(Stranger)
        stranger.connectTCP(pair.alice.realm.host.ip, pair.offer.media[0].port, factory)
    pair.network.run_idle()
    pair.bob.run(pair.bob.stream.msrp_session.send_message, b"hello", "text/plain")
    pair.network.run_until(lambda: pair.alice.stream.received == [b"hello"])
    pair.network.advance(120)
    assert "MediaStreamDidFail" not in pair.alice.names()
    assert len(pair.network.connections) == 2


def test_nothing_is_kept_after_the_end() -> None:
    """STR-023, MSRP-009: a stream that has ended is not held by the port, the center or a timer."""
    pair = StreamPair(_Plain)
    pair.start()
    pair.end()
    pair.network.run_idle()
    gone = weakref.ref(pair.alice.stream)
    pair.alice.stream = None
    pair.alice.recorder.clear()
    gc.collect()
    assert gone() is None


def test_no_port() -> None:
    """STR-011: what cannot be had to listen on fails the stream in initialize()."""
    pair = StreamPair(_Plain)
    pair.alice.realm.set_reactor(None)
    alice = pair.alice
    alice.stream = alice.run(_Plain, alice.account)
    alice.run(alice.stream.initialize, alice.session, "outgoing")
    assert alice.all("MediaStreamDidFail")[0].data.context == "initialize"
    alice.run(alice.stream.end)
    assert alice.names() == ["MediaStreamDidFail", "MediaStreamWillEnd", "MediaStreamDidEnd"]


def test_tls() -> None:
    """CHAT-003, STR-014: TCP/TLS/MSRP with msrps, each certificate known by its fingerprint (RFC 4975 14.4)."""
    pair = StreamPair(_Plain, transport="tls")
    pair.start()
    for sdp in (pair.offer, pair.answer):
        media = sdp.media[0]
        assert media.transport == "TCP/TLS/MSRP"
        assert media.attributes.getfirst("path").startswith("msrps://")
        assert media.attributes.getfirst("fingerprint").startswith("SHA-256 ")
    pair.alice.run(pair.alice.stream.msrp_session.send_message, b"secret", "text/plain")
    pair.network.run_until(lambda: pair.bob.stream.received == [b"secret"])
    assert not any(b"secret" in bytes(packet.data) for packet in pair.network.packets)


@pytest.mark.parametrize("who", ["offerer", "answerer"])
@pytest.mark.parametrize("early", [False, True])
def test_tls_with_the_certificate_of_somebody_else(who: str, early: bool) -> None:
    """STR-034: RFC 4975 14.4: a certificate that was not announced is nobody's, early or late."""
    wrong = edit(("fingerprint", "SHA-256 " + ":".join(["AB"] * 32)), without=("fingerprint",))
    options = {"edit_offer" if who == "offerer" else "edit_answer": wrong}
    pair = StreamPair(_Plain, transport="tls", **options)
    pair.propose()
    pair.accept()
    if early:
        pair.network.advance(1)
    pair.deliver_answer()
    side = pair.bob if who == "offerer" else pair.alice
    side.wait("MediaStreamDidFail")
    assert "MediaStreamDidStart" not in side.names()


def test_tls_without_fingerprint() -> None:
    """STR-034: a peer that announces no fingerprint needs a certificate of an authority; ours is self-made."""
    pair = StreamPair(_Plain, transport="tls", edit_offer=edit(without=("fingerprint",)))
    pair.propose()
    pair.accept()
    assert pair.bob.wait("MediaStreamDidFail").context == "start"


def test_tls_certificate_that_cannot_be_read() -> None:
    """STR-011: a wrong path in the settings fails the stream in initialize(), and says so."""
    pair = StreamPair(_Plain, transport="tls")
    alice = pair.alice
    alice.run(SIPSimpleSettings).tls.certificate = "/nowhere/certificate.pem"
    alice.stream = alice.run(_Plain, alice.account)
    alice.run(alice.stream.initialize, alice.session, "outgoing")
    assert "certificate" in alice.all("MediaStreamDidFail")[0].data.reason


def test_update() -> None:
    """STR-016, STR-018, STR-019: another direction is fine, another connection is not; asking changes nothing."""
    pair = StreamPair(_Plain)
    pair.start()
    stream = pair.alice.stream
    held = pair.answer.thawed()
    edit(("recvonly", ""))(held.media[0])
    assert pair.alice.run(stream.validate_update, held, 0)
    assert stream.direction == "sendrecv"
    pair.alice.run(stream.update, pair.offer, held, 0)
    assert stream.direction == "sendonly"
    moved = pair.answer.thawed()
    edit(("path", "msrp://10.0.0.9:1/x;tcp"), without=("path",))(moved.media[0])
    assert not pair.alice.run(stream.validate_update, moved, 0)
    removed = pair.answer.thawed()
    removed.media[0].port = 0
    assert pair.alice.run(stream.validate_update, removed, 0)
    assert not pair.alice.run(stream.validate_update, pair.answer, 7)
    again = pair.alice.run(stream.get_local_media, for_offer=True)
    assert again.attributes.getfirst("path") == str(stream.msrp_session.local_uri)


def test_next_route_has_another_address() -> None:
    """STR-009: the offer for another route names the address that is reached over it."""
    pair = StreamPair(_Plain)
    alice = pair.alice
    pair.propose()
    alice.session.route = alice.session.route.__class__("127.0.0.1", 5060, "udp")
    media = alice.run(alice.stream.get_local_media, for_offer=True)
    assert "127.0.0.1" in media.attributes.getfirst("path")
    alice.run(alice.stream.end)


def test_wrong_calls() -> None:
    """STR-010, STR-013: what the state does not allow is an IllegalStateError; a wrong direction a ValueError."""
    pair = StreamPair(_Plain)
    pair.start()
    with pytest.raises(IllegalStateError):
        pair.alice.run(pair.alice.stream.initialize, pair.alice.session, "outgoing")
    with pytest.raises(IllegalStateError):
        pair.alice.run(pair.alice.stream.start, pair.offer, pair.answer, 0)
    with pytest.raises(ValueError):
        pair.alice.run(_Plain, pair.alice.account, "both")
    pair.end()
    with pytest.raises(RuntimeError):
        pair.alice.run(pair.alice.stream.get_local_media, for_offer=True)


def test_table_is_whole() -> None:
    """STR-025: every state has a row, and end() is known in all but the last."""
    assert set(STATES) == set(StreamState)
    assert all(StreamEvent.END in events for state, events in STATES.items() if state is not StreamState.ENDED)
    assert isinstance(_Plain(None)._limits(), Limits)
