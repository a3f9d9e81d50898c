"""The configuration in a file: what people can do with it, what is refused, who is kept out."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zope.interface.verify import verifyObject

from sipsimple.account import Account
from sipsimple.configuration import ConfigurationError, ConfigurationManager, IConfigurationBackend
from sipsimple.configuration import file_backend as module
from sipsimple.configuration.errors import ConfigurationInUseError, DamagedConfigurationError
from sipsimple.configuration.file_backend import FIRST_LINE, LAST_LINE, FileBackend
from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.configuration.toml_document import TOMLError, changed_text, merged, parse, rendered, same
from sipsimple.storage import FileStorage

TREE = {
    "SIPSimpleSettings": {"user_agent": "test", "sip": {"udp_port": 5060, "invite_timeout": None}},
    "Accounts": {
        "alice@example.com": {"enabled": True, "auth": {"password": 'a "secret"\nof two lines'}},
        "bob@example.com": {},
    },
}

WRITTEN_BY_HAND = f"""{FIRST_LINE}

# What we call ourselves.
[SIPSimpleSettings]
user_agent = "mine" # not the default

# This is for work.
[Accounts."alice@example.com"]
enabled = true

[Accounts."alice@example.com".sip]
# Berlin is nearer.
outbound_proxy = "berlin.example.com"

# This is for friends,
# all of them.
[Accounts."bob@example.com"]
enabled = false
unknown = [1, 2] # of a plugin that is not there

{LAST_LINE}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "config.toml"


def write(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def start(path: Path) -> ConfigurationManager:
    manager = ConfigurationManager()
    manager.start(FileBackend(path))
    return manager


# Loading and saving


def test_it_is_a_backend(path: Path) -> None:
    """STO-002, STO-004: the backend of a FileStorage keeps the interface."""
    assert verifyObject(IConfigurationBackend, FileStorage(path.parent).configuration_backend)


def test_what_is_saved_is_loaded(path: Path) -> None:
    """STO-002: also None, quotes, line ends and objects without any setting."""
    FileBackend(path).save(TREE)
    assert same(FileBackend(path).load(), TREE)


def test_nothing_was_ever_saved(path: Path) -> None:
    """STO-002: an empty tree then; looking at it makes no folder."""
    assert FileBackend(path).read() == {}
    assert not path.parent.exists()
    assert FileBackend(path).load() == {}


def test_only_the_owner_may_read_it(path: Path) -> None:
    """STO-004: mode 0600 in a folder of mode 0700, whatever the umask."""
    before = os.umask(0)
    try:
        FileBackend(path).save(TREE)
    finally:
        os.umask(before)
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)


