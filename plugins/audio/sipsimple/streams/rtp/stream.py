"""AudioStream: audio over RTP within a session (AUD-001 to AUD-044).

Theory of operation. `initialize` asks the engine for a description: an offer, or the answer to the offer that the
stream was made of. To the latter the engine is given the offer as `inactive`, so that nothing is sent before the local
party accepts. From then on the stream describes itself, with the addresses and keys that the engine chose; `start`
and `update` give the engine what was agreed on as one description of the remote party (`_agree`), so it makes no
difference to the engine who proposed it. Those descriptions are given one after the other. What is described, and what
agreed on, is decided by `negotiation`.

Early media is what the engine is given before `start`: the remote party is heard, and hears silence.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.python.failure import Failure
from zope.interface import implementer

from sipsimple.audio.bridge import AudioBridge
from sipsimple.audio.device import AudioDevice
from sipsimple.audio.port import AudioPort, IAudioPort
from sipsimple.audio.recorder import WaveRecorder
from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.notification import NotificationCenter, NotificationData
from sipsimple.realm import current_realm
from sipsimple.streams import IMediaStream, MediaStreamRegistrar, following
from sipsimple.streams.rtp import notifications as _notifications  # noqa: F401
from sipsimple.streams.rtp.attributes import AudioStreamAttributes
from sipsimple.streams.rtp.description import AudioMedia
from sipsimple.streams.rtp.engine import (
    AudioEngines,
    EngineError,
    EngineStream,
    MediaState,
    StreamOptions,
    StreamStatistics,
    TURNServer,
)
from sipsimple.streams.rtp.negotiation import AudioNegotiation
from sipsimple.streams.rtp.pcm import StreamAudio
from sipsimple.streams.rtp.recording import FailureWatch, default_filename
from sipsimple.streams.rtp.server_probe import Server, ServerProbe
from sipsimple.streams.rtp.states import OVER, STATES, StreamEvent, StreamState

__all__ = ["AudioStream"]

log = logging.getLogger("sipsimple.audio")

DTMF_DIGITS = frozenset("0123456789ABCD*#")


@implementer(IMediaStream, IAudioPort)
class AudioStream(AudioStreamAttributes, AudioPort, metaclass=MediaStreamRegistrar):
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
        self._negotiation = AudioNegotiation(account)
        self._offered = False  # whether the engine waits for an answer
        self._agreed: AudioMedia | None = None  # what the engine was given last
        self._turn: Deferred[None] | None = None  # the engine has something to do until it fires
        self._options: StreamOptions | None = None
        self._engine_stream: EngineStream | None = None
        self._media = MediaState(False)
        self._ice_settled = False
        self._silence_told = False
        self._slot: int | None = None
        self._recorder: WaveRecorder | None = None
        self._recorder_watch: FailureWatch | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._state.value} {self.codec or ''}>"

    # IMediaStream: getting ready

    @classmethod
    def new_from_sdp(cls, account: Any, remote_sdp: Any, stream_index: int) -> AudioStream | None:
        remote = AudioMedia.read(remote_sdp, stream_index)
        if remote is None:
            return None
        stream = cls(account)
        if not stream._negotiation.is_acceptable(remote):
            return None
        stream._negotiation.remote = remote
        return stream

    def initialize(self, session: Any, direction: str) -> None:
        self._advance(StreamEvent.INITIALIZE)
        self.session, self.direction = session, direction
        traversal = getattr(self.account, "nat_traversal", None)
        finding = [ServerProbe().first_alive(_stun_servers(traversal)), _living_turn_server(traversal)]
        found: Deferred[Any] = gatherResults(finding, consumeErrors=True)
        found.addCallback(self._open)
        found.addErrback(self._failed_to, "initialize")

    def _open(self, servers: list[str | None]) -> Deferred[None] | None:
        """Have the engine describe itself; the servers are those of STUN and TURN that are alive."""
        if self._state is not StreamState.INITIALIZING:
            return None
        self._options = self._make_options(*servers)
        remote = self._negotiation.remote
        self._engine_stream = engine_stream = AudioEngines().engine.open(self._options, self)
        if remote is None:
            self._offered = True
            return engine_stream.offer().addCallback(self._described)
        usable = self._negotiation.usable(remote)
        self._negotiation.given(usable)
        return engine_stream.answer(replace(usable, direction="inactive").encode()).addCallback(self._described)

    def _make_options(self, stun: str | None, turn: str | None) -> StreamOptions:
        settings = SIPSimpleSettings()
        traversal = getattr(self.account, "nat_traversal", None)
        address = current_realm().local_ip_towards(self._remote_host())
        # Nobody is behind a NAT on the loopback interface, and ICE has no candidates there (RFC 8445 5.1.1.1)
        ice = bool(getattr(traversal, "use_ice", False)) and not ipaddress.ip_address(address).is_loopback
        relay_only = ice and bool(getattr(traversal, "relay_only", False))
        if relay_only and turn is None:
            raise EngineError("there is no TURN server that answers, and nat_traversal.relay_only is set")
        server = None
        if ice and turn is not None:
            secret, transport = str(traversal.turn_password), str(traversal.turn_transport)
            server = TURNServer(turn, str(traversal.turn_username), secret, transport)
        return StreamOptions(
            address=address,
            ports=(settings.rtp.port_range.start, settings.rtp.port_range.end),
            srtp=self._negotiation.srtp,
            ice=ice,
            stun_servers=() if stun is None or relay_only else (stun,),
            turn_server=server,
            relay_only=relay_only,
            timeout=settings.rtp.timeout,
        )

    def _remote_host(self) -> str:
        if self._negotiation.remote is not None:
            return self._negotiation.remote.address
        route = getattr(self.session, "route", None)
        identity = getattr(self.session, "remote_identity", None)
        return str(route.address if route is not None else identity.uri.host if identity is not None else "")

    def _described(self, text: str) -> None:
        if self._state is StreamState.INITIALIZING:
            self._negotiation.local = AudioMedia.decode(text)
            self._advance(StreamEvent.DESCRIBED)
            self._post_data("MediaStreamDidInitialize")

    def get_local_media(self, for_offer: bool, remote_sdp: Any = None, stream_index: int = 0) -> Any:
        negotiation = self._negotiation
        if self._state in OVER or negotiation.local is None:
            raise RuntimeError(f"a stream that is {self._state.value} has no description")
        if for_offer:
            return negotiation.offer(self._wanted_direction).to_media()
        remote = AudioMedia.read(remote_sdp, stream_index) if remote_sdp is not None else negotiation.remote
        if remote is None or not negotiation.is_acceptable(remote):
            raise ValueError("the offer has no audio that could be answered")
        allowed = "sendonly" if self.on_hold_by_local else "sendrecv"
        return negotiation.answer(negotiation.usable(remote), allowed).to_media()

    @property
    def _wanted_direction(self) -> str:
        if self.on_hold_by_local:
            return "inactive" if self.on_hold_by_remote else "sendonly"
        return "sendrecv"

    # IMediaStream: the media

    def start_early(self, local_sdp: Any, remote_sdp: Any, stream_index: int) -> None:
        """Let the remote party be heard before it accepts; a description that is of no use is ignored."""
        self._advance(StreamEvent.START_EARLY)
        try:
            agreed = self._negotiation.agree(
                AudioMedia.read(local_sdp, stream_index), AudioMedia.read(remote_sdp, stream_index)
            )
        except ValueError as error:
            log.info("No early media: %s", error)
            return
        self._give(agreed, self._connect, self._not_early)

    def _not_early(self, failure: Failure) -> None:
        log.info("No early media: %s", failure.getErrorMessage())
        self._agreed = None

    def start(self, local_sdp: Any, remote_sdp: Any, stream_index: int) -> None:
        self._advance(StreamEvent.START)
        try:
            agreed = self._agree(local_sdp, remote_sdp, stream_index)
        except ValueError as error:
            self._fail("start", Failure(error), str(error))
            return
        self._give(agreed, self._started, lambda failure: self._failed_to(failure, "start"))

    def _started(self) -> None:
        if self._state is StreamState.STARTING:
            self._advance(StreamEvent.STARTED)
            self._connect()
            self._post_data("MediaStreamDidStart")

    def _agree(self, local_sdp: Any, remote_sdp: Any, stream_index: int) -> AudioMedia:
        """What was agreed on, for the engine; tells of the remote party's hold. Raises ValueError if it is nothing."""
        remote = AudioMedia.read(remote_sdp, stream_index)
        agreed = self._negotiation.agree(AudioMedia.read(local_sdp, stream_index), remote)
        assert remote is not None
        was_held = self.on_hold_by_remote
        self.on_hold_by_remote = remote.held
        if was_held is not remote.held:
            self._post_data("AudioStreamDidChangeHoldState", originator="remote", on_hold=remote.held)
        return agreed

    def _give(self, agreed: AudioMedia, done: Callable[[], None], failed: Callable[[Failure], None]) -> None:
        """Have the engine take what was agreed on, after what it is given already."""
        engine_stream = self._engine_stream
        if engine_stream is None:
            return
        if self._turn is not None:
            self._turn.addCallback(lambda _: self._give(agreed, done, failed))
            return
        if agreed == self._agreed:
            done()
            return
        self._agreed = agreed
        self._negotiation.given(agreed)
        turn: Deferred[None] = Deferred()
        self._turn = turn
        taken: Deferred[Any]
        if self._offered:
            self._offered = False
            taken = engine_stream.accept(self._negotiation.with_engine_tags(agreed).encode())
        else:
            taken = engine_stream.answer(agreed.encode())
        taken.addCallbacks(lambda _: done(), failed)
        taken.addErrback(self._failed_to, "update")

        def over(_: Any) -> None:
            self._turn = None
            turn.callback(None)

        taken.addBoth(over)

    def validate_update(self, remote_sdp: Any, stream_index: int) -> bool:
        remote = AudioMedia.read(remote_sdp, stream_index)
        return remote is not None and self._negotiation.is_acceptable(remote)

    def update(self, local_sdp: Any, remote_sdp: Any, stream_index: int) -> None:
        try:
            agreed = self._agree(local_sdp, remote_sdp, stream_index)
        except ValueError as error:
            self._fail("update", Failure(error), str(error))
            return
        self._connect()
        self._give(agreed, self._connect, lambda failure: self._failed_to(failure, "update"))

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
        """Be in the bridge, and a port of the mixer, while started and not on hold (AUD-013); with early media a port
        that produces only."""
        speaks = self._state is StreamState.STARTED and not self.on_hold
        early = self._state is StreamState.EARLY or (self._state is StreamState.STARTING and self._slot is not None)
        wanted = speaks or (early and not self.on_hold_by_local)
        if wanted and self._slot is None:
            assert self._engine_stream is not None
            audio = StreamAudio(self._engine_stream)
            self._slot = self.mixer.add_slot(source=audio, sink=audio)
            self._change_slots(producer=self._slot, consumer=self._slot if speaks else None)
            self.bridge.add(self)
        elif speaks:
            self._change_slots(consumer=self._slot)
        elif not wanted and self._slot is not None:
            slot, self._slot = self._slot, None
            with contextlib.suppress(ValueError):
                self.bridge.remove(self)
            self._change_slots(producer=None, consumer=None)
            self.mixer.remove_slot(slot)
        self._connect_recorder()

    def _connect_recorder(self) -> None:
        """A recorder is in the bridge while the stream is: on hold the microphone is not recorded either (AUD-017)."""
        recorder = self._recorder
        if recorder is None:
            return
        if self._slot is not None:
            self.bridge.add(recorder)
        elif recorder in self.bridge:
            self.bridge.remove(recorder)

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
        is recorded. Raises IllegalStateError unless the stream is started, OSError when the file can't be written. When
        that happens later (`WaveRecorderDidFail` of the recorder says why) recording stops, and the call goes on.
        """
        if self._state is not StreamState.STARTED:
            from sipsimple.session import IllegalStateError

            raise IllegalStateError(self._state.value, [StreamState.STARTED.value], "start_recording()")
        if self._recorder is not None:
            return
        path = str(Path(filename or default_filename(self.account, self.session)).absolute())
        recorder = WaveRecorder(self.mixer, path)
        self._post_data("AudioStreamWillStartRecordingAudio", filename=path)
        recorder.start()
        self._recorder, self._recorder_watch = recorder, FailureWatch(recorder, self.stop_recording)
        self._connect_recorder()
        self._post_data("AudioStreamDidStartRecordingAudio", filename=path)

    def stop_recording(self) -> None:
        """Stop what start_recording() began; nothing if it is not recording (AUD-020)."""
        recorder, watch = self._recorder, self._recorder_watch
        if recorder is None or watch is None:
            return
        watch.stop()
        self._post_data("AudioStreamWillStopRecordingAudio", filename=recorder.filename)
        self._recorder = self._recorder_watch = None
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
        if state.ice.endswith("Success"):
            self._post_data(
                "AudioStreamICENegotiationDidSucceed",
                local_candidate=state.local_candidate,
                remote_candidate=state.remote_candidate,
            )
        else:
            self._post_data("AudioStreamICENegotiationDidFail", reason=state.ice)
            if self._agreed is not None and not (self._options and self._options.relay_only):
                agreed = replace(self._agreed, ice=())
                self._give(agreed, self._connect, lambda failure: self._failed_to(failure, "update"))

    def dtmf_received(self, digit: str) -> None:
        self._post_data("AudioStreamGotDTMF", digit=digit.upper())

    def timed_out(self, again: bool) -> None:
        self._silence_told = self._silence_told and again
        if self._state is StreamState.STARTED and not self.on_hold and not self._silence_told:
            self._silence_told = True
            self._post_data("AudioStreamDidTimeout")

    def failed(self, reason: str) -> None:
        self._fail("reading" if self._state is StreamState.STARTED else self._state.value, None, reason)

    def _post_data(self, name: str, **fields: Any) -> None:
        self._center.post_notification(name, self, NotificationData(**fields))

    def _advance(self, event: StreamEvent) -> None:
        self._state = following(STATES, self._state, event)


def _stun_servers(traversal: Any) -> list[Server]:
    servers = getattr(traversal, "stun_server_list", None) or ()
    return [(str(server.host), server.port) for server in servers]


def _living_turn_server(traversal: Any) -> Deferred[str | None]:
    server = getattr(traversal, "turn_server", None) if getattr(traversal, "use_ice", False) else None
    if server is None:
        return succeed(None)
    address = (str(server.host), server.port)
    return ServerProbe().accepts(address) if traversal.turn_transport == "tcp" else ServerProbe().first_alive([address])
