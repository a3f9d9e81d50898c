"""Storage in memory."""

import pytest
from zope.interface.verify import verifyObject

from sipsimple.storage import ISIPSimpleStorage, IXCAPStorage, MemoryStorage, XCAPStorageError


def test_memory_storage_keeps_the_interface():
    """STO-001, STO-005: MemoryStorage implements ISIPSimpleStorage, with its two attributes."""
    assert verifyObject(ISIPSimpleStorage, MemoryStorage())


def test_configuration_is_kept_in_the_backend():
    """STO-002, STO-006: the configuration backend belongs to the storage object and is the same each time."""
    storage = MemoryStorage()
    backend = storage.configuration_backend
    backend.save({"Accounts": {"alice@example.com": {"enabled": True}}})
    assert storage.configuration_backend.load() == {"Accounts": {"alice@example.com": {"enabled": True}}}
    assert MemoryStorage().configuration_backend.load() == {}


def test_xcap_storage_is_one_for_each_account():
    """STO-003: the factory makes an XCAP storage for each account, by id."""

    class Account:
        id = "alice@example.com"

    storage = MemoryStorage()
    alice = storage.xcap_storage_factory("alice@example.com")
    assert verifyObject(IXCAPStorage, alice)
    alice.save("resource-lists", b"<list/>")
    assert storage.xcap_storage_factory(Account()).load("resource-lists") == b"<list/>"
    with pytest.raises(XCAPStorageError, match="bob@"):
        storage.xcap_storage_factory("bob@example.com").load("resource-lists")


def test_xcap_documents_are_deleted_and_purged():
    """STO-003: what is deleted or purged is gone."""
    documents = MemoryStorage().xcap_storage_factory("alice@example.com")
    documents.save("a", b"1")
    documents.save("b", b"2")
    documents.delete("a")
    with pytest.raises(XCAPStorageError):
        documents.delete("a")
    documents.purge()
    with pytest.raises(XCAPStorageError):
        documents.load("b")