def test_a_file_made_by_hand_becomes_private(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """STO-004: a file and folder that others could read are closed to them, and it is said."""
    write(path, WRITTEN_BY_HAND)
    path.chmod(0o644)
    path.parent.chmod(0o755)
    FileBackend(path).load()
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert "could be read by others" in caplog.text


def test_a_folder_with_other_things_keeps_its_mode(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """STO-004: a folder that is not only ours is not closed to others, there is a warning instead."""
    write(path.with_name("letter.txt"), "Dear")
    path.parent.chmod(0o755)
    FileBackend(path).save(TREE)
    assert (mode(path), mode(path.parent)) == (0o600, 0o755)
    assert "can be read by others" in caplog.text


def test_a_symbolic_link_stays_one(path: Path, tmp_path: Path) -> None:
    """STO-004: people keep such files elsewhere and link to them."""
    target = tmp_path / "elsewhere.toml"
    path.parent.mkdir()
    path.symlink_to(target)
    FileBackend(path).save(TREE)
    assert path.is_symlink() and same(parse(target.read_text()), TREE)


def test_values_that_can_not_be_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """STO-002: they are refused before anything is written."""
    monkeypatch.setattr(module, "MAX_FILE_SIZE", 1000)
    backend = FileBackend(path)
    backend.save(TREE)
    before = path.read_bytes()
    for bad in ({"x": "\ud800"}, {"group": {"none": True}}, {"group": {"keyring": "x"}}, {"x": "y" * 1000}):
        with pytest.raises(ConfigurationError):
            backend.save({**TREE, **bad})
        assert path.read_bytes() == before
    backend.save({})
    assert backend.load() == {}


def test_a_disk_that_fails(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """STO-004: the old file stays, no temporary one is left, and the next save has everything."""
    backend = FileBackend(path)
    backend.save(TREE)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ConfigurationError, match="No space left"):
            backend.save({"other": 1})
    assert path.read_bytes() == before
    assert sorted(os.listdir(path.parent)) == [".lock", "config.toml"]
    backend.save({"other": 1})
    assert FileBackend(path).load() == {"other": 1}


def test_the_order_of_a_save(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """STO-004: the new file is flushed before it takes the place of the old one, then the folder is."""
    backend = FileBackend(path)
    backend.save(TREE)
    calls = []
    fsync, replace = os.fsync, os.replace

    def flush(descriptor: int) -> None:
        calls.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def rename(old: Any, new: Any) -> None:
        calls.append("rename")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(os, "replace", rename)
    backend.save({"other": 1})
    assert calls == ["file", "rename", "folder"]


def test_two_hundred_changes_are_one_write(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ACC-037: one save() of an object is one write of the file, however many of its settings changed."""
    from sipsimple.configuration import Setting, SettingsObject

    names = [f"number_{index}" for index in range(200)]
    many = type("Many", (SettingsObject,), {"__id__": "Many", **{name: Setting(int, 0) for name in names}})
    start(path)
    writes = []
    write_whole = module.write_whole

    def counting(*arguments: Any) -> Any:
        writes.append(arguments)
        return write_whole(*arguments)

    monkeypatch.setattr(module, "write_whole", counting)
    thing = many()
    for value, name in enumerate(names, 1):
        setattr(thing, name, value)
    thing.save()
    assert len(writes) == 1
    assert parse(path.read_text())["Many"] == {name: value for value, name in enumerate(names, 1)}
    thing.save()
    assert len(writes) == 1


def test_threads_that_save_at_once(path: Path) -> None:
    """STO-002: nothing of what each of them saved is lost."""
    start(path)

    def work(first: int) -> None:
        for index in range(first, first + 10):
            Account(f"user{index}@example.com").save()

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 10, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(parse(path.read_text())["Accounts"]) == {f"user{index}@example.com" for index in range(30)}


def test_settings_objects_come_back(path: Path) -> None:
    """ACC-003, STO-006: what accounts and the settings had is there for the next program."""
    from sipsimple.realm import replace_default_realm

    start(path)
    account = Account("alice@example.com")
    account.enabled = True
    account.auth.password = "secret"
    account.save()
    settings_object = SIPSimpleSettings()
    settings_object.sip.invite_timeout = None
    settings_object.save()
    instance_id = settings_object.instance_id
    replace_default_realm()
    start(path)
    assert Account("alice@example.com").auth.password == "secret"
    assert SIPSimpleSettings().sip.invite_timeout is None
    assert SIPSimpleSettings().instance_id == instance_id


# Files that people edit


def test_comments_survive(path: Path) -> None:
    """STO-004: what a person wrote stays where it is; what no class knows stays too."""
    write(path, WRITTEN_BY_HAND)
    start(path)
    alice = Account("alice@example.com")
    alice.enabled = False
    alice.sip.outbound_proxy = "paris.example.com"
    alice.display_name = "Alice"
    alice.save()
    expected = WRITTEN_BY_HAND.replace("enabled = true\n", 'enabled = false\ndisplay_name = "Alice"\n')
    assert path.read_text() == expected.replace('"berlin', '"paris')


def test_comments_of_the_next_survive_a_removal(path: Path) -> None:
    """ACC-014, STO-004: an account that is deleted does not take the words about the next one with it."""
    write(path, WRITTEN_BY_HAND)
    start(path)
    Account("alice@example.com").delete()
    text = path.read_text()
    assert "alice" not in text and "berlin" not in text
    assert '# This is for friends,\n# all of them.\n[Accounts."bob@example.com"]' in text
    Account("bob@example.com").delete()
    assert "# This is for friends" in path.read_text()
    assert path.read_text().endswith(f"\n{LAST_LINE}\n")


def test_a_document_that_can_not_be_edited(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """STO-004: it is written anew then, and the one with the comments is kept."""
    from sipsimple.configuration import toml_document

    write(path, WRITTEN_BY_HAND)
    backend = FileBackend(path)
    tree = backend.load()
    monkeypatch.setattr(toml_document, "_edited", lambda *_: "wrong = true")
    tree["new"] = 1
    backend.save(tree)
    assert same(parse(path.read_text()), tree)
    (copy,) = path.parent.glob("config.toml.old-*")
    assert "# This is for friends" in copy.read_text() and mode(copy) == 0o600
    assert copy.name in caplog.text


def test_what_a_person_changes_meanwhile_stays(path: Path) -> None:
    """STO-004: a save changes what the program changed, in the file as it is then."""
    write(path, WRITTEN_BY_HAND)
    backend = FileBackend(path)
    tree = backend.load()
    write(path, WRITTEN_BY_HAND.replace("enabled = false", 'enabled = false\ndisplay_name = "Bob"'))
    tree["SIPSimpleSettings"]["user_agent"] = "ours"
    del tree["Accounts"]["alice@example.com"]
    backend.save(tree)
    text = path.read_text()
    assert 'display_name = "Bob"' in text and 'user_agent = "ours" # not the default' in text and "alice" not in text


def test_a_file_that_vanishes_meanwhile(path: Path) -> None:
    """STO-004: it is written whole again."""
    backend = FileBackend(path)
    backend.save(TREE)
    path.unlink()
    backend.save({**TREE, "other": 1})
    assert same(FileBackend(path).load(), {**TREE, "other": 1})


def test_a_file_that_is_damaged_meanwhile(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """STO-004: the damaged one is kept, and all settings in use are written."""
    backend = FileBackend(path)
    backend.save(TREE)
    write(path, "[Accounts\nnonsense")
    backend.save({**TREE, "other": 1})
    assert same(FileBackend(path).load(), {**TREE, "other": 1})
    (copy,) = path.parent.glob("config.toml.damaged-*")
    assert copy.read_text() == "[Accounts\nnonsense"
    assert "line 1" in caplog.text and copy.name in caplog.text


def test_a_wrong_value_is_the_setting_s_matter(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """STO-004, ACC-018: one wrong value does not keep the others from being loaded, and is not thrown away."""
    write(path, '[Accounts."alice@example.com"]\nenabled = 1979-05-27\ndisplay_name = "Alice"\n')
    start(path)
    alice = Account("alice@example.com")
    assert alice.enabled is False and alice.display_name == "Alice"
    assert "Account.enabled" in caplog.text
    alice.display_name = "Alicia"
    alice.save()
    assert "enabled = 1979-05-27" in path.read_text() and "Alicia" in path.read_text()


# Damaged files


@pytest.mark.parametrize(
    "text, line, reason",
    [
        (f"{FIRST_LINE}\n\n[a]\nx = 1\nx = 2\n{LAST_LINE}\n", 5, "overwrite"),
        ("[a]\nx = \n", 2, "value"),
        ("a = 1\n[b\n", 2, "expected"),
        (b"a = 1\n\nb = '\xff'\n", 3, "UTF-8"),
        ("x = " + "[" * 5000 + "]" * 5000, 1, "inside each other"),
        ("x." * 200 + "x = 1", 1, "inside each other"),
        (f"{FIRST_LINE}\n\nx = 1\n", 3, "cut short"),
        ("", 1, "cut short"),
        ("a = 'x", 1, "expected"),
    ],
)
def test_a_damaged_file(path: Path, text: str | bytes, line: int, reason: str) -> None:
    """APP-010, STO-004: it is reported with line and reason, a copy is kept, and it is left as it is."""
    write(path, text)
    before = path.read_bytes()
    for _ in range(2):
        with pytest.raises(DamagedConfigurationError, match=f"line {line}:") as caught:
            FileBackend(path).load()
        assert caught.value.line == line and reason in caught.value.reason
        assert path.read_bytes() == before
        if before:
            assert caught.value.copy is not None and caught.value.copy.read_bytes() == before
            assert mode(caught.value.copy) == 0o600


def test_a_damaged_file_is_not_overwritten(path: Path) -> None:
    """APP-010, APP-011, STO-004: without having loaded it nothing can be saved; corrected, it is loaded."""
    write(path, "[a\n")
    backend = FileBackend(path)
    with pytest.raises(ConfigurationError):
        ConfigurationManager().start(backend)
    with pytest.raises(DamagedConfigurationError):
        backend.save(TREE)
    assert path.read_text() == "[a\n"
    write(path, "[a]\n")
    ConfigurationManager().start(backend)
    assert ConfigurationManager().get_names("a") == []


def test_errors_do_not_tell_secrets(path: Path) -> None:
    """STO-004: what is wrong is said without the values that are there."""
    for damage in ("password = 's3cr3t'x\n", "password = 's3cr3t\n", "password = s3cr3t\n", "password = 's3cr3t\n'\n"):
        write(path, damage)
        with pytest.raises(DamagedConfigurationError) as caught:
            FileBackend(path).load()
        assert "s3cr3t" not in str(caught.value)


def test_the_copies_are_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """STO-004: a program that is started over and over with ever other damage does not fill the disk."""
    monkeypatch.setattr(module, "MAX_COPIES", 3)
    for number in range(5):
        write(path, f"[a{number}\n")
        with pytest.raises(DamagedConfigurationError) as caught:
            FileBackend(path).load()
        assert (caught.value.copy is None) is (number >= 3)
    assert len(list(path.parent.glob("config.toml.damaged-*"))) == 3


def test_a_file_that_is_too_large(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """STO-004: it is not read into memory."""
    write(path, "x = 1\n" * 100)
    monkeypatch.setattr(module, "MAX_FILE_SIZE", 100)
    with pytest.raises(ConfigurationError, match="larger than 100 octets"):
        FileBackend(path).load()


def test_a_file_that_is_cut_at_every_length(path: Path) -> None:
    """STO-004: cut anywhere it is told from a whole one; never does a part count as all of the configuration."""
    FileBackend(path).save(TREE)
    whole = path.read_bytes()
    assert len(whole) > 400
    for length in range(len(whole) - 1):
        write(path, whole[:length])
        with pytest.raises(DamagedConfigurationError) as caught:
            FileBackend(path).read()
        assert caught.value.line >= 1
        assert path.read_bytes() == whole[:length]
    write(path, whole[:-1])  # without its last line end it is whole
    assert same(FileBackend(path).read(), TREE)


@settings(max_examples=200, deadline=None)
@given(octets=st.binary(max_size=200))
def test_any_octets(octets: bytes) -> None:
    """STO-004: whatever is in the file is a configuration or damaged."""
    try:
        parse(module._unframed(octets))
    except TOMLError as error:
        assert error.line >= 1 and error.reason


# One process at a time

HOLDER = """
import sys
from sipsimple.storage import FileStorage
storage = FileStorage(sys.argv[1])
storage.configuration_backend.save({"holder": 1})
print("holding", flush=True)
sys.stdin.readline()
storage.close()
print("closed", flush=True)
sys.stdin.readline()
"""


def test_a_second_process_is_kept_out(path: Path) -> None:
    """STO-004: with an error that says who is in; it may look, and it may come in when the first has closed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path.parent)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdin is not None and holder.stdout is not None
        assert holder.stdout.readline() == "holding\n"
        backend = FileStorage(path.parent).configuration_backend
        for attempt in (backend.load, lambda: backend.save({})):
            with pytest.raises(ConfigurationInUseError, match=f"in use by process {holder.pid}"):
                attempt()
        assert backend.read() == {"holder": 1}
        holder.stdin.write("\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "closed\n"
        assert backend.load() == {"holder": 1}
        holder.stdin.close()


def test_two_storages_in_one_process(path: Path) -> None:
    """STO-004: a program that stops and starts again with a new storage is not kept out by itself."""
    first, second = FileBackend(path), FileBackend(path)
    first.save({"a": {"x": 1}})
    assert second.load() == {"a": {"x": 1}}
    second.save({"a": {"x": 1}, "b": {"y": 2}})
    first.save({"a": {"x": 3}})
    assert second.load() == {"a": {"x": 3}, "b": {"y": 2}}


def test_leftovers_of_a_killed_process_are_removed(path: Path) -> None:
    """STO-004: half a temporary file is nobody's, once the lock is had."""
    leftover = path.with_name(".config.toml.0123abcd.new")
    write(leftover, "half a fi")
    FileBackend(path).save(TREE)
    assert not leftover.exists()


# Documents

_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)
_names = st.one_of(
    st.sampled_from(["a", "b", "alice@example.com", "x.y", "none"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
)
_trees = st.recursive(
    st.dictionaries(_names, st.one_of(_scalars, st.lists(_scalars, max_size=3)), max_size=4),
    lambda trees: st.dictionaries(_names, st.one_of(trees, _scalars), max_size=4),
    max_leaves=8,
)


def writable(tree: Any) -> bool:
    if not isinstance(tree, dict):
        return True
    if len(tree) == 1 and (tree.get("none") is True or isinstance(tree.get("keyring"), str)):
        return False
    return all(map(writable, tree.values()))


@settings(max_examples=300, deadline=None)
@given(tree=_trees.filter(writable))
def test_any_tree_is_written_and_read(tree: Any) -> None:
    """STO-002: what a tree may have comes back as it was, types and all."""
    assert same(parse(rendered(tree)), tree)


@settings(max_examples=300, deadline=None)
@given(old=_trees.filter(writable), new=_trees.filter(writable))
def test_any_change_of_a_document(old: Any, new: Any) -> None:
    """STO-004: after an edit the document says what the tree does, and the comments above it are there."""
    logging.getLogger("sipsimple.configuration").disabled = True
    try:
        text, _ = changed_text("# a comment\n" + rendered(old), old, new)
    finally:
        logging.getLogger("sipsimple.configuration").disabled = False
    assert same(parse(text), new)


def test_merging() -> None:
    """STO-004: what others added stays, also in a table that was removed; what was changed by both is ours."""
    base = {"a": {"x": 1, "theirs": 2}, "b": {"y": 1}, "c": 1, "d": 5}
    old = {"a": {"x": 1}, "b": {"y": 1}, "c": 0, "d": 5}
    new = {"b": {"y": True}, "c": 3, "d": 5}
    assert same(merged(base, old, new), {"a": {"theirs": 2}, "b": {"y": True}, "c": 3, "d": 5})
    text, edited = changed_text(rendered(base), old, new)
    assert edited and same(parse(text), merged(base, old, new))
