"""Real sockets and a real reactor, of the test's own."""

from __future__ import annotations

import os
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.selectreactor import SelectReactor

from msrplib.limits import Limits
from msrplib.session import MSRPSession
from msrplib.tls import make_self_signed
from msrplib.transport import MSRPConnector, MSRPListener

TIMEOUT = 30.0
#: What OpenSSL is handed are objects of cryptography; those of pyOpenSSL are on their way out.
pytestmark = pytest.mark.filterwarnings("error::DeprecationWarning")


def run(scenario: Any) -> Any:
    """Run a coroutine function in a reactor of its own; what it returned."""
    reactor: Any = SelectReactor()
    outcome: list[Any] = []

    def start() -> None:
        done = ensureDeferred(scenario(reactor))
        done.addTimeout(TIMEOUT, reactor)
        done.addBoth(outcome.append)
        done.addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(start)
    reactor.run(installSignalHandlers=False)
    for each in reactor.getDelayedCalls():
        each.cancel()
    if hasattr(outcome[0], "raiseException"):
        outcome[0].raiseException()
    return outcome[0]


def until(reactor: Any, true: Any) -> Deferred[None]:
    """Fires when it has come true."""
    done: Deferred[None] = Deferred()

    def look() -> None:
        if true():
            done.callback(None)
        else:
            reactor.callLater(0.005, look)

    look()
    return done


async def bind(reactor: Any, recorder: Any, secure: bool, interface: str = "127.0.0.1") -> Any:
    alice, bob = (make_self_signed("alice"), make_self_signed("bob")) if secure else (None, None)
    limits = Limits()
    listener = MSRPListener(reactor, interface, tls=bob, limits=limits)
    listener.start()
    connector = MSRPConnector(reactor, tls=alice, limits=limits)
    passive = MSRPSession(listener.new_uri(), handler=recorder())
    active = MSRPSession(connector.new_uri(interface, secure), passive.local_path, recorder())
    passive.remote_path = active.local_path
    if alice is not None and bob is not None:
        passive.remote_fingerprint = alice.fingerprint
        active.remote_fingerprint = bob.fingerprint
    expected = listener.expect(passive)
    await connector.connect(active)
    await expected
    return listener, active, passive


async def finish(reactor: Any, listener: MSRPListener, active: MSRPSession, passive: MSRPSession) -> None:
    active.close()
    handler: Any = passive.handler
    await until(reactor, lambda: handler.closed)
    await listener.stop()


@pytest.mark.parametrize("secure", [False, True])
def test_conversation(make_recorder: Any, make_sink: Any, secure: bool) -> None:
    """RFC 4975: messages both ways, a large one with small ones amid it, over TCP and TLS; then the end."""
    content = os.urandom(20_000_000)
    sink = make_sink()

    async def scenario(reactor: Any) -> None:
        listener, active, passive = await bind(reactor, make_recorder, secure)
        passive.handler.decide = lambda chunk: sink if chunk.content_type == "large/file" else None
        large = active.send_message(content, "large/file", success_report="yes")
        for number in range(200):
            active.send_message(b"%d" % number, "text/plain", success_report="yes")
            passive.send_message(b"%d" % number, "text/plain", success_report="yes")
        await until(reactor, lambda: len(active.handler.delivered) == 201)
        await until(reactor, lambda: len(passive.handler.delivered) == 200)
        for handler in (active.handler, passive.handler):
            assert [int(message.content) for message in handler.messages] == list(range(200))
            assert handler.failures == []
        assert active.handler.delivered[-1] == large.message_id
        assert sink.content == content
        await finish(reactor, listener, active, passive)

    run(scenario)


def test_large_message_does_not_block(make_recorder: Any, make_sink: Any) -> None:
    """RFC 4975 5.1: amid a message of 200 MB a small one is delivered within 0.5 s (measured: a few milliseconds)."""

    class Zeros:
        def read(self, size: int, /) -> bytes:
            return bytes(size)

    class Nowhere:
        def write(self, offset: int, data: bytes) -> None: ...
        def finish(self, message: Any) -> None: ...
        def abort(self, reason: str) -> None: ...

    async def scenario(reactor: Any) -> None:
        listener, active, passive = await bind(reactor, make_recorder, False)
        passive.handler.decide = lambda chunk: Nowhere() if chunk.byte_range.total > 1000 else None
        large = active.send_message(Zeros(), "large/file", size=200_000_000, failure_report="no")
        for number in range(5):
            started = reactor.seconds()
            active.send_message(b"Hi", "text/plain", success_report="yes")
            await until(reactor, lambda number=number: len(active.handler.delivered) > number)
            assert reactor.seconds() - started < 0.5
        assert large.sent > 0
        await finish(reactor, listener, active, passive)

    run(scenario)


def test_ipv6(make_recorder: Any) -> None:
    """RFC 4975 6: addresses of IPv6, in URIs and on the wire."""

    async def scenario(reactor: Any) -> None:
        try:
            listener, active, passive = await bind(reactor, make_recorder, False, "::1")
        except OSError:
            return
        assert active.remote_address == f"[::1]:{listener.port}"
        active.send_message(b"Hi", "text/plain", success_report="yes")
        await until(reactor, lambda: active.handler.delivered)
        await finish(reactor, listener, active, passive)

    run(scenario)


def test_port_in_use() -> None:
    """A port in use is a clear error; the listener can be started again once it is free."""
    from twisted.internet.error import CannotListenError

    async def scenario(reactor: Any) -> None:
        first = MSRPListener(reactor, "127.0.0.1")
        first.start()
        second = MSRPListener(reactor, "127.0.0.1", first.port)
        with pytest.raises(CannotListenError):
            second.start()
        await first.stop()
        second.start()
        assert second.port > 0
        await second.stop()

    run(scenario)


def test_peer_is_killed(make_recorder: Any) -> None:
    """A connection that is reset ends the session with a reason."""

    async def scenario(reactor: Any) -> None:
        listener, active, passive = await bind(reactor, make_recorder, False)
        active.binding.connection.transport.abortConnection()
        await until(reactor, lambda: passive.handler.closed and active.handler.closed)
        assert passive.handler.closed[0].type.__name__ == "ConnectionClosedError"
        await listener.stop()

    run(scenario)
