"""What is fuzzed: each target takes any octets and may raise nothing but the error that its parser names."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

__all__ = ["TARGETS"]


def message(data: bytes) -> None:
    """SIP messages: what was parsed can be looked at and printed, and parsed again if nothing was wrong with it."""
    from sipsimple.core.wire.errors import SIPParseError
    from sipsimple.core.wire.message import SIPRequest
    from sipsimple.core.wire.parser import parse_message
    from sipsimple.core.wire.validation import validate_request, validate_response

    try:
        parsed = parse_message(data)
    except SIPParseError:
        return
    if isinstance(parsed, SIPRequest):
        validate_request(parsed)
    else:
        validate_response(parsed)
    for name in ("via", "from_header", "to_header", "cseq", "contact", "route", "record_route", "max_forwards"):
        try:
            getattr(parsed, name)
        except SIPParseError:
            continue
    printed = parsed.encode()
    if not parsed.defects:
        parse_message(printed)


def uri(data: bytes) -> None:
    """URIs: what was printed is printed the same again."""
    from sipsimple.core.wire import FrozenSIPURI, SIPParseError

    try:
        parsed = FrozenSIPURI.parse(data.decode("utf-8", "surrogateescape"))
    except SIPParseError:
        return
    assert str(FrozenSIPURI.parse(str(parsed))) == str(parsed)


def header(data: bytes) -> None:
    """Header values of every kind."""
    from sipsimple.core.wire.headers import parse_header

    name, _, value = data.decode("utf-8", "surrogateescape").partition(":")
    try:
        parse_header(name, value)
    except ValueError:
        return


def message_summary(data: bytes) -> None:
    """The state of a mailbox: what was printed is the same when it is parsed again."""
    from sipsimple.payloads.messagesummary import MessageSummary

    try:
        parsed = MessageSummary.parse(data)
    except ValueError:
        return
    assert MessageSummary.parse(parsed.to_string()) == parsed


def sdp(data: bytes) -> None:
    """Session descriptions: what was printed is printed the same again."""
    from sipsimple.core.wire import FrozenSDPSession, SIPParseError

    try:
        parsed = FrozenSDPSession.parse(data)
    except SIPParseError:
        return
    assert FrozenSDPSession.parse(parsed.encode()).encode() == parsed.encode()


def digest(data: bytes) -> None:
    """Challenges, and our answers to them."""
    from sipsimple.core.protocol.authentication import Authenticator
    from sipsimple.core.wire import Credentials, SIPParseError, SIPRequest, SIPResponse

    value = data.decode("utf-8", "surrogateescape").replace("\r", " ").replace("\n", " ")
    request = SIPRequest("REGISTER", "sip:example.com", [("CSeq", "1 REGISTER")])
    attempt = Authenticator(Credentials("alice", "secret")).attempt()
    try:
        response = SIPResponse(401, headers=[("WWW-Authenticate", value)])
    except ValueError:
        return
    try:
        if attempt.challenged(response):
            attempt.authorize(request)
    except SIPParseError:
        return
    assert b"secret" not in request.encode()


class _Stack:
    """A whole stack without sockets, made once."""

    def __init__(self) -> None:
        from sipsimple.testing.parties import Link, Party

        self.link = Link()
        self.party = Party(self.link, "alice", "10.0.0.1")
        self.party.answer = self.answer

    @staticmethod
    def answer(call: Any) -> None:
        call.usage.respond(180, reliable=True, now=call.party.link.now)
        if (offer := call.usage.negotiation.remote_offer) is not None and len(offer.media) == 1:
            with suppress(ValueError):
                call.respond(200, f"{offer.media[0].media} 4000 RTP/AVP 0")


_stack: _Stack | None = None


def engine(data: bytes) -> None:
    """The whole stack: any datagram from anywhere, with the clock moving on."""
    global _stack
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.wire.errors import SIPParseError
    from sipsimple.core.wire.parser import parse_message

    if _stack is None:
        _stack = _Stack()
    stack = _stack
    try:
        parsed = parse_message(data)
    except SIPParseError:
        return
    stack.party.layer.message_received(parsed, Hop("udp", "10.0.0.9", 5060), stack.link.now)
    stack.link.queue.clear()
    stack.link.sent.clear()
    stack.party.incoming.clear()
    stack.link.advance(1)


def call(data: bytes) -> None:
    """A call whose other party says what the octets tell: for each step one, then header lines and perhaps a body."""
    from sipsimple.testing.hostile_party import HostileCall

    hostile = HostileCall(outgoing=data[:1] < b"\x80")
    for step in data[1:].split(b"\x1e")[:16]:
        head, separator, body = step[1:].partition(b"\n\n")
        lines = head.decode("utf-8", "surrogateescape").split("\n") if head else []
        hostile.step(step[0] if step else 0, lines, body if separator else None)
    hostile.finish()
    assert hostile.party.core.dialogs == 0
    assert len(hostile.party.timers) == 0


def msrp(data: bytes) -> None:
    """MSRP, in two reads cut anywhere."""
    from msrplib.parser import MSRPParser

    cut = data[0] if data else 0
    parser = MSRPParser()
    parser.feed(data[1 : 1 + cut])
    parser.feed(data[1 + cut :])


class _Owner:
    """Who made a connection; every request is for one session, which has the URI msrp://10.0.0.1:2855/s;tcp."""

    def __init__(self, session: Any) -> None:
        self.session = session

    def connection_ready(self, connection: Any) -> None:
        pass

    def session_for(self, connection: Any, uri: Any) -> Any:
        if self.session.is_closed or uri != self.session.local_uri:
            return 481
        self.session.binding.bound(connection)
        return self.session

    def connection_lost(self, connection: Any, reason: Any) -> None:
        pass


