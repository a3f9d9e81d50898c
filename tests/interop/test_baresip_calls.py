"""Audio calls with baresip: both hear the other, with each codec, encrypted or not, on hold or not."""

from __future__ import annotations

import socket
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sipsimple.audio import WavePlayer
from sipsimple.audio.tones import tone, tone_strength
from sipsimple.core import SIPURI, ToHeader
from sipsimple.session import Session
from sipsimple.streams import AudioStream
from sipsimple.threading import call_in_sipsimple_thread
from sipsimple.util import Route

from .baresip_phone import TONE, BaresipPhone
from .conftest import free_port, require

pytest.importorskip("pjsua2", reason="pip install 'sipsimple-audio[pjsua2]'", exc_type=ImportError)

TIMEOUT = 20
OURS = 700.0  # Hz, what we say


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[Callable[..., BaresipPhone]]:
    phones: list[BaresipPhone] = []

    def start(parameters: str = "", rate: int = 8000) -> BaresipPhone:
        ports = (_two_ports(), _two_ports(), 20000 + 2 * (free_port() % 10000))
        phones.append(BaresipPhone(require("baresip"), tmp_path / f"phone{len(phones)}", ports, parameters, rate))
        return phones[-1]

    yield start
    for phone in phones:
        phone.stop()


@pytest.fixture
def melody(tmp_path: Path) -> str:
    path = tmp_path / "ours.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(tone(OURS, 60.0, 16000).tobytes())
    return str(path)


def _two_ports() -> int:
    """A port that is free, as is the next one (which baresip takes for TLS), for UDP and TCP."""
    while True:
        port = 10000 + free_port() % 10000
        try:
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                for number in (port, port + 1):
                    with socket.socket(socket.AF_INET, kind) as probe:
                        probe.bind(("127.0.0.1", number))
            return port
        except OSError:
            continue


