"""The examples that wait for notifications do what they say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
LIFE = ["NewOutgoing", "WillStart", "DidStart", "WillEnd", "DidEnd"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("wait_in_thread.py", ["Hello"]),
        ("wait_in_asyncio.py", [*LIFE[:3], "Hello", *LIFE[3:]]),
    ],
)
def test_waiting(application, echo_bot, name: str, expected: list[str]) -> None:
    """SES-009: an application that waits instead of observing."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), "127.0.0.1", str(echo_bot.port)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    lines = [line.removeprefix("SIPSession") for line in done.stdout.splitlines() if "Transaction" not in line]
    assert lines == expected
