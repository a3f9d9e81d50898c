"""FileTransferStream: transfers on a memory network; then everything that can be in the way."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from msrplib.protocol import MSRPData
from sipsimple.streams.filetransfer import FileRange, FileSelector, FileTransferStream
from sipsimple.streams.filetransfer.partfile import PartFile
from sipsimple.streams.filetransfer.selector import format_hash
from sipsimple.streams.filetransfer.testing import Transfer, edited
from sipsimple.streams.msrp import FileTransferStream as SameStream

BIG = os.urandom(3_000_000)


def sha1(content: bytes) -> str:
    return format_hash(hashlib.sha1(content).digest())


def names(side: Any) -> list[str]:
    """The notifications of a side's stream, each run of equal ones as one."""
    found: list[str] = []
    for name in side.names():
        if found[-1:] != [name]:
            found.append(name)
    return found


# Transfers that work


@pytest.mark.parametrize("transport", ["tcp", "tls"])
@pytest.mark.parametrize("content", [b"", b"x", BIG], ids=["empty", "one octet", "three megabytes"])
def test_push(tmp_path: Path, content: bytes, transport: str) -> None:
    """FT-001, FT-006, FT-007, FT-008, FT-010, FT-011, FT-012: sent, received, verified; with all notifications and
    their data."""
    transfer = Transfer(tmp_path, content, name="Grüße 漢字.pdf", transport=transport)
    transfer.begin()
    path = transfer.finish()
    assert path == transfer.incoming / "Grüße 漢字.pdf" and path.read_bytes() == content
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert transfer.files() == [path.name]
    alice, bob = transfer.alice, transfer.bob
    chunks = [found.data for found in bob.all("FileTransferStreamGotChunk")]
    assert b"".join([chunk.content for chunk in chunks]) == content
    assert all(isinstance(chunk.content, bytes) and chunk.content_type == "application/pdf" for chunk in chunks)
    assert all(chunk.file_size == len(content) for chunk in chunks)
    sizes = [chunk.transferred_bytes for chunk in chunks]
    assert sizes == sorted(set(sizes)) and (not content or sizes[-1] == len(content))
    delivered = [found.data for found in alice.all("FileTransferStreamDidDeliverChunk")]
    assert delivered[-1].transferred_bytes == delivered[-1].file_size == len(content)
    for report in delivered:
        assert (report.code, report.reason) == (200, "OK")
        assert isinstance(report.chunk, MSRPData) and report.chunk.method == "REPORT"
        assert report.message_id == report.chunk.message_id
    started = ["MediaStreamDidInitialize", "MediaStreamDidStart"]
    assert names(alice) == [
        *(["FileTransferStreamHashProgress"] if content else []), *started, "FileTransferStreamDidDeliverChunk",
        "FileTransferStreamDidFinish",
    ]  # fmt: skip
    assert names(bob) == [
        *started, *(["FileTransferStreamGotChunk"] if content else []), "FileTransferStreamDidFinish",
    ]  # fmt: skip
    transfer.end()
    for side in (alice, bob):
        assert side.names()[-2:] == ["MediaStreamWillEnd", "MediaStreamDidEnd"]
        assert side.all("MediaStreamDidFail") == []


def test_pull(tmp_path: Path) -> None:
    """FT-001, FT-002, FT-010: alice wishes for a file by its name; bob has it and sends it (RFC 5547 8.2.2)."""
    transfer = Transfer(tmp_path, BIG, pull=True)
    transfer.propose()
    assert transfer.offer.media[0].direction == "recvonly"
    assert FileSelector.parse(transfer.offer.media[0].attributes.getfirst("file-selector")).hash is None
    assert transfer.bob.stream.sends and not transfer.alice.stream.sends
    transfer.accept()
    transfer.deliver_answer()
    assert transfer.finish().read_bytes() == BIG
    learned = transfer.alice.stream.file_selector
    assert (learned.size, learned.hash) == (len(BIG), sha1(BIG))
    assert transfer.alice.stream.file_dates.modification is not None


