"""AudioStream with an engine that has no media: what it describes, agrees on, tells, and when it is heard."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sipsimple.application import SIPApplication
from sipsimple.audio import AudioMixer
from sipsimple.configuration.extension import register_plugin_settings
from sipsimple.core import SDPAttribute, SDPMediaStream
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

    def make_account(self, name: str, uri: Any) -> Any:
        account = super().make_account(name, uri)
        account.rtp = SimpleNamespace(audio_codec_list=None, srtp_encryption=self.encryption)
        account.nat_traversal = SimpleNamespace(use_ice=False, stun_server_list=None)
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
        """AUD-014 to AUD-020, AUD-030, AUD-033 to AUD-036: told in order; only while started."""
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
        alice.realm.run(listener.timed_out)
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
