"""The media of the pjsua2 engine: what is lost, late, silent or rubbish; NATs; and what is counted of it."""

from __future__ import annotations

import random
import secrets
import select
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sipsimple.audio.testing import tone_heard
from sipsimple.core.transport import stun
from sipsimple.realm import current_realm
from sipsimple.streams.rtp.description import AudioMedia, Codec
from sipsimple.streams.rtp.engine import StreamOptions, StreamStatistics, TURNServer
from sipsimple.streams.rtp.engine_bench import EngineBench, RTPPeer, assert_heard, until

pytest.importorskip("pjsua2", reason="pip install 'sipsimple-audio[pjsua2]'", exc_type=ImportError)

from sipsimple.pjsua2.engine import PJSUA2Engine

RATE = 16000
PCMU = Codec(0, "PCMU", 8000)


@pytest.fixture
def bench() -> Iterator[EngineBench]:
    bench = EngineBench(PJSUA2Engine)
    yield bench
    bench.close()


@pytest.fixture
def peer() -> Iterator[RTPPeer]:
    peer = RTPPeer(500.0)
    yield peer
    peer.stop()


def described(port: int) -> str:
    return AudioMedia("127.0.0.1", port, port + 1, False, (PCMU,)).encode()


def assert_peer_heard(stream: Any, frequency: float) -> None:
    """Until the tone is heard, from now on."""
    heard = [np.zeros(0, np.int16)]
    while stream.read():
        pass

    def listen() -> bool:
        while data := stream.read():
            heard[0] = np.concatenate([heard[0], np.frombuffer(data, np.int16)])[-2 * RATE :]
        return tone_heard(heard[0], frequency, RATE) > 0.8

    until(listen)


def test_silence_is_told(bench: EngineBench, peer: RTPPeer) -> None:
    """AUD-042: a peer that sends nothing any more is told of once, after the time of the setting; and once again when
    it had come back."""
    stream, told = bench.open(timeout=1.0)
    bench.do(stream.offer)
    bench.do(stream.accept, described(peer.port))
    assert_peer_heard(stream, 500.0)
    for times in (1, 2):
        assert told.timeouts == times - 1
        peer.quiet = True
        repeated = told.repeated
        until(lambda times=times, repeated=repeated: told.timeouts == times and told.repeated > repeated)
        peer.quiet = False
        assert_peer_heard(stream, 500.0)
    assert not told.failures


def test_a_peer_that_never_sends(bench: EngineBench, peer: RTPPeer) -> None:
    """AUD-042: the same for one that never did; with 0 nobody is told."""
    peer.quiet = True
    (stream, told), (other, untold) = bench.open(timeout=0.5), bench.open(timeout=0)
    for one in (stream, other):
        bench.do(one.offer)
        bench.do(one.accept, described(peer.port))
    until(lambda: told.timeouts == 1)
    assert untold.timeouts == 0


def rubbish(seed: int) -> Iterator[bytes]:
    """Datagrams that are no RTP, or bad RTP; from the same address, a stranger could not do better."""
    chance = random.Random(seed)
    yield from (b"", b"\x80", b"\x80\x00", b"\x00" * 12, b"\xff" * 1400, b"BYE sip:x SIP/2.0\r\n\r\n")
    for _ in range(100):
        yield chance.randbytes(chance.randrange(1, 1400))
        # a version, padding, extension and sources at random, and payload types that nobody agreed on
        yield bytes([0x80 | chance.randrange(64), chance.randrange(256)]) + chance.randbytes(chance.randrange(0, 200))
    # lengths that are not there: an extension, 15 sources, padding
    for first in (0x90, 0x8F, 0xA0):
        yield struct.pack("!BBHII", first, 0, 1, 0, 1) + b"\xff\xff\xff\xff"
    # RTCP on the port of RTP, STUN, events that never end
    yield struct.pack("!BBHI", 0x80, 200, 6, 1) + b"\xff" * 24
    yield b"\x00\x01\x00\x00\x21\x12\xa4\x42" + secrets.token_bytes(12)
    for number in range(50):
        yield struct.pack("!BBHII", 0x80, 101, number, 0, 7) + b"\xff\x00\xff\xff"