def test_the_offer(tmp_path: Path) -> None:
    """FT-004, FT-005: the description that a sender offers."""
    transfer = Transfer(tmp_path, b"hello", name="notes.txt", transport="tls")
    transfer.propose()
    (media,) = transfer.offer.media
    attributes = media.attributes
    assert (media.media, media.transport, list(media.formats), media.direction) == (
        "message", "TCP/TLS/MSRP", ["*"], "sendonly",
    )  # fmt: skip
    assert attributes.getfirst("path").startswith(f"msrps://{transfer.alice.realm.host.ip}:{media.port}/")
    assert attributes.getfirst("accept-types") == attributes.getfirst("accept-wrapped-types") == "*"
    assert attributes.getfirst("file-selector") == f'name:"notes.txt" type:text/plain size:5 hash:{sha1(b"hello")}'
    assert len(attributes.getfirst("file-transfer-id")) == 32
    assert attributes.getfirst("file-disposition") == "attachment"
    assert attributes.getfirst("file-date").startswith('modification:"')
    assert "file-range" not in attributes


def test_the_answer(tmp_path: Path) -> None:
    """RFC 5547 8.3.2: the selector and the transfer-id of the offer, and the other direction."""
    transfer = Transfer(tmp_path, b"hello")
    transfer.propose()
    transfer.accept()
    offered, answered = transfer.offer.media[0], transfer.answer.media[0]
    assert answered.direction == "recvonly"
    for name in ("file-selector", "file-transfer-id", "file-disposition"):
        assert answered.attributes.getfirst(name) == offered.attributes.getfirst(name)
    assert "file-date" not in answered.attributes


def test_what_is_known_before_accepting(tmp_path: Path) -> None:
    """FT-003: the stream of a proposal says which file is offered, how large and how old it is."""
    transfer = Transfer(tmp_path, b"hello", name="notes.txt")
    os.utime(transfer.source, (1e9, 1e9))
    seen: list[Any] = []
    transfer.prepare = seen.append
    transfer.propose()
    (stream,) = seen
    selector = stream.file_selector
    assert (selector.name, selector.type, selector.size, selector.hash) == (
        "notes.txt", "text/plain", 5, sha1(b"hello"),
    )  # fmt: skip
    assert stream.file_dates.modification.isoformat() == "2001-09-09T01:46:40+00:00"
    assert (stream.file_disposition, stream.account, stream.sends) == ("attachment", transfer.bob.account, False)


@pytest.mark.parametrize("function", ["sha1", "sha-256"])
def test_pull_of_what_is_known_by_its_hash(tmp_path: Path, function: str) -> None:
    """Who has it tells its name, which is made safe, and its size."""
    digest = hashlib.new(function.replace("-", ""), BIG).digest()
    wish = FileSelector(hash=format_hash(digest, function))
    transfer = Transfer(
        tmp_path,
        BIG,
        pull=True,
        selector=wish,
        edit_answer=edited(("file-selector", f'name:"../found.bin" size:{len(BIG)} hash:{wish.hash}')),
    )
    transfer.prepare = lambda stream: setattr(stream.file_selector, "hash", wish.hash)
    transfer.begin()
    assert transfer.finish() == transfer.incoming / "found.bin"
    assert transfer.files() == ["found.bin"]


@pytest.mark.parametrize("wrong", [False, True])
def test_pull_with_another_hash_function(tmp_path: Path, wrong: bool) -> None:
    """The wish has no hash, the answer has one by SHA-256: it is what is verified."""
    digest = hashlib.sha256(b"other" if wrong else BIG).digest()
    selector = FileSelector("file.bin", size=len(BIG), hash=format_hash(digest, "sha-256")).encode()
    transfer = Transfer(tmp_path, BIG, pull=True, edit_answer=edited(("file-selector", selector)))
    transfer.begin()
    if wrong:
        assert "hash" in transfer.reason(transfer.alice)
    else:
        assert transfer.finish().read_bytes() == BIG


def test_a_part_of_a_pipe(tmp_path: Path) -> None:
    """A source that can't be positioned is sent from its beginning, whatever the peer wants."""
    reading, writing = os.pipe()
    with open(writing, "wb") as file:
        file.write(b"from a pipe")
    with open(reading, "rb") as source:
        selector = FileSelector("out.txt", "text/plain", size=11, fd=source)
        transfer = Transfer(tmp_path, selector=selector, edit_answer=edited(("file-range", "6-*")))
        transfer.begin()
        assert transfer.finish().read_bytes() == b"from a pipe"


def test_the_name_that_the_application_wants(tmp_path: Path) -> None:
    transfer = Transfer(tmp_path, b"hello")
    transfer.prepare = lambda stream: setattr(stream, "file_name", "../mine.txt")
    transfer.begin()
    assert transfer.finish() == transfer.incoming / "mine.txt"


