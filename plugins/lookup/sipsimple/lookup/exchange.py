"""One question to one nameserver: over UDP, over TCP when the answer is truncated (RFC 7766), with EDNS where the
server knows it (RFC 6891).

Each has a fresh port and an unpredictable id, and only an answer from that server to that question counts (RFC 5452).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError, ConnectError
from twisted.internet.protocol import ClientFactory, DatagramProtocol
from twisted.protocols.basic import Int16StringReceiver
from twisted.python.failure import Failure

from sipsimple.lookup.errors import ExchangeError
from sipsimple.lookup.message import (
    HEADER,
    MalformedResponseError,
    Question,
    encode_query,
    matches,
    read_response,
)
from sipsimple.lookup.nameserver import Nameserver
from sipsimple.lookup.pacer import Pacer

__all__ = ["Limits", "exchange"]

log = logging.getLogger("sipsimple.lookup")

#: When the query is sent again over UDP, in seconds after it was first sent.
RETRANSMISSIONS = (0.5, 1.5)
MAX_DATAGRAM = 4096

_TRUNCATED = int(dns.flags.TC)
_ANSWERED = (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)
_NO_EDNS = (dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS)


class Limits(NamedTuple):
    """How long is waited: `timeout` seconds for one server, and in all until `deadline` on the reactor's clock."""

    timeout: float
    deadline: float


def exchange(
    reactor: Any,
    pacer: Pacer,
    server: Nameserver,
    question: Question,
    limits: Limits,
    *,
    recursion: bool = True,
    begun: Callable[[], object] = lambda: None,
) -> Deferred[dns.message.QueryMessage]:
    """Ask a nameserver; to be called in the reactor's thread.

    The Deferred fires with the response, whose rcode is NOERROR or NXDOMAIN, or with an ExchangeError: when the time is
    over, or before when it is clear that no answer will come that is of use. It may be cancelled. `begun` is called
    when there is room for it, and the time of the server begins.
    """
    return _Exchange(reactor, pacer, server, question, limits, recursion, begun).answer


