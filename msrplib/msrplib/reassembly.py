"""Chunks to messages by their Byte-Range (RFC 4975 5.1, 7.1.1, 7.3): in any order, overlapping, with or
without total.

Where chunks overlap, the octets that came last count. A message is whole once its end is known, from a total
or from the chunk with the flag `$`, that chunk has come, and no octet before the end is missing.
"""

from __future__ import annotations

from bisect import bisect_right
from enum import Enum
from typing import TYPE_CHECKING

from msrplib.protocol import CONTFLAG_ABORT, CONTFLAG_END, ByteRange

if TYPE_CHECKING:
    from msrplib.handler import MessageSink

__all__ = ["AssemblyError", "MessageAssembler", "Progress", "RangeSet"]


class AssemblyError(Exception):
    """The chunks of a message contradict one another, or go beyond a bound.

    :ivar code: 400, or 413 when it is too much
    """

    def __init__(self, code: int, comment: str) -> None:
        super().__init__(comment)
        self.code = code
        self.comment = comment


class Progress(Enum):
    """How far a message is after a chunk."""

    PARTIAL = "partial"
    COMPLETE = "complete"
    ABORTED = "aborted"


class RangeSet:
    """Which octets are there, as disjoint half-open ranges in order.

    :param limit: how many disjoint ranges there may be
    """

    __slots__ = ("_ends", "_limit", "_starts", "covered")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._starts: list[int] = []
        self._ends: list[int] = []
        self.covered = 0

    def add(self, start: int, end: int) -> bool:
        """Add the octets from `start` up to, not including, `end`.

        :return: False when that would be one range too many; nothing is added then
        """
        if end <= start:
            return True
        starts, ends = self._starts, self._ends
        if ends and ends[-1] == start:
            ends[-1] = end
            self.covered += end - start
            return True
        # Ranges that touch are merged: [low, high) are those that overlap or adjoin the new one.
        low = bisect_right(ends, start - 1)
        high = bisect_right(starts, end)
        if low == high:
            if len(starts) >= self._limit:
                return False
            starts.insert(low, start)
            ends.insert(low, end)
            self.covered += end - start
            return True
        merged_start = min(start, starts[low])
        merged_end = max(end, ends[high - 1])
        before = sum(ends[low:high]) - sum(starts[low:high])
        self.covered += merged_end - merged_start - before
        starts[low:high] = [merged_start]
        ends[low:high] = [merged_end]
        return True

    def covers(self, size: int) -> bool:
        """All octets from 0 up to `size` are there."""
        if size == 0:
            return True
        return bool(self._starts) and self._starts[0] == 0 and self._ends[0] >= size

    @property
    def highest(self) -> int:
        """The octet after the last that is there."""
        return self._ends[-1] if self._ends else 0

    def __iter__(self) -> zip[tuple[int, int]]:
        return zip(self._starts, self._ends, strict=True)


class _Fragments:
    """Octets with holes between: disjoint pieces in order. A write costs what it writes, whatever is there
    already."""

    __slots__ = ("_limit", "_parts", "_starts", "size")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._starts: list[int] = []
        self._parts: list[bytearray] = []
        self.size = 0

    def write(self, start: int, data: bytes) -> bool:
        """Put octets where they belong, over those that are there. False when there are too many pieces."""
        starts, parts = self._starts, self._parts
        if starts:
            last = starts[-1]
            if start == last + len(parts[-1]):
                parts[-1] += data
                self.size += len(data)
                return True
            if start > last:
                index = len(starts) - 1
            else:
                index = bisect_right(starts, start) - 1
        else:
            index = -1
        end = start + len(data)
        position = start
        while position < end:
            next_start = starts[index + 1] if index + 1 < len(starts) else end
            if index >= 0:
                part = parts[index]
                part_start = starts[index]
                part_end = part_start + len(part)
                if position < part_end:  # over octets that are there
                    stop = min(end, part_end)
                    part[position - part_start : stop - part_start] = data[position - start : stop - start]
                    position = stop
                    continue
                stop = min(end, next_start)
                if position == part_end and stop > position:  # right after them
                    part += data[position - start : stop - start]
                    self.size += stop - position
                    position = stop
                    continue
            if position == next_start and index + 1 < len(starts):
                index += 1
                continue
            stop = min(end, next_start)
            if len(starts) >= self._limit:
                return False
            index += 1
            starts.insert(index, position)
            parts.insert(index, bytearray(data[position - start : stop - start]))
            self.size += stop - position
            position = stop
        return True

    def take(self) -> bytes:
        content = bytes(self._parts[0]) if len(self._parts) == 1 else b"".join(self._parts)
        self._starts.clear()
        self._parts.clear()
        return content