def test_without_hashing_first(tmp_path: Path) -> None:
    """A file that is hashed while it is read: offered without a hash, which both know in the end."""
    selector_path = tmp_path / "file.bin"
    selector_path.write_bytes(BIG)
    transfer = Transfer(tmp_path, selector=FileSelector.for_file(selector_path))
    alice = transfer.alice
    original = transfer.initialize

    def initialize(side: Any, direction: str) -> None:
        if side is alice:
            side.stream.hash_first = False
        original(side, direction)

    transfer.initialize = initialize  # type: ignore[method-assign]
    transfer.begin()
    assert "hash:" not in transfer.offer.media[0].attributes.getfirst("file-selector")
    assert transfer.finish().read_bytes() == BIG
    assert alice.all("FileTransferStreamHashProgress") == []
    assert alice.stream.file_selector.hash == transfer.bob.stream.file_selector.hash == sha1(BIG)


def test_from_a_pipe(tmp_path: Path) -> None:
    """A source that has no size and can't be positioned."""
    reading, writing = os.pipe()
    with open(writing, "wb") as file:
        file.write(b"from a pipe")
    with open(reading, "rb") as source:
        transfer = Transfer(tmp_path, selector=FileSelector("out.txt", "text/plain", fd=source))
        transfer.begin()
        assert transfer.finish().read_bytes() == b"from a pipe"


def test_one_stream_class() -> None:
    """STR-001: importable from sipsimple.streams.msrp too, as the chapter has it."""
    from sipsimple.streams import FileTransferStream as Third

    assert FileTransferStream is SameStream is Third


# Pause and cancel


@pytest.mark.parametrize("who", ["sender", "receiver"])
def test_pause(tmp_path: Path, who: str) -> None:
    """Nothing comes while either side pauses, for longer than any time-out of MSRP; then all of it."""
    transfer = Transfer(tmp_path, BIG)
    transfer.begin()
    side = getattr(transfer, who)
    transfer.run_until_received(100_000)
    side.run(side.stream.pause)
    transfer.network.advance(5)
    assert side.stream.is_paused
    assert transfer.sender.stream.transferred_bytes == transfer.receiver.stream.transferred_bytes  # all is told
    assert transfer.receiver.all("FileTransferStreamGotChunk")[-1].data.transferred_bytes == (
        transfer.receiver.stream.transferred_bytes
    )
    before = transfer.receiver.stream.transferred_bytes
    transfer.network.advance(1800)
    assert transfer.receiver.stream.transferred_bytes == before < len(BIG)
    side.run(side.stream.unpause)
    assert transfer.finish().read_bytes() == BIG
    assert not side.stream.is_paused


@pytest.mark.parametrize("who", ["sender", "receiver"])
def test_pause_before_the_start(tmp_path: Path, who: str) -> None:
    transfer = Transfer(tmp_path, BIG)
    transfer.propose()
    side = getattr(transfer, who)
    side.run(side.stream.pause)
    transfer.accept()
    transfer.deliver_answer()
    transfer.network.advance(60)
    assert transfer.bob.stream.transferred_bytes == 0
    side.run(side.stream.unpause)
    assert transfer.finish().read_bytes() == BIG


@pytest.mark.parametrize("who", ["sender", "receiver"])
def test_cancel(tmp_path: Path, who: str) -> None:
    """Both streams fail at once, nothing that looks like a file is left, and what came can be resumed."""
    transfer = Transfer(tmp_path, BIG)
    transfer.begin()
    transfer.run_until_received(100_000)
    side = getattr(transfer, who)
    side.run(side.stream.cancel)
    side.run(side.stream.cancel)
    assert transfer.reason(side) == "the local party gave the transfer up"
    other = transfer.bob if side is transfer.alice else transfer.alice
    transfer.reason(other)
    transfer.network.advance(10)
    transfer.end()
    transfer.network.advance(10)
    (part,) = transfer.files()
    assert part.endswith(".part")
    again = Transfer(tmp_path, BIG)
    again.begin()
    assert again.finish().read_bytes() == BIG
    assert again.files() == ["file.bin"]