class Talk:
    """A call that is up, in which we say our tone, and record."""

    def __init__(self, application: Any, session: Any, stream: Any, melody: str, record: Path) -> None:
        self.application, self.session, self.stream = application, session, stream
        self.player = WavePlayer(stream.mixer, melody)
        stream.bridge.add(self.player)
        self.player.start()
        self.record = record
        call_in_sipsimple_thread(stream.start_recording, str(record))

    def seconds(self, count: float) -> None:
        """Until so many more seconds are in the recording."""
        size, end = self._size() + count * 32000, time.monotonic() + 3 * count + TIMEOUT
        while self._size() < size:
            assert time.monotonic() < end, "nothing is recorded"
            time.sleep(0.02)

    def _size(self) -> int:
        return self.record.stat().st_size if self.record.exists() else 0

    def end(self) -> None:
        self.session.end()
        self.application.recorder.wait_for("SIPSessionDidEnd", self.session, TIMEOUT)

    def heard(self) -> float:
        """How strong the tone of the phone is in our recording, from its middle; our own tone is in it too."""
        with wave.open(str(self.record)) as file:
            rate = file.getframerate()
            samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return tone_strength(samples[len(samples) // 2 :][: rate // 2], TONE, rate)


def call(application: Any, phone: BaresipPhone, melody: str, record: Path, **settings: Any) -> Talk:
    for name, value in settings.items():
        setattr(application.account.rtp, name, value)
    application.account.save()
    session, stream = Session(application.account), AudioStream(application.account)
    uri = SIPURI(user="phone", host="127.0.0.1", port=phone.sip_port)
    session.connect(ToHeader(uri), [Route("127.0.0.1", phone.sip_port, "udp")], [stream])
    application.recorder.wait_until(
        lambda: session.state in ("connected", "terminated"), TIMEOUT, f"the call is {session.state}"
    )
    assert session.state == "connected", application.recorder.last("SIPSessionDidFail", session).data
    return Talk(application, session, stream, melody, record)


def strength(phone: BaresipPhone) -> float:
    """How strong our tone is in what the phone heard."""
    samples, rate = phone.heard()
    return tone_strength(samples[len(samples) // 2 :][: rate // 2], OURS, rate)


@pytest.mark.parametrize(
    ("codec", "name", "rate", "encryption", "parameters"),
    [
        ("PCMU", "PCMU/8000/1", 8000, "disabled", ""),
        ("PCMA", "PCMA/8000/1", 8000, "disabled", ""),
        ("G722", "G722/16000/1", 16000, "disabled", ""),
        ("GSM", "GSM/8000/1", 8000, "disabled", ""),
        ("PCMU", "PCMU/8000/1", 8000, "optional", ";mediaenc=srtp"),
        ("PCMU", "PCMU/8000/1", 8000, "mandatory", ";mediaenc=srtp-mand"),
    ],
)
def test_a_call_to_a_phone(
    application: Any, phone: Any, melody: str, tmp_path: Path,
    codec: str, name: str, rate: int, encryption: str, parameters: str,
) -> None:  # fmt: skip
    """AUD-001, AUD-010, AUD-014, AUD-023, AUD-024, AUD-027, AUD-028: each hears the other's tone."""
    other = phone(f";audio_codecs={name}{parameters}", rate)
    talk = call(
        application, other, melody, tmp_path / "call.wav", audio_codec_list=(codec,), srtp_encryption=encryption
    )
    talk.seconds(2)
    stream = talk.stream
    assert (stream.codec, stream.srtp_active) == (codec, encryption != "disabled")
    assert stream.remote_rtp_address_received == "127.0.0.1"
    assert stream.remote_rtp_port_received == stream.remote_rtp_port_sdp
    talk.end()
    assert talk.heard() > 0.2  # of a sum of two tones
    assert strength(other) > 0.7


def test_a_call_from_a_phone(application: Any, phone: Any, melody: str, tmp_path: Path) -> None:
    """AUD-001: the same when the phone calls."""
    other = phone(";audio_codecs=PCMA/8000/1")
    other.command("dial", f"sip:alice@127.0.0.1:{application.sip_port}")
    recorder = application.recorder
    recorder.wait_for("SIPSessionNewIncoming", timeout=TIMEOUT)
    incoming = recorder.last("SIPSessionNewIncoming")
    session, (stream,) = incoming.sender, incoming.data.streams
    session.accept([stream])
    recorder.wait_for("SIPSessionDidStart", session, TIMEOUT)
    talk = Talk(application, session, stream, melody, tmp_path / "call.wav")
    talk.seconds(2)
    talk.end()
    assert talk.heard() > 0.2
    assert strength(other) > 0.7


def test_encryption_refused(application: Any, phone: Any) -> None:
    """AUD-024: where encryption is mandatory there is no call with a phone that has none."""
    application.account.rtp.srtp_encryption = "mandatory"
    application.account.save()
    other = phone(";audio_codecs=PCMU/8000/1")
    session, stream = Session(application.account), AudioStream(application.account)
    uri = SIPURI(user="phone", host="127.0.0.1", port=other.sip_port)
    session.connect(ToHeader(uri), [Route("127.0.0.1", other.sip_port, "udp")], [stream])
    application.recorder.wait_for("SIPSessionDidFail", session, TIMEOUT)


def test_hold_by_both_sides_and_dtmf(application: Any, phone: Any, melody: str, tmp_path: Path) -> None:
    """AUD-013, AUD-021, AUD-031, AUD-032, AUD-038, AUD-043: hold and resume; digits both ways."""
    other = phone(";audio_codecs=PCMU/8000/1")
    talk = call(application, other, melody, tmp_path / "call.wav", audio_codec_list=("PCMU",))
    session, stream, recorder = talk.session, talk.stream, application.recorder
    talk.seconds(1)
    session.hold()
    recorder.wait_for("AudioStreamDidChangeHoldState", stream, TIMEOUT, originator="local", on_hold=True)
    assert stream not in stream.bridge
    session.unhold()
    recorder.wait_for("AudioStreamDidChangeHoldState", stream, TIMEOUT, originator="local", on_hold=False)
    talk.seconds(1)
    other.command("hold")
    recorder.wait_for("AudioStreamDidChangeHoldState", stream, TIMEOUT, originator="remote", on_hold=True)
    other.command("resume")
    recorder.wait_for("AudioStreamDidChangeHoldState", stream, TIMEOUT, originator="remote", on_hold=False)
    other.command("sndcode", "5")
    recorder.wait_for("AudioStreamGotDTMF", stream, TIMEOUT, digit="5")
    call_in_sipsimple_thread(stream.send_dtmf, "7")
    while other.wait_for("CALL_DTMF_START")["param"] != "7":
        pass
    talk.seconds(2)
    talk.end()
    assert talk.heard() > 0.2
    assert strength(other) > 0.7
