"""`sipsimple doctor`: each thing that can be in the way, and what it says of it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ALICE = "alice@example.com"


@pytest.fixture
def registrar() -> Iterator[int]:
    command = [sys.executable, "-m", "sipsimple.testing.registrar"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.terminate()


def checks(run_json: Any, *options: str, code: int = 0) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for check in run_json("doctor", *options, code=code):
        found.setdefault(check["subject"], []).append((check["verdict"], check["text"]))
    return found


def add(run: Any, *options: str) -> None:
    run("account", "add", ALICE, *options)


def test_a_fresh_installation(run: Any, run_json: Any) -> None:
    """Nothing fails, and it says what to begin with."""
    output = run("doctor").output
    assert "sipsimple account add ADDRESS" in output and "Nothing is in the way." in output
    found = checks(run_json)
    assert found["udp port"][0][0] == found["tcp port"][0][0] == found["TLS"][0][0] == "ok"
    assert found["accounts"] == [("warning", "there is none")]


def test_a_server_that_answers(run: Any, run_json: Any, registrar: int) -> None:
    """Looked up, asked, and there."""
    add(run, "--proxy", f"127.0.0.1:{registrar}", "--no-password")
    found = checks(run_json)[ALICE]
    assert ("warning", "it registers and has no password") in found
    assert ("ok", f"127.0.0.1 is at udp:127.0.0.1:{registrar}") in found
    assert any(verdict == "ok" and text.startswith("the server answers") for verdict, text in found)


def test_a_server_that_refuses(run: Any, run_json: Any) -> None:
    """Nothing listens at the port."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    add(run, "--proxy", f"127.0.0.1:{port};transport=tcp", "--no-password")
    found = checks(run_json, code=1)[ALICE]
    assert any(verdict == "failed" and "does not answer" in text and "refused" in text for verdict, text in found)


def test_a_name_that_is_unknown(run: Any, run_json: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIPSIMPLE_LOAD_PLUGINS", "")
    add(run, "--proxy", "nowhere.invalid", "--no-password")
    found = checks(run_json, code=1)[ALICE]
    assert any(verdict == "failed" and text.startswith("nowhere.invalid was not found") for verdict, text in found)


def test_offline(run: Any, run_json: Any) -> None:
    """Nothing is looked up or asked."""
    add(run, "--proxy", "nowhere.invalid", "--no-password")
    assert ("ok", "its server is nowhere.invalid") in checks(run_json, "--offline")[ALICE]


def test_a_port_that_is_taken(run: Any, run_json: Any) -> None:
    for transport, kind in (("udp", socket.SOCK_DGRAM), ("tcp", socket.SOCK_STREAM)):
        with socket.socket(socket.AF_INET, kind) as taken:
            taken.bind(("0.0.0.0", 0))
            if transport == "tcp":
                taken.listen()
            run("settings", "set", f"sip.{transport}_port={taken.getsockname()[1]}")
            ((verdict, text),) = checks(run_json, code=1)[f"{transport} port"]
            assert verdict == "failed" and str(taken.getsockname()[1]) in text
            run("settings", "reset", f"sip.{transport}_port")


def test_tls_files_that_are_wrong(run: Any, run_json: Any, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("nothing")
    for setting in ("tls.ca_list", "tls.certificate"):
        run("settings", "set", f"{setting}={path}")
        ((verdict, text),) = checks(run_json, code=1)["TLS"]
        assert verdict == "failed" and str(path) in text
        run("settings", "reset", setting)


def test_servers_that_need_not_prove_anything(run: Any, run_json: Any) -> None:
    run("settings", "set", "tls.verify_server=no")
    assert checks(run_json)["TLS"][-1][0] == "warning"


def test_a_damaged_configuration(run: Any, folder: Path) -> None:
    """The place in the file is told, nothing is changed, and the rest is looked at no more."""
    folder.mkdir()
    (folder / "config.toml").write_text("[Accounts\n")
    output = run("doctor", code=1).output
    assert "line 1: " in output and "1 of " in output and "udp port" not in output
    assert (folder / "config.toml").read_text() == "[Accounts\n"


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_configuration_that_others_may_read(run: Any, run_json: Any, folder: Path) -> None:
    add(run, "--no-password", "--no-register")
    (folder / "config.toml").chmod(0o644)
    assert any("others may read" in text for verdict, text in checks(run_json)["configuration"] if verdict == "warning")


def test_a_plugin_that_is_broken(run: Any, run_json: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from sipsimple.plugins import manager

    (tmp_path / "broken_plugin.py").write_text("raise RuntimeError('it is broken')\n")
    metadata = tmp_path / "broken-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[sipsimple]\nbroken = broken_plugin\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("SIPSIMPLE_LOAD_PLUGINS", "broken")
    manager._installed.cache_clear()
    try:
        ((verdict, text),) = checks(run_json, code=1)["plugin broken"]
        assert verdict == "failed" and "it is broken" in text
    finally:
        manager._installed.cache_clear()
