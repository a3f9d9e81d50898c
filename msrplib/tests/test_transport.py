"""How connections and sessions come together."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from msrplib.errors import BindTimeoutError, ConnectionClosedError, MSRPResponseError, SessionStateError
from msrplib.limits import Limits
from msrplib.session import MSRPSession
from msrplib.transport import MSRPConnector, MSRPListener
from msrplib.uri import MSRPURI


def outcome_of(deferred: Any) -> list[Any]:
    outcomes: list[Any] = []
    deferred.addBoth(outcomes.append)
    return outcomes


def start(reactor: Any, **named: Any) -> MSRPListener:
    listener = MSRPListener(reactor, "10.0.0.1", **named)
    listener.start()
    return listener


def new_pair(listener: MSRPListener, connector: MSRPConnector, recorder: Any) -> tuple[MSRPSession, MSRPSession]:
    passive = MSRPSession(listener.new_uri(), handler=recorder())
    active = MSRPSession(connector.new_uri("10.0.0.2"), passive.local_path, recorder())
    passive.remote_path = active.local_path
    return active, passive


def test_uris(reactor: Any) -> None:
    """RFC 4975 6, RFC 6135 4.2: the listener's URI has its port, that of a side which only connects port 9."""
    listener = start(reactor)
    assert listener.new_uri().port == listener.port > 0
    uri = MSRPConnector(reactor).new_uri("10.0.0.2")
    assert (uri.host, uri.port, uri.secure) == ("10.0.0.2", 9, False)
    anywhere = MSRPListener(reactor)
    with pytest.raises(ValueError, match="advertised_host"):
        anywhere.new_uri()
    assert MSRPListener(reactor, advertised_host="a.example").new_uri().host == "a.example"


def test_bind(pair: Any) -> None:
    """RFC 4975 5.4: the first SEND binds; both ends know where they are."""
    assert pair.active.is_bound
    assert pair.passive.is_bound
    assert pair.active.remote_address == pair.passive.local_address == f"10.0.0.1:{pair.listener.port}"
    assert pair.active_socket.has_no_delay
    assert pair.passive_socket.has_no_delay


def test_connected_before_the_answer(reactor: Any, make_recorder: Any) -> None:
    """RFC 4975 5.4: an offerer may be connected to, and get messages, before it knows the peer's path; what it sends
    waits for it."""
    listener, connector = start(reactor), MSRPConnector(reactor)
    active, passive = new_pair(listener, connector, make_recorder)
    passive.remote_path = ()
    expected = outcome_of(listener.expect(passive))
    connector.connect(active)
    reactor.settle()
    assert expected == [passive]
    active.send_message(b"early", "a/b", success_report="yes")
    passive.send_message(b"late", "a/b")
    reactor.settle()
    handlers: Any = (active.handler, passive.handler)
    assert [message.content for message in handlers[1].messages] == [b"early"]
    assert len(handlers[0].delivered) == 1
    assert handlers[0].messages == []
    passive.remote_path = active.local_path
    reactor.settle()
    assert [message.content for message in handlers[0].messages] == [b"late"]


def test_message_that_binds(reactor: Any, make_recorder: Any, make_raw_peer: Any) -> None:
    """RFC 4975 5.4: the first request may carry a message; the session is bound when it is received."""
    listener = start(reactor)
    session = MSRPSession(listener.new_uri(), handler=make_recorder())
    handler: Any = session.handler
    listener.expect(session).addCallback(lambda _: handler.events.append(("bound",)))
    peer = make_raw_peer(listener)
    peer.say(
        f"MSRP abcd SEND\r\nTo-Path: {session.local_uri}\r\nFrom-Path: msrp://10.0.0.2:9/x;tcp\r\n"
        "Message-ID: 1\r\nContent-Type: a/b\r\n\r\nHi\r\n-------abcd$\r\n".encode()
    )
    assert handler.events == [("bound",), ("started", "1"), ("received", "1")]


def test_nobody_connects(reactor: Any, make_recorder: Any) -> None:
    """Being connected to has a time; the session can be expected again."""
    listener = start(reactor)
    session = MSRPSession(listener.new_uri(), handler=make_recorder())
    outcome = outcome_of(listener.expect(session, timeout=5))
    with pytest.raises(ValueError, match="already"):
        listener.expect(session)
    reactor.pass_time(5)
    assert outcome[0].check(BindTimeoutError)
    assert not session.is_closed
    again = outcome_of(listener.expect(session))
    session.close()
    assert again[0].check(ConnectionClosedError)
    assert reactor.getDelayedCalls() == []


