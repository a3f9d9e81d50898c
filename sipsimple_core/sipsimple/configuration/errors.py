"""Errors of the Configuration API."""

from __future__ import annotations

from pathlib import Path


class ConfigurationError(Exception):
    """The configuration can't be loaded, saved or used in the state that it is in."""


class ObjectNotFoundError(ConfigurationError):
    """Nothing is stored under that key."""


class ConfigurationInUseError(ConfigurationError):
    """Another process uses the configuration; `owner` says which."""

    def __init__(self, folder: Path, owner: str) -> None:
        super().__init__(f"the configuration in {folder} is in use by {owner}")
        self.folder = folder
        self.owner = owner


class DamagedConfigurationError(ConfigurationError):
    """The file with the configuration can't be understood.

    `path`: the file, which stays as it is; `line`: where it goes wrong, counted from 1; `reason`: what is wrong;
    `copy`: where a copy of it is kept, None if that could not be written.
    """

    def __init__(self, path: Path, line: int, reason: str, copy: Path | None) -> None:
        kept = "" if copy is None else f"; a copy is kept in {copy.name}"
        super().__init__(
            f"{path}, line {line}: {reason}. The file is left as it is{kept}. "
            "Correct it, or move it away to start with an empty configuration"
        )
        self.path = path
        self.line = line
        self.reason = reason
        self.copy = copy
