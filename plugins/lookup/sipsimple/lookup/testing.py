"""A nameserver for tests, on the memory network or on a real one. It answers from zones, and misbehaves on demand.

server = FakeNameserver(network.add_host("dns"), ZONE, "example.com")
alice = UserAgent(network, "alice", start=False)
alice.realm.nameservers = [server.address]
server.answer_with("NAPTR example.com", rcode("SERVFAIL"))
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.node
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.zone
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol, Factory
from twisted.protocols.basic import Int16StringReceiver

from sipsimple.lookup.message import name_of

__all__ = ["Answer", "FakeNameserver", "rcode"]

MAX_UDP = 512
#: How many ports are tried where any will do.
ATTEMPTS = 20

#: Makes of a query what is sent back: a message, or octets for what a decent server would not send; None: nothing; no
#: octets: nothing, and a TCP connection is closed.
Answer = Callable[[dns.message.QueryMessage], "dns.message.Message | bytes | None"]


def rcode(text: str) -> Answer:
    """An answer that is only that code, such as SERVFAIL."""

    def answer(query: dns.message.QueryMessage) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.set_rcode(dns.rcode.from_text(text))
        return response

    return answer


class FakeNameserver:
    """Answers over UDP and TCP what zones say.

    :param reactor: a MemoryReactor, or one of Twisted's
    :param zone: the records of a zone, as in a zone file
    :param origin: the domain of the zone
    :param port: 0 takes a free one
    """

    def __init__(self, reactor: Any, zone: str, origin: str, *, port: int = 53, interface: str = "") -> None:
        self.reactor = reactor
        self.zones: list[dns.zone.Zone] = []
        #: What was asked, such as 'SRV _sip._udp.example.com', and over TCP 'TCP SRV ...'.
        self.questions: list[str] = []
        #: Whether it keeps silent.
        self.silent = False
        #: Whether it closes a TCP connection as soon as it has answered.
        self.closes_at_once = False
        self._answers: dict[str, Answer] = {}
        self.add_zone(zone, origin)
        self._listen(port, interface)

    def _listen(self, port: int, interface: str) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            self._udp = self.reactor.listenUDP(port, _Datagrams(self), interface)
            self.port: int = self._udp.getHost().port
            try:
                self._tcp = self.reactor.listenTCP(self.port, _Streams(self), interface=interface)
            except CannotListenError:  # a port that is free for UDP is not always so for TCP
                self._udp.stopListening()
                if port or attempt == ATTEMPTS:
                    raise
            else:
                return

    @property
    def address(self) -> str:
        """Its address and port, as for a setting."""
        host = self._udp.getHost().host
        return f"{getattr(self.reactor, 'ip', '127.0.0.1') if host == '0.0.0.0' else host}:{self.port}"

    def add_zone(self, zone: str, origin: str) -> None:
        """Another zone that it has; of those that a name lies in, the smallest one counts."""
        made = dns.zone.from_text(zone, origin, relativize=False, check_origin=False)
        self.zones = sorted([*self.zones, made], key=lambda each: -len(each.origin or ()))

    def answer_with(self, question: str, answer: Answer) -> None:
        """How to answer a question ('SRV _sip._udp.example.com') from now on; '*' stands for all others."""
        self._answers[question] = answer

    def count(self, question: str) -> int:
        """How often that was asked."""
        return self.questions.count(question)

    def stop(self) -> Any:
        """Close its ports; returns a Deferred."""
        from twisted.internet.defer import DeferredList, maybeDeferred

        return DeferredList([maybeDeferred(port.stopListening) for port in (self._udp, self._tcp)])

    def respond(self, wire: bytes, tcp: bool) -> bytes | None:
        """What it says to a query."""
        query = dns.message.from_wire(wire)
        assert isinstance(query, dns.message.QueryMessage)
        asked = query.question[0]
        question = f"{dns.rdatatype.to_text(asked.rdtype)} {name_of(asked.name)}"
        self.questions.append(f"TCP {question}" if tcp else question)
        if self.silent:
            return None
        answer = self._answers.get(question) or self._answers.get("*") or self.from_zones
        response = answer(query)
        if response is None or isinstance(response, bytes):
            return response
        size = 65535 if tcp else max(MAX_UDP, query.payload if query.edns >= 0 else 0)
        try:
            return response.to_wire(max_size=size)
        except dns.exception.TooBig:
            truncated = dns.message.make_response(query)
            truncated.flags |= dns.flags.TC
            return truncated.to_wire()

    def from_zones(self, query: dns.message.QueryMessage) -> dns.message.Message:
        """What its zones say to a query."""
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        asked = query.question[0]
        name = asked.name
        for _ in range(16):
            zone = next((each for each in self.zones if name.is_subdomain(each.origin or dns.name.root)), None)
            if zone is None:
                if not response.answer:
                    response.set_rcode(dns.rcode.REFUSED)
                return response
            found = zone.get_rrset(name, asked.rdtype) or zone.get_rrset(name, dns.rdatatype.CNAME)
            if found is None:
                self._deny(zone, name, response)
                return response
            response.answer.append(found)
            if found.rdtype == asked.rdtype:
                return response
            name = found[0].target
        return response

    @staticmethod
    def _deny(zone: dns.zone.Zone, name: dns.name.Name, response: dns.message.Message) -> None:
        if not any(each.is_subdomain(name) for each in zone.nodes):
            response.set_rcode(dns.rcode.NXDOMAIN)
        soa = zone.get_rrset(zone.origin or dns.name.root, dns.rdatatype.SOA)
        if soa is not None:
            response.authority.append(soa)


class _Datagrams(DatagramProtocol):
    noisy = False
    transport: Any

    def __init__(self, server: FakeNameserver) -> None:
        self._server = server

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        response = self._server.respond(datagram, tcp=False)
        if response is not None:
            self.transport.write(response, addr)


class _Streams(Factory[Any]):
    noisy = False

    def __init__(self, server: FakeNameserver) -> None:
        self._server = server

    def buildProtocol(self, addr: Any) -> Int16StringReceiver:
        server = self._server

        class Stream(Int16StringReceiver):
            transport: Any

            def stringReceived(self, string: bytes) -> None:
                response = server.respond(string, tcp=True)
                if response == b"":
                    self.transport.abortConnection()
                elif response is not None:
                    self.transport.write(struct.pack("!H", len(response)) + response)
                    if server.closes_at_once:
                        self.transport.loseConnection()

        return Stream()
