"""The phone of `sipsimple answer`: calls that come, one after the other."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from sipsimple.audio.commands.keys import Keys
from sipsimple.audio.commands.outcome import CallExit
from sipsimple.audio.commands.phone import Phone
from sipsimple.audio.commands.ringing import bell
from sipsimple.session import IllegalStateError

__all__ = ["Answerer"]


class Answerer(Phone):
    """Attributes: `auto`, whether it answers by itself, after `ring_time` seconds; `refusal`, the code with which it
    refuses all calls; `calls`, after how many it ends (None: never).
    """

    auto = False
    ring_time = 0.0
    refusal: int | None = None
    calls: int | None = None

    _registered = False
    _caller = ""
    _streams: Any = None  # what the call that rings offers
    _taken = 0
    _worst = CallExit.OK

    def peer(self) -> str:
        return self._caller

    def state(self) -> str:
        if self.session is None:
            return "waiting for calls"
        return f"{self.peer()} calls"

    def begin(self) -> None:
        account, address = self.party.account.id, self.party.address
        text = f"waiting for calls to {account}" + (f", directly: {address}" if address else "")
        self.report.tell("listening", text, account=str(account), address=address)
        self._wait()

    def _wait(self) -> None:
        self.limit("nobody", self.options.wait, self._nobody_called)

    def _nobody_called(self) -> None:
        text = f"nobody called for {self.options.wait:g} seconds"
        self.report.tell("failed", text, reason=text)
        self.exit_code = CallExit.NO_ANSWER

    def code_of_interruption(self) -> CallExit:
        if self.calls is not None and self._taken < self.calls:
            return CallExit.INTERRUPTED
        return self._worst

    def interrupt(self) -> None:
        # as the last call
        self.calls = self._taken + (self.session is not None)
        super().interrupt()

    # The account

    def _NH_SIPAccountRegistrationDidSucceed(self, notification: Any) -> None:
        if not self._registered:
            self._registered = True
            self.report.tell("registered", f"{self.party.account.id} is registered", notification.data.timestamp)

    def _NH_SIPAccountRegistrationDidFail(self, notification: Any) -> None:
        self._registered = False
        self.report.problem(f"{self.party.account.id} could not be registered: {notification.data.error}")

    # A call that comes

    def _NH_SIPSessionNewIncoming(self, notification: Any) -> None:
        session = notification.sender
        streams = [stream for stream in notification.data.streams if stream.type == "audio"][:1]
        with suppress(IllegalStateError):  # the caller has given up already
            if self.session is not None or self.exit_code is not None:
                session.reject(486)
                return
            self.session = session
            self._caller, self._streams = _name(session.remote_identity), streams
            self.limit("nobody", None, lambda: None)
            self.report.tell("incoming", f"{self.peer()} calls", notification.data.timestamp, peer=self.peer())
            if not streams:
                session.reject(488)
            elif self.refusal is not None:
                session.reject(self.refusal)
            elif (self.auto or not self._has_keys) and not self.ring_time:
                session.accept(streams)
            else:
                self._ring()

    def _ring(self) -> None:
        from sipsimple.application import SIPApplication

        self.session.send_ring_indication()
        if not self.options.null:
            self.tones = bell(SIPApplication().alert_audio_bridge)
        if self.auto or not self._has_keys:
            self.limit("ring", self.ring_time, self.accept)

    def keys(self) -> Keys:
        if self.session is None or self.talk is not None:
            return super().keys()
        return {"a": ("answer", self.accept), "x": ("refuse", self.refuse), "q": ("end", self.interrupt)}

    def accept(self) -> None:
        """Answer the call that rings."""
        self._silence()
        with suppress(IllegalStateError):
            self.session.accept(self._streams)

    def refuse(self) -> None:
        """Refuse the call that rings."""
        self._silence()
        with suppress(IllegalStateError):
            self.session.reject(603)

    def call_over(self, code: CallExit) -> None:
        refused = self.talk is None and code is not CallExit.BROKEN_OFF
        if not refused and code is not CallExit.OK:
            self._worst = code
        self._forget_call()
        self._taken += 1
        if self.calls is not None and self._taken >= self.calls:
            self.exit_code = self._worst
        else:
            self._wait()


def _name(identity: Any) -> str:
    """Who calls."""
    if identity is None:
        return "somebody"
    uri = identity.uri
    address = f"{uri.user}@{uri.host}" if uri.user else str(uri.host)
    return f"{identity.display_name} <{address}>" if identity.display_name else address
