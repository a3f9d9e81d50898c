"""FileSelector: read, printed, compared (RFC 5547 6)."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipsimple.streams.filetransfer import FileSelector

SHA1 = "sha1:60:A1:BE:8D:71:DB:E3:8E:84:C9:2C:62:9E:F2:99:78:9D:68:79:F6"
EXAMPLE = f'name:"reblink.pdf" type:com.adobe.pdf size:268759 hash:{SHA1}'


def test_the_example_of_the_specification() -> None:
    """FT-005: name quoted, type, size in octets, SHA-1 in upper case with colons; both ways."""
    selector = FileSelector.parse(EXAMPLE)
    assert (selector.name, selector.type, selector.size, selector.hash) == (
        "reblink.pdf", "com.adobe.pdf", 268759, SHA1,
    )  # fmt: skip
    assert selector.fd is None
    assert selector.encode() == EXAMPLE


@given(
    name=st.none() | st.text(st.characters(codec="utf-8"), max_size=80),
    size=st.none() | st.integers(0, 2**63 - 1),
    digest=st.none() | st.binary(min_size=20, max_size=20),
    type=st.sampled_from([None, "text/plain", 'text/plain;charset="a b"', "com.adobe.pdf"]),
)
def test_what_is_printed_is_read(name: str | None, size: int | None, digest: bytes | None, type: str | None) -> None:
    """FT-005: any name, also with quotes, line ends and percent signs."""
    hash = None if digest is None else f"sha1:{digest.hex(':')}"
    selector = FileSelector(name, type, size, hash)
    text = selector.encode()
    assert "\n" not in text and "\r" not in text and "\0" not in text
    read = FileSelector.parse(text)
    assert (read.name, read.type, read.size, read.hash) == (name, type, size, selector.hash)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ValueError):
        FileSelector.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        'name:"open', "size:-1", "size:12x", "size:١", f"size:{2**63}", "hash:sha1:60", "hash:sha1:GG", "hash:zz",
        "name", "name:\"a\" name:\"b\"", "x" * 9000, "hash:sha-256:" + ":".join(["00"] * 20), 'name:"a"b',
    ],
)  # fmt: skip
def test_bad_selectors_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        FileSelector.parse(text)


def test_what_nobody_knows_is_passed_over() -> None:
    selector = FileSelector.parse('colour:red name:"a b.txt" hash:md9:AB size:3')
    assert (selector.name, selector.size, selector.hash) == ("a b.txt", 3, "md9:AB")


@pytest.mark.parametrize(("name", "length"), [("sha1", 20), ("SHA-256", 32), ("sha-512", 64)])
def test_hashes_have_one_spelling(name: str, length: int) -> None:
    octets = ":".join(["ab"] * length)
    assert FileSelector(hash=f"{name}:{octets}").hash == f"{name.lower()}:{octets.upper()}"


def test_for_file(tmp_path: Path) -> None:
    """FT-003: a file of ours: its name, type and size, and an fd to read it from."""
    path = tmp_path / "notes.txt"
    path.write_bytes(b"hello")
    selector = FileSelector.for_file(path)
    assert (selector.name, selector.type, selector.size, selector.hash) == ("notes.txt", "text/plain", 5, None)
    assert selector.fd.read() == b"hello"
    selector.close()
    typed = FileSelector.for_file(path, "text/x-notes", SHA1)
    assert (typed.type, typed.hash) == ("text/x-notes", SHA1)
    typed.close()
    unknown = tmp_path / "data.qqq"
    unknown.touch()
    selector = FileSelector.for_file(unknown)
    assert (selector.type, selector.size) == ("application/octet-stream", 0)
    selector.close()


def test_for_file_of_what_is_no_file(tmp_path: Path) -> None:
    """Nothing blocks and nothing is left open: a folder, a FIFO that nobody writes to, nothing."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for path in (tmp_path, fifo):
        with pytest.raises((ValueError, OSError)):
            FileSelector.for_file(path)
    with pytest.raises(FileNotFoundError):
        FileSelector.for_file(tmp_path / "none")
    with pytest.raises(ValueError):
        FileSelector.for_file(fifo, hash="rubbish")
    if before:
        assert len(os.listdir("/proc/self/fd")) == before


def test_name_that_is_no_text(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    Path(os.fsdecode(path)).write_bytes(b"x")
    selector = FileSelector.for_file(os.fsdecode(path))
    assert selector.name == "caf\ufffd.txt"
    selector.close()


def test_matches() -> None:
    """RFC 5547 6: a file fits when no selector that was given differs."""
    file = FileSelector.parse(EXAMPLE)
    assert file.matches(FileSelector())
    assert file.matches(FileSelector(hash=SHA1.lower()))
    assert not file.matches(FileSelector(size=1))
    assert not file.matches(FileSelector("other.pdf"))
    assert not file.matches(FileSelector(hash=SHA1[:-2] + "00"))
    assert file.matches(FileSelector(hash="sha-256:" + ":".join(["00"] * 32)))


@pytest.mark.parametrize("size", [-1, 2**63, True, 1.5, "3"])
def test_bad_sizes(size: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        FileSelector(size=size)  # type: ignore[arg-type]