class _Exchange(DatagramProtocol):
    """An exchange, and the protocol of its UDP port."""

    noisy = False
    transport: Any

    def __init__(
        self, reactor: Any, pacer: Pacer, server: Nameserver, question: Question, limits: Limits, recursion: bool,
        begun: Callable[[], object],
    ) -> None:  # fmt: skip
        self.answer: Deferred[dns.message.QueryMessage] = Deferred(self._cancelled)
        self._reactor = reactor
        self._pacer = pacer
        self._server = server
        self._question = question
        self._limits = limits
        self._recursion = recursion
        self._wire = question.wire
        self._edns = True
        self._id = 0
        self._query = b""
        self._opened = False
        self._reading = False
        self._done = False
        self._port: Any = None
        self._connector: Any = None
        self._stream: Int16StringReceiver | None = None
        self._timer: Any = None
        self._tell_begun = begun
        self._begun = 0.0
        self._timeout = 0.0
        self._sent = 0
        pacer.open(self._start)

    # UDP

    def _start(self) -> None:
        self._opened = True
        self._begun = self._reactor.seconds()
        self._timeout = min(self._limits.timeout, self._limits.deadline - self._begun)
        if self._timeout <= 0:
            self._fail("was not asked, as there was no time left")
            return
        self._tell_begun()
        ipv6 = ":" in self._server.address
        try:
            self._port = self._reactor.listenUDP(0, self, "::" if ipv6 else "", MAX_DATAGRAM)
            self.transport.connect(*self._server)
        except (CannotListenError, OSError) as error:
            self._fail(f"can't be reached: {error}")
            return
        self._new_query()
        self._send()

    def _new_query(self) -> None:
        self._id = secrets.randbits(16)
        self._query = encode_query(self._id, self._wire, recursion=self._recursion, edns=self._edns)

    def _send(self) -> None:
        self._timer = None
        try:
            self.transport.write(self._query)
        except OSError as error:
            self._fail(f"can't be reached: {error}")
            return
        if self._done:
            return
        again = RETRANSMISSIONS[self._sent] if self._sent < len(RETRANSMISSIONS) else self._timeout
        self._sent += 1
        if again < self._timeout:
            self._timer = self._reactor.callLater(max(0.0, again - self._elapsed()), self._send)
        else:
            self._wait()

    def _wait(self) -> None:
        self._timer = self._reactor.callLater(max(0.0, self._timeout - self._elapsed()), self._timed_out)

    def _elapsed(self) -> float:
        return float(self._reactor.seconds() - self._begun)

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        """The port is connected: nothing else comes from elsewhere but what arrived before it was."""
        if (addr[0].partition("%")[0], addr[1]) != (self._server.address.partition("%")[0], self._server.port):
            log.info("%s: a datagram from %s:%s is no answer from %s", self._question, *addr[:2], self._server)
        else:
            self._received(datagram, tcp=False)

    def connectionRefused(self) -> None:
        """ICMP: nobody is at the server's port."""
        if not self._reading:
            self._fail("refused the query: no nameserver is there")

    # TCP

    def _connect(self) -> None:
        self._close_port()
        self._stop_timer()
        self._wait()
        left = max(0.1, self._timeout - self._elapsed())
        self._new_query()
        try:
            self._connector = self._reactor.connectTCP(*self._server, _StreamFactory(self), left)
        except (ConnectError, OSError) as error:
            self._fail(f"can't be reached over TCP: {error}")

    def connected(self, stream: Int16StringReceiver) -> None:
        """The TCP connection is there."""
        self._stream = stream
        stream.sendString(self._query)

    def string_received(self, message: bytes) -> None:
        """A message over TCP."""
        self._received(message, tcp=True)

    def connection_ended(self, reason: Any) -> None:
        """The TCP connection is not there, or no longer, as after the answer."""
        if not self._reading:
            self._fail(f"TCP: {reason.getErrorMessage()}")

    # Responses

    def _received(self, wire: bytes, *, tcp: bool) -> None:
        if self._done or self._reading:
            return
        if not matches(wire, self._id, self._wire):
            log.info("%s: what came from %s is no answer to that, and is left out", self._question, self._server)
            return
        rcode = HEADER.unpack_from(wire)[1] & 0xF
        if not tcp and HEADER.unpack_from(wire)[1] & _TRUNCATED:
            self._connect()
        elif self._edns and rcode in _NO_EDNS:
            self._ask_without_edns()
        else:
            self._reading = True
            self._stop_timer()
            self._pacer.work(self._read(wire))

    def _ask_without_edns(self) -> None:
        self._edns = self._reading = False
        self._new_query()
        self._stop_timer()
        if self._stream is not None:
            self._wait()
            self._stream.sendString(self._query)
        else:
            self._send()

    def _read(self, wire: bytes) -> Iterator[None]:
        """The steps of reading a response."""
        try:
            message = yield from read_response(wire)
        except MalformedResponseError as error:
            log.info("%s: the answer of %s can't be read: %s", self._question, self._server, error)
            self._fail("answered with what is no DNS message")
            return
        if self._done:
            return
        rcode = message.rcode()
        if rcode in _NO_EDNS and self._edns:
            self._ask_without_edns()
        elif rcode not in _ANSWERED:
            self._fail(f"answered {dns.rcode.to_text(rcode)}")
        elif _is_referral(message):
            self._fail("does not answer for this name: it refers to other nameservers")
        else:
            self._end().callback(message)

    # Ends

    def _timed_out(self) -> None:
        self._timer = None
        self._fail(f"has not answered within {self._timeout:g} s", timed_out=True)

    def _fail(self, text: str, timed_out: bool = False) -> None:
        if not self._done:
            self._end().errback(Failure(ExchangeError(text, timed_out)))

    def _cancelled(self, deferred: Deferred[Any]) -> None:
        self._end()

    def _end(self) -> Deferred[dns.message.QueryMessage]:
        self._done = True
        self._stop_timer()
        self._close_port()
        if self._connector is not None:
            self._connector.disconnect()
        if self._opened:
            self._pacer.close()
        else:
            self._pacer.forget(self._start)
        return self.answer

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close_port(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            port.stopListening()


class _Stream(Int16StringReceiver):
    """Messages over TCP, each after its length (RFC 1035 4.2.2)."""

    def __init__(self, exchange: _Exchange) -> None:
        self._exchange = exchange

    def connectionMade(self) -> None:
        self._exchange.connected(self)

    def stringReceived(self, string: bytes) -> None:
        self._exchange.string_received(string)

    def connectionLost(self, reason: Any = None) -> None:
        self._exchange.connection_ended(reason)


class _StreamFactory(ClientFactory[_Stream]):
    noisy = False

    def __init__(self, exchange: _Exchange) -> None:
        self._exchange = exchange

    def buildProtocol(self, addr: Any) -> _Stream:
        return _Stream(self._exchange)

    def clientConnectionFailed(self, connector: Any, reason: Any) -> None:
        self._exchange.connection_ended(reason)


def _is_referral(message: dns.message.Message) -> bool:
    """Whether nothing is answered but which other servers to ask (RFC 1034 4.3.1): a server that is lame for us."""
    types = {rrset.rdtype for rrset in message.authority}
    return not message.answer and dns.rdatatype.NS in types and dns.rdatatype.SOA not in types
