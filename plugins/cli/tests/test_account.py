"""`sipsimple account`."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from sipsimple.cli import passwords

ALICE, BOB = "alice@example.com", "bob@example.com"


def stored(folder: Path) -> Any:
    return tomllib.loads((folder / "config.toml").read_text())


def test_add(run: Any, folder: Path) -> None:
    """ACC-017, ACC-019: an account is added, enabled, with what was given."""
    result = run(
        "account", "add", ALICE, "--no-password", "--name", "Alice", "--username", "al",
        "--proxy", "sip.example.com;transport=tcp", "-s", "registration.interval=300",
    )  # fmt: skip
    assert result.output == f"Added {ALICE}.\n"
    assert stored(folder)["Accounts"] == {
        ALICE: {
            "enabled": True,
            "display_name": "Alice",
            "auth": {"username": "al"},
            "sip": {"outbound_proxy": "sip.example.com;transport=tcp"},
            "registration": {"enabled": True, "interval": 300},
        }
    }
    assert (folder / "config.toml").stat().st_mode & 0o077 == 0


def test_add_without_server(run: Any, run_json: Any) -> None:
    """ACC-024: neither enabled nor registering, where that is wanted."""
    run("account", "add", ALICE, "--no-password", "--disabled", "--no-register")
    (account,) = run_json("account", "list")
    assert account == {
        "address": ALICE, "display_name": None, "enabled": False, "register": False, "outbound_proxy": None,
        "default": False,
    }  # fmt: skip


def test_the_password_is_asked_for(run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the terminal, without showing it."""
    monkeypatch.setattr(passwords, "_is_terminal", lambda: True)
    result = run("account", "add", ALICE, input="s3cr3t\n")
    assert "Password of alice@example.com" in result.output and "s3cr3t" not in result.output
    assert stored(folder)["Accounts"][ALICE]["auth"]["password"] == "s3cr3t"


def test_the_password_is_read_from_a_file(run: Any, folder: Path, tmp_path: Path) -> None:
    """Its first line, or that of the standard input."""
    file = tmp_path / "password"
    file.write_text("from a file \nand more\n")
    run("account", "add", ALICE, "--password-file", str(file))
    run("account", "add", BOB, "--password-file", "-", input="from input")
    accounts = stored(folder)["Accounts"]
    assert accounts[ALICE]["auth"]["password"] == "from a file "
    assert accounts[BOB]["auth"]["password"] == "from input"


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\n", b"x" * 2000, None])
def test_a_file_without_a_password(run: Any, folder: Path, tmp_path: Path, content: bytes | None) -> None:
    """It is refused, and no account is added."""
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    result = run("account", "add", ALICE, "--password-file", str(file), code=2)
    assert "Error: " in result.output and "Traceback" not in result.output
    assert not (folder / "config.toml").exists()


def test_nobody_to_ask(run: Any) -> None:
    """A script that forgot the password is told how to give it."""
    assert "--password-file" in run("account", "add", ALICE, code=2).output


def test_no_password_in_arguments(run: Any) -> None:
    """Others see the arguments of a process."""
    run("account", "add", ALICE, "--no-password")
    for arguments in (("set", ALICE, "auth.password=s3cr3t"), ("add", BOB, "-s", "auth.password=s3cr3t")):
        result = run("account", *arguments, code=2)
        assert "secret" in result.output and "s3cr3t" not in result.output


def test_change_the_password(run: Any, folder: Path) -> None:
    """It is never shown, only whether there is one."""
    run("account", "add", ALICE, "--no-password")
    assert run("account", "show", ALICE, "auth.password").output == "(not set)\n"
    run("account", "password", ALICE, "--password-file", "-", input="s3cr3t\n")
    assert stored(folder)["Accounts"][ALICE]["auth"]["password"] == "s3cr3t"
    assert run("account", "show", ALICE, "auth.password").output == "(set)\n"
    for arguments in (("list",), ("show", ALICE), ("show", ALICE, "--json"), ("list", "--json")):
        assert "s3cr3t" not in run("account", *arguments).output


