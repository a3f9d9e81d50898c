"""The phone of `sipsimple call`: one call to somebody."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sipsimple.audio.commands.outcome import CallExit
from sipsimple.audio.commands.phone import Phone
from sipsimple.audio.commands.ringing import ringback
from sipsimple.session import IllegalStateError

if TYPE_CHECKING:
    from sipsimple.audio.commands.options import CallOptions
    from sipsimple.audio.commands.report import Report
    from sipsimple.cli.calling import Party

__all__ = ["Caller"]


class Caller(Phone):
    """:param session: the session, which is connecting
    :param peer: who is called
    """

    def __init__(self, party: Party, options: CallOptions, report: Report, session: Any, peer: str) -> None:
        super().__init__(party, options, report)
        self.session = session
        self._peer = peer
        self._progress = ""

    def peer(self) -> str:
        return self._peer

    def state(self) -> str:
        return f"calling {self._peer}" + (f": {self._progress}" if self._progress else "")

    def begin(self) -> None:
        self.limit("wait", self.options.wait, self._nobody_answers)

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

    def _NH_SIPSessionNewIncoming(self, notification: Any) -> None:
        with suppress(IllegalStateError):  # the caller has given up already
            notification.sender.reject(486)

    def call_over(self, code: CallExit) -> None:
        self.exit_code = code
