"""DNS messages (RFC 1035 4, RFC 6891): questions as octets, and answers read bit by bit.

The values are dnspython's. A long answer takes long to read, so `read_response` pauses after some records.
"""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.wire

__all__ = ["HEADER", "MalformedResponseError", "Question", "encode_query", "matches", "name_of", "read_response"]

HEADER = struct.Struct("!HHHHHH")
_RR = struct.Struct("!HHIH")
_QUESTION = struct.Struct("!HH")

IN = dns.rdataclass.IN
#: What is said to be received over UDP without fragments (DNS flag day 2020).
UDP_PAYLOAD = 1232
_EDNS = b"\0" + _RR.pack(dns.rdatatype.OPT, UDP_PAYLOAD, 0, 0)

_RESPONSE = int(dns.flags.QR)
_RECURSION_DESIRED = int(dns.flags.RD)
_OPCODE = 0x7800
_RCODE = 0xF

#: An answer that announces more records is not read.
MAX_RECORDS = 1024
#: So many records are read without a pause.
RECORDS_AT_ONCE = 8

Reading = Generator[None, None, dns.message.QueryMessage]


class MalformedResponseError(Exception):
    """Octets that are no DNS message."""


class Question(NamedTuple):
    """A name, in lower case and without a final dot, and the type of the records that are asked for."""

    name: str
    rdtype: dns.rdatatype.RdataType

    @property
    def dns_name(self) -> dns.name.Name:
        """The name as dnspython has it. Raises dns.exception.DNSException when it can't be the name of anything."""
        return _dns_name(self.name)

    @property
    def wire(self) -> bytes:
        """Its octets in a message. Raises like `dns_name`."""
        return _wire(self.name) + _QUESTION.pack(self.rdtype, IN)

    def __str__(self) -> str:
        return f"{dns.rdatatype.to_text(self.rdtype)} {self.name}"


@lru_cache(maxsize=1024)
def _dns_name(name: str) -> dns.name.Name:
    return dns.name.from_text(name)


@lru_cache(maxsize=1024)
def _wire(name: str) -> bytes:
    return _dns_name(name).to_wire() or b""


def name_of(name: dns.name.Name) -> str:
    """A name of dnspython's as questions have it."""
    return name.to_text(omit_final_dot=True).lower()


def encode_query(id: int, question: bytes, *, recursion: bool, edns: bool) -> bytes:
    """A query with one question."""
    header = HEADER.pack(id, _RECURSION_DESIRED if recursion else 0, 1, 0, 0, 1 if edns else 0)
    return header + question + (_EDNS if edns else b"")


def matches(wire: bytes, id: int, question: bytes) -> bool:
    """Whether the octets are a response to that query (RFC 5452 9.1): the same id, and the same question.

    A server that did not understand the query may leave the question out.
    """
    if len(wire) < HEADER.size:
        return False
    got_id, flags, questions, *_ = HEADER.unpack_from(wire)
    if got_id != id or not flags & _RESPONSE or flags & _OPCODE:
        return False
    if questions == 0:
        return flags & _RCODE in (dns.rcode.FORMERR, dns.rcode.NOTIMP)
    got = wire[HEADER.size : HEADER.size + len(question)]
    name = len(question) - _QUESTION.size
    return questions == 1 and got[name:] == question[name:] and got[:name].lower() == question[:name].lower()


def read_response(wire: bytes) -> Reading:
    """The message that `matches` has found to be a response.

    A generator that pauses where others may have their turn, and returns the message at its end; it raises
    MalformedResponseError when there is none.
    """
    try:
        return (yield from _read(wire))
    except MalformedResponseError:
        raise
    except Exception as error:  # what dnspython raises for bad octets is not one family
        raise MalformedResponseError(f"{type(error).__name__}: {error}") from error


def _read(wire: bytes) -> Reading:
    id, flags, questions, answers, authorities, additionals = HEADER.unpack_from(wire)
    if answers + authorities + additionals > MAX_RECORDS:
        raise MalformedResponseError(f"{answers + authorities + additionals} records")
    message = dns.message.QueryMessage(id=id)
    message.flags = dns.flags.Flag(flags)
    reader = _Reader(wire, message)
    for _ in range(questions):
        reader.read_question()
    yield from reader.read_section(message.answer, answers)
    asked = {rrset.rdtype for rrset in message.question}
    if not any(rrset.rdtype in asked for rrset in message.answer):
        # what is beside an answer is not used: only who says that there is none, and the rest of the rcode
        yield from reader.read_section(message.authority, authorities)
        yield from reader.read_section(message.additional, additionals)
    return message


class _Reader:
    """Reads one record after the other into a message."""

    def __init__(self, wire: bytes, message: dns.message.QueryMessage) -> None:
        self._wire = wire
        self._message = message
        self._parser: Any = dns.wire.Parser(wire, HEADER.size)
        self._names: dict[int, dns.name.Name] = {}  # by where they are, for those that point there
        self._rrset: Any = None  # the last one, and what it was found by
        self._key: tuple[Any, ...] = ()

    def read_question(self) -> None:
        name = self._read_name()
        rdtype, rdclass = self._parser.get_struct("!HH")
        message = self._message
        message.find_rrset(message.question, name, rdclass, rdtype, create=True, force_unique=True)

    def read_section(self, section: Any, count: int) -> Iterator[None]:
        for number in range(1, count + 1):
            self._read_record(section)
            if number % RECORDS_AT_ONCE == 0:
                yield

    def _read_record(self, section: Any) -> None:
        parser = self._parser
        name = self._read_name()
        rdtype, rdclass, ttl, length = parser.get_struct("!HHIH")
        with parser.restrict_to(length):
            rdata = dns.rdata.from_wire_parser(rdclass, rdtype, parser)
        if rdtype == dns.rdatatype.OPT:
            self._message.opt = dns.rrset.from_rdata(name, ttl, rdata)
            return
        key = (id(section), id(name), rdclass, rdtype)
        if key != self._key or rdtype == dns.rdatatype.RRSIG:
            covers = rdata.covers()
            self._rrset = self._message.find_rrset(section, name, rdclass, rdtype, covers, create=True)
            self._key = key
        self._rrset.add(rdata, ttl if ttl <= 0x7FFFFFFF else 0)  # RFC 2181 8

    def _read_name(self) -> dns.name.Name:
        """The name here; most are pointers (RFC 1035 4.1.4) to one that was read already."""
        parser = self._parser
        start = parser.current
        if start + 1 < len(self._wire) and self._wire[start] >= 0xC0:
            start = int.from_bytes(self._wire[start : start + 2], "big") & 0x3FFF
            known = self._names.get(start)
            if known is not None:
                parser.get_bytes(2)
                return known
        name = dns.name.from_wire_parser(parser)
        self._names[start] = name
        return name