def test_a_password_in_the_keyring(run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --keyring the file does not have it."""
    import sys
    from types import SimpleNamespace

    kept: dict[Any, str] = {}
    keyring = SimpleNamespace(
        get_keyring=lambda: SimpleNamespace(priority=1),
        get_password=lambda *entry: kept.get(entry),
        set_password=lambda service, entry, password: kept.update({(service, entry): password}),
        delete_password=lambda *entry: kept.pop(entry),
    )
    monkeypatch.setitem(sys.modules, "keyring", keyring)  # type: ignore[arg-type]
    run("account", "add", ALICE, "--keyring", "--password-file", "-", input="s3cr3t")
    assert list(kept.values()) == ["s3cr3t"] and "s3cr3t" not in (folder / "config.toml").read_text()
    assert run("account", "show", ALICE, "auth.password").output == "(set)\n"
    run("account", "remove", "--yes", ALICE)
    assert not kept


def test_list(run: Any, run_json: Any) -> None:
    """All accounts, the default one with a star."""
    assert "sipsimple account add" in run("account", "list").output
    assert run_json("account", "list") == []
    run("account", "add", ALICE, "--no-password")
    run("account", "add", BOB, "--no-password", "--name", "Bob [the] builder")
    lines = run("account", "list").output.splitlines()
    assert any(line.split()[:2] == ["*", ALICE] for line in lines)
    assert any(line.split()[:1] == [BOB] and "Bob [the] builder" in line for line in lines)
    run("settings", "set", f"default_account={BOB}")
    assert [account["default"] for account in run_json("account", "list")] == [False, True]


def test_show(run: Any, run_json: Any) -> None:
    """All settings, those of plugins too, or one of them."""
    run("account", "add", ALICE, "--no-password", "--name", "Alice")
    shown = run_json("account", "show", ALICE)
    assert shown["display_name"] == "Alice" and shown["registration.interval"] == 600
    assert shown["auth.password"] is False and shown["sip.outbound_proxy"] is None
    assert run("account", "show", ALICE, "display_name").output == "Alice\n"
    assert "registration.interval" in run("account", "show", "sip:Alice@Example.com".lower()).output


def test_set_and_reset(run: Any, run_json: Any) -> None:
    """ACC-019: several settings in one save; an empty value is none."""
    run("account", "add", ALICE, "--no-password")
    run("account", "set", ALICE, "display_name=Alice", "registration.interval=60", "enabled=no")
    shown = run_json("account", "show", ALICE)
    assert (shown["display_name"], shown["registration.interval"], shown["enabled"]) == ("Alice", 60, False)
    run("account", "set", ALICE, "display_name=")
    assert run_json("account", "show", ALICE, "display_name") is None
    run("account", "reset", ALICE, "registration.interval")
    assert run_json("account", "show", ALICE, "registration.interval") == 600


@pytest.mark.parametrize(
    "assignment, reason",
    [
        ("registration.interval=soon", "registration.interval"),
        ("sip.outbound_prox=x", "sip.outbound_proxy"),
        ("registration=x", "no setting"),
        ("id=x", "no setting"),
        ("display_name", "NAME=VALUE"),
        ("enabled=", "enabled"),
        ("=x", "no setting"),
    ],
)
def test_set_what_is_wrong(run: Any, folder: Path, assignment: str, reason: str) -> None:
    """It is said what is wrong, and nothing is changed."""
    run("account", "add", ALICE, "--no-password")
    before = (folder / "config.toml").read_bytes()
    result = run("account", "set", ALICE, "display_name=Alice", assignment, code=2)
    assert reason in result.output
    assert (folder / "config.toml").read_bytes() == before


def test_every_setting_with_a_wrong_value(run: Any, run_json: Any) -> None:
    """Whatever setting it is, there is a message, not a traceback, and no change."""
    run("account", "add", ALICE, "--no-password")
    shown = run_json("account", "show", ALICE)
    refused = 0
    for name in shown:
        for value in ("\x00", "a b\n", "-1", "9" * 30):
            result = run("account", "set", ALICE, f"{name}={value}", code=None)
            refused += result.exit_code == 2
            assert result.exit_code in (0, 2) and "Traceback" not in result.output
            run("account", "reset", ALICE, name) if result.exit_code == 0 else None
    assert refused > len(shown)


def test_remove(run: Any, folder: Path) -> None:
    """ACC-014: after a question, unless told not to ask."""
    run("account", "add", ALICE, "--no-password")
    run("account", "add", BOB, "--no-password")
    assert run("account", "remove", ALICE, input="n\n", code=1)
    assert set(stored(folder)["Accounts"]) == {ALICE, BOB}
    run("account", "remove", ALICE, input="y\n")
    run("account", "remove", "--yes", BOB)
    assert "Accounts" not in stored(folder)


def test_enable_and_disable(run: Any, run_json: Any) -> None:
    """ACC-019: of several accounts; of an unknown one among them, none."""
    for name in (ALICE, BOB):
        run("account", "add", name, "--no-password")
    run("account", "disable", ALICE, BOB)
    assert [account["enabled"] for account in run_json("account", "list")] == [False, False]
    run("account", "enable", BOB, "nobody@example.com", code=2)
    assert [account["enabled"] for account in run_json("account", "list")] == [False, False]
    run("account", "enable", BOB)
    assert [account["enabled"] for account in run_json("account", "list")] == [False, True]


@pytest.mark.parametrize("command", [("show",), ("set", "display_name=x"), ("remove", "--yes"), ("password",)])
def test_an_account_that_is_not_there(run: Any, command: tuple[str, ...]) -> None:
    """ACC-008: it is said, with the one that was probably meant."""
    run("account", "add", ALICE, "--no-password")
    name, *rest = command
    for wrong, told in (("alicia@example.com", f"Did you mean {ALICE}?"), ("alice", "is not a SIP address")):
        assert told in run("account", name, wrong, *rest, code=2).output


@pytest.mark.parametrize("address", ["alice", "@example.com", "alice@", "", "a b@example.com"])
def test_an_address_that_is_none(run: Any, folder: Path, address: str) -> None:
    """ACC-029: it is refused."""
    assert "is not a SIP address" in run("account", "add", address, "--no-password", code=2).output


def test_an_account_that_is_there_already(run: Any) -> None:
    """ACC-016: it is not added again."""
    run("account", "add", ALICE, "--no-password")
    for written in (ALICE, f"sip:{ALICE}", "alice@EXAMPLE.com"):
        assert "there is an account" in run("account", "add", written, "--no-password", code=2).output
