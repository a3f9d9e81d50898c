"""`sipsimple settings` and `sipsimple plugins`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def test_list(run: Any, run_json: Any) -> None:
    """All settings with values, those that were changed alone too."""
    listed = run_json("settings", "list")
    assert listed["sip.udp_port"] == 0 and listed["sip.transport_list"] == ["tls", "tcp", "udp"]
    assert "sip.invite_timeout" in run("settings").output
    run("settings", "set", "sip.udp_port=5060", "sip.transport_list=udp,tcp")
    changed = run_json("settings", "list", "--changed")
    assert changed["sip.udp_port"] == 5060 and changed["sip.transport_list"] == ["udp", "tcp"]
    assert "sip.tcp_port" not in changed


def test_get_set_and_reset(run: Any, run_json: Any, folder: Path) -> None:
    """A value comes back as it was set; none is a value."""
    run("settings", "set", "sip.invite_timeout=")
    assert run_json("settings", "get", "sip.invite_timeout") is None
    assert run("settings", "get", "sip.invite_timeout").output == "none\n"
    assert "invite_timeout = {none = true}" in (folder / "config.toml").read_text()
    run("settings", "reset", "sip.invite_timeout")
    assert run_json("settings", "get", "sip.invite_timeout") == 90
    assert "invite_timeout" not in (folder / "config.toml").read_text()


@pytest.mark.parametrize(
    "assignments", [["sip.udp_port=x"], ["sip.udp_port=70000"], ["nonsense=1"], ["sip.tcp_port=5", "sip.tls_port=5"]]
)
def test_what_is_wrong(run: Any, folder: Path, assignments: list[str]) -> None:
    """Nothing is changed by it."""
    result = run("settings", "set", "user_agent=mine", *assignments, code=2)
    assert "Error: " in result.output
    assert run("settings", "get", "user_agent").output.startswith("sipsimple")


def test_unknown_names(run: Any) -> None:
    """With the one that was probably meant."""
    assert "Did you mean sip.udp_port?" in run("settings", "get", "sip.udpport", code=2).output
    assert "no setting" in run("settings", "reset", "zzz", code=2).output


def test_the_instance_id_is_kept(run: Any, run_json: Any) -> None:
    """It is made by the first command that changes something."""
    run("settings", "set", "sip.udp_port=5060")
    assert run_json("settings", "get", "instance_id") == run_json("settings", "get", "instance_id")


def test_plugins(run: Any, run_json: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which there are, and what is wrong with one."""
    from sipsimple.plugins import manager

    class EntryPoint:
        name, value, dist = "broken", "nowhere", None

        def load(self) -> None:
            raise ImportError("no module named nowhere")

    for plugin in run_json("plugins"):
        assert plugin["state"] == "loaded" and plugin["hooks"]
    monkeypatch.setattr(manager, "_installed", lambda path: (EntryPoint(),))
    (plugin,) = run_json("plugins", code=1)
    assert plugin["name"] == "broken" and plugin["state"] == "failed" and "nowhere" in plugin["reason"]
    assert "nowhere" in run("plugins", code=1).output
    monkeypatch.setattr(manager, "_installed", lambda path: ())
    assert "sipsimple-chat" in run("plugins").output
