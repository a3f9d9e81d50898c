"""What is piped in or typed, as events."""

from __future__ import annotations

import os
import queue
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from sipsimple.cli.lines import MAX_AHEAD, MAX_LINE, InputEnded, Line, reading_lines

TIMEOUT = 30


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The standard input is a pipe: its other end."""
    ours, theirs = os.pipe()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(fileno=lambda: ours, isatty=lambda: False))
    with os.fdopen(theirs, "wb", buffering=0) as end:
        yield end
    os.close(ours)


def test_lines_of_a_pipe(pipe: Any) -> None:
    """Wherever they are cut; the last one may have no end; what is no UTF-8 is shown as such."""
    events: queue.Queue[Any] = queue.Queue()
    with reading_lines(events.put) as lines:
        assert not lines.is_terminal
        for piece in (b"he", b"llo\r\n\n", "Grüße\n".encode()[:3], "Grüße\n".encode()[3:], b"\xff\nlast"):
            pipe.write(piece)
        pipe.close()
        got = [events.get(timeout=TIMEOUT) for _ in range(6)]
    assert got == [Line("hello"), Line(""), Line("Grüße"), Line("\ufffd"), Line("last"), InputEnded()]


def test_reading_ahead_is_bounded(pipe: Any) -> None:
    """A flood waits in the pipe until the command is done with what it has."""
    events: queue.Queue[Any] = queue.Queue()
    with reading_lines(events.put) as lines:
        pipe.write(b"x\n" * (MAX_AHEAD + 5))
        for _ in range(MAX_AHEAD):
            assert events.get(timeout=TIMEOUT) == Line("x")
        with pytest.raises(queue.Empty):
            events.get(timeout=0.2)
        for _ in range(5):
            lines.done()
            assert events.get(timeout=TIMEOUT) == Line("x")
        pipe.close()
        assert events.get(timeout=TIMEOUT) == InputEnded()


def test_a_line_without_end(pipe: Any) -> None:
    """It comes in pieces, so that it takes no memory without end."""
    import threading

    events: queue.Queue[Any] = queue.Queue()
    with reading_lines(events.put):
        writer = threading.Thread(target=lambda: (pipe.write(b"x" * (2 * MAX_LINE + 10)), pipe.close()))
        writer.start()
        sizes = []
        while (event := events.get(timeout=TIMEOUT)) != InputEnded():
            sizes.append(len(event.text))
        writer.join(TIMEOUT)
    assert sizes == [MAX_LINE, MAX_LINE, 10]


def test_no_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a service, or a test that captures it."""
    monkeypatch.setattr(sys, "stdin", None)
    events: queue.Queue[Any] = queue.Queue()
    with reading_lines(events.put):
        assert events.get(timeout=TIMEOUT) == InputEnded()
