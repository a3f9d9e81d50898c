"""Storage in memory: everything is gone with the object (STO-005)."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from sipsimple.storage.interfaces import ISIPSimpleStorage, IXCAPStorage, XCAPStorageError

if TYPE_CHECKING:
    from sipsimple.configuration.backend import MemoryBackend

__all__ = ["MemoryStorage", "MemoryXCAPStorage"]


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
