"""What travels on the memory network: packets, their log, and filters that judge them (no RFC)."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from types import TracebackType
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from sipsimple.testing.network import MemoryNetwork
    from sipsimple.testing.reactor import MemoryReactor

__all__ = ["Fate", "Packet", "PacketFilter", "PacketLog", "Verdict"]

MAX_LOGGED_PACKETS = 200_000
MAX_HELD_PACKETS = 100_000
FIRST_LINE_SHOWN = 60

Address = tuple[str, int]


class Verdict(enum.Enum):
    """What a packet filter may answer; None is PASS."""

    PASS = "pass"
    DROP = "drop"
    HOLD = "hold"


class Fate(enum.StrEnum):
    """What became of a packet."""

    IN_FLIGHT = "in flight"
    DELIVERED = "delivered"
    LOST = "lost"  # by the loss knob, or between two parts of a partition
    DROPPED = "dropped"  # by a filter
    HELD = "held"  # by a filter, until it is released
    REFUSED = "refused"  # nobody listens on that port
    UNREACHABLE = "unreachable"  # nobody has that address, or its host has crashed


class Packet:
    """A datagram, or a segment of a connection.

    `kind` is 'datagram' (UDP) or 'syn', 'syn-ack', 'ack', 'data', 'fin', 'rst' (TCP; acknowledgements of data
    are not shown). `copy` tells the second of a duplicated datagram or a TCP retransmission. A filter may
    change `data`, and set `delay` to extra seconds on the way.
    """

    __slots__ = (
        "attempt",
        "context",
        "copy",
        "data",
        "delay",
        "deliver",
        "destination",
        "fate",
        "kind",
        "lost",
        "number",
        "sender",
        "source",
        "target",
        "time",
        "transport",
    )

    def __init__(
        self,
        time: float,
        transport: str,
        kind: str,
        source: Address,
        destination: Address,
        data: bytes,
        sender: MemoryReactor,
        target: MemoryReactor | None,
        deliver: Callable[[Packet], object],
        lost: Callable[[Packet], object] | None = None,
        number: int = 0,
        context: Any = None,
    ) -> None:
        self.time = time
        self.transport = transport
        self.kind = kind
        self.source = source
        self.destination = destination
        self.data = data
        self.fate = Fate.IN_FLIGHT
        self.delay = 0.0
        self.copy = False
        self.sender = sender
        self.target = target
        self.deliver = deliver
        self.lost = lost
        self.number = number
        self.context = context
        self.attempt = 0

    def duplicate(self, time: float) -> Packet:
        """The same packet once more, sent at the given time."""
        packet = Packet(
            time,
            self.transport,
            self.kind,
            self.source,
            self.destination,
            self.data,
            self.sender,
            self.target,
            self.deliver,
            self.lost,
            self.number,
            self.context,
        )
        packet.copy = True
        return packet

    def as_tuple(self) -> tuple[float, str, str, Address, Address, bytes, str]:
        """(time, transport, kind, source, destination, data, fate): for comparing logs."""
        return self.time, self.transport, self.kind, self.source, self.destination, self.data, self.fate.value

    @property
    def first_line(self) -> str:
        """The first line of the contents, printable, cut to a length that fits a table."""
        line = self.data[: FIRST_LINE_SHOWN * 4].split(b"\n", 1)[0].strip().decode("utf-8", "backslashreplace")
        line = "".join(char if char.isprintable() else "·" for char in line)
        return line if len(line) <= FIRST_LINE_SHOWN else f"{line[: FIRST_LINE_SHOWN - 1]}…"

    def describe(self, epoch: float = 0.0) -> str:
        """One line: the time since the epoch, who to whom, what, and its fate unless it was delivered."""
        kind = self.transport if self.kind in ("datagram", "data") else f"{self.transport} {self.kind}"
        notes = " (copy)" if self.copy else ""
        if self.fate is not Fate.DELIVERED:
            notes += f" [{self.fate}]"
        return (
            f"{self.time - epoch:10.6f}  {self.source[0]}:{self.source[1]} → "
            f"{self.destination[0]}:{self.destination[1]}  {kind:<8}{len(self.data):6}  "
            f"{self.first_line}{notes}".rstrip()
        )

    def __repr__(self) -> str:
        return f"<Packet {self.describe().strip()}>"


class PacketLog(Sequence[Packet]):
    """All packets in the order of their sending; beyond MAX_LOGGED_PACKETS the oldest are forgotten."""

    def __init__(self) -> None:
        self._packets: deque[Packet] = deque(maxlen=MAX_LOGGED_PACKETS)
        self.append = self._packets.append

    def select(
        self,
        *,
        transport: str | None = None,
        kind: str | None = None,
        source: str | None = None,
        destination: str | None = None,
        fate: Fate | None = None,
        contains: bytes = b"",
        starts_with: bytes = b"",
    ) -> list[Packet]:
        """The packets for which all the given conditions hold.

        :param source: an IP address; likewise `destination`
        """
        return [
            packet
            for packet in self._packets
            if (transport is None or packet.transport == transport)
            and (kind is None or packet.kind == kind)
            and (source is None or packet.source[0] == source)
            and (destination is None or packet.destination[0] == destination)
            and (fate is None or packet.fate is fate)
            and contains in packet.data
            and packet.data.startswith(starts_with)
        ]

    def last(self, count: int) -> list[Packet]:
        return list(islice(self._packets, max(0, len(self._packets) - count), None))

    def clear(self) -> None:
        self._packets.clear()

    def __len__(self) -> int:
        return len(self._packets)

    def __iter__(self) -> Iterator[Packet]:
        return iter(self._packets)

    @overload
    def __getitem__(self, index: int) -> Packet: ...

    @overload
    def __getitem__(self, index: slice) -> list[Packet]: ...

    def __getitem__(self, index: int | slice) -> Packet | list[Packet]:
        if isinstance(index, slice):
            return list(self._packets)[index]
        return self._packets[index]


class PacketFilter:
    """A function that judges each packet as it is sent, until `remove` or the end of a with block.

    The function gets the packet and returns a Verdict or None. What it holds waits in `held` until `release`;
    a TCP segment that is dropped is sent again later, as TCP does, and judged again.
    """

    def __init__(self, network: MemoryNetwork, judge: Callable[[Packet], Verdict | None]) -> None:
        self._network = network
        self.judge = judge
        self.held: list[Packet] = []

    def hold(self, packet: Packet) -> bool:
        """Keep a packet; False when too many are held already."""
        if len(self.held) >= MAX_HELD_PACKETS:
            return False
        self.held.append(packet)
        return True

    def release(self, *packets: Packet) -> None:
        """Send held packets on now, in the order given; without any, all in the order in which they came.

        :raises ValueError: a packet is not held by this filter
        """
        for packet in packets or tuple(self.held):
            self.held.remove(packet)
            self._network.resume(packet)

    def remove(self) -> None:
        """Judge no more packets; what is held goes on being held. Harmless when removed already."""
        self._network.remove_filter(self)

    def __enter__(self) -> PacketFilter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.remove()