class MessageAssembler:
    """Puts one message together: in memory, or, when there is a sink, by passing the octets on.

    For each chunk: `begin()`, `write()` as often as octets come, `end()`.

    :param max_size: octets of a message in memory; a sink is not bounded
    :param max_fragments: disjoint pieces of it
    :param sink: where the octets go; None to keep them
    """

    __slots__ = ("_chunk_limit", "_fragments", "_max_size", "_offset", "_ranges", "_seen_end", "sink", "total")

    def __init__(self, max_size: int, max_fragments: int, sink: MessageSink | None = None) -> None:
        self.sink = sink
        self.total: int | None = None
        self._max_size = max_size
        self._ranges = RangeSet(max_fragments) if sink is not None else None
        self._fragments = _Fragments(max_fragments) if sink is None else None
        self._offset = 0
        self._chunk_limit: int | None = None
        self._seen_end = False

    @property
    def buffered(self) -> int:
        """Octets kept in memory."""
        return self._fragments.size if self._fragments is not None else 0

    @property
    def received(self) -> int:
        """Octets of the message that have come, each counted once."""
        if self._fragments is not None:
            return self._fragments.size
        assert self._ranges is not None
        return self._ranges.covered

    def begin(self, byte_range: ByteRange) -> None:
        """The headers of a chunk have come.

        :raises AssemblyError: 400: another total than before, or a start beyond it; 413: a total that is too
            large
        """
        start, end, total = byte_range
        if total is not None:
            if self.total is not None and total != self.total:
                raise AssemblyError(400, "another total than before")
            if self._fragments is not None and total > self._max_size:
                raise AssemblyError(413, "message too large")
            if self.total is None and self.received and self._highest() > total:
                raise AssemblyError(400, "octets beyond the total")
            self.total = total
        elif self.total is not None and start - 1 > self.total:
            raise AssemblyError(400, "octets beyond the end")
        self._offset = start - 1
        self._chunk_limit = end

    def write(self, data: bytes) -> None:
        """The next octets of the chunk that was begun.

        :raises AssemblyError: 400: more than the Byte-Range or the total allow, or too many holes; 413: too
            much
        """
        if not data:
            return
        start = self._offset
        end = start + len(data)
        if (self._chunk_limit is not None and end > self._chunk_limit) or (self.total is not None and end > self.total):
            raise AssemblyError(400, "octets beyond the Byte-Range")
        self._offset = end
        if self._fragments is not None:
            if end > self._max_size:
                raise AssemblyError(413, "message too large")
            if not self._fragments.write(start, data):
                raise AssemblyError(400, "too many holes in the message")
            return
        assert self._ranges is not None and self.sink is not None
        if not self._ranges.add(start, end):
            raise AssemblyError(400, "too many holes in the message")
        self.sink.write(start, data)

    def end(self, contflag: str) -> Progress:
        """The end-line of the chunk has come.

        :raises AssemblyError: 400: it says that the message ends elsewhere than its total does
        """
        if contflag == CONTFLAG_ABORT:
            return Progress.ABORTED
        if contflag == CONTFLAG_END:
            if self.total is None:
                if self._highest() > self._offset:
                    raise AssemblyError(400, "octets beyond the end")
                self.total = self._offset
            elif self._offset != self.total:
                raise AssemblyError(400, "the message ends before its total")
            self._seen_end = True
        if self._seen_end and self.received == self.total:
            return Progress.COMPLETE
        return Progress.PARTIAL

    def take(self) -> bytes:
        """The content of a complete message; `b''` when a sink has it."""
        return self._fragments.take() if self._fragments is not None else b""

    def _highest(self) -> int:
        if self._fragments is not None:
            starts, parts = self._fragments._starts, self._fragments._parts
            return starts[-1] + len(parts[-1]) if starts else 0
        assert self._ranges is not None
        return self._ranges.highest
