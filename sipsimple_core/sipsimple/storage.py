"""Storage: where an application's configuration and XCAP documents are kept (STO-001..006)."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

from zope.interface import Attribute, Interface, implementer

if TYPE_CHECKING:
    from sipsimple.configuration.backend import MemoryBackend

__all__ = ["ISIPSimpleStorage", "IXCAPStorage", "MemoryStorage", "MemoryXCAPStorage", "XCAPStorageError"]


class ISIPSimpleStorage(Interface):
    """What `SIPApplication.start` is given: everything that has to be kept is kept through it (STO-006)."""

    configuration_backend = Attribute(
        """The backend in which the configuration is stored, an IConfigurationBackend (STO-002)."""
    )

    xcap_storage_factory = Attribute(
        """A callable: with the id of an account it returns that account's IXCAPStorage (STO-003)."""
    )


class IXCAPStorage(Interface):
    """Keeps the XCAP documents of one account. Its methods may block and are called in the thread pool."""

    def load(name: str) -> bytes:
        """The document of that name. Raises XCAPStorageError if there is none."""

    def save(name: str, data: bytes) -> None:
        """Keep a document, in the place of the one of that name."""

    def delete(name: str) -> None:
        """Forget the document of that name. Raises XCAPStorageError if there is none."""

    def purge() -> None:
        """Forget all documents: the account is gone."""


class XCAPStorageError(Exception):
    """A document could not be loaded, saved or deleted."""


@implementer(IXCAPStorage)
class MemoryXCAPStorage:
    """Keeps the XCAP documents of one account for as long as this object lives."""

    def __init__(self, account_id: str) -> None:
        self.account_id = account_id
        self._documents: dict[str, bytes] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.account_id} with {len(self._documents)} documents>"

    def load(self, name: str) -> bytes:
        try:
            return self._documents[name]
        except KeyError:
            raise XCAPStorageError(f"{self.account_id} has no document {name!r}") from None

    def save(self, name: str, data: bytes) -> None:
        self._documents[name] = data

    def delete(self, name: str) -> None:
        if self._documents.pop(name, None) is None:
            raise XCAPStorageError(f"{self.account_id} has no document {name!r}")

    def purge(self) -> None:
        self._documents.clear()


@implementer(ISIPSimpleStorage)
class MemoryStorage:
    """Keeps everything in memory, as long as this object lives (STO-005).

    An application that is started again with the same object finds what it stored.
    """

    configuration_backend: MemoryBackend

    def __init__(self) -> None:
        from sipsimple.configuration.backend import MemoryBackend

        self.configuration_backend = MemoryBackend()
        self._lock = Lock()
        self._xcap: dict[str, MemoryXCAPStorage] = {}

    def xcap_storage_factory(self, account: Any) -> MemoryXCAPStorage:
        """The XCAP documents of an account (or of the account with that id): the same object each time."""
        account_id = str(getattr(account, "id", account))
        with self._lock:
            return self._xcap.setdefault(account_id, MemoryXCAPStorage(account_id))
