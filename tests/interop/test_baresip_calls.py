"""Audio calls with baresip: both hear the other, with each codec, encrypted or not, on hold or not."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sipsimple.audio import AudioBridge, WavePlayer, WaveRecorder
from sipsimple.core import SIPURI, ToHeader
from sipsimple.session import Session
from sipsimple.streams import AudioStream
from sipsimple.threading import call_in_sipsimple_thread
from sipsimple.util import Route

from .baresip_phone import TONE, BaresipPhone
from .conftest import free_port, require
from .hearing import NOTHING, Ear, write_beeps

pytest.importorskip("pjsua2", reason="pip install 'sipsimple-audio[pjsua2]'", exc_type=ImportError)

TIMEOUT = 30
OURS = 700.0  # Hz, what we say


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[Callable[..., BaresipPhone]]:
    phones: list[BaresipPhone] = []

    def start(parameters: str = "", rate: int = 8000) -> BaresipPhone:
        ports = (_two_ports(), _two_ports(), 20000 + 2 * (free_port() % 10000))
        folder = tmp_path / f"phone{len(phones)}"
        phones.append(BaresipPhone(require("baresip"), folder, ports, parameters, rate))
        return phones[-1]

    yield start
    for phone in phones:
        phone.stop()


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
    """A call that is up, in which we say our tone: `ear` is what comes from the phone; all that is said is recorded."""

    def __init__(self, application: Any, session: Any, stream: Any, folder: Path) -> None:
        self.application, self.session, self.stream = application, session, stream
        self.player = WavePlayer(stream.mixer, str(folder / "ours.wav"))
        write_beeps(folder / "ours.wav", OURS, 0.5, 0.3, 16000)
        stream.bridge.add(self.player)
        self.player.start()
        self.incoming = WaveRecorder(stream.mixer, folder / "incoming.wav")
        self.incoming.start()
        self._bridge = AudioBridge(stream.mixer)
        self._bridge.add(stream)
        self._bridge.add(self.incoming)
        self.ear = Ear(lambda: [folder / "incoming.wav"])
        call_in_sipsimple_thread(stream.start_recording, str(folder / "call.wav"))
        self.recording = Ear(lambda: folder.glob("call.wav"))

    def wait_until_heard(self, phone: BaresipPhone) -> None:
        """Until each party has heard the other."""
        self.wait_for_rtp()
        self.ear.wait_for(TONE)
        phone.ear.wait_for(OURS)

    def wait_until_heard_again(self, phone: BaresipPhone) -> None:
        """The same after a re-INVITE: the phone shows by its echo that it hears us."""
        self.wait_for_rtp()
        self.ear.forget()
        self.ear.wait_for(TONE)
        phone.echo()
        self.ear.wait_for(OURS)
        phone.say_tone()
        self.ear.forget()
        self.ear.wait_for(TONE)

    def wait_for_rtp(self) -> None:
        recorder = self.application.recorder
        recorder.wait_until(lambda: self.stream.remote_rtp_address_received, TIMEOUT, "no RTP is received")

    def end(self) -> None:
        self.session.end()
        self.application.recorder.wait_for("SIPSessionDidEnd", self.session, TIMEOUT)
        self.incoming.stop()


def call(application: Any, phone: BaresipPhone, folder: Path, **settings: Any) -> Talk:
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
    return Talk(application, session, stream, folder)


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
    application: Any, phone: Any, tmp_path: Path,
    codec: str, name: str, rate: int, encryption: str, parameters: str,
) -> None:  # fmt: skip
    """AUD-001, AUD-010, AUD-014, AUD-023, AUD-024, AUD-027, AUD-028: each hears the other's tone."""
    other = phone(f";audio_codecs={name}{parameters}", rate)
    talk = call(application, other, tmp_path, audio_codec_list=(codec,), srtp_encryption=encryption)
    talk.wait_until_heard(other)
    stream = talk.stream
    assert (stream.codec, stream.srtp_active) == (codec, encryption != "disabled")
    assert stream.remote_rtp_address_received == "127.0.0.1"
    assert stream.remote_rtp_port_received == stream.remote_rtp_port_sdp
    talk.recording.wait_for(TONE)
    talk.recording.wait_for(OURS)
    talk.end()
    assert talk.ear.hears(OURS) < NOTHING


def test_a_call_from_a_phone(application: Any, phone: Any, tmp_path: Path) -> None:
    """AUD-001: the same when the phone calls."""
    other = phone(";audio_codecs=PCMA/8000/1")
    other.command("dial", f"sip:alice@127.0.0.1:{application.sip_port}")
    recorder = application.recorder
    recorder.wait_for("SIPSessionNewIncoming", timeout=TIMEOUT)
    incoming = recorder.last("SIPSessionNewIncoming")
    session, (stream,) = incoming.sender, incoming.data.streams
    session.accept([stream])
    recorder.wait_for("SIPSessionDidStart", session, TIMEOUT)
    talk = Talk(application, session, stream, tmp_path)
    talk.wait_until_heard(other)
    talk.end()


def test_encryption_refused(application: Any, phone: Any) -> None:
    """AUD-024: where encryption is mandatory there is no call with a phone that has none."""
    application.account.rtp.srtp_encryption = "mandatory"
    application.account.save()
    other = phone(";audio_codecs=PCMU/8000/1")
    session, stream = Session(application.account), AudioStream(application.account)
    uri = SIPURI(user="phone", host="127.0.0.1", port=other.sip_port)
    session.connect(ToHeader(uri), [Route("127.0.0.1", other.sip_port, "udp")], [stream])
    application.recorder.wait_for("SIPSessionDidFail", session, TIMEOUT)


def test_hold_by_both_sides_and_dtmf(application: Any, phone: Any, tmp_path: Path) -> None:
    """AUD-013, AUD-021, AUD-031, AUD-032, AUD-038, AUD-043: on hold nothing is heard, then it is; digits both ways."""
    other = phone(";audio_codecs=PCMU/8000/1")
    talk = call(application, other, tmp_path, audio_codec_list=("PCMU",))
    session, stream, recorder = talk.session, talk.stream, application.recorder
    talk.wait_until_heard(other)
    session.hold()
    recorder.wait_for("AudioStreamDidChangeHoldState", stream, TIMEOUT, originator="local", on_hold=True)
    assert stream not in stream.bridge
    talk.ear.wait_for_silence(TONE, OURS)
    session.unhold()
    recorder.wait_for("AudioStreamDidChangeHoldState", stream, TIMEOUT, originator="local", on_hold=False)
    talk.wait_until_heard_again(other)
    other.command("hold")
    recorder.wait_for("AudioStreamDidChangeHoldState", stream, TIMEOUT, originator="remote", on_hold=True)
    talk.ear.wait_for_silence(TONE, OURS)
    other.command("resume")
    recorder.wait_for("AudioStreamDidChangeHoldState", stream, TIMEOUT, originator="remote", on_hold=False)
    talk.wait_until_heard_again(other)
    other.command("sndcode", "5")
    recorder.wait_for("AudioStreamGotDTMF", stream, TIMEOUT, digit="5")
    call_in_sipsimple_thread(stream.send_dtmf, "7")
    while other.wait_for("CALL_DTMF_START")["param"] != "7":
        pass
    talk.end()
