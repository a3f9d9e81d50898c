"""The public API is the one that is specified, but for what `api_surface/missing.txt` lists."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SURFACE = Path(__file__).parent / "api_surface" / "surface.py"


@pytest.fixture(scope="module")
def surface() -> dict[str, object]:
    return runpy.run_path(str(SURFACE))


@pytest.fixture(scope="module")
def missing() -> set[str]:
    """What the code has not; found in a process of its own, as plugins change the classes that they extend."""
    done = subprocess.run([sys.executable, str(SURFACE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines())


def test_what_is_missing_is_listed_with_its_reason(surface, missing: set[str]) -> None:
    listed = surface["listed"]()
    new = sorted(missing - set(listed))
    assert not new, f"specified, not in the code, and not in {SURFACE.parent.name}/missing.txt: {', '.join(new)}"
    assert all(len(reason) > 10 for reason in listed.values())


def test_what_is_listed_is_missing(surface, missing: set[str]) -> None:
    come = sorted(set(surface["listed"]()) - missing)
    assert not come, f"missing no longer; tests/api_surface/surface.py --shrink takes it out: {', '.join(come)}"


class Bare:
    """A class to be held against a description."""

    state = None

    def __init__(self, account: object) -> None:
        self.account = account

    @property
    def streams(self) -> tuple[object, ...]:
        return ()

    def connect(self, to_header: object, routes: object, streams: object, is_focus: bool, extra: int) -> None:
        """Not what is specified: is_focus is not optional, and extra is new."""


def test_each_kind_of_difference_is_found(surface, monkeypatch) -> None:
    """The comparison itself: it can fail for each kind of part."""
    described = {
        "name": "Bare",
        "init": {"params": [{"name": "account"}, {"name": "code"}]},
        "methods": [
            {"name": "connect", "params": [{"name": "routes"}, {"name": "is_focus", "default": "False"}]},
            {"name": "end", "params": []},
        ],
        "attributes": [
            {"name": "account", "writable": True},
            {"name": "state", "writable": False},
            {"name": "streams", "writable": True},
            {"name": "transport", "writable": False},
        ],
    }
    functions = surface["missing_of_class"].__globals__
    monkeypatch.setitem(functions, "class_of", lambda module, name: Bare)
    assert set(surface["missing_of_class"]("m", described)) == {
        "m.Bare(code)",
        "m.Bare.connect(routes)",
        "m.Bare.connect(is_focus)",
        "m.Bare.connect(without to_header)",
        "m.Bare.connect(without streams)",
        "m.Bare.connect(without extra)",
        "m.Bare.end",
        "m.Bare.streams",
        "m.Bare.transport",
    }
    monkeypatch.setitem(functions, "class_of", lambda module, name: None)
    assert list(surface["missing_of_class"]("m", described)) == ["m.Bare"]
    monkeypatch.setitem(functions, "declarations", dict)
    module = {"classes": [{"notifications": [{"name": "SIPSessionDidStart", "data": []}]}]}
    assert list(surface["missing_notifications"](module)) == ["SIPSessionDidStart"]
    assert surface["module_exists"]("sipsimple.nosuchmodule.deeper") is False
