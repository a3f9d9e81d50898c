"""A call of the application to itself, with audio between two streams of its engine."""

from __future__ import annotations

import time
from typing import Any

from sipsimple.core import SIPURI, ToHeader
from sipsimple.session import Session
from sipsimple.streams import AudioStream
from sipsimple.util import Route

from .voices import BridgeEar, Mouth

TIMEOUT = 30


class OwnCall:
    """It is up when this was made; `seconds` is how long that took."""

    def __init__(self, application: Any, address: str = "127.0.0.1") -> None:
        self.recorder = application.recorder
        self.session, self.stream = Session(application.account), AudioStream(application.account)
        known = len(self.recorder.find_all("SIPSessionNewIncoming"))
        begin = time.monotonic()
        port = application.sip_port
        uri = SIPURI(user="alice", host=address, port=port)
        self.session.connect(ToHeader(uri), [Route(address, port, "udp")], [self.stream])
        self.recorder.wait_until(
            lambda: len(self.recorder.find_all("SIPSessionNewIncoming")) > known, TIMEOUT, "nobody is called"
        )
        incoming = self.recorder.last("SIPSessionNewIncoming")
        self.other_session, (self.other_stream,) = incoming.sender, incoming.data.streams
        self.other_session.accept([self.other_stream])
        sessions = self.session, self.other_session
        for session in sessions:
            self.recorder.wait_until(
                lambda session=session: session.state in ("connected", "terminated"), TIMEOUT, "the call does not start"
            )
        failures = [self.recorder.find_all("SIPSessionDidFail", session) for session in sessions]
        assert failures == [[], []]
        self.seconds = time.monotonic() - begin

    def talk(self, ours: float = 500.0, theirs: float = 800.0) -> None:
        """Until both hear the tone of the other."""
        mouths = Mouth(self.stream, ours), Mouth(self.other_stream, theirs)
        BridgeEar(self.other_stream).wait_for(ours, 0.3)  # of a sum of two tones
        BridgeEar(self.stream).wait_for(theirs, 0.3)
        del mouths

    def end(self) -> None:
        self.session.end()
        for session in (self.session, self.other_session):
            self.recorder.wait_for("SIPSessionDidEnd", session, TIMEOUT)
