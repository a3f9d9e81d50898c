"""Chats within sessions: two whole user agents on a memory network."""

from __future__ import annotations

import gc
import re
import weakref
from typing import Any

import pytest

from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.streams.chat import ChatStream
from sipsimple.testing.agent import UserAgent
from sipsimple.testing.network import MemoryNetwork

STREAM_NOTIFICATIONS = ("MediaStream", "ChatStream")


def agents(transport: str = "tcp") -> tuple[UserAgent, UserAgent]:
    network = MemoryNetwork()
    account_settings = {"msrp.transport": transport}
    alice = UserAgent(network, "alice", account_settings=account_settings)
    bob = UserAgent(network, "bob", account_settings=account_settings)
    bob.answer_with()
    return alice, bob


def connected(alice: UserAgent, bob: UserAgent) -> Any:
    """Alice's session with bob, which has started on both sides."""
    session = alice.call(bob, [ChatStream])
    alice.network.run_until(lambda: session.state == "connected" and bob.incoming[0].state == "connected")
    return session


def of_streams(agent: UserAgent) -> list[str]:
    return [found.name for found in agent.recorder if found.name.startswith(STREAM_NOTIFICATIONS)]


def count(agent: UserAgent, name: str) -> int:
    return len(agent.recorder.find_all(name))


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_chat(transport: str) -> None:
    """CHAT-001, STR-005, STR-010, STR-011, STR-012, STR-013, STR-014, STR-022, STR-023, STR-024, STR-031: a session
    with a chat, from the call to its end."""
    alice, bob = agents(transport)
    network = alice.network
    session = connected(alice, bob)
    (mine,), (theirs,) = session.streams, bob.incoming[0].streams
    alice.run(mine.send_message, "hello")
    network.run_until(lambda: count(alice, "ChatStreamDidDeliverMessage") == 1)
    bob.run(theirs.send_message, "hi")
    network.run_until(lambda: count(bob, "ChatStreamDidDeliverMessage") == 1)
    alice.run(session.end)
    network.run_until(lambda: session.state == "terminated")
    network.advance(10)
    assert of_streams(alice) == [
        'MediaStreamDidInitialize', 'MediaStreamDidStart', 'ChatStreamDidSendMessage',
        'ChatStreamDidDeliverMessage', 'ChatStreamGotMessage', 'MediaStreamWillEnd', 'MediaStreamDidEnd',
    ]  # fmt: skip
    assert of_streams(bob) == [
        'MediaStreamDidInitialize', 'MediaStreamDidStart', 'ChatStreamGotMessage', 'ChatStreamDidSendMessage',
        'ChatStreamDidDeliverMessage', 'MediaStreamWillEnd', 'MediaStreamDidEnd',
    ]  # fmt: skip
    message = bob.recorder.find("ChatStreamGotMessage").data.message
    assert (message.content, str(message.sender.uri)) == ("hello", alice.uri)
    alice.stop()
    bob.stop()


def test_queued_before_the_call() -> None:
    """CHAT-009: a message can be sent before there is a session; it is the first to arrive."""
    alice, bob = agents()
    stream: Any = alice.run(ChatStream, alice.account)
    message_id = alice.run(stream.send_message, "are you there?")
    alice.call(bob, [stream])
    alice.network.run_until(lambda: count(alice, "ChatStreamDidDeliverMessage"))
    assert alice.recorder.find("ChatStreamDidDeliverMessage").data.message_id == message_id
    assert bob.recorder.find("ChatStreamGotMessage").data.message.content == "are you there?"


def test_rejected() -> None:
    """STR-025, CHAT-027: a call that is refused ends the stream, and what was queued with it."""
    alice, bob = agents()
    bob.answer_with(code=486)
    stream: Any = alice.run(ChatStream, alice.account)
    alice.run(stream.send_message, "are you there?")
    session = alice.call(bob, [stream])
    alice.network.run_until(lambda: session.state == "terminated")
    assert of_streams(alice) == [
        'MediaStreamDidInitialize', 'MediaStreamWillEnd', 'ChatStreamDidNotDeliverMessage', 'MediaStreamDidEnd',
    ]  # fmt: skip
    assert of_streams(bob)[-1] == "MediaStreamDidEnd"