def test_rubbish_at_the_port(bench: EngineBench, peer: RTPPeer) -> None:
    """AUD-001: whatever comes to the ports of RTP and RTCP, from the peer's address or another one, sound goes on."""
    stream, told = bench.open()
    offer = AudioMedia.decode(bench.do(stream.offer))
    bench.do(stream.accept, described(peer.port))
    assert_peer_heard(stream, 500.0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for data in rubbish(1):
            peer.send(data)
            for port in (offer.port, offer.rtcp_port):
                with suppress(OSError):
                    stranger.sendto(data, ("127.0.0.1", port))
    assert_peer_heard(stream, 500.0)
    assert not told.failures
    assert not [digit for digit in told.digits if digit not in "0123456789ABCD*#"]


def test_a_digit_is_told_once(bench: EngineBench) -> None:
    """AUD-038: also one in whose midst the stream is put on hold; the same digit once more is another one."""
    (first, _), (second, told) = bench.open(), bench.open()
    offer = AudioMedia.decode(bench.do(first.offer)).restrict(("PCMU",))
    answer = AudioMedia.decode(bench.do(second.answer, offer.encode()))
    bench.do(first.accept, answer.encode())
    assert_heard(first, second, 500.0)
    bench.do(first.send_dtmf, "5")
    until(lambda: told.digits)
    bench.do(second.answer, replace(offer, direction="sendonly").encode())  # while the rest of it is on its way
    bench.do(first.answer, replace(answer, direction="recvonly").encode())
    bench.do(second.answer, offer.encode())
    bench.do(first.answer, answer.encode())
    for digit in "56":
        bench.do(first.send_dtmf, digit)
    until(lambda: told.digits[-1] == "6")
    assert told.digits == ["5", "5", "6"]


class LossyLink:
    """Between two streams: forwards RTP and RTCP, but for one packet of RTP in `every`."""

    def __init__(self, every: int) -> None:
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(4)]
        for sock in self.sockets:
            sock.bind(("127.0.0.1", 0))
        self.ports = [sock.getsockname()[1] for sock in self.sockets]
        self.targets: dict[int, int] = {}
        self._every = every
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def description(self, side: int, media: AudioMedia) -> str:
        """That of a stream, as the other one is to have it; `side` is 0 for the first one that is given, then 1."""
        near, far = (0, 1), (2, 3)
        out, back = (near, far) if side == 0 else (far, near)
        for theirs, port in zip(back, (media.port, media.rtcp_port), strict=True):
            self.targets[theirs] = port
        return replace(media, port=self.ports[out[0]], rtcp_port=self.ports[out[1]]).encode()

    def _run(self) -> None:
        count = 0
        while not self._stopped.is_set():
            for sock in select.select(self.sockets, [], [], 0.05)[0]:
                number = self.sockets.index(sock)
                with suppress(OSError, KeyError):
                    data = sock.recv(4096)
                    count += number in (0, 2)
                    if number in (0, 2) and count % self._every == 0:
                        continue
                    # what comes to the one side leaves from the other
                    self.sockets[(number + 2) % 4].sendto(data, ("127.0.0.1", self.targets[(number + 2) % 4]))

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()
        for sock in self.sockets:
            sock.close()


@pytest.fixture
def link() -> Iterator[LossyLink]:
    link = LossyLink(every=9)
    yield link
    link.stop()