def msrp_session(data: bytes) -> None:
    """A session with a message and a request under way: whatever comes, nothing is raised, and time ends all of it."""
    from twisted.internet.task import Clock
    from twisted.internet.testing import StringTransport
    from twisted.python.failure import Failure

    from msrplib.connection import MSRPConnection
    from msrplib.errors import MSRPError
    from msrplib.limits import Limits
    from msrplib.session import MSRPSession
    from msrplib.uri import MSRPURI

    limits = Limits(report_timeout=10, max_message_size=100_000)
    peer = MSRPURI("10.0.0.2", 2855, "p")
    session = MSRPSession(MSRPURI("10.0.0.1", 2855, "s"), (peer,), limits=limits)
    clock, outcomes = Clock(), []
    connection = MSRPConnection(clock, _Owner(session), limits)
    transport: Any = StringTransport()
    transport.abortConnection = transport.loseConnection
    connection.makeConnection(transport)
    session.binding.bound(connection)
    session.send_message(b"x" * 5000, "text/plain", "m", success_report="yes")
    session.send_nickname("n").addBoth(outcomes.append)
    cut = data[0] if data else 0
    for piece in (data[1 : 1 + cut], data[1 + cut :]):
        if not transport.disconnecting:
            connection.dataReceived(piece)
    for _ in range(10):
        clock.advance(30)
    session.close()
    assert len(outcomes) == 1, outcomes
    if isinstance(outcomes[0], Failure):
        assert outcomes[0].check(MSRPError), outcomes[0]
    connection.connectionLost()
    assert not clock.getDelayedCalls(), clock.getDelayedCalls()


def cpim(data: bytes) -> None:
    """message/cpim: what was parsed can be printed, unless it has names that we do not print, and parsed again."""
    from sipsimple.streams.chat import ChatStreamError
    from sipsimple.streams.chat.cpim import CPIMMessage

    try:
        printed = CPIMMessage.parse(data).encode()
    except (ChatStreamError, ValueError):
        return
    CPIMMessage.parse(printed)


def composing(data: bytes) -> None:
    """Is-composing documents: no entities, no network, no surprise."""
    from sipsimple.streams.chat.composing import parse_composing

    try:
        parse_composing(data)
    except ValueError:
        return


def imdn(data: bytes) -> None:
    """Disposition notifications: what was read is printed and read the same, as far as a document can say it."""
    from sipsimple.streams.chat.imdn import parse_imdn, print_imdn

    try:
        parsed = parse_imdn(data)
    except ValueError:
        return
    again = parse_imdn(print_imdn(parsed))
    assert (again.message_id, again.disposition, again.status) == (
        parsed.message_id, parsed.disposition, parsed.status,
    )  # fmt: skip


