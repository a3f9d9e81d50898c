"""The keys of a call, and the keyboard that they are read from."""

from __future__ import annotations

import os
import re
import select
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["DIGITS", "Key", "Keys", "help_line", "keyboard", "pressed"]

DIGITS = "0123456789*#ABCD"

Keys = Mapping[str, tuple[str, Callable[[], object]]]
"""What keys do: key → its word in the help, and what is called."""

_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|.)?", re.DOTALL)  # ECMA-48 5.4
END_OF_INPUT = "\x04"  # Ctrl-D, which a terminal without line editing gives as it is


@dataclass(frozen=True, slots=True)
class Key:
    """A key that was pressed."""

    name: str


def help_line(keys: Keys, digits: bool) -> str:
    """What the keys do, for people."""
    words = [f"{key} {word}" for key, (word, _) in keys.items()]
    return "  ".join(["0-9*#A-D digits", *words] if digits else words)


def pressed(data: bytes) -> list[Key]:
    """The keys in what a terminal sent; not arrows and function keys, which come as sequences."""
    return [Key("q" if char == END_OF_INPUT else char) for char in _SEQUENCE.sub("", data.decode(errors="ignore"))]


@contextmanager
def keyboard(press: Callable[[Key], object]) -> Iterator[bool]:
    """Inside, keys are read one by one, and `press` is called with each, in a thread. Gives whether there are keys.

    Without a terminal, in the background of one, or where terminals are something else (Windows), there are none.
    """
    try:
        import termios
        import tty
    except ImportError:
        yield False
        return
    try:
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
        in_foreground = os.tcgetpgrp(descriptor) == os.getpgrp()  # who is not, and asks for keys, is stopped
    except (OSError, ValueError, termios.error):
        in_foreground = False
    if not in_foreground:
        yield False
        return
    wake, waker = os.pipe()
    tty.setcbreak(descriptor)

    def read() -> None:
        while True:
            ready, _, _ = select.select([descriptor, wake], [], [])
            if wake in ready:
                return
            data = os.read(descriptor, 64)
            if not data:
                return
            for key in pressed(data):
                press(key)

    reader = threading.Thread(target=read, name="sipsimple-keys", daemon=True)
    reader.start()
    try:
        yield True
    finally:
        os.close(waker)
        reader.join()
        os.close(wake)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
