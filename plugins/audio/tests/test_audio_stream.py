"""AudioStream with an engine that has no media: what it describes, agrees on, tells, and when it is heard."""

from __future__ import annotations

import errno
import os
import re
import wave
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sipsimple.application import SIPApplication
from sipsimple.audio import ArrayRecorder, AudioBridge, AudioDevice, AudioMixer, WaveRecorder
from sipsimple.configuration.datatypes import STUNServerAddress
from sipsimple.configuration.extension import register_plugin_settings
from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.core import SDPAttribute, SDPMediaStream
from sipsimple.notification import NotificationCenter
from sipsimple.session import IllegalStateError
from sipsimple.streams.rtp import AudioStream
from sipsimple.streams.rtp.engine import AudioEngines, Candidate, MediaState
from sipsimple.streams.rtp.testing import FakeEngine
from sipsimple.testing.contract import MediaStreamContract

KEY = "esI6DbLY1+Aceu0JNswN9Z10DcFx5cZwqJcu91jb"


class Case(MediaStreamContract):
    """Two audio streams, each with an engine and a mixer of its own."""

    stream_class = AudioStream
    encryption = "optional"
    ice = False

    def make_account(self, name: str, uri: Any) -> Any:
        account = super().make_account(name, uri)
        account.rtp = SimpleNamespace(audio_codec_list=None, srtp_encryption=self.encryption)
        account.nat_traversal = SimpleNamespace(
            use_ice=self.ice, stun_server_list=None, turn_server=None, turn_transport="udp", turn_username="",
            turn_password="", relay_only=False,
        )  # fmt: skip
        return account

    @pytest.fixture(autouse=True)
    def _audio(self, _parties: Any) -> None:
        for party in (self.alice, self.bob):
            party.engine = FakeEngine()
            party.realm.run(self._set_up, party)

    def _set_up(self, party: Any) -> None:
        register_plugin_settings()
        AudioEngines().engine = party.engine
        SIPApplication().voice_audio_mixer = AudioMixer()


class TestContract(Case):
    """STR-004 to STR-036, AUD-001."""


