"""The torture messages of RFC 4475, sent to running user agents over UDP and TCP: each gets what it is owed.

What that is says data/rfc4475/README.md. The user agent has no sessions here: an INVITE that may be served is answered
with 486 by the test.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from sipsimple.core.engine import Engine
from sipsimple.notification import NotificationCenter
from sipsimple.testing.network import MemoryNetwork
from sipsimple.testing.peer import DatagramPeer, StreamPeer
from sipsimple.testing.reactor import MemoryRealm

FOLDER = Path(__file__).parent / "data" / "rfc4475"
FILES = sorted(path.stem for path in FOLDER.glob("*.dat"))

BUSY = {486}
REFUSED = {400}
SILENCE = 0
DROPPED = {SILENCE}

OWED: dict[str, set[int]] = {
    # 3.1.1: served as any such request; an INVITE without SDP or with one that nobody wants may be refused for that
    "wsinv": {481},  # its To has a tag
    "intmeth": {501},
    "esc01": BUSY,
    "escnull": {405},
    "esc02": {501},
    "lwsdisp": {200},
    "longreq": BUSY,
    "dblreq": {405},
    "semiuri": {200},
    "transports": {200},
    "mpart01": {200, 202, 405, 415},
    "unreason": DROPPED,
    "noreason": DROPPED,
    # 3.1.2
    **dict.fromkeys(
        [
            "badinv01",
            "clerr",
            "ncl",
            "scalar02",
            "quotbal",
            "ltgtruri",
            "lwsruri",
            "lwsstart",
            "trws",
            "escruri",
            "baddate",
        ],
        REFUSED,
    ),
    **dict.fromkeys(["regbadct", "badaspec", "baddn", "mismatch01"], REFUSED),
    "scalarlg": DROPPED,
    "bigcode": DROPPED,
    "badvers": {505},
    "mismatch02": {400, 501},
    # 3.2
    "badbranch": {200, 400},
    # 3.3: REGISTER is for registrars; a user agent does not serve it
    **dict.fromkeys(["insuf", "multi01", "mcl01"], REFUSED),
    "unkscm": {416},
    "novelsc": {416},
    "unksm2": {400, 405},
    "bext01": {420},
    "invut": {415},
    "regaut01": {401, 405},
    "bcast": DROPPED,
    "zeromf": {200},
    "cparam01": {405},
    "cparam02": {405},
    "regescrt": {405},
    "sdp01": {406},
    # 3.4
    "inv2543": BUSY,
}

#: Over a stream a message must say how long it is; what does not, or not truly, ends it.
STREAM_ONLY = {
    "inv2543": {400, 486},
    "clerr": {SILENCE},
    "baddn": {SILENCE},
    "dblreq": {400, 405},  # two messages, the second without Content-Length
}


class Phone:
    """The engine of one user agent, at 10.0.0.1; it is always busy."""

    def __init__(self, network: MemoryNetwork) -> None:
        self.network = network
        self.realm = MemoryRealm("phone", network)
        self.realm.run(self._start)
        self.host = network.add_host("tester")

    def _start(self) -> None:
        NotificationCenter().add_observer(self, name="SIPInvitationChangedState")
        Engine().start(udp_port=5060, tcp_port=5060)

    def handle_notification(self, notification: Any) -> None:
        if notification.data.state == "incoming":
            notification.sender.send_response(486)

    def answers(self, before: int) -> list[int]:
        """The status codes of what it has sent to the tester since, without repetitions and provisional ones."""
        sent = [packet.data for packet in self.network.packets[before:] if packet.source[0] == self.realm.host.ip]
        codes = {int(code) for data in sent for code in re.findall(rb"^SIP/2\.0 ([2-6]\d\d)", data, re.MULTILINE)}
        return sorted(codes)

    def assert_alive(self) -> None:
        """It still answers, and is quick about it."""
        probe = DatagramPeer(self.host, 6060)
        probe.send(
            b"OPTIONS sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2:6060;branch=z9hG4bKprobe\r\n"
            b"Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:10.0.0.1>\r\nCall-ID: probe\r\n"
            b"CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
            to=self.realm,
            port=5060,
        )
        self.network.run_until(lambda: bool(probe.received), 2)


@pytest.fixture
def phone() -> Phone:
    return Phone(MemoryNetwork())


def test_each_of_the_49_has_its_due() -> None:
    assert len(FILES) == 49 and sorted(OWED) == FILES


@pytest.mark.parametrize("name", FILES)
def test_over_udp(phone: Phone, name: str) -> None:
    """RFC 4475, each message in one datagram."""
    peer = DatagramPeer(phone.host, 5060)
    before = len(phone.network.packets)
    peer.send((FOLDER / f"{name}.dat").read_bytes(), to=phone.realm, port=5060)
    phone.network.advance(40)
    check(phone.answers(before), OWED[name])
    phone.assert_alive()


@pytest.mark.parametrize("name", FILES)
def test_over_tcp(phone: Phone, name: str) -> None:
    """RFC 4475, each message on a connection of its own."""
    peer = StreamPeer.connect(phone.host, phone.realm, 5060)
    phone.network.run_idle()
    before = len(phone.network.packets)
    peer.send((FOLDER / f"{name}.dat").read_bytes())
    phone.network.advance(40)
    check(phone.answers(before), STREAM_ONLY.get(name, OWED[name]))
    phone.assert_alive()


def check(answers: list[int], owed: set[int]) -> None:
    assert set(answers or [SILENCE]) <= owed, f"{answers or 'silence'}, owed is one of {sorted(owed)}"