def test_expectation_is_cancelled(reactor: Any) -> None:
    """A Deferred that is cancelled gives the expectation up."""
    listener = start(reactor)
    session = MSRPSession(listener.new_uri())
    deferred = listener.expect(session)
    outcome = outcome_of(deferred)
    deferred.cancel()
    assert len(outcome) == 1
    listener.expect(session).addErrback(lambda failure: None)
    listener.stop()
    assert reactor.getDelayedCalls() == []


def test_listener_stops(pair: Any, reactor: Any) -> None:
    """A listener that stops fails what it expects; sessions that are bound go on."""
    waiting = outcome_of(pair.listener.expect(MSRPSession(pair.listener.new_uri())))
    stopped = outcome_of(pair.listener.stop())
    assert waiting[0].check(ConnectionClosedError)
    assert stopped == [None]
    pair.active.send_message(b"Hi", "a/b")
    reactor.settle()
    assert len(pair.passive_handler.messages) == 1


def test_refused_by_the_peer(reactor: Any, make_recorder: Any) -> None:
    """RFC 4975 10.8: a session that the peer does not expect: 481; it may be tried again."""
    listener, connector = start(reactor), MSRPConnector(reactor)
    active, passive = new_pair(listener, connector, make_recorder)
    outcome = outcome_of(connector.connect(active))
    reactor.settle()
    assert outcome[0].check(MSRPResponseError)
    assert outcome[0].value.code == 481
    assert not active.is_closed
    listener.expect(passive)
    again = outcome_of(connector.connect(active))
    reactor.settle()
    assert again == [active]
    with pytest.raises(SessionStateError):
        connector.connect(active)


def test_in_use(pair: Any, reactor: Any, make_raw_peer: Any) -> None:
    """RFC 4975 10.10: 506 for a session that is bound to another connection; once it is closed, 481."""
    peer = make_raw_peer(pair.listener)
    request = (
        f"MSRP abcd SEND\r\nTo-Path: {pair.passive.local_uri}\r\nFrom-Path: msrp://10.0.0.2:9/x;tcp\r\n"
        "Message-ID: 1\r\n-------abcd$\r\n".encode()
    )
    assert peer.say(request).startswith(b"MSRP abcd 506 ")
    pair.passive.close()
    reactor.settle()
    assert peer.say(request).startswith(b"MSRP abcd 481 ")


def test_connection_refused(reactor: Any, make_recorder: Any) -> None:
    """What connecting fails with arrives."""
    connector = MSRPConnector(reactor)
    session = MSRPSession(connector.new_uri("10.0.0.2"), (MSRPURI("10.0.0.1", 1, "x"),), make_recorder())
    outcome = outcome_of(connector.connect(session))
    reactor.settle()
    assert "refused" in outcome[0].getErrorMessage()
    assert reactor.getDelayedCalls() == []
    assert not session.is_closed


def test_nothing_is_left_of_what_failed(reactor: Any, make_recorder: Any) -> None:
    """A connector keeps no session whose connection was refused, given up, or came too late."""
    listener, connector = start(reactor), MSRPConnector(reactor)
    sessions = weakref.WeakSet[MSRPSession]()
    for way in ("refused", "cancelled", "closed"):
        active, _ = new_pair(listener, connector, make_recorder)
        if way == "refused":
            active.remote_path = (MSRPURI("10.0.0.1", 1, "x"),)
        sessions.add(active)
        deferred = connector.connect(active)
        deferred.addErrback(lambda failure: None)
        if way == "cancelled":
            deferred.cancel()
        elif way == "closed":
            active.close()
        reactor.settle()
        reactor.pass_time(60)
        del active, deferred
    reactor.sockets.clear()
    gc.collect()
    assert not connector.attempts
    assert not list(sessions)


def test_no_answer_to_the_first_send(reactor: Any, make_recorder: Any) -> None:
    """A peer that accepts and says nothing: connecting fails in time, and the connection is closed."""
    listener, connector = start(reactor), MSRPConnector(reactor)
    active, _ = new_pair(listener, connector, make_recorder)
    outcome = outcome_of(connector.connect(active, timeout=10))
    reactor.advance(0)
    reactor.sockets[-1].is_reading = False
    reactor.pass_time(9)
    assert outcome == []
    reactor.pass_time(1)
    assert outcome[0].check(BindTimeoutError)
    reactor.pass_time(60)
    assert reactor.sockets[0].is_closed
    assert reactor.getDelayedCalls() == []


