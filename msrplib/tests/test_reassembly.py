from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msrplib.protocol import ByteRange
from msrplib.reassembly import AssemblyError, MessageAssembler, Progress, RangeSet

CONTENT = bytes(range(97, 123))
SIZE = len(CONTENT)


class Keeper:
    """A sink that keeps octets by their place."""

    def __init__(self) -> None:
        self.octets: dict[int, int] = {}

    def write(self, offset: int, data: bytes) -> None:
        self.octets.update(enumerate(data, offset))

    def finish(self, message: Any) -> None: ...

    def abort(self, reason: str) -> None: ...


def add(assembler: MessageAssembler, text: str, data: bytes, contflag: str) -> Progress:
    assembler.begin(ByteRange.parse(text))
    assembler.write(data)
    return assembler.end(contflag)


def make(sink: Any = None, max_size: int = 1000, max_fragments: int = 20) -> MessageAssembler:
    return MessageAssembler(max_size, max_fragments, sink)


def test_in_order() -> None:
    """RFC 4975 5.1: chunks in order, with a total."""
    assembler = make()
    assert add(assembler, "1-*/6", b"abc", "+") is Progress.PARTIAL
    assert (assembler.received, assembler.total) == (3, 6)
    assert add(assembler, "4-6/6", b"def", "$") is Progress.COMPLETE
    assert assembler.take() == b"abcdef"


def test_without_total() -> None:
    """RFC 4975 7.1.1: the total may be unknown until the last chunk."""
    assembler = make()
    assert add(assembler, "1-*/*", b"abc", "+") is Progress.PARTIAL
    assert add(assembler, "4-*/*", b"def", "+") is Progress.PARTIAL
    assert add(assembler, "7-6/*", b"", "$") is Progress.COMPLETE
    assert assembler.take() == b"abcdef"


def test_out_of_order() -> None:
    """RFC 4975 5.1: a message is complete when its last hole is filled, whatever chunk does it."""
    assembler = make()
    assert add(assembler, "5-6/6", b"ef", "$") is Progress.PARTIAL
    assert add(assembler, "1-2/6", b"ab", "+") is Progress.PARTIAL
    assert add(assembler, "3-4/6", b"cd", "+") is Progress.COMPLETE
    assert assembler.take() == b"abcdef"


def test_last_chunk_wins() -> None:
    """RFC 4975 5.1: where chunks overlap, the last that came counts, and duplicates do no harm."""
    assembler = make()
    add(assembler, "1-4/8", b"aaaa", "+")
    add(assembler, "1-4/8", b"bbbb", "+")
    add(assembler, "3-6/8", b"cccc", "+")
    assert assembler.received == 6
    assert add(assembler, "6-8/8", b"ddd", "$") is Progress.COMPLETE
    assert assembler.take() == b"bbcccddd"


def test_not_complete_without_its_last_chunk() -> None:
    """RFC 4975 7.1: all octets with the flag '+' are not the end; the chunk with '$' is."""
    assembler = make()
    assert add(assembler, "1-3/3", b"abc", "+") is Progress.PARTIAL
    assert add(assembler, "4-3/3", b"", "$") is Progress.COMPLETE


def test_given_up() -> None:
    """RFC 4975 7.1: the flag '#'."""
    assembler = make()
    add(assembler, "1-*/6", b"abc", "+")
    assert add(assembler, "4-*/6", b"d", "#") is Progress.ABORTED


@pytest.mark.parametrize("with_sink", [False, True])
@pytest.mark.parametrize(
    ("chunks", "code"),
    [
        ([("1-*/6", b"abc", "+"), ("4-*/7", b"", "+")], 400),  # another total
        ([("1-3/6", b"abcd", "+")], 400),  # more than the range says
        ([("4-*/6", b"abcd", "+")], 400),  # more than the total says
        ([("1-*/6", b"abc", "$")], 400),  # ends before the total
        ([("1-*/*", b"abcdef", "+"), ("4-*/5", b"", "+")], 400),  # a total below what has come
        ([("1-*/*", b"abcdef", "+"), ("1-*/*", b"abc", "$")], 400),  # an end below what has come
        ([("1-*/*", b"abc", "$"), ("9-*/*", b"", "+")], 400),  # octets beyond the end
    ],
)
def test_contradictions(chunks: list[tuple[str, bytes, str]], code: int, with_sink: bool) -> None:
    """RFC 4975 7.1.1: chunks that contradict one another end the message with a code."""
    assembler = make(Keeper() if with_sink else None)
    with pytest.raises(AssemblyError) as caught:
        for chunk in chunks:
            add(assembler, *chunk)
    assert caught.value.code == code


