"""A party that says in a call whatever it is told to, in any order: for property tests and fuzzing of the INVITE usage.

It knows how to be heard: its responses belong to our last request, its requests to the dialog, its PRACK to our last
reliable response, so that what is wrong with them is found above the transactions and not below.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sipsimple.core.protocol.hop import Hop
from sipsimple.core.protocol.invite_events import InvalidStateError, StateChange
from sipsimple.core.protocol.transaction_matching import tag_of
from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.message import SIPRequest, SIPResponse, make_response
from sipsimple.core.wire.parser import parse_message
from sipsimple.testing.parties import Call, Link, Party, sdp

if TYPE_CHECKING:
    from sipsimple.core.wire.sdp import FrozenSDPSession

__all__ = ["STEPS", "HostileCall"]

#: What it may do, by number: a status code is a response to our last INVITE, one in quotes to our last other request,
#: a name a request of its own, a word in small letters something that our side does.
STEPS: tuple[int | str, ...] = (
    *(100, 180, 183, 199, 200, 202, 302, 401, 408, 422, 481, 486, 488, 491, 500, 503),
    *("200", "202", "401", "422", "481", "488", "491", "503"),
    *("INVITE", "ACK", "PRACK", "UPDATE", "INFO", "BYE", "CANCEL", "REFER", "NOTIFY", "OPTIONS", "MESSAGE"),
    *("reinvite", "ask for an offer", "update", "ring", "progress", "accept", "refuse", "cancel", "end", "wait"),
)

_OURS = "10.0.0.1"
_THEIRS = Hop("udp", "10.0.0.9", 5060)


class _Recording(Link):
    """Remembers what our side sent: the last INVITE (True), the last request of another method, the last RSeq."""

    def __init__(self) -> None:
        super().__init__()
        self.last_requests: dict[bool, SIPRequest] = {}
        self.last_rseq = "1"

    def send(self, data: bytes, source: Hop, destination: Hop) -> None:
        message = parse_message(data)
        assert message.cseq is not None
        line = message.method if isinstance(message, SIPRequest) else f"{message.code} {message.cseq.method}"
        self.sent.append(("alice", line))
        if isinstance(message, SIPResponse):
            self.last_rseq = message.headers.get("RSeq") or self.last_rseq
        elif message.method != "ACK":
            self.last_requests[message.method == "INVITE"] = message


class HostileCall:
    """One call, which the hostile party takes or begins. `step` does one thing; `finish` ends what is left.

    An error of our own is raised from either. `unreliable`: it supports no 100rel; `rack`: what its PRACKs acknowledge,
    None for our last response; `contact`: where it says that it is.
    """

    unreliable = False
    rack: str | None = None
    contact = f"<sip:mallory@{_THEIRS.host}>"

    def __init__(self, outgoing: bool, offers: bool = True) -> None:
        self.link = _Recording()
        self.party = Party(self.link, "alice", _OURS)
        self.party.answer = self._taken
        self._other = Party(_Recording(), "mallory", _THEIRS.host)
        self._cseq = 0
        self._number = 0
        self._rseq = 0
        self._invite_cseq = 1
        self.call: Call | None = None
        if outgoing:
            self.call = self.party.call(self._other, offers=offers)
            self._watch(self.call)

    def _taken(self, call: Call) -> None:
        if self.call is None:
            self.call = call
            self._watch(call)

    def _watch(self, call: Call) -> None:
        def answered(change: StateChange) -> None:
            # whoever observes a call may act while he is told
            if change.code is not None and change.code % 2:
                self._try("accept")

        call.on_change = answered

    def say(self, what: int | str, *lines: str, body: bytes | None = None) -> None:
        """One of `STEPS`, by name."""
        self.step(STEPS.index(what), lines, body)

    def step(self, number: int, lines: Iterable[str] = (), body: bytes | None = None) -> None:
        """Does what `STEPS` has at that number (modulo their count), with further header lines and another body."""
        what = STEPS[number % len(STEPS)]
        if isinstance(what, int) or what.isdecimal():
            self._respond(self.link.last_requests.get(isinstance(what, int)), int(what), lines, body)
        elif what.isupper():
            self._request(what, lines, body)
        else:
            self._try(what)
        self.link.advance(0.1)

    def finish(self) -> None:
        """Our side ends the call, and all time passes."""
        if self.call is not None:
            self._try("end")
        self.link.advance(1000)

    # What the other party says

    def _respond(self, request: SIPRequest | None, code: int, lines: Iterable[str], body: bytes | None) -> None:
        if request is None:
            return
        fields = [("Contact", self.contact)]
        if code == 183:
            self._rseq += 1
            fields += [("Require", "100rel"), ("RSeq", str(self._rseq))]
        self._say(make_response(request, code, None, "mallory", fields), lines, body)

    def _request(self, method: str, lines: Iterable[str], body: bytes | None) -> None:
        self._cseq += method not in ("ACK", "CANCEL")
        if method == "INVITE":
            self._invite_cseq = self._cseq
        self._number += method != "CANCEL"
        dialog = None if self.call is None else self.call.usage.dialog
        if dialog is None:
            parties = ("<sip:mallory@10.0.0.9>;tag=mallory", f"<sip:alice@{_OURS}>", "hostile")
        else:
            ours, theirs = dialog.local.parameters.get("tag"), tag_of(dialog.remote)
            parties = (f"<sip:mallory@10.0.0.9>;tag={theirs}", f"<sip:alice@{_OURS}>;tag={ours}", dialog.id.call_id)
        fields = [
            ("Via", f"SIP/2.0/UDP {_THEIRS.host};branch=z9hG4bKhostile{self._number}"),
            ("From", parties[0]),
            ("To", parties[1]),
            ("Call-ID", parties[2]),
            ("CSeq", f"{self._invite_cseq if method == 'ACK' else self._cseq} {method}"),
            ("Contact", self.contact),
            ("Max-Forwards", "70"),
        ]
        if method == "INVITE":
            fields.append(("Supported", "timer" if self.unreliable else "100rel, timer"))
        elif method == "PRACK":
            fields.append(("RAck", self.rack or f"{self.link.last_rseq} {self._invite_cseq} INVITE"))
        self._say(SIPRequest(method, f"sip:alice@{_OURS}", fields), lines, body)

    def _say(self, message: SIPRequest | SIPResponse, lines: Iterable[str], body: bytes | None) -> None:
        if body is None:
            message.body = sdp(_THEIRS.host).encode()
            message.headers.set("Content-Type", "application/sdp")
        else:
            message.body = body
        head, _, rest = message.encode().partition(b"\r\n\r\n")
        further = "".join(f"{line}\r\n" for line in lines).encode("utf-8", "surrogateescape")
        try:
            received = parse_message(head + b"\r\n" + further + b"\r\n" + rest)
        except SIPParseError:
            return
        self.party.layer.message_received(received, _THEIRS, self.link.now)

    # What our side does

    def _try(self, what: str) -> None:
        """One call of a method, which may say that it can't be."""
        call = self.call
        if call is None:
            return
        usage, now = call.usage, self.link.now
        try:
            if what == "reinvite":
                usage.send_reinvite(sdp(_OURS), now=now)
            elif what == "ask for an offer":
                usage.send_reinvite(None, now=now)
            elif what == "update":
                usage.send_update(sdp(_OURS), now=now)
            elif what == "ring":
                usage.respond(180, reliable=True, now=now)
            elif what == "progress":
                usage.respond(183, sdp=self._answer(), now=now)
            elif what == "accept":
                if usage.leg.late is not None:
                    usage.answer(self._answer(), now=now)
                else:
                    usage.respond(200, sdp=self._answer(), now=now)
            elif what == "refuse":
                usage.respond(488, now=now)
            elif what == "cancel":
                usage.cancel_reinvite(now=now)
            elif what == "end":
                usage.end(now=now)
            elif what == "wait":
                self.link.advance(40)
        except (InvalidStateError, ValueError):
            # asked for at the wrong time, or with a description that does not fit
            return

    def _answer(self) -> FrozenSDPSession:
        """A description that fits the offer that waits, if one does."""
        offer = None if self.call is None else self.call.usage.negotiation.remote_offer
        if offer is None:
            return sdp(_OURS)
        lines = [f"{media.media} 4000 {media.transport} {' '.join(media.formats) or '0'}" for media in offer.media]
        return sdp(_OURS, *lines) if lines else offer