class TestDescription(Case):
    def test_offer(self) -> None:
        """AUD-002, AUD-003, AUD-004, AUD-005, AUD-006, AUD-009: the media line of an offer."""
        self.offered()
        media = self.offer.media[0]
        assert (media.media, media.transport) == ("audio", "RTP/AVP")
        assert list(media.formats) == ["9", "0", "8", "97", "101", "102"]
        assert media.attributes.getall("rtpmap")[0] == "9 G722/8000"
        assert "101 telephone-event/8000" in media.attributes.getall("rtpmap")
        assert "101 0-15" in media.attributes.getall("fmtp")
        assert media.attributes.getfirst("rtcp") == f"{media.port + 1} IN IP4 {self.alice.host}"
        lines = media.attributes.getall("crypto")
        assert [line.split(" inline:")[0] for line in lines] == [
            "1 AES_CM_128_HMAC_SHA1_80",
            "2 AES_CM_128_HMAC_SHA1_32",
        ]
        assert str(list(media.attributes)[-1]) == "sendrecv"

    def test_codecs_of_the_account(self) -> None:
        """AUD-004: what is offered follows the account's list, out of what the engine has."""
        self.alice.account.rtp.audio_codec_list = ("opus", "PCMA", "speex")
        self.offered()
        assert list(self.offer.media[0].formats) == ["8", "97", "101", "102"]

    def test_agreement(self) -> None:
        """AUD-023, AUD-024, AUD-026, AUD-027: both have the same codec and keys, and know each other's address."""
        self.started()
        for party, other in ((self.alice, self.bob), (self.bob, self.alice)):
            stream = party.stream
            assert (stream.codec, stream.sample_rate, stream.srtp_active) == ("G722", 8000, True)
            assert stream.local_rtp_address == party.host
            assert stream.remote_rtp_address_sdp == other.host
            assert stream.remote_rtp_port_sdp == other.stream.local_rtp_port
        # The engine offered tags 3 and 4, we 1 and 2: it gets its own back
        assert [line.tag for line in self.alice.engine.streams[0].given[-1].cryptos] == [3]
        # Bob's engine sends nothing before the call is accepted
        assert [media.direction for media in self.bob.engine.streams[0].given] == ["inactive", "sendrecv"]

    def test_hold(self) -> None:
        """AUD-013, AUD-031, AUD-032, AUD-043, AUD-044: hold is described, told, and takes the stream out of bridges."""
        self.started()
        alice, bob = self.alice, self.bob
        assert alice.stream in alice.stream.bridge
        alice.do("hold")
        assert alice.stream not in alice.stream.bridge
        assert alice.stream.producer_slot is None
        offer = alice.describe(self.media(alice, for_offer=True))
        assert offer.media[0].direction == "sendonly"
        answer = bob.describe(self.media(bob, for_offer=False, remote_sdp=offer, stream_index=0))
        assert answer.media[0].direction == "recvonly"
        bob.do("update", answer, offer, 0)
        assert bob.stream.on_hold_by_remote
        assert bob.recorder.last("AudioStreamDidChangeHoldState", bob.stream).data.originator == "remote"
        assert alice.recorder.last("AudioStreamDidChangeHoldState", alice.stream).data.on_hold is True
        alice.do("unhold")
        assert alice.stream in alice.stream.bridge

    def test_refused_lines(self) -> None:
        """AUD-001: what can't be answered is no AudioStream, and raises nothing."""
        sdes = SDPAttribute("crypto", f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}")
        bad = SDPAttribute("crypto", "1 AES_CM_128_HMAC_SHA1_80 inline:AAAA")
        opus = SDPAttribute("rtpmap", "96 opus/48000/2")
        for media in (
            SDPMediaStream("audio", 0, "RTP/AVP", formats=["0"]),
            SDPMediaStream("audio", 4000, "RTP/AVP", formats=["96"]),
            SDPMediaStream("audio", 4000, "RTP/AVP", formats=["x", "999999", "-1"]),
            SDPMediaStream("audio", 4000, "UDP/TLS/RTP/SAVPF", formats=["0"], attributes=[sdes]),
            SDPMediaStream("audio", 4000, "RTP/SAVP", formats=["0"]),
            SDPMediaStream("audio", 4000, "RTP/SAVP", formats=["0"], attributes=[bad]),
            SDPMediaStream("audio", 4000, "RTP/AVP", formats=["96"], attributes=[opus]),
        ):  # fmt: skip
            found = self.bob.realm.run(AudioStream.new_from_sdp, self.bob.account, self.bob.describe(media), 0)
            assert found is None, media

    @pytest.mark.parametrize(
        ("policy", "profile", "encrypted", "accepted"),
        [
            ("disabled", "RTP/AVP", True, True),
            ("disabled", "RTP/SAVP", True, False),
            ("optional", "RTP/AVP", False, True),
            ("optional", "RTP/SAVP", True, True),
            ("mandatory", "RTP/AVP", False, False),
            ("mandatory", "RTP/AVP", True, True),
            ("mandatory", "RTP/SAVP", True, True),
        ],
    )
    def test_policy_of_encryption(self, policy: str, profile: str, encrypted: bool, accepted: bool) -> None:
        """AUD-006, AUD-024: offers by `rtp.srtp_encryption`; with `disabled` no key goes out."""
        self.bob.account.rtp.srtp_encryption = policy
        line = [SDPAttribute("crypto", f"7 AES_CM_128_HMAC_SHA1_80 inline:{KEY}")] if encrypted else []
        offer = self.bob.describe(SDPMediaStream("audio", 4000, profile, formats=["0"], attributes=line))
        stream = self.bob.realm.run(AudioStream.new_from_sdp, self.bob.account, offer, 0)
        assert (stream is not None) is accepted
        if stream is None:
            return
        self.bob.stream = stream
        self.bob.do("initialize", self.bob.session, "incoming")
        answer = self.media(self.bob, for_offer=False, remote_sdp=offer, stream_index=0)
        assert len(answer.attributes.getall("crypto")) == (encrypted and policy != "disabled")
        assert all(text.startswith("7 ") for text in answer.attributes.getall("crypto"))

    def test_an_answer_in_the_clear_fails_what_must_be_encrypted(self) -> None:
        """AUD-024: mandatory means it."""
        self.alice.account.rtp.srtp_encryption = "mandatory"
        self.offered()
        plain = self.bob.describe(SDPMediaStream("audio", 4000, "RTP/SAVP", formats=["0"]))
        self.alice.do("start", self.offer, plain, 0)
        assert self.alice.told() == ["DidInitialize", "DidFail"]
        assert self.alice.engine.streams[0].closed

    def test_codec_change(self) -> None:
        """AUD-037: a re-INVITE with another codec is answered with it, and told."""
        self.started()
        offer = self.alice.describe(SDPMediaStream("audio", 4000, "RTP/AVP", formats=["8"]))
        assert self.bob.do("validate_update", offer, 0) is True
        answer = self.bob.describe(self.media(self.bob, for_offer=False, remote_sdp=offer, stream_index=0))
        assert list(answer.media[0].formats) == ["8"]
        self.bob.do("update", answer, offer, 0)
        assert self.bob.stream.codec == "PCMA"
        assert self.bob.recorder.last("AudioStreamDidChangeRTPParameters", self.bob.stream)