def test_connecting_is_cancelled(reactor: Any, make_recorder: Any) -> None:
    """A Deferred that is cancelled stops connecting, before and after the connection is there."""
    listener, connector = start(reactor), MSRPConnector(reactor)
    for connected in (False, True):
        active, _ = new_pair(listener, connector, make_recorder)
        deferred = connector.connect(active)
        outcome = outcome_of(deferred)
        if connected:
            reactor.advance(0)
        deferred.cancel()
        assert len(outcome) == 1
        assert not active.is_closed
        reactor.settle()
    reactor.pass_time(60)
    assert all(socket.is_closed for socket in reactor.sockets)
    assert reactor.getDelayedCalls() == []


def test_closed_while_connecting(reactor: Any, make_recorder: Any) -> None:
    """A session that is closed before it is bound: the Deferred fails."""
    listener, connector = start(reactor), MSRPConnector(reactor)
    active, _ = new_pair(listener, connector, make_recorder)
    outcome = outcome_of(connector.connect(active))
    active.close()
    assert outcome[0].check(ConnectionClosedError)
    reactor.settle()
    reactor.pass_time(60)
    assert reactor.getDelayedCalls() == []


def test_peer_goes_while_binding(reactor: Any, make_recorder: Any) -> None:
    """A peer that closes instead of answering: connecting fails, the session may be tried again."""
    listener, connector = start(reactor), MSRPConnector(reactor)
    active, _ = new_pair(listener, connector, make_recorder)
    outcome = outcome_of(connector.connect(active))
    reactor.advance(0)
    reactor.sockets[-1].protocol.abort()
    reactor.settle()
    assert outcome[0].check(ConnectionClosedError)
    handler: Any = active.handler
    assert handler.closed == []


def test_sessions_share_a_connection(reactor: Any, make_recorder: Any) -> None:
    """RFC 4975 5.4: sessions to the same peer share a connection; one ends without the other; the last closes it."""
    listener, connector = start(reactor), MSRPConnector(reactor)
    pairs = [new_pair(listener, connector, make_recorder) for _ in range(5)]
    for active, passive in pairs:
        listener.expect(passive)
        assert outcome_of(connector.connect(active)) == []
        reactor.settle()
        assert active.is_bound
    assert len(reactor.sockets) == 2
    for number, (active, passive) in enumerate(pairs):
        active.send_message(b"%d" % number, "a/b", success_report="yes")
        passive.send_message(b"%d" % number, "a/b", success_report="yes")
    reactor.settle()
    for number, (active, passive) in enumerate(pairs):
        for handler in (active.handler, passive.handler):
            recorder: Any = handler
            assert [message.content for message in recorder.messages] == [b"%d" % number]
            assert len(recorder.delivered) == 1
    for active, passive in pairs[:4]:
        active.close()
        passive.close()
        reactor.settle()
    last: Any = pairs[4][0].handler
    pairs[4][1].send_message(b"still here", "a/b")
    reactor.settle()
    assert last.messages[-1].content == b"still here"
    pairs[4][0].close()
    reactor.settle()
    assert all(socket.is_closed for socket in reactor.sockets)


def test_sharing_is_bounded(reactor: Any, make_recorder: Any) -> None:
    """A connection takes so many sessions and no more, on either side."""
    limits = Limits(max_sessions_per_connection=2)
    listener, connector = start(reactor, limits=limits), MSRPConnector(reactor, limits=limits)
    for _ in range(5):
        active, passive = new_pair(listener, connector, make_recorder)
        listener.expect(passive)
        connector.connect(active)
        reactor.settle()
        assert active.is_bound
    assert len(reactor.sockets) == 6
    unlimited = MSRPConnector(reactor)
    codes = []
    for _ in range(3):
        active, passive = new_pair(listener, unlimited, make_recorder)
        listener.expect(passive).addErrback(lambda failure: None)
        outcome = outcome_of(unlimited.connect(active))
        reactor.settle()
        codes.append(None if outcome == [active] else outcome[0].value.code)
    assert codes == [None, None, 403]


