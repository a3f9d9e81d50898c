"""The README's examples run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sipsimple.testing import DigestGuard, MemoryNetwork, Registrar, SIPServer, UserAgent

README = Path(__file__).parent.parent / "README.md"


def test_the_phone_registers(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With a storage in memory, and without waiting for a signal."""
    monkeypatch.setenv("SIPSIMPLE_LOAD_PLUGINS", "")
    (code,) = [
        code for code in re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL) if "class Phone" in code
    ]
    code = code.replace("signal.pause()", "").replace('FileStorage("phone")', "MemoryStorage()")
    code = code.replace("import FileStorage", "import MemoryStorage")
    network = MemoryNetwork()
    server = SIPServer(network.add_host("example.com"))
    registrar = Registrar(server.core, DigestGuard({"alice": "secret"}))
    agent = UserAgent(network, "alice", start=False)
    names: dict[str, object] = {}
    agent.run(exec, code, names)
    network.run_until(lambda: registrar.contacts("sip:alice@example.com"))
    network.advance(1)
    assert f"registered at udp:{server.ip}:5060 for 600 seconds" in capsys.readouterr().out
    agent.stop()
    network.close()
