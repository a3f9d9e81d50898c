"""Passwords in the system's keyring."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sipsimple.account import Account
from sipsimple.configuration import ConfigurationError, ConfigurationManager
from sipsimple.realm import replace_default_realm
from sipsimple.storage import FileStorage


class Keyring:
    """What the module `keyring` has of it, in memory."""

    def __init__(self) -> None:
        self.priority = 5.0
        self.entries: dict[tuple[str, str], str] = {}
        self.broken = False

    def get_keyring(self) -> Keyring:
        return self

    def get_password(self, service: str, entry: str) -> str | None:
        self._check("")
        return self.entries.get((service, entry))

    def set_password(self, service: str, entry: str, password: str) -> None:
        self._check(password)
        self.entries[service, entry] = password

    def delete_password(self, service: str, entry: str) -> None:
        self._check("")
        del self.entries[service, entry]

    def _check(self, password: str) -> None:
        if self.broken:
            raise RuntimeError(f"locked, {password!r} not kept")

    @property
    def passwords(self) -> list[str]:
        return sorted(self.entries.values())


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> Keyring:
    keyring = Keyring()
    monkeypatch.setitem(sys.modules, "keyring", keyring)  # type: ignore[arg-type]
    return keyring


def start(folder: Path, **options: Any) -> None:
    """A new program with that folder."""
    replace_default_realm()
    ConfigurationManager().start(FileStorage(folder, **options).configuration_backend)


def save_password(name: str, password: str) -> None:
    account = Account(name)
    account.auth.password = password
    account.save()


def text(folder: Path) -> str:
    return (folder / "config.toml").read_text()


def test_a_password_goes_into_the_keyring(tmp_path: Path, keyring: Keyring) -> None:
    """STO-004, ACC-034: the file has but the name of the entry, and the account its password."""
    start(tmp_path, keyring=True)
    save_password("alice@example.com", "secret")
    assert keyring.passwords == ["secret"]
    ((service, entry),) = keyring.entries
    assert service == "sipsimple" and entry.startswith("Accounts.alice@example.com.auth.password ")
    assert "secret" not in text(tmp_path) and f'password = {{keyring = "{entry}"}}' in text(tmp_path)
    start(tmp_path)
    assert Account("alice@example.com").credentials.password == "secret"


def test_a_password_stays_in_the_keyring(tmp_path: Path, keyring: Keyring) -> None:
    """STO-004: the file says for each password where it is; a new account's goes where the program wants it."""
    start(tmp_path, keyring=True)
    save_password("alice@example.com", "secret")
    start(tmp_path)
    save_password("alice@example.com", "changed")
    save_password("bob@example.com", "public")
    assert keyring.passwords == ["changed"]
    assert "changed" not in text(tmp_path) and 'password = "public"' in text(tmp_path)
    before = dict(keyring.entries)
    account = Account("alice@example.com")
    account.enabled = True
    account.save()
    assert keyring.entries == before


def test_a_password_that_was_in_the_file_moves(tmp_path: Path, keyring: Keyring) -> None:
    """STO-004: when its account is saved by a program that uses the keyring."""
    start(tmp_path)
    save_password("alice@example.com", "secret")
    assert "secret" in text(tmp_path)
    start(tmp_path, keyring=True)
    Account("alice@example.com").save()
    account = Account("alice@example.com")
    account.enabled = True
    account.save()
    assert keyring.passwords == ["secret"] and "secret" not in text(tmp_path)


def test_accounts_of_two_folders_have_entries_of_their_own(tmp_path: Path, keyring: Keyring) -> None:
    """STO-004: one program does not take the password of another."""
    for name in ("one", "two"):
        start(tmp_path / name, keyring=True)
        save_password("alice@example.com", name)
    assert keyring.passwords == ["one", "two"]


@pytest.mark.parametrize("removal", ["delete", "empty"])
def test_an_entry_that_is_not_needed_is_removed(tmp_path: Path, keyring: Keyring, removal: str) -> None:
    """ACC-014, STO-004: with its account, and with the password."""
    start(tmp_path, keyring=True)
    save_password("alice@example.com", "secret")
    if removal == "delete":
        Account("alice@example.com").delete()
    else:
        save_password("alice@example.com", "")
    assert keyring.entries == {} and "keyring =" not in text(tmp_path)


@pytest.mark.parametrize("failure", ["broken", "missing", "not installed"])
def test_a_secret_that_can_not_be_had(
    tmp_path: Path, keyring: Keyring, failure: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """STO-004: the program runs without that password; the file still names the entry, and can be saved."""
    start(tmp_path, keyring=True)
    save_password("alice@example.com", "secret")
    kept = dict(keyring.entries)
    if failure == "broken":
        keyring.broken = True
    elif failure == "missing":
        keyring.entries.clear()
    else:
        monkeypatch.setitem(sys.modules, "keyring", None)
    start(tmp_path)
    account = Account("alice@example.com")
    assert account.auth.password == "" and "keyring" in caplog.text
    account.enabled = True
    account.save()
    assert "enabled = true" in text(tmp_path)
    monkeypatch.setitem(sys.modules, "keyring", keyring)  # type: ignore[arg-type]
    keyring.broken, keyring.entries = False, kept
    start(tmp_path)
    assert Account("alice@example.com").auth.password == "secret"


def test_a_keyring_that_refuses(tmp_path: Path, keyring: Keyring, caplog: pytest.LogCaptureFixture) -> None:
    """STO-004: nothing is written then, least of all the password; no error quotes it."""
    start(tmp_path, keyring=True)
    keyring.broken = True
    save_password("alice@example.com", "pa55word")
    assert "the keyring does not take a password" in caplog.text and "pa55word" not in caplog.text
    assert not (tmp_path / "config.toml").exists() or "alice" not in text(tmp_path)


@pytest.mark.parametrize("module", [None, SimpleNamespace(get_keyring=lambda: SimpleNamespace(priority=0))])
def test_without_a_keyring(tmp_path: Path, module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """STO-004: who wants one and has none is told what to do."""
    monkeypatch.setitem(sys.modules, "keyring", module)
    backend = FileStorage(tmp_path, keyring=True).configuration_backend
    with pytest.raises(ConfigurationError, match="keyring"):
        backend.save({"x": 1})


def test_looking_without_the_secrets(tmp_path: Path, keyring: Keyring) -> None:
    """STO-004: who only looks does not bother the user for the keyring."""
    start(tmp_path, keyring=True)
    save_password("alice@example.com", "secret")
    keyring.broken = True
    tree = FileStorage(tmp_path).configuration_backend.read(secrets=False)
    password = tree["Accounts"]["alice@example.com"]["auth"]["password"]
    assert password and password != "secret"
