"""A plugin of somebody else, from its wheel, in a session of two processes beside a chat; and where it is not there."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from environment import Environment

PARTY = Path(__file__).parent / "party.py"
TIMEOUT = 120
STROKE = "#d33 2 10.0,10.0 40.0,25.0"


@contextmanager
def answering(environment: Environment) -> Iterator[str]:
    """A process that answers calls; gives its port."""
    command = [str(environment.python), str(PARTY), "answer"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            try:
                process.communicate("", timeout=TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def call(environment: Environment, port: str, *streams: str) -> dict[str, Any]:
    """What a process got that called and offered these streams."""
    command = [str(environment.python), str(PARTY), "call", port, *streams]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    if done.returncode != 0:
        raise SystemExit(f"the caller failed:\n{done.stdout}\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def expect(what: str, found: dict[str, Any], **expected: Any) -> None:
    for name, value in expected.items():
        if found[name] != value:
            raise SystemExit(f"{what}: {name} should be {value}, not {found[name]}: {found}")


def check_sessions(work: Path, wheels: dict[str, Path]) -> None:
    """With the plugin on both sides, then on one."""
    having, lacking = Environment(work / "having", wheels), Environment(work / "lacking", wheels)
    having.install("sipsimple-whiteboard", "sipsimple-chat")
    lacking.install("sipsimple-chat")
    with answering(having) as port:
        found = call(having, port, "chat", "whiteboard")
        expect("two streams", found, streams=["chat", "whiteboard"], failed=None, ended=[])
        if sorted(found["got"]) != [STROKE, "hello"]:
            raise SystemExit(f"two streams: {found}")
    with answering(lacking) as port:
        found = call(having, port, "chat", "whiteboard")
        expect("a party without it", found, streams=["chat"], got=["hello"], failed=None, ended=["whiteboard"])
        found = call(having, port, "whiteboard")
        expect("a party without it", found, failed=[488, "Not Acceptable Here"], ended=["whiteboard"])
    print("sipsimple-whiteboard: beside a chat between two processes; refused politely where it is unknown", flush=True)