@pytest.mark.parametrize("who", ["sender", "receiver"])
def test_cancel_before_anything_has_come(tmp_path: Path, who: str) -> None:
    """What is under way already is refused."""
    transfer = Transfer(tmp_path, BIG)
    transfer.begin()
    transfer.receiver.wait("MediaStreamDidStart")
    assert transfer.receiver.stream.transferred_bytes == 0
    side = getattr(transfer, who)
    side.run(side.stream.cancel)
    for each in (transfer.sender, transfer.receiver):
        transfer.reason(each)
        assert each.all("FileTransferStreamDidFinish") == []
    transfer.network.advance(10)
    assert all(name.endswith(".part") for name in transfer.files())


def test_cancel_when_it_is_done(tmp_path: Path) -> None:
    transfer = Transfer(tmp_path, b"hello")
    transfer.begin()
    transfer.finish()
    for side in (transfer.alice, transfer.bob):
        side.run(side.stream.cancel)
        assert side.all("MediaStreamDidFail") == []


# Resume


def interrupted(folder: Path, content: bytes, octets: int, **options: Any) -> Transfer:
    """A transfer whose connection is lost when so much of it has been received."""
    transfer = Transfer(folder, content, **options)
    transfer.begin()
    transfer.run_until_received(octets)
    transfer.sender.run(transfer.sender.stream.end)
    transfer.reason(transfer.receiver)
    transfer.receiver.run(transfer.receiver.stream.end)
    transfer.network.advance(10)
    return transfer


@pytest.mark.parametrize("pull", [False, True], ids=["push", "pull"])
def test_resume(tmp_path: Path, pull: bool) -> None:
    """Only what is missing is sent; the whole is verified."""
    selector = FileSelector("file.bin", size=len(BIG), hash=sha1(BIG)) if pull else None
    first = interrupted(tmp_path, BIG, 1_000_000, pull=pull, selector=selector)
    (part,) = first.files()
    there = (first.incoming / part).stat().st_size
    assert 1_000_000 <= there < len(BIG)
    selector = FileSelector("file.bin", size=len(BIG), hash=sha1(BIG)) if pull else None
    again = Transfer(tmp_path, BIG, pull=pull, selector=selector)
    again.begin()
    receivers = again.offer if pull else again.answer
    assert receivers.media[0].attributes.getfirst("file-range") == f"{there + 1}-*"
    assert again.finish().read_bytes() == BIG
    came = sum(len(found.data.content) for found in again.receiver.all("FileTransferStreamGotChunk"))
    assert came == len(BIG) - there
    assert again.receiver.all("FileTransferStreamGotChunk")[0].data.transferred_bytes > there
    assert again.sender.all("FileTransferStreamDidDeliverChunk")[-1].data.transferred_bytes == len(BIG)
    assert again.files() == ["file.bin"]


def test_resume_with_a_sender_that_knows_no_ranges(tmp_path: Path) -> None:
    """It sends all of the file, which is told by the size of its message."""
    interrupted(tmp_path, BIG, 1_000_000)
    again = Transfer(tmp_path, BIG, edit_answer=edited(without=("file-range",)))
    again.begin()
    assert again.finish().read_bytes() == BIG
    came = sum(len(found.data.content) for found in again.receiver.all("FileTransferStreamGotChunk"))
    assert came == len(BIG)


def test_resume_of_a_file_whose_beginning_is_wrong(tmp_path: Path) -> None:
    """The hash tells; what is there is thrown away, and the next try begins anew."""
    first = interrupted(tmp_path, BIG, 1_000_000)
    (part,) = first.files()
    with open(first.incoming / part, "r+b") as file:
        file.write(b"damaged")
    again = Transfer(tmp_path, BIG)
    again.begin()
    assert "hash" in again.reason(again.bob)
    again.end()
    again.network.advance(10)
    assert again.files() == []
    third = Transfer(tmp_path, BIG)
    third.begin()
    assert third.finish().read_bytes() == BIG


def test_no_resume_when_the_application_does_not_want_it(tmp_path: Path) -> None:
    interrupted(tmp_path, BIG, 1_000_000)
    again = Transfer(tmp_path, BIG)
    again.prepare = lambda stream: setattr(stream, "resume", False)
    again.begin()
    assert "file-range" not in again.answer.media[0].attributes
    assert again.finish().read_bytes() == BIG


@pytest.mark.parametrize("text", ["9999999-*", "1-10", "0-*", "5-3", "x", "1-99999999"])
def test_ranges_that_the_sender_cannot_send(tmp_path: Path, text: str) -> None:
    """A range that makes no sense is taken as none: all is sent, and bob has what he has."""
    transfer = Transfer(tmp_path, BIG, edit_answer=edited(("file-range", text)))
    transfer.begin()
    if text == "1-10":  # that he can send; bob asked for all of it
        assert "octets" in transfer.reason(transfer.bob)
        assert transfer.files() == [] or transfer.files()[0].endswith(".part")
    else:
        assert transfer.finish().read_bytes() == BIG


