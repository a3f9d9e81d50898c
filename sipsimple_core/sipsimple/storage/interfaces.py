"""What a storage is (STO-001..003)."""

from __future__ import annotations

from zope.interface import Attribute, Interface

__all__ = ["ISIPSimpleStorage", "IXCAPStorage", "XCAPStorageError"]


class ISIPSimpleStorage(Interface):
    """What `SIPApplication.start` is given: everything that has to be kept is kept through it (STO-006)."""

    configuration_backend = Attribute(
        """The backend in which the configuration is stored, an IConfigurationBackend (STO-002)."""
    )

    xcap_storage_factory = Attribute(
        """A callable: with an account, or its id, it returns that account's IXCAPStorage (STO-003)."""
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