class TestMedia(Case):
    def test_dtmf(self) -> None:
        """AUD-021, AUD-022, AUD-038: digits both ways; what is none is refused."""
        self.offered()
        with pytest.raises(IllegalStateError):
            self.alice.do("send_dtmf", "1")
        self.started()
        for bad in ("", "12", "E", "a", 1):
            with pytest.raises(ValueError):
                self.alice.do("send_dtmf", bad)
        for digit in "19AD*#":
            self.alice.do("send_dtmf", digit)
        assert self.alice.engine.streams[-1].digits == list("19AD*#")
        self.bob.realm.run(self.bob.engine.streams[-1].listener.dtmf_received, "5")
        assert self.bob.recorder.last("AudioStreamGotDTMF", self.bob.stream).data.digit == "5"

    def test_recording(self, tmp_path: Any) -> None:
        """AUD-014, AUD-016, AUD-020, AUD-033, AUD-036: told in order; the end of the stream ends it."""
        self.offered()
        path = tmp_path / "new" / "call.wav"
        with pytest.raises(IllegalStateError):
            self.alice.do("start_recording", str(path))
        self.started()
        stream = self.alice.stream
        self.alice.do("start_recording", str(path))
        assert stream.recording_filename == str(path)
        self.alice.do("end")
        assert stream.recording_filename is None
        assert path.read_bytes()[:4] == b"RIFF"
        names = [name for name in self.alice.recorder.names(stream) if "Recording" in name]
        assert names == [
            f"AudioStream{part}RecordingAudio" for part in ("WillStart", "DidStart", "WillStop", "DidStop")
        ]

    def frames(self, count: int) -> None:
        """So many frames of 20 ms pass, in which the remote party of alice says something."""
        for _ in range(count):
            self.alice.engine.streams[-1].received.append(np.full(320, 5000, np.int16).tobytes())
            self.alice.network.advance(0.02)

    def recorded(self, path: Any) -> Any:
        with wave.open(str(path)) as file:
            return np.frombuffer(file.readframes(file.getnframes()), np.int16)

    def test_bridge_and_mixer(self) -> None:
        """AUD-010, AUD-011, AUD-012, AUD-013: the bridge has a device and, while it is active, the stream; others
        of the voice mixer can have it too, those of another mixer can't."""
        self.offered()
        alice, stream = self.alice, self.alice.stream
        assert stream.mixer is alice.realm.run(lambda: SIPApplication().voice_audio_mixer)
        assert stream.device in stream.bridge and isinstance(stream.device, AudioDevice)
        assert stream not in stream.bridge
        self.started()
        stream = alice.stream
        assert set(stream.bridge) == {stream.device, stream}
        other = alice.realm.run(AudioBridge, alice.realm.run(AudioMixer))
        with pytest.raises(ValueError):
            other.add(stream)
        ear = alice.realm.run(ArrayRecorder, stream.mixer)
        mine = alice.realm.run(AudioBridge, stream.mixer)
        mine.add(stream)
        mine.add(ear)
        self.frames(20)
        assert int(np.abs(ear.samples).max()) == 5000
        alice.do("end")
        assert set(stream.bridge) == {stream.device}

    def test_what_is_recorded(self, tmp_path: Any) -> None:
        """AUD-014, AUD-015, AUD-016, AUD-017: what both say, from start to stop, and nothing while on hold."""
        self.started()
        alice, stream = self.alice, self.alice.stream
        path = tmp_path / "call.wav"
        self.frames(10)
        alice.do("start_recording", str(path))
        assert len([port for port in stream.bridge if isinstance(port, WaveRecorder)]) == 1
        self.frames(20)
        alice.do("hold")
        assert not [port for port in stream.bridge if isinstance(port, WaveRecorder)]
        self.frames(50)
        alice.do("unhold")
        self.frames(10)
        alice.do("stop_recording")
        alice.network.advance(1)
        samples = self.recorded(path)
        assert len(samples) == pytest.approx(30 * 320, abs=640)
        assert int(np.abs(samples).max()) == 5000
        before = path.read_bytes()
        self.frames(10)
        assert path.read_bytes() == before
        alice.do("end")
        with pytest.raises(IllegalStateError):
            alice.do("start_recording", str(path))

    def test_notifications_of_recording(self, tmp_path: Any) -> None:
        """AUD-018, AUD-020, AUD-030, AUD-033, AUD-034, AUD-035, AUD-036: each at its moment, with the full path."""
        self.started()
        alice, stream = self.alice, self.alice.stream
        path = str(tmp_path / "call.wav")
        seen: list[tuple[str, bool, bool]] = []

        class Observer:
            def handle_notification(self, notification: Any) -> None:
                if "Recording" in notification.name:
                    assert notification.data.filename == path
                    recorder = any(isinstance(port, WaveRecorder) for port in stream.bridge)
                    seen.append((notification.name[11:-14], recorder, os.path.exists(path)))

        observer = Observer()
        alice.realm.run(lambda: NotificationCenter().add_observer(observer, sender=stream))
        alice.do("start_recording", path)
        alice.do("start_recording", str(tmp_path / "other.wav"))  # it is recording already
        assert stream.recording_filename == path
        alice.do("stop_recording")
        alice.do("stop_recording")
        assert stream.recording_filename is None
        assert seen == [
            ("WillStart", False, False), ("DidStart", True, True), ("WillStop", True, True), ("DidStop", False, True)
        ]  # fmt: skip

    def test_default_file_name(self, tmp_path: Any) -> None:
        """AUD-019: made of the account, the time and the remote party, in `audio.recordings_directory`; always new."""
        self.started()
        alice, stream = self.alice, self.alice.stream
        settings = alice.realm.run(SIPSimpleSettings)
        settings.audio.recordings_directory = str(tmp_path)
        names = set()
        for _ in range(2):
            alice.do("start_recording")
            path = Path(stream.recording_filename)
            names.add(path)
            assert path.parent == tmp_path / f"alice@{alice.host}"
            assert re.fullmatch(rf"\d{{8}}-\d{{6}}-bob@{re.escape(self.bob.host)}(-\d)?\.wav", path.name)
            alice.do("stop_recording")
        assert len(names) == 2

    def test_a_file_that_can_not_be_written(self, tmp_path: Any) -> None:
        """AUD-015: it raises, and the stream goes on without."""
        self.started()
        (tmp_path / "file").write_text("")
        with pytest.raises(OSError):
            self.alice.do("start_recording", str(tmp_path / "file" / "call.wav"))
        assert self.alice.stream.recording_filename is None
        assert "AudioStreamDidStartRecordingAudio" not in self.alice.recorder.names(self.alice.stream)

    def test_no_room_in_the_midst_of_a_recording(self, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """AUD-030, AUD-035, AUD-036: recording stops, which is told; the call goes on, and can be recorded again."""
        self.started()
        alice, stream = self.alice, self.alice.stream
        alice.do("start_recording", str(tmp_path / "call.wav"))
        self.frames(20)

        def no_room(descriptor: int, data: Any) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", no_room)
            self.frames(20)
            alice.network.advance(1)
        failed = alice.recorder.last("WaveRecorderDidFail")
        assert failed.data.error.errno == errno.ENOSPC and failed.sender.filename == str(tmp_path / "call.wav")
        names = [name for name in alice.recorder.names(stream) if "Recording" in name]
        assert names[-2:] == ["AudioStreamWillStopRecordingAudio", "AudioStreamDidStopRecordingAudio"]
        assert stream.recording_filename is None and len(self.recorded(tmp_path / "call.wav")) > 0
        assert not [port for port in stream.bridge if isinstance(port, WaveRecorder)]
        alice.do("start_recording", str(tmp_path / "again.wav"))
        self.frames(20)
        alice.do("end")
        assert len(self.recorded(tmp_path / "again.wav")) > 0
        assert len([name for name in alice.recorder.names(stream) if "DidStopRecording" in name]) == 2

    def test_ice_timeout_and_death(self) -> None:
        """AUD-025, AUD-029, AUD-039, AUD-040, AUD-042: what the engine tells is told; its death is a failure."""
        self.started()
        alice = self.alice
        listener = alice.engine.streams[0].listener
        ours, theirs = Candidate("10.0.0.1", 1, "host"), Candidate("10.0.0.2", 2, "srflx")
        for state in (
            MediaState(True, "G722", ice="Negotiation In Progress"),
            MediaState(True, "G722", ice="Negotiation Success", local_candidate=ours, remote_candidate=theirs),
        ):
            alice.realm.run(listener.media_changed, state)
        assert alice.stream.ice_active
        assert (alice.stream.local_rtp_candidate_type, alice.stream.remote_rtp_candidate_type) == ("host", "srflx")
        assert alice.recorder.last("AudioStreamICENegotiationDidSucceed", alice.stream).data.local_candidate is ours
        assert "AudioStreamICENegotiationDidFail" not in alice.recorder.names(alice.stream)
        alice.realm.run(listener.timed_out, False)
        assert alice.recorder.names(alice.stream)[-1] == "AudioStreamDidTimeout"
        alice.realm.run(listener.failed, "the audio engine was ended by signal 9")
        assert alice.told()[-1] == "DidFail"
        self.ended(alice)

    def test_no_engine(self) -> None:
        """STR-011: without an engine a stream fails, and says why."""
        self.alice.engine.failure = "there is none"
        self.alice.stream = self.alice.realm.run(self.make_stream, self.alice.account)
        self.alice.do("initialize", self.alice.session, "outgoing")
        assert self.alice.told() == ["DidFail"]
        assert "there is none" in self.alice.recorder.last("MediaStreamDidFail", self.alice.stream).data.reason


class TestEarlyMedia(Case):
    def early(self, *attributes: Any, port: int = 6000, ice: str = "") -> Any:
        """Alice's peer describes early media; returns its description."""
        lines = list(attributes)
        if ice:
            candidate = f"H 1 UDP 1 {self.bob.host} {port} typ host"
            lines += [
                SDPAttribute("ice-ufrag", ice), SDPAttribute("ice-pwd", ice * 3), SDPAttribute("candidate", candidate)
            ]  # fmt: skip
        sdp = self.bob.describe(SDPMediaStream("audio", port, "RTP/AVP", formats=["0"], attributes=lines))
        self.alice.do("start_early", self.offer, sdp, 0)
        return sdp

    @property
    def given(self) -> list[Any]:
        media: list[Any] = self.alice.engine.streams[0].given
        return media

    def test_the_announcement_is_heard(self) -> None:
        """RFC 3960 3.1, AUD-010: from the early description on we hear, in the bridge; we speak from start() on."""
        self.offered()
        alice = self.alice
        sdp = self.early(SDPAttribute("sendonly"))
        stream = alice.stream
        assert [(media.port, media.direction) for media in self.given] == [(6000, "sendonly")]
        assert stream in stream.bridge
        assert stream.producer_slot is not None and stream.consumer_slot is None
        assert not stream.on_hold
        assert alice.told() == ["DidInitialize"]
        with pytest.raises(IllegalStateError):
            alice.do("send_dtmf", "1")
        slot = stream.producer_slot
        alice.do("start", self.offer, self.bob.describe(SDPMediaStream("audio", 6000, "RTP/AVP", formats=["0"])), 0)
        alice.wait("DidStart", "STR-014")
        assert stream.producer_slot == stream.consumer_slot == slot
        assert [media.direction for media in self.given] == ["sendonly", "sendrecv"]
        assert sdp.media[0].port == stream.remote_rtp_port_sdp

    def test_the_same_again_is_given_once(self) -> None:
        """A 2xx that repeats the description of the 183 changes nothing for the engine."""
        self.offered()
        sdp = self.early()
        self.alice.do("start_early", self.offer, sdp, 0)
        self.alice.do("start", self.offer, sdp, 0)
        self.alice.wait("DidStart", "STR-014")
        assert len(self.given) == 1

    def test_the_last_branch_of_a_fork_is_heard(self) -> None:
        """RFC 3960 3.1: each description replaces the one before; at the end that of who accepted."""
        self.offered()
        for port in (6000, 6002):
            self.early(port=port)
        final = self.bob.describe(SDPMediaStream("audio", 6004, "RTP/AVP", formats=["8"]))
        self.alice.do("start", self.offer, final, 0)
        self.alice.wait("DidStart", "STR-014")
        assert [media.port for media in self.given] == [6000, 6002, 6004]
        assert self.alice.stream.codec == "PCMA"

    def test_what_is_of_no_use_is_ignored(self) -> None:
        """A codec that was not offered, another profile, a name for an address: no early media, and no failure."""
        self.offered()
        alice = self.alice
        for media in (
            SDPMediaStream("audio", 6000, "RTP/AVP", formats=["96"]),
            SDPMediaStream("audio", 6000, "RTP/SAVP", formats=["0"]),
            SDPMediaStream("audio", 0, "RTP/AVP", formats=["0"]),
            SDPMediaStream("video", 6000, "RTP/AVP", formats=["0"]),
        ):
            alice.do("start_early", self.offer, self.bob.describe(media), 0)
        alice.engine.streams[0].refuses = True
        self.early()
        assert not self.given
        assert alice.stream.producer_slot is None
        alice.engine.streams[0].refuses = False
        sdp = self.bob.describe(SDPMediaStream("audio", 6000, "RTP/AVP", formats=["0"]))
        alice.do("start", self.offer, sdp, 0)
        alice.wait("DidStart", "STR-014")

    def test_silence_since_the_early_media(self) -> None:
        """AUD-042: told once, when the call is accepted, though it began before; and again when it came again."""
        self.offered()
        sdp = self.early()
        listener = self.alice.engine.streams[0].listener
        told = self.alice.recorder.names
        self.alice.realm.run(listener.timed_out, False)
        assert "AudioStreamDidTimeout" not in told(self.alice.stream)
        self.alice.do("start", self.offer, sdp, 0)
        self.alice.wait("DidStart", "STR-014")
        for again, count in ((True, 1), (True, 1), (False, 2), (True, 2)):
            self.alice.realm.run(listener.timed_out, again)
            assert told(self.alice.stream).count("AudioStreamDidTimeout") == count
        self.alice.do("hold")
        self.alice.realm.run(listener.timed_out, False)
        assert told(self.alice.stream).count("AudioStreamDidTimeout") == 2

    def test_it_ends_without_an_answer(self) -> None:
        """The bridge and the engine are as after every stream."""
        self.offered()
        self.early()
        self.ended(self.alice)
        assert self.alice.stream not in self.alice.stream.bridge
        assert self.alice.engine.streams[0].closed


class TestICE(TestEarlyMedia):
    ice = True

    def test_offer_and_answer(self) -> None:
        """AUD-007, AUD-008: ufrag, password, and the candidates of both components, in offer and answer."""
        self.started()
        for sdp, party in ((self.offer, self.alice), (self.answer, self.bob)):
            attributes = sdp.media[0].attributes
            assert len(attributes.getfirst("ice-ufrag")) >= 4  # RFC 8839 5.4
            assert len(attributes.getfirst("ice-pwd")) >= 22
            candidates = [line.split() for line in attributes.getall("candidate")]
            assert [line[1] for line in candidates] == ["1", "2"]
            assert {(line[2], line[4], line[7]) for line in candidates} == {("UDP", party.host, "host")}
            assert int(candidates[0][3]) > int(candidates[1][3])
        assert self.given[0].ice_ufrag == self.answer.media[0].attributes.getfirst("ice-ufrag")

    def test_no_ice_for_who_has_none(self) -> None:
        """RFC 8839 4.2.5: an offer without ICE is answered without."""
        plain = self.bob.describe(SDPMediaStream("audio", 4000, "RTP/AVP", formats=["0"]))
        self.bob.stream = self.bob.realm.run(AudioStream.new_from_sdp, self.bob.account, plain, 0)
        self.bob.do("initialize", self.bob.session, "incoming")
        answer = self.media(self.bob, for_offer=False, remote_sdp=plain, stream_index=0)
        assert "candidate" not in [attribute.name for attribute in answer.attributes]

    def test_another_branch_has_no_ice(self) -> None:
        """RFC 8839 4.2.5: the engine does ICE with the first of the branches only."""
        self.offered()
        self.early(ice="first")
        final = self.early(ice="second", port=6002)
        self.alice.do("start", self.offer, final, 0)
        self.alice.wait("DidStart", "STR-014")
        assert [(media.port, media.ice_ufrag) for media in self.given] == [(6000, "first"), (6002, "")]

    def test_the_restart_of_ice_is_answered_without(self) -> None:
        """RFC 8839 4.2.5, RFC 8445 9: the engine keeps its password, so ICE ends with a remote party that restarts it;
        the same ufrag goes on."""
        self.started()
        offer = self.alice.describe(self.media(self.alice, for_offer=True))
        again = self.media(self.bob, for_offer=False, remote_sdp=offer, stream_index=0)
        assert again.attributes.getfirst("ice-ufrag") == self.answer.media[0].attributes.getfirst("ice-ufrag")
        restart = SDPMediaStream.new(offer.media[0])
        ufrag = next(attribute for attribute in restart.attributes if attribute.name == "ice-ufrag")
        ufrag.value = "restarted"
        new = self.alice.describe(restart)
        assert self.bob.do("validate_update", new, 0) is True
        answer = self.media(self.bob, for_offer=False, remote_sdp=new, stream_index=0)
        assert answer.attributes.getfirst("ice-ufrag") is None
        self.bob.do("update", self.bob.describe(answer), new, 0)
        assert self.bob.engine.streams[0].given[-1].ice == ()
        # nor is it offered any more
        assert self.media(self.bob, for_offer=True).attributes.getfirst("ice-ufrag") is None

    def test_ice_that_fails(self) -> None:
        """AUD-025, AUD-029, AUD-041: it is told, and RTP goes to the address in the description."""
        self.started()
        alice = self.alice
        listener = alice.engine.streams[0].listener
        for ice in ("Negotiation In Progress", "Negotiation Failed"):
            alice.realm.run(listener.media_changed, MediaState(True, "G722", ice=ice))
        failed = alice.recorder.last("AudioStreamICENegotiationDidFail", alice.stream)
        assert failed.data.reason == "Negotiation Failed"
        changes = alice.recorder.find_all("AudioStreamICENegotiationStateDidChange", alice.stream)
        assert [(change.data.prev_state, change.data.state) for change in changes] == [
            ("", "Negotiation In Progress"), ("Negotiation In Progress", "Negotiation Failed")
        ]  # fmt: skip
        assert not alice.stream.ice_active
        assert (alice.stream.local_rtp_candidate_type, alice.stream.remote_rtp_candidate_type) == (None, None)
        assert [bool(media.ice) for media in self.given] == [True, False]

    def test_servers(self) -> None:
        """AUD-001: a STUN server that is dead costs a second; then the host's own candidates are offered."""
        alice = self.alice
        traversal = alice.account.nat_traversal
        traversal.stun_server_list = [STUNServerAddress("192.0.2.99"), STUNServerAddress("192.0.2.98:5000")]
        traversal.turn_server = STUNServerAddress("192.0.2.97")
        begin = alice.realm.reactor.seconds()
        self.offered()
        assert alice.realm.reactor.seconds() - begin <= 1.1
        assert len(self.offer.media[0].attributes.getall("candidate")) == 2
        options = alice.engine.streams[0].options
        assert (options.stun_servers, options.turn_server, options.ice) == ((), None, True)

    def test_the_end_while_servers_are_asked(self) -> None:
        """STR-025: the engine is not asked any more."""
        alice = self.alice
        alice.account.nat_traversal.stun_server_list = [STUNServerAddress("192.0.2.99")]
        alice.stream = alice.realm.run(AudioStream, alice.account)
        alice.do("initialize", alice.session, "outgoing")
        assert alice.told() == []
        alice.do("end")
        alice.network.advance(5)
        assert alice.told() == ["WillEnd", "DidEnd"]
        assert not alice.engine.streams

    def test_relay_only(self) -> None:
        """AUD-001: without a TURN server that answers there is no stream that could only be relayed."""
        alice = self.alice
        alice.account.nat_traversal.relay_only = True
        alice.stream = alice.realm.run(AudioStream, alice.account)
        alice.do("initialize", alice.session, "outgoing")
        assert alice.told() == ["DidFail"]
        assert "no TURN server" in alice.recorder.last("MediaStreamDidFail", alice.stream).data.reason
