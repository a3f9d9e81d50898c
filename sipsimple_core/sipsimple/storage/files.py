"""Storage in files of a folder (STO-004)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from zope.interface import implementer

from sipsimple.storage.interfaces import ISIPSimpleStorage, IXCAPStorage, XCAPStorageError

if TYPE_CHECKING:
    from sipsimple.configuration.file_backend import FileBackend

__all__ = ["FileStorage", "FileXCAPStorage", "default_directory"]

CONFIGURATION_NAME = "config.toml"
XCAP_FOLDER = "xcap"
MAX_NAME_LENGTH = 200
MAX_DOCUMENT_SIZE = 16 * 1024 * 1024


def default_directory(application: str = "sipsimple") -> Path:
    """The folder in which this system expects the configuration of an application (XDG on Linux)."""
    from platformdirs import user_config_path

    return user_config_path(application, appauthor=False)


@implementer(ISIPSimpleStorage)
class FileStorage:
    """Keeps everything in the files of a folder (STO-004): the configuration in `config.toml`, which people can read
    and edit, and XCAP documents in folders below.

    Nothing is made before something is loaded or saved. One process at a time may use a folder; a second one gets a
    ConfigurationError that names the first. The lock is held until `close()`, or to the end of the process.

    :param directory: the folder; made with mode 0700 if it is not there
    :param keyring: keep passwords that are saved from now on in the system's keyring instead of the file (needs
        `pip install sipsimple-core[keyring]`). Those that are there already are found without it
    """

    configuration_backend: FileBackend

    def __init__(self, directory: str | os.PathLike[str], *, keyring: bool = False) -> None:
        from sipsimple.configuration.file_backend import FileBackend

        self.directory = Path(os.path.abspath(os.path.expanduser(os.fspath(directory))))
        self.configuration_backend = FileBackend(self.directory / CONFIGURATION_NAME, keyring=keyring)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.directory)!r})"

    def xcap_storage_factory(self, account: Any) -> FileXCAPStorage:
        """The XCAP documents of an account, or of the account with that id."""
        account_id = str(getattr(account, "id", account))
        return FileXCAPStorage(self.directory / XCAP_FOLDER, account_id)

    def close(self) -> None:
        """Let other processes have the folder. What is loaded or saved afterwards takes the lock again."""
        self.configuration_backend.close()


@implementer(IXCAPStorage)
class FileXCAPStorage:
    """Keeps the XCAP documents of one account, each in a file of its own."""

    def __init__(self, folder: Path, account_id: str) -> None:
        self.account_id = account_id
        self.folder = folder / _file_name(account_id)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.account_id} in {self.folder}>"

    def load(self, name: str) -> bytes:
        from sipsimple.storage.durable import read_bounded

        try:
            return read_bounded(self._path(name), MAX_DOCUMENT_SIZE)[0]
        except FileNotFoundError:
            raise XCAPStorageError(f"{self.account_id} has no document {name!r}") from None
        except OSError as error:
            raise XCAPStorageError(f"the document {name!r} of {self.account_id} can't be read: {error}") from error

    def save(self, name: str, data: bytes) -> None:
        from sipsimple.storage.durable import make_private_folder, write_whole

        path = self._path(name)
        try:
            for folder in (self.folder.parent.parent, self.folder.parent, self.folder):
                if not folder.is_dir():
                    make_private_folder(folder)
            write_whole(path, data)
        except OSError as error:
            raise XCAPStorageError(f"the document {name!r} of {self.account_id} can't be saved: {error}") from error

    def delete(self, name: str) -> None:
        try:
            self._path(name).unlink()
        except FileNotFoundError:
            raise XCAPStorageError(f"{self.account_id} has no document {name!r}") from None
        except OSError as error:
            raise XCAPStorageError(f"the document {name!r} of {self.account_id} can't be deleted: {error}") from error

    def purge(self) -> None:
        import shutil

        shutil.rmtree(self.folder, ignore_errors=True)
        if self.folder.exists():
            raise XCAPStorageError(f"not all documents of {self.account_id} could be deleted from {self.folder}")

    def _path(self, name: str) -> Path:
        return self.folder / _file_name(name)


def _file_name(name: str) -> str:
    """A name of a file for any text: none leads out of its folder, and no two texts have the same."""
    quoted = quote(name, safe="@+=, ")
    quoted = quoted.replace(".", "%2E", 1) if quoted.startswith(".") else quoted
    if not quoted or len(quoted) > MAX_NAME_LENGTH:
        raise XCAPStorageError(f"a name of {len(name)} characters can't be that of a file")
    return quoted
