"""What the keys do to a call that is up."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from sipsimple.audio.commands.keys import DIGITS, Keys
from sipsimple.audio.commands.report import Report
from sipsimple.audio.commands.talk import Talk
from sipsimple.session import IllegalStateError

__all__ = ["Controls"]

MENU_KEYS = "123456789abcdefghijklmnopqrstuvwxyz"


class Controls:
    """:param session: the session of the call
    :param talk: its audio
    :param end: called to hang up

    `menu` is what the next key chooses from; it is empty unless there is something to choose.
    """

    def __init__(self, session: Any, talk: Talk, report: Report, end: Callable[[], object]) -> None:
        self.session = session
        self.talk = talk
        self.report = report
        self.menu: Keys = {}
        self.keys: Keys = {
            "h": ("hold", self.hold),
            "m": ("mute", self.mute),
            "r": ("record", self.talk.record),
            "i": ("next microphone", self.next_microphone),
            "o": ("next loudspeaker", self.next_loudspeaker),
            "d": ("devices", self.choose_device),
            "q": ("end", end),
        }

    def press(self, key: str) -> bool:
        """Whether the key was a digit or a choice, and so is done with."""
        menu, self.menu = self.menu, {}
        if menu:
            if key in menu:
                menu[key][1]()
            return True
        if key in DIGITS:
            self.talk.send(key)
            return True
        return False

    @property
    def menu_lines(self) -> tuple[str, ...]:
        """The menu, for people."""
        return tuple(f"{key}  {text}" for key, (text, _) in self.menu.items())

    def hold(self) -> None:
        """Put the call on hold, or take it off."""
        with suppress(IllegalStateError):
            if self.talk.stream.on_hold_by_local:
                self.session.unhold()
            else:
                self.session.hold()

    def mute(self) -> None:
        """Mute the microphone, or open it."""
        muted = self.talk.muted = not self.talk.muted
        self.report.tell("mute", "the microphone is muted" if muted else "the microphone is open", muted=muted)

    def next_microphone(self) -> None:
        names, _ = self.talk.device_names()
        self.use("microphone", _after(names, self.talk.mixer.input_device))

    def next_loudspeaker(self) -> None:
        _, names = self.talk.device_names()
        self.use("loudspeaker", _after(names, self.talk.mixer.output_device))

    def choose_device(self) -> None:
        """The next key chooses one of them all."""
        choices = [
            (f"{kind} {name}", partial(self.use, kind, name))
            for kind, names in zip(("microphone", "loudspeaker"), self.talk.device_names(), strict=True)
            for name in names
        ]
        self.menu = dict(zip(MENU_KEYS, choices, strict=False))
        if not self.report.is_live:
            for line in self.menu_lines:
                self.report.tell("choice", line, text=line)

    def use(self, kind: str, name: str) -> None:
        """Use this microphone or loudspeaker from now on."""
        self.talk.use(**{kind: name})
        self.report.tell("device", f"{kind}: {name}", kind=kind, name=name)


def _after(names: tuple[str, ...], name: str | None) -> str:
    """The next one, the first after the last."""
    return names[(names.index(name) + 1) % len(names)] if name in names else names[0]
