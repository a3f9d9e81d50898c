"""The phone of `sipsimple call`: one call to somebody."""

from __future__ import annotations

from typing import Any

from sipsimple.audio.commands.outcome import CallExit
from sipsimple.audio.commands.phone import Phone
from sipsimple.audio.commands.ringing import ringback

__all__ = ["Caller"]


class Caller(Phone):
    """:param target: the SIPURI that is called
    :param routes: where to send that
    """

    def __init__(self, running: Any, account: Any, options: Any, report: Any, target: Any, routes: list[Any]) -> None:
        super().__init__(running, account, options, report)
        self.target = target
        self.routes = routes
        self._progress = ""

    def peer(self) -> str:
        return str(self.target)

    def state(self) -> str:
        return f"calling {self.target}" + (f": {self._progress}" if self._progress else "")

    def begin(self) -> None:
        from sipsimple.core import ToHeader
        from sipsimple.session import Session
        from sipsimple.streams import AudioStream

        self.session = Session(self.account)
        self.report.tell("calling", f"calling {self.target} as {self.account.id}", peer=self.peer())
        self.limit("wait", self.options.wait, self._nobody_answers)
        self.session.connect(ToHeader(self.target), self.routes, [AudioStream(self.account)])

    def _nobody_answers(self) -> None:
        self.end_call(CallExit.NO_ANSWER, f"no answer within {self.options.wait:g} seconds")

    def _NH_SIPSessionGotProvisionalResponse(self, notification: Any) -> None:
        data = notification.data
        self._progress = data.reason
        self.report.tell("progress", f"{data.code} {data.reason}", data.timestamp, code=data.code, reason=data.reason)

    def _NH_SIPSessionGotRingIndication(self, notification: Any) -> None:
        from sipsimple.application import SIPApplication

        if self.tones is None and not self.options.null:
            self.tones = ringback(SIPApplication().voice_audio_bridge)

    def call_over(self, code: CallExit) -> None:
        self.exit_code = code
