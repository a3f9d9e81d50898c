"""The examples of the README."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = re.findall(r"```python\n(.*?)```", (Path(__file__).parent.parent / "README.md").read_text(), re.DOTALL)


def run(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_two_sessions() -> None:
    """The first example runs as it stands."""
    lines = run(EXAMPLES[0]).splitlines()
    assert lines[0].startswith("a=path:msrp://127.0.0.1:")
    assert lines[1] == "bob received 'Grüße' (text/plain; charset=utf-8)"
    assert lines[2].endswith("was delivered")
    assert sorted(lines[3:]) == ["alice: closed", "bob: closed"]


def test_asyncio() -> None:
    """The example on an asyncio loop runs as it stands."""
    assert run(EXAMPLES[1]) == "bound: True True\n"


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_python(example: str) -> None:
    """No example has an error of syntax."""
    ast.parse(example)
