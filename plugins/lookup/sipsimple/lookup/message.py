"""DNS messages (RFC 1035 4, RFC 6891): questions as octets, and answers read bit by bit.

The values are dnspython's. A long answer takes long to read, so `read_response` pauses after some records.
"""

from __future__ import annotations

import struct
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True, slots=True)
class Question:
    """A name, in lower case and without a final dot, and the type of the records that are asked for.

    Raises dns.exception.DNSException when it can't be the name of anything.
    """

    name: str
    rdtype: dns.rdatatype.RdataType

    @property
    def wire(self) -> bytes:
        """Its octets in a message."""
        return dns.name.from_text(self.name).to_wire() + _QUESTION.pack(self.rdtype, IN)  # type: ignore[operator]

    def __str__(self) -> str:
        return f"{dns.rdatatype.to_text(self.rdtype)} {self.name}"


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
    parser: Any = dns.wire.Parser(wire, HEADER.size)
    message = dns.message.QueryMessage(id=id)
    message.flags = dns.flags.Flag(flags)
    for _ in range(questions):
        name = dns.name.from_wire_parser(parser)
        rdtype, rdclass = parser.get_struct("!HH")
        message.find_rrset(message.question, name, rdclass, rdtype, create=True, force_unique=True)
    read = 0
    for section, count in (
        (message.answer, answers),
        (message.authority, authorities),
        (message.additional, additionals),
    ):
        for _ in range(count):
            _read_record(parser, message, section)
            read += 1
            if read % RECORDS_AT_ONCE == 0:
                yield
    return message


def _read_record(parser: Any, message: dns.message.QueryMessage, section: Any) -> None:
    name = dns.name.from_wire_parser(parser)
    rdtype, rdclass, ttl, length = parser.get_struct("!HHIH")
    with parser.restrict_to(length):
        rdata = dns.rdata.from_wire_parser(rdclass, rdtype, parser)
    if rdtype == dns.rdatatype.OPT:
        message.opt = dns.rrset.from_rdata(name, ttl, rdata)
    elif rdtype != dns.rdatatype.TSIG:
        ttl = ttl if ttl <= 0x7FFFFFFF else 0  # RFC 2181 8
        rrset = message.find_rrset(section, name, rdclass, rdtype, rdata.covers(), create=True)
        rrset.add(rdata, ttl)