def test_a_part_of_a_file_whose_beginning_is_not_there(tmp_path: Path) -> None:
    transfer = Transfer(tmp_path, BIG, edit_offer=edited(("file-range", "1000-*")))
    transfer.propose()
    assert "only the octets 1000-* are offered" in transfer.reason(transfer.bob)


# What goes wrong


@pytest.mark.parametrize("wrong", [f'name:"f" size:{len(BIG)} hash:sha1:' + ":".join(["00"] * 20)])
def test_wrong_hash(tmp_path: Path, wrong: str) -> None:
    """FT-009: never a silently wrong file: both sides fail, nothing is left."""
    transfer = Transfer(tmp_path, BIG, edit_offer=edited(("file-selector", wrong)))
    transfer.begin()
    assert "hash" in transfer.reason(transfer.bob)
    assert "413" in transfer.reason(transfer.alice)
    failed = transfer.alice.wait("FileTransferStreamDidNotDeliverChunk")
    assert (failed.code == 413 and failed.message_id == failed.chunk.message_id) or failed.chunk is not None
    assert transfer.alice.all("FileTransferStreamDidFinish") == transfer.bob.all("FileTransferStreamDidFinish") == []
    transfer.network.advance(10)
    assert transfer.files() == []


@pytest.mark.parametrize("size", [0, len(BIG) - 1, len(BIG) + 1])
def test_wrong_size(tmp_path: Path, size: int) -> None:
    """More octets than announced, and fewer."""
    transfer = Transfer(tmp_path, BIG, edit_offer=edited(("file-selector", f'name:"f" size:{size}')))
    transfer.begin()
    assert "octets" in transfer.reason(transfer.bob)
    transfer.reason(transfer.alice)
    transfer.network.advance(10)
    assert transfer.files() == []


def test_more_than_was_announced_by_who_says_no_total(tmp_path: Path) -> None:
    """It is given up at the first octet too many, whatever else would come: nobody fills a disk with it."""

    class Endless:
        def read(self, size: int) -> bytes:
            return bytes(size)

        def seekable(self) -> bool:
            return False

        def close(self) -> None:
            pass

    transfer = Transfer(
        tmp_path, selector=FileSelector("x", fd=Endless()), edit_offer=edited(("file-selector", 'name:"x" size:100000'))
    )
    transfer.begin()
    assert "more than the 100000 octets" in transfer.reason(transfer.bob)
    assert "413" in transfer.reason(transfer.alice)
    transfer.network.advance(10)
    assert transfer.files() == []


@pytest.mark.parametrize("change", ["shrinks", "grows", "vanishes", "is replaced"])
def test_source_that_changes_in_mid_transfer(tmp_path: Path, change: str) -> None:
    """What was offered is sent, or else the transfer fails on both sides, and no file that is another one is there."""
    content = BIG * 4
    transfer = Transfer(tmp_path, content)
    transfer.begin()
    transfer.run_until_received(1_000_000)
    if change == "shrinks":
        os.truncate(transfer.source, 9_000_000)
    elif change == "grows":
        with open(transfer.source, "ab") as file:
            file.write(BIG)
    else:
        transfer.source.unlink()
        if change == "is replaced":
            transfer.source.write_bytes(BIG)
    assert transfer.receiver.stream.transferred_bytes < 4_000_000
    if change == "shrinks":
        assert "ended before its size" in transfer.reason(transfer.alice)
        transfer.reason(transfer.bob)
        transfer.network.advance(10)
        assert all(name.endswith(".part") for name in transfer.files())
    else:
        assert transfer.finish().read_bytes() == content
        assert transfer.files() == ["file.bin"]


