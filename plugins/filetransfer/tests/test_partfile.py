"""The file while it comes in: parts, resuming, verification, and the move to its place."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sipsimple.streams.filetransfer import FileSelector, TransferError, WrongContentError
from sipsimple.streams.filetransfer.partfile import PartFile
from sipsimple.streams.filetransfer.selector import format_hash

CONTENT = bytes(range(256)) * 40


def selector(content: bytes = CONTENT, name: str | None = "a.bin", **fields: object) -> FileSelector:
    values = {"size": len(content), "hash": format_hash(hashlib.sha1(content).digest()), **fields}
    return FileSelector(name, "application/octet-stream", **values)  # type: ignore[arg-type]


def received(folder: Path, content: bytes = CONTENT, **options: object) -> Path:
    part = PartFile.open(folder, None, selector(content, **options))
    part.write([(part.size, content[part.size :])])
    return part.finish(len(content))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_whole_file(tmp_path: Path) -> None:
    """It is there under its name, readable by its owner alone, and nothing else is left."""
    folder = tmp_path / "new" / "folder"
    path = received(folder)
    assert path == folder / "a.bin" and path.read_bytes() == CONTENT
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(folder) == ["a.bin"]


def test_part_is_private_and_hidden_from_nobody(tmp_path: Path) -> None:
    part = PartFile.open(tmp_path, None, selector())
    assert part.path.suffix == ".part" and part.path.parent == tmp_path
    assert stat.S_IMODE(part.path.stat().st_mode) == 0o600
    part.close(keep=True)
    assert names(tmp_path) == []  # an empty part is of no use


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"mine")
    (tmp_path / "a (1).bin").symlink_to("nowhere")
    assert received(tmp_path) == tmp_path / "a (2).bin"
    assert (tmp_path / "a.bin").read_bytes() == b"mine"
    assert not (tmp_path / "nowhere").exists()


def test_nothing_is_overwritten_where_there_are_no_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "a.bin").write_bytes(b"mine")
    assert received(tmp_path) == tmp_path / "a (1).bin"
    assert names(tmp_path) == ["a (1).bin", "a.bin"]


@pytest.mark.parametrize("cut", [1, 255, 5000, len(CONTENT) - 1, len(CONTENT)])
def test_resume(tmp_path: Path, cut: int) -> None:
    """What came without a gap is kept, and found again; the whole is verified."""
    part = PartFile.open(tmp_path, None, selector())
    part.write([(0, CONTENT[:cut])])
    part.close(keep=True)
    again = PartFile.open(tmp_path, None, selector())
    assert again.size == min(cut, len(CONTENT) - 1)
    again.write([(again.size, CONTENT[again.size :])])
    assert again.finish(len(CONTENT)).read_bytes() == CONTENT
    assert names(tmp_path) == ["a.bin"]


def test_what_is_behind_a_gap_is_not_kept(tmp_path: Path) -> None:
    part = PartFile.open(tmp_path, None, selector())
    part.write([(0, CONTENT[:100]), (200, CONTENT[200:300])])
    assert part.size == 100
    part.close(keep=True)
    assert PartFile.open(tmp_path, None, selector()).size == 100


@pytest.mark.parametrize(
    "other",
    [
        {"hash": "sha1:" + ":".join(["00"] * 20)}, {"size": len(CONTENT) + 1}, {"hash": None}, {"name": "b.bin"},
    ],
)  # fmt: skip
def test_no_resume_of_another_file(tmp_path: Path, other: dict[str, object]) -> None:
    part = PartFile.open(tmp_path, None, selector())
    part.write([(0, CONTENT[:100])])
    part.close(keep=True)
    assert PartFile.open(tmp_path, None, selector(**{"name": "a.bin", **other})).size == 0  # type: ignore[arg-type]


def test_no_resume_when_it_is_not_wanted(tmp_path: Path) -> None:
    part = PartFile.open(tmp_path, None, selector())
    part.write([(0, CONTENT[:100])])
    part.close(keep=True)
    again = PartFile.open(tmp_path, None, selector(), resume=False)
    assert again.size == 0 and again.path.stat().st_size == 0


def test_without_a_hash_nothing_is_kept(tmp_path: Path) -> None:
    part = PartFile.open(tmp_path, None, selector(hash=None))
    part.write([(0, CONTENT[:100])])
    part.close(keep=True)
    assert names(tmp_path) == []


def test_wrong_hash(tmp_path: Path) -> None:
    """Never a silently wrong file, and none to resume from."""
    part = PartFile.open(tmp_path, None, selector())
    part.write([(0, CONTENT[:-1] + b"x")])
    with pytest.raises(WrongContentError, match="hash"):
        part.finish(len(CONTENT))
    assert names(tmp_path) == []


def test_wrong_beginning_of_a_resumed_file(tmp_path: Path) -> None:
    part = PartFile.open(tmp_path, None, selector())
    part.write([(0, b"x" * 100)])
    part.close(keep=True)
    again = PartFile.open(tmp_path, None, selector())
    again.write([(100, CONTENT[100:])])
    with pytest.raises(WrongContentError):
        again.finish(len(CONTENT))
    assert names(tmp_path) == []


@pytest.mark.parametrize("size", [0, len(CONTENT) - 1, len(CONTENT) + 1])
def test_wrong_size(tmp_path: Path, size: int) -> None:
    part = PartFile.open(tmp_path, None, selector())
    if size > len(CONTENT):
        with pytest.raises(WrongContentError, match="more than the"):
            part.write([(0, CONTENT + b"more")])
    part.write([(0, CONTENT[:size])])
    with pytest.raises(WrongContentError, match=r"octets came instead"):
        part.finish(size)
    assert names(tmp_path) == []


def test_hash_that_nobody_knows_is_not_verified(tmp_path: Path) -> None:
    assert received(tmp_path, hash="md9:AB:CD").read_bytes() == CONTENT


def test_sha_256(tmp_path: Path) -> None:
    good = format_hash(hashlib.sha256(CONTENT).digest(), "sha-256")
    assert received(tmp_path, hash=good).read_bytes() == CONTENT
    with pytest.raises(WrongContentError):
        received(tmp_path, CONTENT[:-1] + b"x", hash=good)


def test_restart(tmp_path: Path) -> None:
    part = PartFile.open(tmp_path, None, selector())
    part.write([(0, b"x" * 100)])
    part.restart()
    part.write([(0, CONTENT)])
    assert part.finish(len(CONTENT)).read_bytes() == CONTENT


def test_two_transfers_of_one_file(tmp_path: Path) -> None:
    """Each has a part of its own, and both files are there in the end."""
    one, two = PartFile.open(tmp_path, None, selector()), PartFile.open(tmp_path, None, selector())
    assert one.path != two.path
    for part in (one, two):
        part.write([(0, CONTENT)])
    assert {one.finish(len(CONTENT)).name, two.finish(len(CONTENT)).name} == {"a.bin", "a (1).bin"}


HOLDER = """
import sys
from pathlib import Path
from sipsimple.streams.filetransfer import FileSelector
from sipsimple.streams.filetransfer.partfile import PartFile
part = PartFile.open(Path(sys.argv[1]), None, FileSelector.parse(sys.argv[2]))
part.write([(0, b"x" * 50)])
print(part.path.name, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[NamedTuple]:
    command = [sys.executable, "-c", HOLDER, str(tmp_path), selector().encode()]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield process  # type: ignore[misc]
    process.kill()
    process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="locks between processes are those of POSIX")
