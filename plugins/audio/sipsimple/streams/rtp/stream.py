"""AudioStream: audio over RTP within a session (AUD-001 to AUD-044).

Theory of operation. `initialize` asks the engine for a description: an offer, or the answer to the offer that the
stream was made of. To the latter the engine is given the offer as `inactive`, so that nothing is sent before the local
party accepts. From then on the stream describes itself, with the addresses and keys that the engine chose; `start`
and `update` give the engine what was agreed on as one description of the remote party (`_agree`), so it makes no
difference to the engine who proposed it. Those descriptions are given one after the other.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from sipsimple.audio.bridge import AudioBridge
from sipsimple.audio.device import AudioDevice
from sipsimple.audio.port import AudioPort, IAudioPort
from sipsimple.audio.recorder import WaveRecorder
from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.notification import NotificationCenter, NotificationData
from sipsimple.realm import current_realm
from sipsimple.streams import IMediaStream, MediaStreamRegistrar
from sipsimple.streams.rtp import notifications as _notifications  # noqa: F401
from sipsimple.streams.rtp.description import AudioMedia, Codec, combine, reverse
from sipsimple.streams.rtp.engine import (
    AudioEngines,
    Candidate,
    EngineError,
    EngineStream,
    MediaState,
    StreamOptions,
    StreamStatistics,
)
from sipsimple.streams.rtp.pcm import StreamAudio
from sipsimple.streams.rtp.states import OVER, StreamEvent, StreamState, following

__all__ = ["AudioStream"]

DTMF_DIGITS = frozenset("0123456789ABCD*#")


@implementer(IMediaStream, IAudioPort)
class AudioStream(AudioPort, metaclass=MediaStreamRegistrar):
    """Audio with the remote party of a session, which is also a port for bridges of the voice mixer.

    :param account: the account of the session
    :ivar bridge: an AudioBridge with an AudioDevice, and with the stream while it is active and not on hold

    Notifications: those of IMediaStream, AudioPortDidChangeSlots, and those in sipsimple.streams.rtp.notifications.
    The methods are called in the reactor's thread.
    """

    type = "audio"
    priority = 100
    hold_supported = True

    def __init__(self, account: Any) -> None:
        from sipsimple.application import SIPApplication

        mixer = SIPApplication().voice_audio_mixer
        if mixer is None:
            raise RuntimeError("there is no voice mixer: SIPApplication.start() comes first")
        super().__init__(mixer)
        self.account = account
        self.session: Any = None
        self.direction: str | None = None
        self.device = AudioDevice(mixer)
        self.bridge = AudioBridge(mixer)
        self.bridge.add(self.device)
        self.on_hold_by_local = self.on_hold_by_remote = False
        self._state = StreamState.NEW
        self._center = NotificationCenter()
        self._remote: AudioMedia | None = None  # what it described last
        self._local: AudioMedia | None = None  # this end, with all that the engine has
        self._offered = False  # whether the engine waits for an answer
        self._agreed: AudioMedia | None = None  # what the engine was given last
        self._turn: Deferred[None] | None = None  # the engine has something to do until it fires
        self._options: StreamOptions | None = None
        self._engine_stream: EngineStream | None = None
        self._media = MediaState(False)
        self._ice_settled = False
        self._slot: int | None = None
        self._recorder: WaveRecorder | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._state.value} {self.codec or ''}>"

    # What it is

    @property
    def on_hold(self) -> bool:
        return self.on_hold_by_local or self.on_hold_by_remote

    @property
    def codec(self) -> str | None:
        """The name of the codec, once started (AUD-023)."""
        return self._media.codec

    @property
    def sample_rate(self) -> int | None:
        """In Hz, once started (AUD-023)."""
        return self._media.sample_rate

    @property
    def srtp_active(self) -> bool:
        """Whether SRTP is used, once started (AUD-024)."""
        return self._media.srtp

    @property
    def ice_active(self) -> bool:
        """Whether RTP goes between the candidates that ICE chose (AUD-025)."""
        return self._media.local_candidate is not None

    @property
    def local_rtp_address(self) -> str | None:
        """The local address of RTP (AUD-026)."""
        return self._options.address if self._options and self._local else None

    @property
    def local_rtp_port(self) -> int | None:
        """The local port of RTP (AUD-026)."""
        if self._media.local is not None:
            return self._media.local[1]
        return self._local.port if self._local else None

    @property
    def remote_rtp_address_sdp(self) -> str | None:
        """Where the remote party wants audio to be sent to (AUD-027)."""
        return self._remote.address if self._remote else None

    @property
    def remote_rtp_port_sdp(self) -> int | None:
        """See remote_rtp_address_sdp (AUD-027)."""
        return self._remote.port if self._remote else None

    @property
    def remote_rtp_address_received(self) -> str | None:
        """Where audio comes from (AUD-028)."""
        return self._media.received_from[0] if self._media.received_from else None

    @property
    def remote_rtp_port_received(self) -> int | None:
        """Where audio comes from (AUD-028)."""
        return self._media.received_from[1] if self._media.received_from else None

    @property
    def local_rtp_candidate(self) -> Candidate | None:
        """The local ICE candidate that was selected."""
        return self._media.local_candidate

    @property
    def remote_rtp_candidate(self) -> Candidate | None:
        """The remote ICE candidate that was selected."""
        return self._media.remote_candidate

    @property
    def local_rtp_candidate_type(self) -> str | None:
        """host, srflx, prflx or relay if ICE succeeded, else None (AUD-029)."""
        return self._media.local_candidate.type if self._media.local_candidate else None

    @property
    def remote_rtp_candidate_type(self) -> str | None:
        """host, srflx, prflx or relay if ICE succeeded, else None (AUD-029)."""
        return self._media.remote_candidate.type if self._media.remote_candidate else None

    @property
    def recording_filename(self) -> str | None:
        """The full path of the file that is being recorded to, None if none is (AUD-030)."""
        return self._recorder.filename if self._recorder else None

    # IMediaStream: getting ready

    @classmethod
    def new_from_sdp(cls, account: Any, remote_sdp: Any, stream_index: int) -> AudioStream | None:
        remote = AudioMedia.read(remote_sdp, stream_index)
        if remote is None:
            return None
        stream = cls(account)
        if not stream._is_acceptable(remote):
            return None
        stream._remote = remote
        return stream

    @property
    def _srtp(self) -> str:
        return str(self.account.rtp.srtp_encryption)

    def _codecs(self) -> tuple[str, ...]:
        wanted = self.account.rtp.audio_codec_list or SIPSimpleSettings().rtp.audio_codec_list
        return tuple(wanted)

    def _is_acceptable(self, remote: AudioMedia) -> bool:
        """Whether an offer can be answered: a codec of ours, and encrypted as we want it or not (RFC 4568)."""
        try:
            engine_codecs = AudioEngines().engine.codecs
        except EngineError:
            return False
        if not remote.restrict(self._codecs()).restrict(engine_codecs).codecs:
            return False
        if self._srtp == "disabled":
            return not remote.secure
        return bool(remote.cryptos) or not (remote.secure or self._srtp == "mandatory")

    def _for_us(self, remote: AudioMedia) -> AudioMedia:
        """An offer with what we don't use left out."""
        remote = remote.restrict(self._codecs()).restrict(AudioEngines().engine.codecs)
        cryptos = () if self._srtp == "disabled" else remote.cryptos[:1]
        return replace(remote, cryptos=cryptos)

    def initialize(self, session: Any, direction: str) -> None:
        self._advance(StreamEvent.INITIALIZE)
        self.session, self.direction = session, direction
        try:
            settings = SIPSimpleSettings()
            ports = settings.rtp.port_range
            traversal = getattr(self.account, "nat_traversal", None)
            stun = getattr(traversal, "stun_server_list", None) or ()
            self._options = StreamOptions(
                address=current_realm().local_ip_towards(self._remote_host()),
                ports=(ports.start, ports.end),
                srtp=self._srtp,
                ice=bool(getattr(traversal, "use_ice", False)),
                stun_servers=tuple(f"{server.host}:{server.port}" for server in stun),
                timeout=settings.rtp.timeout,
            )
            engine = AudioEngines().engine
            self._engine_stream = engine.open(self._options, self)
        except EngineError as error:
            self._fail("initialize", Failure(error), str(error))
            return
        if self._remote is not None:
            described = self._engine_stream.answer(replace(self._for_us(self._remote), direction="inactive").encode())
        else:
            self._offered = True
            described = self._engine_stream.offer()
        described.addCallback(self._described)
        described.addErrback(self._failed_to, "initialize")

    def _remote_host(self) -> str:
        if self._remote is not None:
            return self._remote.address
        route = getattr(self.session, "route", None)
        identity = getattr(self.session, "remote_identity", None)
        return str(route.address if route is not None else identity.uri.host if identity is not None else "")

    def _described(self, text: str) -> None:
        if self._state is StreamState.INITIALIZING:
            self._local = AudioMedia.decode(text)
            self._advance(StreamEvent.DESCRIBED)
            self._post_data("MediaStreamDidInitialize")

    def get_local_media(self, for_offer: bool, remote_sdp: Any = None, stream_index: int = 0) -> Any:
        if self._state in OVER or self._local is None:
            raise RuntimeError(f"a stream that is {self._state.value} has no description")
        if for_offer:
            return self._offer().to_media()
        remote = AudioMedia.read(remote_sdp, stream_index) if remote_sdp is not None else self._remote
        if remote is None or not self._is_acceptable(remote):
            raise ValueError("the offer has no audio that could be answered")
        return self._answer(self._for_us(remote)).to_media()

    @property
    def _wanted_direction(self) -> str:
        if self.on_hold_by_local:
            return "inactive" if self.on_hold_by_remote else "sendonly"
        return "sendrecv"

    def _offer(self) -> AudioMedia:
        assert self._local is not None
        local = self._local.restrict(self._codecs()).sort(self._codecs())
        cryptos = tuple(replace(line, tag=tag) for tag, line in enumerate(local.cryptos, 1))
        return replace(local, cryptos=cryptos, direction=self._wanted_direction)

    def _answer(self, remote: AudioMedia) -> AudioMedia:
        """The first of its codecs that we have, with its payload types, and our key for its suite."""
        assert self._local is not None
        codec = remote.codecs[0]
        keys = {line.suite: line.key for line in self._local.cryptos}
        cryptos = tuple(replace(line, key=keys[line.suite]) for line in remote.cryptos if line.suite in keys)
        allowed = "sendonly" if self.on_hold_by_local else "sendrecv"
        return replace(
            self._local,
            codecs=(Codec(codec.payload_type, codec.name, codec.rate),),
            events=_events_for(codec, remote),
            secure=remote.secure,
            cryptos=cryptos[:1],
            ice=self._local.ice if remote.ice else (),
            direction=combine(allowed, reverse(remote.direction)),
        )

    # IMediaStream: the media

    def start(self, local_sdp: Any, remote_sdp: Any, stream_index: int) -> None:
        self._advance(StreamEvent.START)
        try:
            agreed = self._agree(local_sdp, remote_sdp, stream_index)
        except ValueError as error:
            self._fail("start", Failure(error), str(error))
            return
        self._give(agreed, self._started)

    def _started(self) -> None:
        if self._state is StreamState.STARTING:
            self._advance(StreamEvent.STARTED)
            self._connect()
            self._post_data("MediaStreamDidStart")

    def _agree(self, local_sdp: Any, remote_sdp: Any, stream_index: int) -> AudioMedia:
        """What was agreed on, as a description of the remote party for the engine.

        Raises ValueError for an answer to which there is no such offer, or that is not as secure as it must be.
        """
        local = AudioMedia.read(local_sdp, stream_index)
        remote = AudioMedia.read(remote_sdp, stream_index)
        if local is None or remote is None:
            raise ValueError("the remote party has no audio that can be used")
        if remote.secure is not local.secure:
            raise ValueError("the remote party answered with another profile than the offered one")
        common = {codec.key for codec in local.codecs} & {codec.key for codec in remote.codecs}
        answer = min(remote, local, key=lambda media: len(media.codecs))
        first = next((codec.key for codec in answer.codecs if codec.key in common), None)
        if first is None:
            raise ValueError("the remote party has none of our codecs")
        keys = {line.suite: line for line in local.cryptos}
        cryptos = tuple(line for line in remote.cryptos if line.suite in keys and keys[line.suite].tag == line.tag)[:1]
        if not cryptos and (self._srtp == "mandatory" or local.secure):
            raise ValueError("the remote party does not encrypt as was offered")
        codec = next(codec for codec in remote.codecs if codec.key == first)
        was_held = self.on_hold_by_remote
        self.on_hold_by_remote = remote.held
        self._remote = remote
        if was_held is not remote.held:
            self._post_data("AudioStreamDidChangeHoldState", originator="remote", on_hold=remote.held)
        return replace(
            remote,
            codecs=(codec,),
            events=_events_for(codec, remote),
            cryptos=cryptos,
            direction=combine(remote.direction, reverse(local.direction)),
        )

    def _give(self, agreed: AudioMedia, done: Callable[[], None] | None = None) -> None:
        """Have the engine take what was agreed on, after what it is given already."""
        engine_stream = self._engine_stream
        if engine_stream is None:
            return
        if self._turn is not None:
            self._turn.addCallback(lambda _: self._give(agreed, done))
            return
        if agreed == self._agreed:
            if done is not None:
                done()
            return
        self._agreed = agreed
        context = "start" if done is not None else "update"
        turn: Deferred[None] = Deferred()
        self._turn = turn
        taken: Deferred[Any]
        if self._offered:
            self._offered = False
            taken = engine_stream.accept(self._with_engine_tags(agreed).encode())
        else:
            taken = engine_stream.answer(agreed.encode())
        if done is not None:
            taken.addCallback(lambda _: done())
        taken.addErrback(self._failed_to, context)

        def over(_: Any) -> None:
            self._turn = None
            turn.callback(None)

        taken.addBoth(over)

    def _with_engine_tags(self, agreed: AudioMedia) -> AudioMedia:
        """The engine offered more suites than we did, so its lines have other tags."""
        assert self._local is not None
        tags = {line.suite: line.tag for line in self._local.cryptos}
        return replace(agreed, cryptos=tuple(replace(line, tag=tags[line.suite]) for line in agreed.cryptos))

    def validate_update(self, remote_sdp: Any, stream_index: int) -> bool:
        remote = AudioMedia.read(remote_sdp, stream_index)
        return remote is not None and self._is_acceptable(remote)

    def update(self, local_sdp: Any, remote_sdp: Any, stream_index: int) -> None:
        try:
            agreed = self._agree(local_sdp, remote_sdp, stream_index)
        except ValueError as error:
            self._fail("update", Failure(error), str(error))
            return
        self._give(agreed)
        self._connect()

    def hold(self) -> None:
        self._hold(True)

    def unhold(self) -> None:
        self._hold(False)

    def _hold(self, held: bool) -> None:
        if self.on_hold_by_local is held or self._state in OVER:
            return
        self.on_hold_by_local = held
        self._connect()
        self._post_data("AudioStreamDidChangeHoldState", originator="local", on_hold=held)

    def _connect(self) -> None:
        """Be in the bridge, and a port of the mixer, while started and not on hold (AUD-013)."""
        wanted = self._state is StreamState.STARTED and not self.on_hold
        if wanted and self._slot is None:
            assert self._engine_stream is not None
            audio = StreamAudio(self._engine_stream)
            self._slot = self.mixer.add_slot(source=audio, sink=audio)
            self._change_slots(producer=self._slot, consumer=self._slot)
            self.bridge.add(self)
        elif not wanted and self._slot is not None:
            slot, self._slot = self._slot, None
            with contextlib.suppress(ValueError):
                self.bridge.remove(self)
            self._change_slots(producer=None, consumer=None)
            self.mixer.remove_slot(slot)

    # IMediaStream: the end

    def deactivate(self) -> None:
        """Nothing to do: the end of the remote party's RTP is no failure."""

    def end(self) -> None:
        if self._state is StreamState.ENDED:
            return
        self._post_data("MediaStreamWillEnd")
        self._advance(StreamEvent.END)
        self._close()
        self._post_data("MediaStreamDidEnd", error=None)

    def _close(self) -> None:
        self.stop_recording()
        self._connect()
        engine_stream, self._engine_stream = self._engine_stream, None
        if engine_stream is not None:
            engine_stream.close()

    def _failed_to(self, failure: Failure, context: str) -> None:
        self._fail(context, failure, failure.getErrorMessage())

    def _fail(self, context: str, failure: Failure | None, reason: str) -> None:
        if self._state in OVER:
            return
        self._advance(StreamEvent.FAIL)
        self._close()
        self._post_data("MediaStreamDidFail", context=context, failure=failure, reason=reason)

    # Recording and DTMF

    def start_recording(self, filename: str | None = None) -> None:
        """Record both parties to a .wav file; nothing while it is already (AUD-014 to AUD-019).

        Without a name, to one made of the participants and the time, in `audio.recordings_directory`. On hold nothing
        is recorded. Raises IllegalStateError unless the stream is started, OSError when the file can't be written.
        """
        if self._state is not StreamState.STARTED:
            from sipsimple.session import IllegalStateError

            raise IllegalStateError(self._state.value, [StreamState.STARTED.value], "start_recording()")
        if self._recorder is not None:
            return
        path = str(Path(filename or self._default_filename()).absolute())
        recorder = WaveRecorder(self.mixer, path)
        self._post_data("AudioStreamWillStartRecordingAudio", filename=path)
        recorder.start()
        self._recorder = recorder
        self.bridge.add(recorder)
        self._post_data("AudioStreamDidStartRecordingAudio", filename=path)

    def _default_filename(self) -> str:
        identity = getattr(self.session, "remote_identity", None)
        remote = f"{identity.uri.user}@{identity.uri.host}" if identity is not None else "unknown"
        directory = Path(str(SIPSimpleSettings().audio.recordings_directory)) / _safe(str(self.account.id))
        stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{_safe(remote)}"
        path, number = directory / f"{stem}.wav", 1
        while path.exists():
            path, number = directory / f"{stem}-{number}.wav", number + 1
        return str(path)

    def stop_recording(self) -> None:
        """Stop what start_recording() began; nothing if it is not recording (AUD-020)."""
        recorder = self._recorder
        if recorder is None:
            return
        self._post_data("AudioStreamWillStopRecordingAudio", filename=recorder.filename)
        self._recorder = None
        with contextlib.suppress(ValueError):
            self.bridge.remove(recorder)
        recorder.stop()
        self._post_data("AudioStreamDidStopRecordingAudio", filename=recorder.filename)

    def send_dtmf(self, digit: str) -> None:
        """Send a digit by RFC 4733 (AUD-021, AUD-022).

        Raises ValueError for what is no digit, IllegalStateError unless the stream is started.
        """
        if not isinstance(digit, str) or digit not in DTMF_DIGITS:
            raise ValueError(f"{digit!r} is no DTMF digit: expected one of 0-9, A-D, * and #")
        if self._state is not StreamState.STARTED or self._engine_stream is None:
            from sipsimple.session import IllegalStateError

            raise IllegalStateError(self._state.value, [StreamState.STARTED.value], "send_dtmf()")
        self._engine_stream.send_dtmf(digit).addErrback(lambda _: None)  # nobody hears it while the media is off

    def get_statistics(self) -> Deferred[StreamStatistics | None]:
        """What RTCP counts so far; None while there is no media. Fails with EngineError."""
        if self._engine_stream is None:
            from twisted.internet.defer import fail

            return fail(EngineError("the stream has no media"))
        return self._engine_stream.statistics()

    # StreamListener

    def media_changed(self, state: MediaState) -> None:
        before, self._media = self._media, state
        if not state.active:
            self._media = replace(before, active=False)
            return
        seen = [(m.codec, m.sample_rate, m.local, m.remote, m.received_from, m.srtp) for m in (before, state)]
        if state.ice != before.ice and state.ice:
            self._ice_changed(before.ice, state)
        if before.codec is not None and seen[0] != seen[1]:
            self._post_data("AudioStreamDidChangeRTPParameters")

    def _ice_changed(self, previous: str, state: MediaState) -> None:
        self._post_data("AudioStreamICENegotiationStateDidChange", prev_state=previous, state=state.ice)
        if self._ice_settled or not state.ice.endswith(("Success", "Failed")):
            return
        self._ice_settled = True
        if "Success" in state.ice:
            self._post_data(
                "AudioStreamICENegotiationDidSucceed",
                local_candidate=state.local_candidate,
                remote_candidate=state.remote_candidate,
            )
        else:
            self._post_data("AudioStreamICENegotiationDidFail", reason=state.ice)

    def dtmf_received(self, digit: str) -> None:
        self._post_data("AudioStreamGotDTMF", digit=digit.upper())

    def timed_out(self) -> None:
        if self._state is StreamState.STARTED and not self.on_hold:
            self._post_data("AudioStreamDidTimeout")

    def failed(self, reason: str) -> None:
        self._fail("reading" if self._state is StreamState.STARTED else self._state.value, None, reason)

    def _post_data(self, name: str, **fields: Any) -> None:
        self._center.post_notification(name, self, NotificationData(**fields))

    def _advance(self, event: StreamEvent) -> None:
        self._state = following(self._state, event)


def _events_for(codec: Codec, media: AudioMedia) -> tuple[Codec, ...]:
    """The telephone-event of the clock rate of a codec, else any."""
    same = tuple(event for event in media.events if event.rate == codec.rate)
    return (same or media.events)[:1]


def _safe(name: str) -> str:
    return re.sub(r"[^\w.@+-]", "_", name).lstrip(".")[:80] or "_"