def test_what_is_counted_when_packets_are_lost(bench: EngineBench, link: LossyLink) -> None:
    """AUD-023: the rate and the codec; loss, jitter, the round trip and the estimate of quality are those of the link;
    sound goes on."""
    (first, told), (second, _) = bench.open(), bench.open()
    offer = AudioMedia.decode(bench.do(first.offer)).restrict(("PCMU",))
    answer = AudioMedia.decode(bench.do(second.answer, link.description(0, offer)))
    bench.do(first.accept, link.description(1, answer))
    assert_heard(first, second, 500.0)
    found: list[StreamStatistics] = []

    def measured() -> bool:
        found[:] = [bench.do(second.statistics)]
        return found[0].round_trip is not None and found[0].packets_received > 100

    until(measured)
    (statistics,) = found
    assert (told.states[-1].codec, told.states[-1].sample_rate) == ("PCMU", 8000)
    assert 0.02 < statistics.loss < 0.5
    assert statistics.packets_lost > 5
    assert 0 <= statistics.jitter < 1
    assert statistics.round_trip is not None and 0 < statistics.round_trip < 5
    assert 1 <= statistics.mos < StreamStatistics(packets_received=100, round_trip=0.001).mos - 0.3
    assert_heard(first, second, 500.0)


class NAT:
    """A STUN server that sees everybody come from PUBLIC, with the port that they have."""

    PUBLIC = "203.0.113.7"

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 0))
        self._address = self._socket.getsockname()
        self.server = f"{address}:{self._address[1]}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            data, source = self._socket.recvfrom(2000)
            if not data:
                return
            if stun.is_stun(data):
                response = stun.answer(stun.parse(data), (self.PUBLIC, source[1]))
            else:  # pjsua2 without ICE asks as of RFC 3489 11.2.1
                mapped = struct.pack("!HHxBH4s", 1, 8, 1, source[1], socket.inet_aton(self.PUBLIC))
                response = struct.pack("!HH", 0x101, len(mapped)) + data[4:20] + mapped
            self._socket.sendto(response, source)

    def stop(self) -> None:
        self._socket.sendto(b"", self._address)
        self._thread.join()
        self._socket.close()


@pytest.fixture
def nat() -> Iterator[NAT]:
    # loopback addresses are no ICE candidates (RFC 8445 5.1.1.1)
    address = current_realm().local_ip_towards("192.0.2.1")
    if address.startswith("127."):
        pytest.skip("this machine has no address but the loopback one")
    nat = NAT(address)
    yield nat
    nat.stop()


@pytest.mark.parametrize("ice", [False, True])
def test_behind_a_nat(bench: EngineBench, nat: NAT, ice: bool) -> None:
    """AUD-002, AUD-003, AUD-007, AUD-008: the public address is described, and is a candidate beside the host's own."""
    address = nat.server.partition(":")[0]
    stream, _ = bench.open(address=address, ice=ice, stun_servers=(nat.server,))
    offer = AudioMedia.decode(bench.do(stream.offer))
    assert offer.address == nat.PUBLIC
    media = offer.to_media()
    assert media.connection.address == nat.PUBLIC
    assert media.attributes.getfirst("rtcp") == f"{offer.rtcp_port} IN IP4 {nat.PUBLIC}"
    found = [line.split() for line in media.attributes.getall("candidate")]
    candidates = {(line[1], line[7], line[4]): line for line in found}
    assert len(found) == len(candidates) == (4 if ice else 0)
    if not ice:
        assert offer.rtcp_port == offer.port + 1
        return
    for component in "12":
        mapped = candidates[component, "srflx", nat.PUBLIC]
        host = candidates[component, "host", address]
        assert mapped[8:] == ["raddr", address, "rport", host[5]]
        assert int(mapped[3]) > int(host[3])  # as in the example
    for attribute, least in (("ice-ufrag", 4), ("ice-pwd", 22)):  # RFC 8839 5.4
        assert len(media.attributes.getfirst(attribute)) >= least


def test_secrets_are_not_shown() -> None:
    """AUD-001: the password of the TURN server is in no repr."""
    options = StreamOptions("127.0.0.1", turn_server=TURNServer("192.0.2.1:3478", "alice", "apass"))
    assert "apass" not in repr(options) and "192.0.2.1" in repr(options)
