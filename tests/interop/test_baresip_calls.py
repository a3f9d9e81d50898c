"""Audio calls with baresip: both hear the other, with each codec, encrypted or not, on hold or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sipsimple.threading import call_in_sipsimple_thread

from .baresip_phone import TONE
from .hearing import LOUDNESS, NOTHING, until

pytest.importorskip("pjsua2", reason="pip install 'sipsimple-audio[pjsua2]'", exc_type=ImportError)

from .calls import OURS, TIMEOUT, call, dial, incoming


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
    """AUD-001, AUD-010, AUD-014, AUD-023, AUD-024, AUD-027, AUD-028: each hears the other's tone, as loud as it was."""
    other = phone(f";audio_codecs={name}{parameters}", rate)
    talk = call(application, other, tmp_path, audio_codec_list=(codec,), srtp_encryption=encryption)
    talk.wait_until_heard(other)
    stream = talk.stream
    assert (stream.codec, stream.srtp_active) == (codec, encryption != "disabled")
    assert stream.remote_rtp_address_received == "127.0.0.1"
    assert stream.remote_rtp_port_received == stream.remote_rtp_port_sdp
    for ear in (talk.ear, other.ear):
        until(lambda ear=ear: 0.7 < ear.peak / LOUDNESS < 1.4, "louder or softer than it was said")
    talk.recording.wait_for(TONE)
    talk.recording.wait_for(OURS)
    talk.end()
    assert talk.ear.hears(OURS) < NOTHING


def test_a_call_from_a_phone(application: Any, phone: Any, tmp_path: Path) -> None:
    """AUD-001: the same when the phone calls."""
    other = phone(";audio_codecs=PCMA/8000/1")
    other.command("dial", f"sip:alice@127.0.0.1:{application.sip_port}")
    talk = incoming(application, tmp_path)
    talk.wait_until_heard(other)
    talk.end()


def test_encryption_refused(application: Any, phone: Any) -> None:
    """AUD-024: where encryption is mandatory there is no call with a phone that has none."""
    session, _ = dial(application, "phone", phone(";audio_codecs=PCMU/8000/1").sip_port, srtp_encryption="mandatory")
    application.recorder.wait_for("SIPSessionDidFail", session, TIMEOUT)


def test_hold_by_both_sides(application: Any, phone: Any, tmp_path: Path) -> None:
    """AUD-013, AUD-031, AUD-032, AUD-038: on hold nothing is heard, and afterwards it is again."""
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
    talk.end()


def test_digits_both_ways(application: Any, phone: Any, tmp_path: Path) -> None:
    """AUD-021, AUD-022, AUD-043: each once and in order, as events of RTP (RFC 4733)."""
    digits = "07*#D"
    other = phone(";audio_codecs=PCMU/8000/1")
    talk = call(application, other, tmp_path, audio_codec_list=("PCMU",))
    talk.wait_until_heard(other)
    recorder, stream = application.recorder, talk.stream

    def received() -> str:
        return "".join(found.data.digit for found in recorder.find_all("AudioStreamGotDTMF", stream))

    for count, digit in enumerate(digits, 1):
        other.command("sndcode", digit)
        recorder.wait_until(lambda count=count: len(received()) == count, TIMEOUT, f"{digit} after {received()}")
    assert received() == digits
    for digit in digits:
        call_in_sipsimple_thread(stream.send_dtmf, digit)
        assert other.wait_for("CALL_DTMF_START")["param"] == digit
    talk.end()


def test_the_codec_changes_in_mid_call(application: Any, phone: Any, tmp_path: Path) -> None:
    """AUD-023, AUD-042: by a re-INVITE of ours and by one of the phone's; both go on to hear each other."""
    other = phone(";audio_codecs=PCMU/8000/1,PCMA/8000/1")
    talk = call(application, other, tmp_path, audio_codec_list=("PCMU", "PCMA"))
    session, stream, recorder = talk.session, talk.stream, application.recorder
    talk.wait_until_heard(other)
    assert stream.codec == "PCMU"
    application.account.rtp.audio_codec_list = ("PCMA",)
    other.command("hold")
    recorder.wait_for("AudioStreamDidChangeHoldState", stream, TIMEOUT, originator="remote", on_hold=True)
    other.command("resume")
    recorder.wait_until(lambda: stream.codec == "PCMA" and not stream.on_hold, TIMEOUT, "the codec did not change")
    recorder.wait_for("AudioStreamDidChangeRTPParameters", stream, TIMEOUT)
    talk.wait_until_heard_again(other)
    application.account.rtp.audio_codec_list = ("PCMU",)
    session.hold()
    recorder.wait_for("SIPSessionDidChangeHoldState", session, TIMEOUT, originator="local", on_hold=True)
    session.unhold()
    recorder.wait_until(lambda: stream.codec == "PCMU" and not stream.on_hold, TIMEOUT, "the codec did not change")
    talk.wait_until_heard_again(other)
    talk.end()


def test_ice(application: Any, phone: Any, tmp_path: Path, address: str) -> None:
    """AUD-007, AUD-025, AUD-029, AUD-040: baresip's ICE and ours find a way, and each hears the other on it."""
    other = phone(";audio_codecs=PCMU/8000/1;medianat=ice", address=address)
    application.account.nat_traversal.use_ice = True
    talk = call(application, other, tmp_path, audio_codec_list=("PCMU",))
    application.recorder.wait_for("AudioStreamICENegotiationDidSucceed", talk.stream, TIMEOUT)
    assert talk.stream.ice_active
    assert talk.stream.local_rtp_candidate_type == "host"
    talk.wait_until_heard(other)
    talk.end()


def test_ice_when_the_phone_calls(application: Any, phone: Any, tmp_path: Path, address: str) -> None:
    """AUD-025, AUD-029: the same the other way round."""
    other = phone(";audio_codecs=PCMU/8000/1;medianat=ice", address=address)
    application.account.nat_traversal.use_ice = True
    application.account.save()
    other.command("dial", f"sip:alice@{address}:{application.sip_port}")
    talk = incoming(application, tmp_path)
    application.recorder.wait_for("AudioStreamICENegotiationDidSucceed", talk.stream, TIMEOUT)
    assert talk.stream.ice_active
    talk.wait_until_heard(other)
    talk.end()
