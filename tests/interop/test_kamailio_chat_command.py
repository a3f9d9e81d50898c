"""`sipsimple chat` with accounts of Kamailio: as registrar and proxy, and as MSRP relay."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .kamailio_server import ADDRESS, REALM, USERS, Kamailio


def add_account(folder: Path, user: str, server: Kamailio, *settings: str) -> None:
    password = folder.with_suffix(".password")
    password.write_text(USERS[user] + "\n")
    command = [sys.executable, "-c", "import sys; from sipsimple.cli.main import main; sys.exit(main())"]
    arguments = ["--config", str(folder), "account", "add", f"{user}@{REALM}", "--password-file", str(password)]
    proxy = f"{ADDRESS}:{server.port};transport=udp"
    subprocess.run(
        [*command, *arguments, "--proxy", proxy, *(word for setting in settings for word in ("--set", setting))],
        check=True,
        capture_output=True,
    )


@pytest.mark.timeout(120)
@pytest.mark.parametrize("relayed", [False, True], ids=["directly", "by the relay"])
def test_a_chat_by_the_server(kamailio_server: Kamailio, tmp_path: Path, relayed: bool) -> None:
    """Issue 6: bob registers and waits, alice calls his address; the messages go directly, or through the relay."""
    from sipsimple.cli.testing import CommandProcess

    relay = (
        f"nat_traversal.msrp_relay={ADDRESS}:{kamailio_server.port};transport=tcp",
        "nat_traversal.use_msrp_relay_for_outbound=true",
    )
    for user in ("alice", "bob"):
        add_account(tmp_path / user, user, kamailio_server, "msrp.transport=tcp", *(relay if relayed else ()))
    plugins = {"SIPSIMPLE_LOAD_PLUGINS": "msrp,chat"}
    bob = CommandProcess(tmp_path / "bob", "chat", "--accept", "--once", piped=True, environment=plugins)
    alice: CommandProcess | None = None
    try:
        assert bob.wait_for("listening")["account"] == f"bob@{REALM}"
        bob.wait_for("registered")
        alice = CommandProcess(tmp_path / "alice", "chat", "bob", piped=True, environment=plugins)
        alice.say("hello")
        bob.wait_for("received", text="hello")
        bob.say("hi")
        alice.wait_for("received", text="hi")
        alice.wait_for("message", text="hello", status="displayed")
        bob.wait_for("message", text="hi", status="displayed")
        alice.close_input()
        assert alice.end() == 0 and bob.end() == 0
    finally:
        for party in (alice, bob):
            if party is not None:
                party.kill()
