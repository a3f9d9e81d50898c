"""Audio calls of the application of this process with a phone: what each says, and what each hears."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sipsimple.audio import AudioBridge, WavePlayer, WaveRecorder
from sipsimple.core import SIPURI, ToHeader
from sipsimple.session import Session
from sipsimple.streams import AudioStream
from sipsimple.threading import call_in_sipsimple_thread
from sipsimple.util import Route

from .baresip_phone import TONE, BaresipPhone
from .hearing import Ear, write_beeps

__all__ = ["OURS", "TIMEOUT", "Talk", "answer", "call", "dial", "incoming", "wait_until_connected"]

TIMEOUT = 30
OURS = 700.0  # Hz, what we say


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

    def wait_until_heard(self, phone: BaresipPhone, tone: float = TONE) -> None:
        """Until each party has heard the other."""
        self.wait_for_rtp()
        self.ear.wait_for(tone)
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
        self.wait_for_end()

    def wait_for_end(self) -> None:
        self.application.recorder.wait_for("SIPSessionDidEnd", self.session, TIMEOUT)
        self.incoming.stop()


def dial(application: Any, user: str, port: int, address: str = "127.0.0.1", **settings: Any) -> tuple[Any, Any]:
    """A session with an audio stream to a user on this machine, and the stream; `settings` are of `account.rtp`."""
    for name, value in settings.items():
        setattr(application.account.rtp, name, value)
    application.account.save()
    session, stream = Session(application.account), AudioStream(application.account)
    session.connect(ToHeader(SIPURI(user=user, host=address, port=port)), [Route(address, port, "udp")], [stream])
    return session, stream


def answer(application: Any) -> tuple[Any, Any]:
    """The session that comes in, and its audio stream; it is up when this returns."""
    notification = application.recorder.wait_for("SIPSessionNewIncoming", timeout=TIMEOUT)
    session, (stream,) = notification.sender, notification.data.streams
    session.accept([stream])
    wait_until_connected(application, session)
    return session, stream


def wait_until_connected(application: Any, session: Any) -> None:
    recorder = application.recorder
    recorder.wait_until(lambda: session.state in ("connected", "terminated"), TIMEOUT, f"the call is {session.state}")
    assert session.state == "connected", recorder.last("SIPSessionDidFail", session).data


def call(application: Any, phone: BaresipPhone, folder: Path, **settings: Any) -> Talk:
    """A call to a phone, which is up when this returns."""
    session, stream = dial(application, "phone", phone.sip_port, phone.address, **settings)
    wait_until_connected(application, session)
    return Talk(application, session, stream, folder)


def incoming(application: Any, folder: Path) -> Talk:
    """The call of a phone that comes in: it is answered, and up when this returns."""
    return Talk(application, *answer(application), folder)
