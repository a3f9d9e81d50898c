"""Media lines that were received: what is understood of bad ones, and what the engine of pjsua2 makes of that."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from typing import Any

import pytest

from sipsimple.core import FrozenSDPSession
from sipsimple.streams.rtp.description import MAX_CANDIDATES, MAX_FORMATS, AudioMedia
from sipsimple.streams.rtp.engine import EngineError
from sipsimple.streams.rtp.engine_bench import EngineBench

KEY = "esI6DbLY1+Aceu0JNswN9Z10DcFx5cZwqJcu91jb"
SUITE = "AES_CM_128_HMAC_SHA1_80"
HEAD = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\n"


def parse(*lines: str, media: str = "audio 4000 RTP/AVP 0", connection: str = "IN IP4 127.0.0.1") -> Any:
    text = HEAD + f"c={connection}\r\nt=0 0\r\nm={media}\r\n" + "".join(f"a={line}\r\n" for line in lines)
    return FrozenSDPSession.parse(text.encode())


def read(*lines: str, **parts: str) -> AudioMedia | None:
    return AudioMedia.read(parse(*lines, **parts), 0)


def names(media: AudioMedia | None) -> list[str]:
    assert media is not None
    return [f"{codec.payload_type} {codec.name}/{codec.rate}" for codec in media.codecs]


@pytest.mark.parametrize(
    ("media", "connection"),
    [
        ("audio 0 RTP/AVP 0", "IN IP4 127.0.0.1"),
        ("video 4000 RTP/AVP 0", "IN IP4 127.0.0.1"),
        ("audio 4000 RTP/AVPF 0", "IN IP4 127.0.0.1"),
        ("audio 4000 UDP/TLS/RTP/SAVP 0", "IN IP4 127.0.0.1"),
        ("audio 4000 udp 0", "IN IP4 127.0.0.1"),
        ("audio 4000 RTP/AVP 13", "IN IP4 127.0.0.1"),  # comfort noise is no codec of ours
        ("audio 4000 RTP/AVP 96", "IN IP4 127.0.0.1"),  # without a=rtpmap
        ("audio 4000 RTP/AVP 200 -1 x 999999999999", "IN IP4 127.0.0.1"),
        ("audio 4000 RTP/AVP 0", "IN IP4 224.0.0.1"),
        ("audio 4000 RTP/AVP 0", "IN IP4 phone.example"),
        ("audio 4000 RTP/AVP 0", "IN IP4 127.1"),
        ("audio 4000 RTP/AVP 0", "IN IP6 ::1"),
    ],
)
def test_lines_that_are_of_no_use(media: str, connection: str) -> None:
    """AUD-001: they are no AudioMedia, and raise nothing."""
    assert read(media=media, connection=connection) is None


@pytest.mark.parametrize(
    ("formats", "lines", "expected"),
    [
        ("0 8 9 3", (), ["0 PCMU/8000", "8 PCMA/8000", "9 G722/8000", "3 GSM/8000"]),
        ("0 0 0", (), ["0 PCMU/8000"]),
        ("0 96", ("rtpmap:96",), ["0 PCMU/8000"]),
        ("0 96", ("rtpmap:96 speex",), ["0 PCMU/8000"]),
        ("0 96", ("rtpmap:96 speex/99999999999999999999",), ["0 PCMU/8000"]),
        ("0 96", ("rtpmap:96 speex/-8000",), ["0 PCMU/8000"]),
        ("0 96", ("rtpmap:96 spe ex/8000",), ["0 PCMU/8000"]),
        ("0 96", ("rtpmap:96 opus/48000/2",), ["0 PCMU/8000"]),  # two channels
        ("96 0", ("rtpmap:96 speex/16000/1",), ["96 speex/16000", "0 PCMU/8000"]),
        ("0 96", ("rtpmap:300 speex/8000", "rtpmap:x speex/8000", "rtpmap:-1 y/8000"), ["0 PCMU/8000"]),
        ("0 99", ("rtpmap:99 telephone-event/8000",), ["0 PCMU/8000"]),
        ("8", ("rtpmap:8 PCMA/8000", "rtpmap:8 GSM/8000"), ["8 GSM/8000"]),
        (" ".join(map(str, range(100))), (), ["0 PCMU/8000", "3 GSM/8000", "8 PCMA/8000", "9 G722/8000"]),
    ],
)
def test_formats(formats: str, lines: tuple[str, ...], expected: list[str]) -> None:
    """AUD-004: of codecs those that can be understood are left."""
    assert names(read(*lines, media=f"audio 4000 RTP/AVP {formats}")) == expected


@pytest.mark.parametrize(
    ("line", "understood"),
    [
        (f"1 {SUITE} inline:{KEY}", True),
        (f"1 {SUITE} inline:{KEY}|2^20", True),
        (f"1 {SUITE} inline:{KEY}|2^20|1:4", False),  # a master key identifier
        (f"1 {SUITE} inline:{KEY} UNENCRYPTED_SRTP", True),
        (f"999999999 {SUITE} inline:{KEY}", True),
        (f"9999999999 {SUITE} inline:{KEY}", False),
        (f"-1 {SUITE} inline:{KEY}", False),
        (f"{SUITE} inline:{KEY}", False),
        (f"1 {SUITE} {KEY}", False),
        (f"1 {SUITE} inline:{KEY[:-1]}", False),
        (f"1 {SUITE} inline:{KEY}AAAA", False),
        (f"1 {SUITE} inline:{KEY[:-4]}====", False),
        (f"1 {SUITE} inline:!{KEY[1:]}", False),
        (f"1 {SUITE} inline:", False),
        (f"1 F8_128_HMAC_SHA1_80 inline:{KEY}", False),
        ("", False),
        ("1", False),
    ],
)
def test_keys(line: str, understood: bool) -> None:
    """AUD-006: a line of a=crypto that is not as RFC 4568 wants it does not count; those beside it do."""
    other = f"2 {SUITE} inline:{KEY}"
    for lines, tags in (((line,), [1]), ((line, other), [1, 2])):
        media = read(*(f"crypto:{text}" for text in lines), media="audio 4000 RTP/SAVP 0")
        assert media is not None
        found = [crypto.tag for crypto in media.cryptos]
        assert len(found) == len(tags) - (not understood)
        assert KEY not in repr(media)
    assert media is not None and media.cryptos[-1].tag == 2


@pytest.mark.parametrize(
    ("line", "port"),
    [("rtcp:5000", 5000), ("rtcp:0", 4001), ("rtcp:99999", 4001), ("rtcp:x", 4001), ("rtcp:", 4001), ("rtcp", 4001)],
)
def test_rtcp(line: str, port: int) -> None:
    """AUD-003: RFC 3605; without a port that is one, it is the next one."""
    media = read(line)
    assert media is not None and media.rtcp_port == port
    last = read(media="audio 65535 RTP/AVP 0")
    assert last is not None and last.rtcp_port == 65535


CANDIDATE = "1 1 UDP 2130706431 10.0.0.1 5000 typ host"


@pytest.mark.parametrize(
    ("lines", "count"),
    [
        (("ice-ufrag:abcd", "ice-pwd:" + 22 * "x", f"candidate:{CANDIDATE}"), 1),
        (("ice-ufrag:abcd", f"candidate:{CANDIDATE}"), 0),
        (("ice-pwd:" + 22 * "x", f"candidate:{CANDIDATE}"), 0),
        (("ice-ufrag:abcd", "ice-pwd:" + 22 * "x"), 0),
        (("ice-ufrag:a b c", "ice-pwd:" + 22 * "x", f"candidate:{CANDIDATE}"), 0),
        (("ice-ufrag:" + 300 * "x", "ice-pwd:" + 22 * "x", f"candidate:{CANDIDATE}"), 0),
        (("ice-ufrag:abcd", "ice-pwd:" + 22 * "x", "candidate:1 1 UDP 1 host.local 5000 typ host"), 0),
        (("ice-ufrag:abcd", "ice-pwd:" + 22 * "x", "candidate:1 1 UDP 1 fd00::1 5000 typ host"), 0),
        (("ice-ufrag:abcd", "ice-pwd:" + 22 * "x", "candidate:1 1 TCP 1 10.0.0.1 9 typ host tcptype active"), 0),
        (("ice-ufrag:abcd", "ice-pwd:" + 22 * "x", "candidate:1 9 UDP 1 10.0.0.1 5000 typ host"), 0),
        (("ice-ufrag:abcd", "ice-pwd:" + 22 * "x", *(100 * (f"candidate:{CANDIDATE}",))), MAX_CANDIDATES),
    ],
)
def test_ice(lines: tuple[str, ...], count: int) -> None:
    """AUD-007, AUD-008: ICE only where all is there that it needs; candidates that are none of ours are left out."""
    media = read(*lines)
    assert media is not None
    assert sum(name == "candidate" for name, _ in media.ice) == count
    assert bool(media.ice) is bool(count)


def strange(seed: int) -> AudioMedia | None:
    """A media line that somebody could have sent."""
    chance = random.Random(seed)
    formats = [str(chance.choice((0, 3, 8, 9, 13, 96, 97, 101, 127, 128))) for _ in range(chance.randrange(1, 60))]
    lines = []
    for _ in range(chance.randrange(12)):
        payload_type = chance.choice((0, 8, 9, 96, 97, 101, 127))
        name = chance.choice(("PCMU", "speex", "G722", "telephone-event", "opus", "L16", "x" * 200, "CN"))
        rate = chance.choice((0, 1, 8000, 16000, 32000, 48000, 999999))
        lines.append(f"rtpmap:{payload_type} {name}/{rate}")
        lines.append(f"fmtp:{payload_type} " + chance.choice(("0-15", "mode=any", "x" * 3000, ";;;==", "annexb=no")))
    for tag in range(chance.randrange(4)):
        lines.append(f"crypto:{tag} {SUITE} inline:{KEY}")
    if chance.random() < 0.4:
        lines += ["ice-ufrag:" + "u" * chance.randrange(1, 200), "ice-pwd:" + "p" * chance.randrange(1, 250)]
        lines += [f"candidate:{n} 1 UDP {n} 10.0.0.{n} {chance.randrange(99999)} typ host" for n in range(1, 20)]
    lines.append(chance.choice(("sendrecv", "sendonly", "recvonly", "inactive", "ptime:0", "ptime:99999", "rtcp:1")))
    profile = chance.choice(("RTP/AVP", "RTP/SAVP"))
    media = f"audio {chance.randrange(1, 65536)} {profile} {' '.join(formats)}"
    return read(*lines, media=media, connection=chance.choice(("IN IP4 0.0.0.0", "IN IP4 127.0.0.1")))


def test_what_is_left_can_be_read_again() -> None:
    """AUD-001: what the engine is given is bounded, and says the same as what was understood."""
    seen = 0
    for seed in range(300):
        media = strange(seed)
        if media is None:
            continue
        seen += 1
        assert len(media.codecs) + len(media.events) <= MAX_FORMATS
        again = AudioMedia.decode(media.encode())
        assert (again.codecs, again.cryptos, again.ice) == (media.codecs, media.cryptos, media.ice)
    assert seen > 200


@pytest.fixture
def bench() -> Iterator[EngineBench]:
    pytest.importorskip("pjsua2", reason="pip install 'sipsimple-audio[pjsua2]'", exc_type=ImportError)
    from sipsimple.pjsua2.engine import PJSUA2Engine

    bench = EngineBench(PJSUA2Engine)
    yield bench
    bench.close()


def test_the_engine_lives_on(bench: EngineBench) -> None:
    """AUD-001: pjsua2 ends its process at many a mistake, but at no media line that is given to it."""
    process, answered = bench.engine.processes[0].pid, 0
    for seed in range(60):
        media = strange(seed)
        if media is None:
            continue
        usable = media.restrict(bench.engine.codecs)
        # ICE fails on the loopback interface; what pjsua2 does then is tried too
        stream, told = bench.open(srtp=("disabled", "optional", "mandatory")[seed % 3], ice=seed % 5 == 0)
        try:
            bench.do(stream.answer, usable.encode() if usable.codecs else media.encode())
            answered += 1
        except EngineError:
            pass
        bench.do(stream.close)
        assert not any("signal" in failure for failure in told.failures)
    assert answered > 10
    assert bench.engine.processes[0].pid == process and os.path.exists(f"/proc/{process}")
