"""The call of the demo, in the same session: alice adds audio and plays a melody, bob records it and sees its levels.

It needs the audio engine; `no_engine` tells why there is none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agent import ChatAgent, report
from melody import note_of, write
from twisted.internet import task

from sipsimple.audio import ArrayRecorder, AudioBridge, LevelMeter, WavePlayer
from sipsimple.streams import AudioStream
from sipsimple.streams.rtp.engine import AudioEngines, EngineError

__all__ = ["CallAgent", "no_engine"]

LEVEL_EVERY = 0.3  # seconds
MOMENT = 2000  # samples in which a note is looked for
QUIET = -50.0  # dB


def no_engine() -> str | None:
    """Why there can't be a call, None if there can."""
    try:
        AudioEngines().engine  # noqa: B018
    except EngineError as error:
        return str(error)
    return None


class CallAgent(ChatAgent):
    """After the chat alice adds audio, plays the melody, and takes audio out again; then bob hangs up."""

    def __init__(self, name: str, lines: list[str], folder: Path, callee: str | None) -> None:
        super().__init__(name, lines, callee)
        self.folder = folder
        self.audio: Any = None
        self.player: WavePlayer | None = None
        self.levels: task.LoopingCall | None = None

    def chat_is_over(self) -> None:
        if self.callee is not None:
            self.session.add_stream(AudioStream(self.session.account))

    def _NH_SIPSessionGotProposal(self, notification: Any) -> None:
        if notification.data.originator == "remote":
            self.session.accept_proposal(notification.data.streams)

    def _NH_SIPSessionGotRejectProposal(self, notification: Any) -> None:
        report("failed", f"no audio: {notification.data.code} {notification.data.reason}")

    def _NH_SIPSessionHadProposalFailure(self, notification: Any) -> None:
        report("failed", f"no audio: {notification.data.failure_reason}")

    def _NH_SIPSessionGotAcceptProposal(self, notification: Any) -> None:
        (self.audio,) = (stream for stream in notification.data.streams if stream.type == "audio")
        secure = "encrypted" if self.audio.srtp_active else "not encrypted"
        report("state", f"audio: {self.audio.codec}, {self.audio.sample_rate // 1000} kHz, {secure}", notification)
        if self.callee is not None:
            self.play()
        else:
            self.listen()

    # alice

    def play(self) -> None:
        path = self.folder / "melody.wav"
        write(path)
        self.player = WavePlayer(self.audio.mixer, path, pause_time=0.5, initial_play=False)
        self.audio.bridge.add(self.player)
        self.player.start()

    def _NH_WavePlayerDidStart(self, notification: Any) -> None:
        report("play", "plays a melody", notification)

    def _NH_WavePlayerDidEnd(self, notification: Any) -> None:
        from twisted.internet import reactor

        # a moment for what is on its way
        reactor.callLater(0.5, self.session.remove_stream, self.audio)

    # bob

    def listen(self) -> None:
        self.audio.start_recording(str(self.folder / "recording.wav"))
        mixer = self.audio.mixer
        self.meter, self.ear, self.ears = LevelMeter(mixer), ArrayRecorder(mixer, 16000), AudioBridge(mixer)
        for port in (self.audio, self.meter, self.ear):  # in a bridge of their own they hear alice alone
            self.ears.add(port)
        self.levels = task.LoopingCall(self.show_level)
        self.levels.start(LEVEL_EVERY)

    def show_level(self) -> None:
        level, samples = self.meter.level, self.ear.samples[-MOMENT:]
        if level > QUIET:
            report("level", note_of(samples) or "", amount=level)

    def _NH_AudioStreamDidStopRecordingAudio(self, notification: Any) -> None:
        if self.levels is not None and self.levels.running:
            self.levels.stop()
        report("recorded", notification.data.filename, notification)

    def _NH_SIPSessionDidRenegotiateStreams(self, notification: Any) -> None:
        if notification.data.action == "remove" and self.callee is None:
            self.session.end()