def test_connections_that_say_nothing(reactor: Any, make_raw_peer: Any, make_recorder: Any) -> None:
    """1,000 connections that say nothing are bounded in number and in time; others are not touched by them."""
    limits = Limits(max_connections=100, bind_timeout=20)
    listener, connector = start(reactor, limits=limits), MSRPConnector(reactor)
    active, passive = new_pair(listener, connector, make_recorder)
    listener.expect(passive)
    connector.connect(active)
    reactor.settle()
    peers = [make_raw_peer(listener) for _ in range(1000)]
    assert sum(not peer.is_lost for peer in peers) == 100
    active.send_message(b"Hi", "a/b", success_report="yes")
    reactor.settle()
    handler: Any = active.handler
    assert len(handler.delivered) == 1
    reactor.pass_time(20)
    assert all(peer.is_lost for peer in peers)
    assert active.is_bound
    again, passive = new_pair(listener, connector, make_recorder)
    listener.expect(passive)
    assert outcome_of(connector.connect(again)) == []
    reactor.settle()
    assert again.is_bound


def test_half_a_message_and_silence(reactor: Any, make_raw_peer: Any) -> None:
    """Half a request on a new connection does not hold it for ever."""
    listener = start(reactor)
    peer = make_raw_peer(listener)
    peer.say(b"MSRP abcd SEND\r\nTo-Path: ")
    reactor.pass_time(29)
    assert not peer.is_lost
    reactor.pass_time(1)
    assert peer.is_lost


def test_trace(reactor: Any, make_recorder: Any) -> None:
    """MSRP-010: each chunk, in and out, with both addresses; the two ends see the same."""
    seen: list[tuple[str, bytes, str, str]] = []
    listener = start(reactor, on_trace=lambda *arguments: seen.append(arguments))
    connector = MSRPConnector(reactor)
    active, passive = new_pair(listener, connector, make_recorder)
    listener.expect(passive)
    connector.connect(active)
    reactor.settle()
    active.send_message(b"Hi", "a/b", success_report="yes")
    active.send_message(b"x" * 200_000, "a/b")
    reactor.settle()
    assert [(direction, data.split()[2]) for direction, data, _, _ in seen[:5]] == [
        ("incoming", b"SEND"),
        ("outgoing", b"200"),
        ("incoming", b"SEND"),
        ("outgoing", b"200"),
        ("outgoing", b"REPORT"),
    ]
    assert all(entry[2:] == (passive.local_address, passive.remote_address) for entry in seen)
    assert sum(len(data) for direction, data, _, _ in seen if direction == "incoming") > 200_000


def test_trace_that_raises(make_pair: Any, reactor: Any, caplog: Any) -> None:
    """What the trace raises is logged, and harms nothing."""

    def broken(*arguments: Any) -> None:
        raise RuntimeError("bug")

    pair = make_pair(on_trace=broken)
    pair.active.send_message(b"Hi", "a/b", success_report="yes")
    reactor.settle()
    assert len(pair.active_handler.delivered) == 1
    assert "the trace raised" in caplog.text


def test_relays_in_the_paths(reactor: Any, make_recorder: Any) -> None:
    """RFC 4976 5: a request goes through our relays, nearest first, then along the peer's path; our own URI is where
    it comes from."""
    uris = [MSRPURI("10.0.0.1", 1000 + number, f"s{number}") for number in range(5)]
    session = MSRPSession(uris[:3], uris[3:])
    assert session.local_uri == uris[2]
    assert session.next_hop == uris[1]
    assert session._path_headers == (" ".join(str(uris[number]) for number in (1, 0, 3, 4)), str(uris[2]))


def test_connection_that_does_not_close(pair: Any, reactor: Any) -> None:
    """A peer that reads nothing can't keep a connection that is being closed."""
    pair.active_socket.capacity = 0
    pair.active.send_message(b"x" * 10_000, "a/b")
    pair.active.close()
    reactor.settle()
    assert not pair.active_socket.is_closed
    reactor.pass_time(10)
    assert pair.active_socket.is_closed
    assert reactor.getDelayedCalls() == []


def test_repr_tells_no_session_id(pair: Any) -> None:
    """RFC 4975 14.1: who knows the session id may join the session."""
    assert pair.active.local_uri.session_id not in repr(pair.active)
