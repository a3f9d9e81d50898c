"""Programs that are killed while they save, at any instant (STO-004)."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sipsimple.configuration.file_backend import FileBackend

SAVES = 200
VICTIMS = 20

#: Saves 200 times, telling of each save that has returned; for each line that it reads it does so in a new process.
SAVER = f"""
import os, sys
from sipsimple.configuration.file_backend import FileBackend
import sipsimple.configuration.toml_comments, tomllib  # all of it, so that children need not

def save(path):
    backend = FileBackend(path)
    tree = backend.load()
    first = tree.get("number", 0)
    for number in range(first + 1, first + {SAVES} + 1):
        tree["number"] = number
        accounts = tree.setdefault("Accounts", {{}})
        accounts[f"user{{number % 7}}@example.com"] = {{"number": number, "padding": "x" * 500}}
        if number % 5 == 0:
            accounts.popitem()
        backend.save(tree)
        os.write(1, b"%d\\n" % number)

for line in sys.stdin:
    child = os.fork()
    if not child:
        save(sys.argv[1])
        os._exit(0)
    os.write(1, b"child %d\\n" % child)
    os.waitpid(child, 0)
    os.write(1, b"gone\\n")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_saver_that_is_killed_at_any_instant(tmp_path: Path) -> None:
    """STO-004: kill -9 at random instants of 200 saves: what save() has returned from is there, the file is whole."""
    path = tmp_path / "config.toml"
    instants = random.Random(4)
    in_the_midst = 0
    with subprocess.Popen(
        [sys.executable, "-c", SAVER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as saver:
        assert saver.stdin is not None and saver.stdout is not None
        told = saver.stdout.fileno()
        before = 0
        for _ in range(VICTIMS):
            saver.stdin.write(b"\n")
            saver.stdin.flush()
            last = _kill_at_random(told, instants)
            tree = FileBackend(path).read()
            number = tree.get("number", 0)
            saved = max(last, before)
            assert saved <= number <= saved + 1
            if number:
                _check_whole(tree, number)
            in_the_midst += bool(list(tmp_path.glob(".config.toml.*.new")))
            before = number
        saver.stdin.close()
    assert before > VICTIMS
    FileBackend(path).load()
    assert sorted(os.listdir(tmp_path)) == [".lock", "config.toml"]
    print(f"{in_the_midst} of {VICTIMS} were killed while they wrote")


def _kill_at_random(told: int, instants: random.Random) -> int:
    """Kill the child after a while; returns the number of the last save that it told of."""
    text, child, deadline = b"", 0, 0.0
    while not text.endswith(b"gone\n"):
        wait = max(0.0, deadline - time.monotonic()) if deadline else None
        if select.select([told], [], [], wait)[0]:
            text += os.read(told, 65536)
            if not child and text.startswith(b"child ") and b"\n" in text:
                child = int(text.split()[1])
                deadline = time.monotonic() + instants.uniform(0.0, 0.4)
        elif child > 0:
            os.kill(child, signal.SIGKILL)
            child, deadline = -1, 0.0
    numbers = [int(word) for word in text.split() if word.isdigit()]
    return numbers[-1] if len(numbers) > 1 else 0


def _check_whole(tree: dict[str, object], number: int) -> None:
    accounts = tree["Accounts"]
    assert isinstance(accounts, dict) and accounts
    newest = max(account["number"] for account in accounts.values())
    assert newest in (number, number - 1) and all(account["padding"] == "x" * 500 for account in accounts.values())