def test_beyond_four_gibibytes(tmp_path: Path) -> None:
    """A sparse file, of which all but the end is there already: octets and ranges that 32 bits do not hold. Its hash is
    one that nobody here can compute, which takes too long for a test; see benchmarks/bench_filetransfer.py."""
    tail = os.urandom(100_000)
    size, unknown = 2**32 + len(tail), "sha-9999:00:11:22"
    source = tmp_path / "huge.bin"
    with open(source, "wb") as file:
        file.seek(2**32)
        file.write(tail)
    transfer = Transfer(tmp_path, selector=FileSelector.for_file(source, hash=unknown))
    part = PartFile.open(transfer.incoming, None, FileSelector("huge.bin", size=size, hash=unknown))
    part.size = 2**32 - 5
    os.truncate(part.path, part.size)
    part.close(keep=True)
    transfer.begin()
    assert transfer.answer.media[0].attributes.getfirst("file-range") == f"{2**32 - 4}-*"
    path = transfer.finish()
    assert path.stat().st_size == size and transfer.bob.stream.file_selector.hash == unknown
    with open(path, "rb") as file:
        file.seek(2**32 - 5)
        assert file.read() == bytes(5) + tail
    assert sum(len(found.data.content) for found in transfer.bob.all("FileTransferStreamGotChunk")) == 5 + len(tail)
    assert transfer.alice.all("FileTransferStreamDidDeliverChunk")[-1].data.transferred_bytes == size


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("no file system may be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_disk_that_becomes_full(tmp_path: Path, small_disk: Path) -> None:
    """There was room for it, and in mid-transfer there is no more: what came is kept, and gone on with when there is
    room again."""
    content = BIG * 2

    def transfer_to_disk() -> Transfer:
        transfer = Transfer(tmp_path, content)
        transfer.incoming = small_disk / "in"
        return transfer

    transfer = transfer_to_disk()
    transfer.begin()
    transfer.run_until_received(2_000_000)
    with contextlib.suppress(OSError), open(small_disk / "other", "wb", buffering=0) as other:
        while other.write(bytes(4096)):
            pass
    assert os.strerror(errno.ENOSPC) in transfer.reason(transfer.bob)
    assert "413" in transfer.reason(transfer.alice)
    transfer.network.advance(10)
    (part,) = transfer.files()
    there = (transfer.incoming / part).stat().st_size
    assert 2_000_000 <= there < len(content)
    (small_disk / "other").unlink()
    again = transfer_to_disk()
    again.begin()
    assert again.answer.media[0].attributes.getfirst("file-range") == f"{there + 1}-*"
    assert again.finish().read_bytes() == content


def test_source_that_shrinks(tmp_path: Path) -> None:
    transfer = Transfer(tmp_path, BIG)
    transfer.propose()
    os.truncate(transfer.source, 1_500_000)
    transfer.accept()
    transfer.deliver_answer()
    assert "ended before its size" in transfer.reason(transfer.alice)
    transfer.reason(transfer.bob)
    transfer.network.advance(10)
    assert all(name.endswith(".part") for name in transfer.files())


def test_source_that_grows(tmp_path: Path) -> None:
    """What was offered is sent."""
    transfer = Transfer(tmp_path, BIG)
    transfer.propose()
    with open(transfer.source, "ab") as file:
        file.write(b"more")
    transfer.accept()
    transfer.deliver_answer()
    assert transfer.finish().read_bytes() == BIG


def test_source_that_changes(tmp_path: Path) -> None:
    transfer = Transfer(tmp_path, BIG)
    transfer.propose()
    with open(transfer.source, "r+b") as file:
        file.write(b"changed")
    transfer.accept()
    transfer.deliver_answer()
    assert "hash" in transfer.reason(transfer.bob)


def test_source_that_vanishes(tmp_path: Path) -> None:
    """It is open: its octets are there until it is closed."""
    transfer = Transfer(tmp_path, BIG)
    transfer.propose()
    transfer.source.unlink()
    transfer.accept()
    transfer.deliver_answer()
    assert transfer.finish().read_bytes() == BIG


def test_source_that_cannot_be_read(tmp_path: Path) -> None:
    class Broken:
        def read(self, size: int) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

        def seekable(self) -> bool:
            return False

        def close(self) -> None:
            pass

    transfer = Transfer(tmp_path, selector=FileSelector("x", size=100, fd=Broken()))
    transfer.begin()
    assert "cannot be read" in transfer.reason(transfer.alice)
    transfer.reason(transfer.bob)


def test_no_file_to_send(tmp_path: Path) -> None:
    """FT-002: an outgoing transfer needs a file."""
    transfer = Transfer(tmp_path)
    alice = transfer.alice
    alice.stream = alice.run(FileTransferStream, alice.account)
    transfer.initialize(alice, "outgoing")
    assert "there is no file to send" in transfer.reason(alice)


def test_a_wish_that_nobody_fulfils(tmp_path: Path) -> None:
    transfer = Transfer(tmp_path, BIG, pull=True)
    transfer.prepare = lambda stream: setattr(stream, "file_selector", FileSelector("x"))
    transfer.propose()
    assert "there is no file to send" in transfer.reason(transfer.bob)


@pytest.mark.parametrize("wish", [{"size": 5}, {"hash": sha1(b"other")}])
def test_another_file_than_was_asked_for(tmp_path: Path, wish: dict[str, Any]) -> None:
    transfer = Transfer(tmp_path, BIG, pull=True, selector=FileSelector("file.bin", **wish))
    transfer.propose()
    assert "is not the file that was asked for" in transfer.reason(transfer.bob)


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A failure of this stream, before it is answered, with the reason of the system."""
    transfer = Transfer(tmp_path, BIG)
    transfer.incoming.write_bytes(b"a file in the place of the folder")
    transfer.propose()
    assert "exists" in transfer.reason(transfer.bob)


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In mid-transfer: this stream fails with the reason of the system, the sender's too, what came is kept."""
    write = PartFile.write

    def full(part: PartFile, pieces: list[tuple[int, bytes]]) -> None:
        if part.size > 1_000_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(part, pieces)

    monkeypatch.setattr(PartFile, "write", full)
    transfer = Transfer(tmp_path, BIG)
    transfer.begin()
    assert os.strerror(errno.ENOSPC) in transfer.reason(transfer.bob)
    transfer.reason(transfer.alice)
    transfer.network.advance(10)
    transfer.end()
    (part,) = transfer.files()
    assert (transfer.incoming / part).stat().st_size > 1_000_000


def test_receiver_dies(tmp_path: Path) -> None:
    transfer = Transfer(tmp_path, BIG)
    transfer.begin()
    transfer.run_until_received(100_000)
    transfer.bob.run(transfer.bob.stream.msrp_session.close)
    assert "481" in transfer.reason(transfer.alice)
    assert transfer.alice.wait("FileTransferStreamDidNotDeliverChunk").chunk is None


def test_end_of_the_session_in_mid_transfer(tmp_path: Path) -> None:
    """STR-022, STR-023: deactivate() and end(), as of a session that ends, are no failure."""
    transfer = Transfer(tmp_path, BIG)
    transfer.begin()
    transfer.run_until_received(100_000)
    transfer.end()
    transfer.network.advance(10)
    for side in (transfer.alice, transfer.bob):
        assert side.names()[-1] == "MediaStreamDidEnd"
        assert side.all("MediaStreamDidFail") == side.all("FileTransferStreamDidFinish") == []
        assert side.all("FileTransferStreamDidNotDeliverChunk") == []


def test_end_while_it_is_hashed(tmp_path: Path) -> None:
    """The file is closed, nothing follows."""
    transfer = Transfer(tmp_path, BIG)
    alice = transfer.alice
    selector = FileSelector.for_file(transfer.source)
    alice.stream = alice.run(FileTransferStream, alice.account, selector)
    alice.run(alice.stream.initialize, alice.session, "outgoing")
    alice.run(alice.stream.end)
    transfer.network.advance(10)
    assert alice.names() == ["MediaStreamWillEnd", "MediaStreamDidEnd"]
    assert selector.fd.closed


def test_end_while_the_part_is_opened(tmp_path: Path) -> None:
    transfer = Transfer(tmp_path, BIG)
    transfer.propose()
    bob = transfer.bob
    stream: Any = bob.run(FileTransferStream.new_from_sdp, bob.account, transfer.offer, 0)
    stream.directory = tmp_path / "other"
    bob.run(stream.initialize, bob.session, "incoming")
    bob.run(stream.end)
    transfer.network.advance(10)
    assert list((tmp_path / "other").iterdir()) == []


def test_files_are_closed(tmp_path: Path) -> None:
    """Nothing is left open, whatever the end."""
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("no /proc here to count open files in")

    def transfers() -> None:
        for number in range(5):
            transfer = Transfer(tmp_path, BIG, name=f"{number}.bin")
            transfer.begin()
            if number % 2:
                transfer.finish()
            else:
                transfer.run_until_received(100_000)
            transfer.end()
            transfer.network.advance(10)
            transfer.network.close()

    transfers()
    before = len(list(folder.iterdir()))
    transfers()
    assert len(list(folder.iterdir())) <= before


# What a peer may send


def test_a_second_file_in_one_session(tmp_path: Path) -> None:
    """RFC 5547 8.8: one file, one MSRP session; another message is refused, the file goes on."""
    transfer = Transfer(tmp_path, BIG)
    transfer.begin()
    transfer.run_until_received(100_000)
    alice = transfer.alice
    second = alice.run(alice.stream.msrp_session.send_message, b"again", "text/plain", None, "yes", "partial")
    assert transfer.finish().read_bytes() == BIG
    assert second.state.value == "failed"


def test_a_message_to_who_sends(tmp_path: Path) -> None:
    transfer = Transfer(tmp_path, BIG)
    transfer.begin()
    transfer.run_until_received(100_000)
    bob = transfer.bob
    sent = bob.run(bob.stream.msrp_session.send_message, b"hello", "text/plain", None, "yes", "yes")
    assert transfer.finish().read_bytes() == BIG
    assert sent.state.value == "failed"


@pytest.mark.parametrize(
    "report",
    ["Byte-Range: 1-99999999/99999999\r\nStatus: 000 200 OK", "Status: 000 rubbish", "Byte-Range: 9-3/x", ""],
)
def test_false_reports(tmp_path: Path, report: str) -> None:
    """A report of octets that were never sent, or one that can't be read, counts for nothing."""
    transfer = Transfer(tmp_path, BIG)
    transfer.begin()
    transfer.run_until_received(100_000)
    alice, bob = transfer.alice, transfer.bob
    session = bob.stream.msrp_session
    text = (
        f"MSRP abcd1234 REPORT\r\nTo-Path: {alice.stream.msrp_session.local_uri}\r\n"
        f"From-Path: {session.local_uri}\r\nMessage-ID: {alice.stream._role.outgoing.message_id}\r\n"
        f"{report}\r\n"
        if report
        else ""
    )
    if text:
        bob.run(session._connection.write, (text + "-------abcd1234$\r\n").encode())
    assert transfer.finish().read_bytes() == BIG
    sizes = [found.data.transferred_bytes for found in alice.all("FileTransferStreamDidDeliverChunk")]
    assert max(sizes) == len(BIG)


@pytest.mark.parametrize(
    "text",
    ['name:"open', "size:-1", "hash:sha1:00", f"size:{2**70}", "x" * 10_000, "\x00\x01"],
)
def test_offers_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    """No stream is made of them, and nothing is raised."""
    transfer = Transfer(tmp_path, b"x", edit_offer=edited(("file-selector", text.replace("\0", ""))))
    transfer.propose()
    assert transfer.bob.stream is None


@pytest.mark.parametrize("direction", ["inactive"])
def test_offers_of_nothing(tmp_path: Path, direction: str) -> None:
    transfer = Transfer(tmp_path, b"x", edit_offer=edited((direction, ""), without=("sendonly",)))
    transfer.propose()
    assert transfer.bob.stream is None


def test_hostile_offer(tmp_path: Path) -> None:
    """A name that wants to leave the folder, and more of it than a name can be."""
    selector = FileSelector("/../../" + "x" * 3000 + "/..\\.bashrc", size=1).encode()
    transfer = Transfer(tmp_path, b"x", edit_offer=edited(("file-selector", selector)))
    transfer.begin()
    assert transfer.finish() == transfer.incoming / "bashrc"


def test_reinvites(tmp_path: Path) -> None:
    """STR-016, RFC 5547 8.4: the same transfer goes on, one with another id is another transfer."""
    transfer = Transfer(tmp_path, BIG)
    transfer.begin()
    transfer.run_until_received(100_000)
    bob, alice = transfer.bob, transfer.alice
    media = alice.run(alice.stream.get_local_media, for_offer=True)
    again = alice.describe(media)
    assert bob.run(bob.stream.validate_update, again, 0)
    edited(("file-transfer-id", "another"))(media)
    assert not bob.run(bob.stream.validate_update, alice.describe(media), 0)
    assert bob.run(bob.stream.get_local_media, for_offer=True).direction == "recvonly"
    assert transfer.finish().read_bytes() == BIG


def test_ranges() -> None:
    assert str(FileRange.parse(" 5 - * ")) == "5-*" and str(FileRange.parse("1-10")) == "1-10"
    assert FileRange(11).fits(10) and not FileRange(12).fits(10) and FileRange(1, 10).fits(10)
