"""One question to one nameserver that behaves badly, and to several of them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from sipsimple.lookup import DNSLookupError
from sipsimple.lookup.testing import FakeNameserver, rcode

from .conftest import ZONE, Lookups

QUESTION = "A b.example.com"
FOUND = ["udp:10.0.0.11:5060"]


@pytest.fixture
def lookups(lookups: Lookups) -> Lookups:
    lookups.without_authorities()
    return lookups


def look(lookups: Lookups, **options: Any) -> list[str]:
    return lookups.proxies("sip:b.example.com:5060", ["udp"], **options)


def answer(query: dns.message.QueryMessage, address: str = "6.6.6.6") -> dns.message.Message:
    response = dns.message.make_response(query)
    response.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", address))
    return response


def with_wrong_id(wire: bytes) -> bytes:
    return struct.pack("!H", struct.unpack_from("!H", wire)[0] ^ 0x5555) + wire[2:]


def of_another_name(query: dns.message.QueryMessage) -> bytes:
    other = dns.message.make_query("c.example.com", "A", id=query.id)
    return answer(other).to_wire()


def of_another_type(query: dns.message.QueryMessage) -> bytes:
    other = dns.message.make_query("b.example.com", "TXT", id=query.id)
    response = dns.message.make_response(other)
    response.answer.append(dns.rrset.from_text("b.example.com.", 60, "IN", "A", "6.6.6.6"))
    return response.to_wire()


def without_question(query: dns.message.QueryMessage) -> bytes:
    response = answer(query)
    response.question.clear()
    return response.to_wire()


NO_ANSWERS: dict[str, Callable[[Any], bytes]] = {
    "rubbish": lambda query: b"\x00\xff" * 40,
    "nothing": lambda query: b"",
    "too short": lambda query: answer(query).to_wire()[:11],
    "wrong id": lambda query: with_wrong_id(answer(query).to_wire()),
    "the query": lambda query: query.to_wire(),
    "another name": of_another_name,
    "another type": of_another_type,
    "no question": without_question,
    "another opcode": lambda query: answer(query).to_wire()[:2] + b"\xa8" + answer(query).to_wire()[3:],
}


@pytest.mark.parametrize("what", NO_ANSWERS)
def test_what_is_no_answer_is_not_heard(lookups: Lookups, what: str) -> None:
    """RFC 5452 9.1: as forged ones are; the right one may come after it, here at the second try."""
    sent = []

    def once(query: dns.message.QueryMessage) -> Any:
        sent.append(1)
        return NO_ANSWERS[what](query) if len(sent) == 1 else lookups.server.from_zones(query)

    lookups.server.answer_with(QUESTION, once)
    assert look(lookups) == FOUND
    assert len(sent) == 2


def test_answers_from_elsewhere_are_not_heard(lookups: Lookups) -> None:
    """RFC 5452 9.1: another host that knows the id and the port is not the server."""
    forger = lookups.network.add_host("forger")
    forged = []

    def forge(packet: Any) -> None:
        if packet.destination[1] == 53 and packet.sender is lookups.realm.reactor:
            from twisted.internet.protocol import DatagramProtocol

            port = forger.listenUDP(0, DatagramProtocol())
            port.write(answer(dns.message.from_wire(packet.data)).to_wire(), packet.source)  # type: ignore[arg-type]
            forged.append(packet)

    lookups.network.filter(forge)
    lookups.server.silent = True
    with pytest.raises(DNSLookupError, match="has not answered"):
        look(lookups)
    assert forged


def test_ports_and_ids_are_not_those_of_before(lookups: Lookups) -> None:
    """RFC 5452 9.2: each question has a port of its own, and an id of its own."""
    ports, ids = set(), set()

    def note(packet: Any) -> None:
        if packet.destination[1] == 53:
            ports.add(packet.source[1])
            ids.add(packet.data[:2])

    lookups.network.filter(note)
    for number in range(20):
        with pytest.raises(DNSLookupError):
            lookups.proxies(f"sip:h{number}.example.com:5060", ["udp"])
    assert len(ports) == 40 and len(ids) > 35


MALFORMED: dict[str, Callable[[bytes], bytes]] = {
    "cut off": lambda wire: wire[:-14],
    "more records than there are": lambda wire: wire[:6] + b"\x00\x09" + wire[8:],
    "too many records": lambda wire: wire[:6] + b"\xff\xff" + wire[8:],
    "a name that points at itself": lambda wire: wire.replace(b"\xc0\x0c\x00\x01\x00\x01\x00\x00", b"\xc0\x21" * 4),
    "octets that are too long": lambda wire: wire.replace(b"\x00\x04\x06\x06", b"\x00\x05\x06\x06"),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_answers_that_cannot_be_read(lookups: Lookups, what: str) -> None:
    """They are from the server, so that it is of no use to wait for another one: the next server is asked."""
    second = FakeNameserver(lookups.network.add_host("second"), ZONE, "example.com")
    lookups.realm.nameservers = [lookups.server.address, second.address]
    lookups.server.answer_with(QUESTION, lambda query: MALFORMED[what](answer(query).to_wire()))
    begin = lookups.network.now
    assert look(lookups) == FOUND
    assert lookups.network.now - begin < 0.1
    assert second.count(QUESTION) == 1


@pytest.mark.parametrize("code", ["SERVFAIL", "REFUSED", "NOTIMP", "FORMERR", "BADVERS", "NOTAUTH"])
def test_servers_that_refuse(lookups: Lookups, code: str) -> None:
    """The next one is asked at once."""
    second = FakeNameserver(lookups.network.add_host("second"), ZONE, "example.com")
    lookups.realm.nameservers = [lookups.server.address, second.address]
    lookups.server.answer_with("*", rcode(code))
    begin = lookups.network.now
    assert look(lookups) == FOUND
    assert lookups.network.now - begin < 0.1
    assert {tuple(trace.nameservers) for trace in lookups.traces()} == {("10.0.0.1", "10.0.0.3")}
    lookups.realm.nameservers = [lookups.server.address]
    lookups.run(lookups.manager._reconfigure)
    with pytest.raises(DNSLookupError, match=code):
        look(lookups)


def test_a_server_that_knows_no_edns(lookups: Lookups) -> None:
    """RFC 6891 7: it is asked again without."""

    def old(query: dns.message.QueryMessage) -> dns.message.Message:
        if query.edns < 0:
            return lookups.server.from_zones(query)
        response = dns.message.make_response(query)
        response.use_edns(False)
        response.set_rcode(dns.rcode.FORMERR)
        response.question.clear()
        return response

    lookups.server.answer_with("*", old)
    assert look(lookups) == FOUND


def test_a_referral_is_no_answer(lookups: Lookups) -> None:
    """A server that is lame for the domain: the next one is asked."""

    def refer(query: dns.message.QueryMessage) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.authority.append(dns.rrset.from_text("com.", 60, "IN", "NS", "a.gtld-servers.net."))
        return response

    second = FakeNameserver(lookups.network.add_host("second"), ZONE, "example.com")
    lookups.realm.nameservers = [lookups.server.address, second.address]
    lookups.server.answer_with("*", refer)
    assert look(lookups) == FOUND


def truncated(query: dns.message.QueryMessage) -> dns.message.Message:
    response = dns.message.make_response(query)
    response.flags |= dns.flags.TC
    return response


def test_truncated_answers_are_fetched_over_tcp(lookups: Lookups) -> None:
    """RFC 7766 5"""
    server = lookups.server

    def by_transport(query: dns.message.QueryMessage) -> dns.message.Message:
        return server.from_zones(query) if server.questions[-1].startswith("TCP") else truncated(query)

    server.answer_with(QUESTION, by_transport)
    for number, size in enumerate((16384, 1, 16384), 1):
        lookups.network.segment_size = size
        server.closes_at_once = number == 3
        assert look(lookups) == FOUND
        assert server.count(f"TCP {QUESTION}") == number
        lookups.run(lookups.manager._reconfigure)


@pytest.mark.parametrize("how", ["refused", "silent", "closed", "rubbish", "wrong id", "flood"])
def test_tcp_that_fails(lookups: Lookups, how: str) -> None:
    """It is over within the time that the server has, and the next server is asked."""
    second = FakeNameserver(lookups.network.add_host("second"), ZONE, "example.com")
    lookups.realm.nameservers = [lookups.server.address, second.address]
    server = lookups.server

    def bad(query: dns.message.QueryMessage) -> Any:
        if not server.questions[-1].startswith("TCP"):
            return truncated(query)
        wire = answer(query).to_wire()
        answers = {"rubbish": wire[:20], "wrong id": with_wrong_id(wire), "flood": b"x" * 65535, "closed": b""}
        return answers.get(how)

    server.answer_with(QUESTION, bad)
    if how == "refused":
        server._tcp.stopListening()
    begin = lookups.network.now
    assert look(lookups) == FOUND
    assert lookups.network.now - begin < 3.1
    lookups.network.advance(5)
    assert not lookups.realm.reactor.getDelayedCalls()


def test_a_server_that_is_slow_is_overtaken(lookups: Lookups) -> None:
    """The next one is asked as well after a while; then the silent one comes last for a minute."""
    second = FakeNameserver(lookups.network.add_host("second"), ZONE, "example.com")
    lookups.realm.nameservers = [lookups.server.address, second.address]
    lookups.server.silent = True
    begin = lookups.network.now
    assert look(lookups) == FOUND
    assert 0.6 < lookups.network.now - begin < 0.9
    lookups.network.advance(60)
    with pytest.raises(DNSLookupError):
        lookups.proxies("sip:nowhere.example.com:5060", ["udp"])  # both are asked: 'no' of the second is enough
    begin = lookups.network.now
    with pytest.raises(DNSLookupError):
        lookups.proxies("sip:elsewhere.example.com:5060", ["udp"])
    assert lookups.network.now - begin < 2


def test_a_server_that_is_not_there(lookups: Lookups) -> None:
    """ICMP tells so: nobody waits for it."""
    empty = lookups.network.add_host("empty")
    lookups.realm.nameservers = [empty.ip, lookups.server.address]
    begin = lookups.network.now
    assert look(lookups) == FOUND
    assert lookups.network.now - begin < 0.1


def test_many_questions_at_once(lookups: Lookups, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most 64 are under way at a time, whatever is asked for, and everybody gets an answer."""
    monkeypatch.setattr("sipsimple.lookup.pacer.SLICE", 60.0)
    most = 0

    def count(packet: Any) -> None:
        nonlocal most
        most = max(most, lookups.manager.resolver.pacer._open)

    lookups.network.filter(count)
    names = "".join(f"h{n} 60 IN A 10.1.{n // 250}.{n % 250}\n" for n in range(200))
    lookups.zone(names)
    results = [lookups.start("lookup_sip_proxy", f"sip:h{n}.other.example:5060", ["udp"]) for n in range(200)]
    assert [lookups.finish(result)[0].address for result in results] == [
        f"10.1.{n // 250}.{n % 250}" for n in range(200)
    ]
    assert most == 64
