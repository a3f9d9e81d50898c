"""A backend that keeps the configuration in a TOML file, which people can read and edit (STO-004).

A save changes only what differs from the configuration as it was loaded or last saved, in the file as it is at that
moment: comments survive, and so does what a person changed in the meantime. The file begins with a line that says what
it is and, as long as that is there, ends with one that says that it is complete: a file that was cut short can be valid
TOML, and would count as a configuration with fewer accounts.
"""

from __future__ import annotations

import hashlib
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from zope.interface import implementer

from sipsimple.configuration.backend import ConfigurationData, IConfigurationBackend, copy_tree
from sipsimple.configuration.errors import ConfigurationError, ConfigurationInUseError, DamagedConfigurationError
from sipsimple.configuration.keyring_secrets import KeyringSecrets, check_keyring, without_secrets
from sipsimple.configuration.toml_document import TOMLError, changed_text, parse
from sipsimple.storage.durable import make_private, make_private_folder, read_bounded, remove_leftovers, write_whole
from sipsimple.storage.lock import FolderInUseError, FolderLock

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

__all__ = ["FileBackend"]

log = logging.getLogger("sipsimple.configuration")

MAX_FILE_SIZE = 16 * 1024 * 1024
MAX_COPIES = 20
"""Copies of damaged files that are kept beside a file."""

FIRST_LINE = "# Settings of sipsimple. This file may be edited while no program uses it; comments are kept."
LAST_LINE = "# The end of the settings. Leave this line here: a file without it is taken for cut short."

Fingerprint = tuple[int, int, int, int]


@implementer(IConfigurationBackend)
class FileBackend:
    """Keeps the configuration in the file `path`, written whole or not at all; see `FileStorage`.

    `load` and `save` take the lock of the folder, and raise ConfigurationInUseError if another process has it. They
    may be called from any thread.
    """

    def __init__(self, path: str | os.PathLike[str], *, keyring: bool = False) -> None:
        self.path = Path(path)
        self._keyring = keyring
        self._secrets = KeyringSecrets(keyring)
        self._lock: FolderLock | None = None
        self._known: ConfigurationData | None = None
        self._text = ""
        self._fingerprint: Fingerprint | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    def read(self, *, secrets: bool = True) -> ConfigurationData:
        """What is stored, without taking the lock: to look at it while another process uses it.

        Without `secrets` the keyring is not asked; in the place of each of its secrets is a Password that says so.
        Raises ConfigurationError like `load`. Nothing is written, not even a folder made.
        """
        tree = parse(self._read()[0])
        return self._secrets.resolved(tree) if secrets else without_secrets(tree)

    def load(self) -> ConfigurationData:
        """Return the stored tree, an empty one if there is no file.

        Raises DamagedConfigurationError if the file can't be understood, ConfigurationInUseError if another process
        has it, and ConfigurationError if it can't be read. The file is left as it is in any case.
        """
        with self._locked():
            self._known = None
            self._text, self._fingerprint = self._read()
            self._known = parse(self._text)
            with suppress(OSError):
                make_private(self.path)
            return self._secrets.resolved(self._known)

    def save(self, data: ConfigurationData) -> None:
        """Store this tree in place of the one before; it is on the disk when the call returns.

        Raises ConfigurationError, also if another process has the file; nothing is changed then.
        """
        with self._locked():
            text = self._current_text()
            known = parse(text) if self._known is None else self._known
            if self._keyring:
                check_keyring()
            new = self._secrets.stowed(data, known)
            try:
                changed, edited = changed_text(text, known, new)
                octets = _framed(changed).encode()
            except ValueError as error:
                raise ConfigurationError(f"the configuration can't be written: {error}") from None
            if len(octets) > MAX_FILE_SIZE:
                raise ConfigurationError(f"the configuration is larger than {MAX_FILE_SIZE} octets")
            if not edited and "#" in text:
                copy = self._keep_copy("old", _framed(text).encode())
                log.warning("%s was written anew, without its comments; it was kept in %s", self.path, copy)
            try:
                self._fingerprint = _fingerprint(write_whole(self.path, octets))
            except OSError as error:
                raise ConfigurationError(f"{self.path} can't be written: {error}") from error
            self._secrets.forget(known, new)
            self._known, self._text = copy_tree(new), changed

    def close(self) -> None:
        """Let other processes have the file."""
        self._lock = None
        self._known = None

    def _locked(self) -> AbstractContextManager[object]:
        if self._lock is None:
            folder = self.path.parent
            try:
                make_private_folder(folder, ours=self.path.exists())
                self._lock = FolderLock.acquire(folder)
            except FolderInUseError as error:
                raise ConfigurationInUseError(folder, error.owner) from None
            except OSError as error:
                raise ConfigurationError(f"the folder {folder} can't be used: {error}") from error
            remove_leftovers(self.path)
        return self._lock.mutex

    def _current_text(self) -> str:
        """The document as it is in the file now, or as it was when it was removed or damaged since."""
        if self._known is None:
            self._text, self._fingerprint = self._read()
            return self._text
        with suppress(OSError):
            if _fingerprint(self.path.stat()) == self._fingerprint:
                return self._text
        try:
            text, fingerprint = self._read()
        except DamagedConfigurationError as error:
            if error.copy is None:
                raise
            log.error("%s. The file is written with the settings in use", error)
        else:
            if fingerprint is not None:
                self._text, self._fingerprint = text, fingerprint
        return self._text

    def _read(self) -> tuple[str, Fingerprint | None]:
        """The document in the file, '' and None if there is none, without the lines around it."""
        try:
            octets, status = read_bounded(self.path, MAX_FILE_SIZE)
        except FileNotFoundError:
            return "", None
        except OSError as error:
            raise ConfigurationError(f"{self.path} can't be read: {error}") from error
        try:
            text = _unframed(octets)
            parse(text)
        except TOMLError as error:
            copy = self._keep_copy("damaged", octets)
            raise DamagedConfigurationError(self.path, error.line, error.reason, copy) from None
        return text, _fingerprint(status)

    def _keep_copy(self, kind: str, octets: bytes) -> Path | None:
        """Keep a copy beside the file, one of each content; None if that is not possible."""
        if not octets:
            return None
        target = Path(os.path.realpath(self.path))
        copy = target.with_name(f"{target.name}.{kind}-{hashlib.sha256(octets).hexdigest()[:8]}")
        try:
            if not copy.exists():
                if len(list(target.parent.glob(f"{target.name}.{kind}-*"))) >= MAX_COPIES:
                    return None
                write_whole(copy, octets)
        except OSError as error:
            log.warning("No copy of %s could be kept: %s", self.path, error)
            return None
        return copy


def _fingerprint(status: os.stat_result) -> Fingerprint:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _framed(text: str) -> str:
    return f"{FIRST_LINE}\n\n{text.strip(chr(10))}\n\n{LAST_LINE}\n"


def _unframed(octets: bytes) -> str:
    """The document between the first and the last line of the file. Its lines keep their numbers."""
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TOMLError(octets.count(b"\n", 0, error.start) + 1, "this is no UTF-8") from None
    if FIRST_LINE.startswith(text):
        raise TOMLError(1, "the file is cut short")
    first, newline, rest = text.partition("\n")
    begun = first.rstrip("\r") == FIRST_LINE
    document, ended, tail = (newline + rest if begun else text).rpartition(LAST_LINE)
    if ended:
        return document + tail.lstrip("\r\n")
    if begun:
        lines = text.count("\n") + (not text.endswith("\n"))
        raise TOMLError(lines, f"the file is cut short: its last line is not {LAST_LINE!r}")
    return text