def test_peer_dies() -> None:
    """STR-034, CHAT-027: a peer that vanishes without a BYE: messages are not delivered, the session ends."""
    alice, bob = agents()
    network = alice.network
    session = connected(alice, bob)
    network.crash(bob)
    alice.run(session.streams[0].send_message, "still there?")
    network.run_until(lambda: count(alice, "ChatStreamDidNotDeliverMessage"), timeout=150)
    network.run_until(lambda: session.state == "terminated", timeout=300)
    assert of_streams(alice)[-1] == "MediaStreamDidEnd"


def test_application_stops() -> None:
    """STR-025, MSRP-002: stop() in the middle of a chat ends the streams and gives the port back."""
    alice, bob = agents()
    connected(alice, bob)
    alice.stop()
    bob.stop()
    assert of_streams(alice)[-1] == of_streams(bob)[-1] == "MediaStreamDidEnd"
    assert not alice.reactor._bound["tcp"]


def test_trace() -> None:
    """MSRP-010: with logs.trace_msrp set, the chunks of a chat are posted; without it none."""
    alice, bob = agents()
    settings: Any = alice.run(SIPSimpleSettings)
    settings.logs.trace_msrp = True
    alice.run(settings.save)
    session = connected(alice, bob)
    alice.run(session.streams[0].send_message, "traced")
    alice.network.run_until(lambda: count(alice, "ChatStreamDidDeliverMessage"))
    traces = [found.data for found in alice.recorder.find_all("MSRPTransportTrace")]
    assert any(trace.direction == "outgoing" and "traced" in trace.data for trace in traces)
    assert any(trace.direction == "incoming" and "REPORT" in trace.data for trace in traces)
    assert not count(bob, "MSRPTransportTrace")


def over(alice: UserAgent, bob: UserAgent, ended_by: str) -> list[Any]:
    """A session of theirs that is over, as both sides have it, and the streams of both: weak references to them."""
    network = alice.network
    if ended_by == "nobody":
        bob.answer_with(code=486)
        session = alice.call(bob, [ChatStream])
        network.run_until(lambda: session.state == "terminated")
    else:
        session = connected(alice, bob)
        alice.run(session.streams[0].send_message, "hello")
        network.run_until(lambda: count(alice, "ChatStreamDidDeliverMessage") == 1)
        alice.run(session.end) if ended_by == "alice" else bob.run(bob.incoming[0].end)
        network.run_until(lambda: session.state == bob.incoming[0].state == "terminated")
    streams = [found.sender for agent in (alice, bob) for found in agent.recorder.find_all("MediaStreamDidEnd")]
    return [weakref.ref(thing) for thing in (session, *bob.incoming, *streams)]


@pytest.mark.parametrize("ended_by", ["alice", "bob", "nobody"])
def test_nothing_is_left_of_a_session(ended_by: str) -> None:
    """SES-064, STR-024: a session that is over, and its streams, are nobody's any more."""
    alice, bob = agents()
    left = over(alice, bob, ended_by)
    assert len(left) == 4
    alice.network.advance(60)  # until the transactions have ended too (RFC 3261 17)
    alice.network.packets.clear()
    alice.recorder.clear()
    bob.recorder.clear()
    gc.collect()
    assert [reference() for reference in left] == [None] * 4


def test_description() -> None:
    """CHAT-003, CHAT-004: the offer of a chat over TLS, as it is in the INVITE."""
    alice, bob = agents("tls")
    connected(alice, bob)
    invite = next(bytes(packet.data) for packet in alice.network.packets if bytes(packet.data).startswith(b"INVITE "))
    lines = invite.partition(b"\r\n\r\n")[2].decode().split("\r\n")
    ip = alice.ip
    settings: Any = alice.run(SIPSimpleSettings)
    assert lines[0] == "v=0"
    origin = re.fullmatch(rf"o=- ([0-9]+) \1 IN IP4 {re.escape(ip)}", lines[1])
    assert origin and int(origin[1]) > 2_208_988_800  # seconds since 1900, as in NTP
    assert lines[2:5] == [f"s={settings.user_agent}", f"c=IN IP4 {ip}", "t=0 0"]
    media = re.fullmatch(r"m=message ([0-9]+) TCP/TLS/MSRP \*", lines[5])
    assert media, lines
    assert any(
        re.fullmatch(rf"a=path:msrps://{re.escape(ip)}:{media[1]}/[A-Za-z0-9]{{20,}};tcp", line) for line in lines
    )
    assert "a=accept-types:message/cpim text/* application/im-iscomposing+xml" in lines
    assert "a=accept-wrapped-types:*" in lines
