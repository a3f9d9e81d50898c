"""Audio with sipp, which plays what was captured: a tone in PCMA, made here, and the digits that it comes with.

sipp sends what was captured from a raw socket, for which it has to be root; its other way to say something
(`rtp_stream`) needs no rights.
"""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pjsua2", reason="pip install 'sipsimple-audio[pjsua2]'", exc_type=ImportError)

from sipsimple.audio.tones import tone

from .baresip_phone import TONE
from .calls import TIMEOUT, answer, dial
from .conftest import Sipp
from .hearing import until
from .scenarios import expect, pause, play, reply, request, scenario
from .voices import BridgeEar, Mouth

RATE = 8000
PACKET = RATE // 50

SDP = """v=0
o=peer 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio [media_port] RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="sipp has to be root to play what was captured")


def a_law(samples: np.ndarray[Any, Any]) -> bytes:
    """G.711: a sign, three bits of exponent, four of mantissa, every other bit inverted."""
    magnitude = np.abs(samples.astype(np.int32)) >> 3
    exponent = np.clip(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 4, 0, 7)
    mantissa = np.where(exponent, magnitude >> np.maximum(exponent, 1), magnitude >> 1) & 15
    sign = np.where(samples >= 0, 0x80, 0)
    return ((sign | exponent << 4 | mantissa) ^ 0x55).astype(np.uint8).tobytes()


def beeps() -> bytes:
    """Twenty seconds of a tone with pauses, in PCMA."""
    return a_law(np.concatenate([tone(TONE, 0.4, RATE), np.zeros(RATE // 10, np.int16)])) * 40


def capture(path: Path, audio: bytes) -> Path:
    """A file of captured packets, as tcpdump writes it: RTP of PCMA in UDP, IPv4 and Ethernet."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number in range(len(audio) // PACKET):
            time = number * PACKET
            rtp = struct.pack("!BBHII", 0x80, 8, number, time, 0x70656572) + audio[time : time + PACKET]
            udp = struct.pack("!HHHH", 6000, 6000, 8 + len(rtp), 0) + rtp
            loopback = b"\x7f\0\0\1"
            ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), number, 0, 64, 17, 0, loopback, loopback) + udp
            frame = bytes(12) + b"\x08\0" + ip
            seconds, microseconds = divmod(time * 1_000_000 // RATE, 1_000_000)
            file.write(struct.pack("<IIII", seconds, microseconds, len(frame), len(frame)) + frame)
    return path


def calling(*steps: str) -> str:
    """A scenario: sipp calls us, does that, and waits until we hang up."""
    begin = [request("INVITE", 1, to_tag=False, body=SDP), expect(100, optional=True), expect(180, optional=True)]
    begin += [expect(200), request("ACK", 1)]
    return scenario(*begin, *steps, expect("BYE", timeout="60000"), reply(200, "OK"))


@pytest.fixture(params=[pytest.param("pcap", marks=as_root), "stream"])
def said(request: Any, tmp_path: Path) -> str:
    """The step of a scenario that says a tone."""
    if request.param == "pcap":
        return play(f'play_pcap_audio="{capture(tmp_path / "beeps.pcap", beeps())}"')
    path = tmp_path / "beeps.pcma"
    path.write_bytes(beeps())
    return play(f'rtp_stream="{path},-1,8"')


def test_a_call_to_sipp(sipp: Sipp, application: Any, said: str) -> None:
    """AUD-001, AUD-028: what it plays is heard."""
    steps = [expect("INVITE"), reply(200, "OK", body=SDP), expect("ACK"), said]
    run = sipp.start(scenario(*steps, expect("BYE", timeout="60000"), reply(200, "OK", contact=False)))
    session, stream = dial(application, "peer", run.port, audio_codec_list=("PCMA",))
    BridgeEar(stream).wait_for(TONE)
    application.recorder.wait_until(
        lambda: stream.remote_rtp_port_received == stream.remote_rtp_port_sdp, TIMEOUT, "RTP from another port"
    )
    assert stream.codec == "PCMA"
    session.end()
    run.finish()


def test_a_call_from_sipp(sipp: Sipp, application: Any, said: str) -> None:
    """AUD-001: the same when it calls."""
    run = sipp.start(calling(said), application.sip_port)
    session, stream = answer(application)
    BridgeEar(stream).wait_for(TONE)
    session.end()
    run.finish()


@as_root
def test_digits_of_sipp(sipp: Sipp, application: Any) -> None:
    """AUD-043: those that sipp comes with, as another phone once sent them."""
    digits = {"0": "0", "5": "5", "*": "star", "#": "pound"}
    steps = []
    for name in digits.values():
        steps += [pause(400), play(f'play_pcap_audio="/usr/share/sip-tester/dtmf_2833_{name}.pcap"')]
    run = sipp.start(calling(*steps), application.sip_port)
    session, stream = answer(application)
    recorder = application.recorder
    for digit in digits:
        recorder.wait_for("AudioStreamGotDTMF", stream, TIMEOUT, digit=digit)
    session.end()
    run.finish()
    assert recorder.count("AudioStreamGotDTMF", stream) == len(digits)


def test_nothing_that_is_said_leaves_us_on_hold(sipp: Sipp, application: Any) -> None:
    """AUD-031: the packets that a party on hold gets are silent, a second long; before, they are not."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as party:
        party.bind(("127.0.0.1", 0))
        party.settimeout(TIMEOUT)
        described = SDP.replace("[media_port]", str(party.getsockname()[1]))
        steps = [expect("INVITE"), reply(200, "OK", body=described), expect("ACK"), expect("INVITE")]
        steps += [reply(200, "OK", body=described.replace("o=peer 1 1", "o=peer 1 2") + "a=recvonly\n"), expect("ACK")]
        run = sipp.start(scenario(*steps, expect("BYE", timeout="60000"), reply(200, "OK", contact=False)))
        session, stream = dial(application, "peer", run.port, audio_codec_list=("PCMA",))

        def is_silent() -> bool:
            """Whether the next packet is: A-law has two values next to nothing."""
            return set(party.recv(2048)[12:]) <= {0x55, 0xD5}

        application.recorder.wait_for("SIPSessionDidStart", session, TIMEOUT)
        mouth = Mouth(stream, TONE)
        until(lambda: not is_silent(), "nothing is said")
        session.hold()
        application.recorder.wait_for(
            "SIPSessionDidChangeHoldState", session, TIMEOUT, originator="local", on_hold=True
        )
        until(lambda: all(is_silent() for _ in range(50)), "what is said is sent on hold")
        del mouth
        session.end()
        run.finish()