def test_too_large() -> None:
    """RFC 4975 10.5: 413, as soon as the total says so, or the octets do; a sink is not bounded."""
    for text in ("1-*/1001", "1-*/4294967296"):
        with pytest.raises(AssemblyError) as caught:
            make().begin(ByteRange.parse(text))
        assert caught.value.code == 413
        make(Keeper()).begin(ByteRange.parse(text))
    assembler = make()
    assembler.begin(ByteRange(1, None, None))
    assembler.write(b"x" * 1000)
    with pytest.raises(AssemblyError) as caught:
        assembler.write(b"x")
    assert caught.value.code == 413
    far = make()
    far.begin(ByteRange(5_000_000_000, None, None))
    with pytest.raises(AssemblyError):
        far.write(b"x")


@pytest.mark.parametrize("with_sink", [False, True])
def test_holes_are_bounded(with_sink: bool) -> None:
    """A peer that leaves a hole after each octet is refused."""
    assembler = make(Keeper() if with_sink else None, max_fragments=20)
    with pytest.raises(AssemblyError) as caught:
        for start in range(999, 0, -2):
            add(assembler, f"{start}-{start}/1000", b"x", "+")
    assert caught.value.code == 400
    assert assembler.received == 20


PIECES = st.lists(st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)), min_size=1, max_size=12)


@given(PIECES, st.booleans(), st.booleans())
def test_any_pieces_in_any_order(pieces: list[tuple[int, int]], with_total: bool, with_sink: bool) -> None:
    """RFC 4975 5.1: overlaps, gaps, duplicates, out of order, with '*' totals: complete exactly when all is there."""
    keeper = Keeper() if with_sink else None
    assembler = make(keeper)
    total = str(SIZE) if with_total else "*"
    seen: set[int] = set()
    has_ended = False
    for one, other in pieces:
        start, end = min(one, other), max(one, other)
        contflag = "$" if end == SIZE else "+"
        has_ended = has_ended or contflag == "$"
        seen.update(range(start, end))
        progress = add(assembler, f"{start + 1}-{end}/{total}", CONTENT[start:end], contflag)
        assert assembler.received == len(seen)
        complete = has_ended and len(seen) == SIZE
        assert progress is (Progress.COMPLETE if complete else Progress.PARTIAL)
        if complete:
            if keeper is None:
                assert assembler.take() == CONTENT
            else:
                assert bytes(octet for _, octet in sorted(keeper.octets.items())) == CONTENT
            return
    if keeper is not None:
        assert keeper.octets == {place: CONTENT[place] for place in seen}


@given(st.lists(st.tuples(st.integers(0, 40), st.binary(max_size=15)), max_size=12))
def test_later_octets_replace_earlier(writes: list[tuple[int, bytes]]) -> None:
    """RFC 4975 5.1: fragments hold what a dictionary of octets would."""
    assembler = make()
    model: dict[int, int] = {}
    for start, data in writes:
        assembler.begin(ByteRange(start + 1, None, None))
        assembler.write(data)
        model.update(enumerate(data, start))
        assert assembler.received == assembler.buffered == len(model)
    assert assembler.take() == bytes(octet for _, octet in sorted(model.items()))


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=15))
def test_range_set(ranges: list[tuple[int, int]]) -> None:
    """Ranges are those of a set of numbers, disjoint, in order, never adjoining."""
    tested = RangeSet(100)
    model: set[int] = set()
    for start, end in ranges:
        assert tested.add(start, end)
        model.update(range(start, end))
        assert tested.covered == len(model)
        assert tested.highest == max(model, default=-1) + 1
        listed = list(tested)
        assert {number for low, high in listed for number in range(low, high)} == model
        assert all(first[1] < second[0] for first, second in itertools.pairwise(listed))
        for size in (0, 1, 30, 60):
            assert tested.covers(size) is (set(range(size)) <= model)