def test_a_part_that_another_process_writes_is_left_alone(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    assert holder.stdout is not None
    theirs = holder.stdout.readline().strip()
    part = PartFile.open(tmp_path, None, selector())
    assert part.path.name != theirs and part.size == 0
    part.close(keep=True)
    holder.kill()  # in the midst: what it wrote can be resumed
    holder.wait(30)
    again = PartFile.open(tmp_path, None, selector())
    assert (again.path.name, again.size) == (theirs, 50)


def test_a_link_in_the_place_of_the_part_is_not_followed(tmp_path: Path) -> None:
    part = PartFile.open(tmp_path, None, selector())
    path = part.path
    part.close(keep=False)
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    path.symlink_to(victim)
    other = PartFile.open(tmp_path, None, selector())
    other.write([(0, CONTENT)])
    other.finish(len(CONTENT))
    assert victim.read_bytes() == b"precious"


def test_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Free space is looked at before anything comes; what is there already counts."""
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10_000_000))
    with pytest.raises(TransferError, match="no room for big in"):
        PartFile.open(tmp_path, None, FileSelector("big", None, 10_000_000))
    assert names(tmp_path) == []
    PartFile.open(tmp_path, None, FileSelector("small", None, 8_000_000)).close(keep=False)


def test_hostile_name_stays_in_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    path = received(folder, name="../../../etc/../evil.sh")
    assert path == folder / "evil.sh"
    assert names(tmp_path) == ["in"]


def test_the_name_that_the_application_wants(tmp_path: Path) -> None:
    part = PartFile.open(tmp_path, "wanted.txt", selector(b"", hash=None))
    assert part.finish(0) == tmp_path / "wanted.txt"


def test_longest_name(tmp_path: Path) -> None:
    part = PartFile.open(tmp_path, "n" * 250, selector(b"x"))
    part.write([(0, b"x")])
    assert part.finish(1).name == "n" * 250


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(order=st.permutations(range(8)), twice=st.lists(st.integers(0, 7), max_size=4))
def test_any_order_of_pieces(tmp_path: Path, order: list[int], twice: list[int]) -> None:
    """Pieces come in any order, and some twice; the file is right and verified all the same."""
    pieces = [(number * 1000, CONTENT[number * 1000 : (number + 1) * 1000]) for number in range(8)]
    content = CONTENT[:8000]
    part = PartFile.open(tmp_path, None, selector(content))
    for number in [*order, *twice]:
        part.write([pieces[number]])
    path = part.finish(8000)
    assert path.read_bytes() == content
    path.unlink()
