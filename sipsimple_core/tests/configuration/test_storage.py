"""Storage: in memory, and in files (what is in the file of the configuration: test_file_backend)."""

import subprocess
import sys

import pytest
from zope.interface.verify import verifyObject

from sipsimple.configuration import ConfigurationError
from sipsimple.storage import (
    FileStorage,
    ISIPSimpleStorage,
    IXCAPStorage,
    MemoryStorage,
    XCAPStorageError,
    default_directory,
)


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


def test_file_storage_keeps_the_interface(tmp_path):
    """STO-001, STO-004: FileStorage implements ISIPSimpleStorage; making one touches nothing."""
    folder = tmp_path / "folder"
    storage = FileStorage(folder)
    assert verifyObject(ISIPSimpleStorage, storage)
    assert storage.directory == folder and not folder.exists()


def test_file_storage_expands_the_home(monkeypatch, tmp_path):
    """STO-004: `~` is the user's home, and a relative folder does not move with the working directory."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert FileStorage("~/phone").directory == tmp_path / "phone"
    monkeypatch.chdir(tmp_path)
    storage = FileStorage("phone")
    monkeypatch.chdir("/")
    assert storage.directory == tmp_path / "phone"


def test_file_storage_keeps_xcap_documents(tmp_path):
    """STO-003, STO-004: each account has its own, in files that their owner alone may read."""
    storage = FileStorage(tmp_path / "folder")
    alice = storage.xcap_storage_factory("alice@example.com")
    bob = storage.xcap_storage_factory("bob@example.com")
    assert verifyObject(IXCAPStorage, alice)
    alice.save("resource-lists", b"<old/>")
    alice.save("resource-lists", b"<list/>")
    again = FileStorage(tmp_path / "folder").xcap_storage_factory("alice@example.com")
    assert again.load("resource-lists") == b"<list/>"
    for path in [tmp_path / "folder", *(tmp_path / "folder").rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600)
    with pytest.raises(XCAPStorageError, match="bob@"):
        bob.load("resource-lists")
    bob.purge()
    alice.delete("resource-lists")
    with pytest.raises(XCAPStorageError):
        alice.delete("resource-lists")
    alice.save("a", b"1")
    alice.purge()
    with pytest.raises(XCAPStorageError):
        alice.load("a")


@pytest.mark.parametrize("name", ["../../escape", "..", ".", "a/b", "sip:x@y", "ü", "nul\0", "%2E", "a.b"])
def test_names_of_xcap_documents_stay_in_their_folder(tmp_path, name):
    """STO-003: a name that comes from a server can't lead anywhere else, nor hit another document."""
    storage = FileStorage(tmp_path / "folder")
    documents = storage.xcap_storage_factory(name)
    documents.save(name, b"1")
    documents.save("other", b"2")
    assert documents.load(name) == b"1"
    (folder,) = (tmp_path / "folder" / "xcap").iterdir()
    assert len(list(folder.iterdir())) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("name", ["", "x" * 300])
def test_names_that_no_file_can_have(tmp_path, name):
    """STO-003: they are refused with an XCAPStorageError."""
    documents = FileStorage(tmp_path).xcap_storage_factory("alice@example.com")
    for attempt in (lambda: documents.save(name, b""), lambda: documents.load(name), lambda: documents.delete(name)):
        with pytest.raises(XCAPStorageError):
            attempt()


def test_a_folder_that_can_not_be_used(tmp_path):
    """STO-004: it is said what is wrong, for documents and for the configuration."""
    (tmp_path / "file").write_text("in the way")
    storage = FileStorage(tmp_path / "file")
    with pytest.raises(XCAPStorageError, match="can't be saved"):
        storage.xcap_storage_factory("alice@example.com").save("a", b"")
    with pytest.raises(ConfigurationError, match="can't be"):
        storage.configuration_backend.load()


def test_the_folder_of_an_application(monkeypatch, tmp_path):
    """STO-004: on Linux below XDG_CONFIG_HOME."""
    if sys.platform != "linux":
        pytest.skip("other systems have other folders")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert default_directory() == tmp_path / "sipsimple"
    assert default_directory("phone") == tmp_path / "phone"


def test_files_cost_nothing_until_they_are_used():
    """STO-004: what reads and writes them is imported with the first FileStorage."""
    script = (
        "import sys, sipsimple.application, sipsimple.storage\n"
        "print(sorted({'tomlkit', 'tomllib', 'platformdirs', 'keyring', 'fcntl'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in ("[]", "['fcntl']")  # Twisted imports fcntl