def file(data: bytes) -> None:
    """What a media line says of a file: read or passed over, printed and read the same; the name stays in a folder."""
    from sipsimple.core import FrozenSDPMediaStream, SDPAttribute
    from sipsimple.core.wire import SIPParseError
    from sipsimple.streams.filetransfer.description import FileDescription, FileIcon
    from sipsimple.streams.filetransfer.names import MAX_NAME_OCTETS, safe_name

    lines = [line.partition(":") for line in data.decode("utf-8", "surrogateescape").split("\n")]
    try:
        attributes = [SDPAttribute(name, value if colon else None) for name, colon, value in lines[:16]]
        media = FrozenSDPMediaStream("message", 2855, "TCP/MSRP", formats=["*"], attributes=attributes)
    except (SIPParseError, ValueError):
        return
    FileIcon.named_in(media)
    described = FileDescription.read(media)
    if described is None:
        return
    name = safe_name(described.selector.name)
    assert (
        name and not {"/", "\\", "\0"} & set(name) and name not in (".", "..") and len(name.encode()) <= MAX_NAME_OCTETS
    )
    printed = FrozenSDPMediaStream("message", 1, "TCP/MSRP", formats=["*"], attributes=described.attributes())
    again = FileDescription.read(printed)
    assert (
        again is not None and again.selector.encode() == described.selector.encode() and again.range == described.range
    )


#: name: the target and the folders (below the repository) of its seeds.
def dns(data: bytes) -> None:
    """DNS responses: read, or refused, and in no more time than a slice; what is asked of one has an outcome."""
    import dns.exception
    import dns.rdatatype

    from sipsimple.lookup.message import IN, MalformedResponseError, Question, matches, read_response
    from sipsimple.lookup.naptr import replacements
    from sipsimple.lookup.query import outcome_of
    from sipsimple.lookup.srv import targets

    question = Question("_sip._udp.example.com", dns.rdatatype.SRV)
    if not matches(data, int.from_bytes(data[:2], "big"), question.wire):
        return
    reading = read_response(data)
    try:
        while True:
            next(reading)
    except StopIteration as done:
        message = done.value
    except MalformedResponseError:
        return
    message.to_text()
    try:
        outcome = outcome_of(question, message, [])
    except dns.exception.DNSException:
        return
    assert (outcome.answer is None) != (outcome.error is None)
    if outcome.records:
        targets(outcome.records, Random(1))
    found = [rrset for rrset in message.answer if (rrset.rdclass, rrset.rdtype) == (IN, dns.rdatatype.NAPTR)]
    replacements([record for rrset in found for record in rrset], ("udp", "tcp", "tls"))


TARGETS: dict[str, tuple[Callable[[bytes], None], tuple[str, ...]]] = {
    "message": (message, ("sipsimple_core/tests/data/rfc4475", "fuzz/corpus/sip")),
    "uri": (uri, ("fuzz/corpus/uri",)),
    "header": (header, ("fuzz/corpus/header",)),
    "sdp": (sdp, ("fuzz/corpus/sdp",)),
    "message_summary": (message_summary, ("fuzz/corpus/message_summary",)),
    "digest": (digest, ("fuzz/corpus/digest",)),
    "engine": (engine, ("sipsimple_core/tests/data/rfc4475", "fuzz/corpus/sip")),
    "call": (call, ("fuzz/corpus/call",)),
    "file": (file, ("fuzz/corpus/file",)),
    "msrp": (msrp, ("fuzz/corpus/msrp",)),
    "msrp_session": (msrp_session, ("fuzz/corpus/msrp", "fuzz/corpus/msrp_session")),
    "cpim": (cpim, ("fuzz/corpus/cpim",)),
    "dns": (dns, ("fuzz/corpus/dns",)),
    "composing": (composing, ("fuzz/corpus/composing",)),
    "imdn": (imdn, ("fuzz/corpus/imdn",)),
}
