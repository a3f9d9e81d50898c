"""Secrets in the system's keyring instead of the file (`pip install sipsimple-core[keyring]`).

The file then names the entry of the service `sipsimple` that has the secret: `password = {keyring = "..."}`. It does
so for each password by itself, so a file may have both.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from sipsimple.configuration.backend import ConfigurationData
from sipsimple.configuration.datatypes.text import Password
from sipsimple.configuration.errors import ConfigurationError
from sipsimple.configuration.toml_document import KeyringReference

__all__ = ["KeyringSecrets", "check_keyring", "without_secrets"]

log = logging.getLogger("sipsimple.configuration")

SERVICE = "sipsimple"

Path = tuple[str, ...]


def check_keyring() -> None:
    """Raise ConfigurationError if there is no keyring to keep secrets in."""
    try:
        keyring = import_module("keyring")
    except ImportError:
        raise ConfigurationError("passwords in the keyring need: pip install 'sipsimple-core[keyring]'") from None
    if keyring.get_keyring().priority < 1:
        raise ConfigurationError("this system has no keyring that passwords could be kept in")


class KeyringSecrets:
    """Exchanges the references in a document for the secrets, and secrets for references.

    A secret that can't be had is None in the tree, which no password is: the setting keeps its default, and the
    reference stays in the file.
    """

    def __init__(self, keep_new: bool) -> None:
        self._keep_new = keep_new
        self._known: dict[str, str] = {}

    def resolved(self, tree: ConfigurationData) -> ConfigurationData:
        """The tree with the secrets in the places of the references."""
        return {name: self._resolved_value(value) for name, value in tree.items()}

    def _resolved_value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return self.resolved(value)
        return self._secret(value.entry) if isinstance(value, KeyringReference) else value

    def _secret(self, entry: str) -> Password | None:
        if entry not in self._known:
            try:
                secret = import_module("keyring").get_password(SERVICE, entry)
            except Exception as error:  # each keyring has errors of its own
                log.warning("The keyring's entry %r can't be read: %s", entry, _told(error))
                return None
            if secret is None:
                log.warning("The keyring has no entry %r of the service %r", entry, SERVICE)
                return None
            self._known[entry] = secret
        return Password(self._known[entry])

    def stowed(self, tree: ConfigurationData, stored: ConfigurationData, path: Path = ()) -> ConfigurationData:
        """The tree with references in the places of secrets, which go into the keyring.

        That is what has a reference in `stored`, the tree of the file, and each password if new ones are to be kept
        so. Raises ConfigurationError if the keyring refuses one.
        """
        result: ConfigurationData = {}
        for name, value in tree.items():
            before = stored.get(name)
            if isinstance(value, dict):
                result[name] = self.stowed(value, before if isinstance(before, dict) else {}, (*path, name))
            elif isinstance(before, KeyringReference) and (value is None or isinstance(value, str)):
                result[name] = before if value is None else self._stow(value, before.entry) if value else value
            elif self._keep_new and isinstance(value, Password) and value:
                result[name] = self._stow(value, f"{'.'.join((*path, name))} {secrets.token_hex(4)}")
            else:
                result[name] = value
        return result

    def _stow(self, secret: str, entry: str) -> KeyringReference:
        if self._known.get(entry) != secret:
            try:
                import_module("keyring").set_password(SERVICE, entry, str.__str__(secret))
            except Exception as error:
                raise ConfigurationError(f"the keyring does not take a password: {_told(error)}") from None
            self._known[entry] = secret
        return KeyringReference(entry)

    def forget(self, before: ConfigurationData, after: ConfigurationData) -> None:
        """Remove the entries that the file named before and does not name any more."""
        for entry in set(_entries(before)) - set(_entries(after)):
            self._known.pop(entry, None)
            try:
                import_module("keyring").delete_password(SERVICE, entry)
            except Exception as error:
                log.warning("The keyring's entry %r can't be removed: %s", entry, _told(error))


def without_secrets(tree: ConfigurationData) -> ConfigurationData:
    """The tree with a text in the places of the references; the keyring is not asked."""
    result: ConfigurationData = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            result[name] = without_secrets(value)
        else:
            result[name] = Password("in the keyring") if isinstance(value, KeyringReference) else value
    return result


def _entries(tree: ConfigurationData) -> Iterator[str]:
    for value in tree.values():
        if isinstance(value, dict):
            yield from _entries(value)
        elif isinstance(value, KeyringReference):
            yield value.entry


def _told(error: Exception) -> str:
    """What may be shown of an error: not its text, in which a careless keyring could quote the secret."""
    return type(error).__name__
