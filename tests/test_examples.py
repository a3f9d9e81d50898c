"""The examples that wait for notifications, and the guide by tasks, do what they say."""

from __future__ import annotations

import re
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


def test_the_guide(echo_bot, tmp_path: Path) -> None:
    """The Python blocks of the guide are one program that works."""
    guide = (EXAMPLES.parent / "docs" / "guide.md").read_text(encoding="utf-8")
    program = tmp_path / "guide.py"
    program.write_text("\n".join(re.findall(r"^```python\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)))
    done = subprocess.run(
        [sys.executable, str(program), "127.0.0.1", str(echo_bot.port)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("talking to ") and "echo@127.0.0.1" in lines[0]
    assert lines[1].endswith(" says Is anybody there?") and lines[2:] == ["done"]
