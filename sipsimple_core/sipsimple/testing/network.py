"""An in-memory IP network with a virtual clock: whole user agents talk without sockets or sleeps (no RFC).

    network = MemoryNetwork(seed=7, loss=0.1)
    server = network.add_host('server')           # a MemoryReactor at 10.0.0.1, for scripted peers
    alice = UserAgent(network, 'alice')           # a whole user agent at 10.0.0.2
    network.run_until(lambda: ..., timeout=30.0)  # virtual seconds

All that happens is decided by the seed and by what the program does: the same test gives the same packet log.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from twisted.internet.abstract import isIPAddress

from sipsimple.testing.clock import Host, LivelockError, VirtualClock, describe_callable
from sipsimple.testing.packets import Fate, Packet, PacketFilter, PacketLog, Verdict

if TYPE_CHECKING:
    from sipsimple.testing.reactor import MemoryReactor
    from sipsimple.testing.tcp import MemoryConnection

__all__ = ["ConditionNotMet", "LivelockError", "MemoryNetwork"]

DEFAULT_LATENCY = 0.001
DEFAULT_REORDERING_DELAY = 0.05
DEFAULT_TCP_WINDOW = 65536
DEFAULT_SEGMENT_SIZE = 16384
DEFAULT_TCP_USER_TIMEOUT = 120.0
MAX_COLLECTED_ERRORS = 100
MAX_HOSTS = 254
PACKETS_SHOWN_ON_FAILURE = 25
LOOPBACK = "127.0.0.1"


class ConditionNotMet(AssertionError):
    """What a test waited for did not come true; the message shows the last packets and notifications."""


class MemoryNetwork:
    """Hosts, the wires between them, and the virtual clock that drives them.

    All times are virtual seconds. The knobs may be changed at any moment and hold for what is sent from then
    on; they leave alone what a host sends to itself.

    :param seed: what the random decisions (loss, jitter, ...) are drawn from
    :param latency: how long a packet travels from one host to another
    :param jitter: a random share of this is added to the latency; packets between two hosts keep their order
    :param loss: probability that a datagram is lost (0..1)
    :param duplication: probability that a datagram arrives twice
    :param reordering: probability that a datagram is late by up to `reordering_delay`, and others overtake it
    :param segment_size: octets that a TCP segment has at most; 1 hands a stream over octet by octet
    :param tcp_window: octets of a connection that may be under way, or unread, before writing stalls
    :param tcp_user_timeout: after how long in vain TCP gives a connection up
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        latency: float = DEFAULT_LATENCY,
        jitter: float = 0.0,
        loss: float = 0.0,
        duplication: float = 0.0,
        reordering: float = 0.0,
        reordering_delay: float = DEFAULT_REORDERING_DELAY,
        segment_size: int = DEFAULT_SEGMENT_SIZE,
        tcp_window: int = DEFAULT_TCP_WINDOW,
        tcp_user_timeout: float = DEFAULT_TCP_USER_TIMEOUT,
    ) -> None:
        self.seed = seed
        self.latency = latency
        self.jitter = jitter
        self.loss = loss
        self.duplication = duplication
        self.reordering = reordering
        self.reordering_delay = reordering_delay
        self.segment_size = segment_size
        self.tcp_window = tcp_window
        self.tcp_user_timeout = tcp_user_timeout
        self.clock = VirtualClock(self._event_failed)
        self.start_time = self.clock.now
        self.random = random.Random(seed)
        self.packets = PacketLog()
        self.hosts: dict[str, MemoryReactor] = {}
        self.names: dict[str, str] = {}
        self.agents: list[Any] = []
        self.errors: list[Exception] = []
        self.connections: dict[MemoryConnection, None] = {}
        self._errors_left_out = 0
        self._filters: list[PacketFilter] = []
        self._partitions: set[frozenset[str]] = set()
        self._isolated: set[str] = set()
        self._last_arrivals: dict[tuple[str, str], float] = {}
        self._reporters: dict[str, Callable[[], str]] = {}

    # Time

    @property
    def now(self) -> float:
        """The virtual time in seconds; it starts at `start_time`, which is not 0."""
        return self.clock.now

    def advance(self, seconds: float) -> None:
        """Let this much time pass, and run all that is due in it.

        :raises Exception: what came out of a callback meanwhile (several: an ExceptionGroup)
        :raises LivelockError: more than `clock.event_limit` events ran
        """
        if not seconds >= 0:
            raise ValueError(f"time cannot advance by {seconds!r} seconds")
        deadline = self.clock.now + seconds
        self.clock.run(deadline)
        self.clock.now = deadline
        self.raise_errors()

    def run_until(self, predicate: Callable[[], object], timeout: float = 30.0) -> None:
        """Run events until the predicate is true; it is asked after each event.

        :param timeout: virtual seconds
        :raises ConditionNotMet: it did not come true in time, or nothing is left that could happen
        :raises Exception: what came out of a callback meanwhile (several: an ExceptionGroup)
        :raises LivelockError: more than `clock.event_limit` events ran
        """
        deadline = self.clock.now + timeout
        if not self.clock.run(deadline, predicate):
            self.clock.now = deadline
            errors = self._take_errors()
            message = "\n".join(self._describe_failure(predicate, timeout, errors))
            raise ConditionNotMet(message) from (errors[0] if errors else None)
        self.raise_errors()

    def run_idle(self) -> None:
        """Run all that is due or under way, but do not wait for timers that nothing else reaches.

        :raises Exception: what came out of a callback meanwhile (several: an ExceptionGroup)
        :raises LivelockError: more than `clock.event_limit` events ran
        """
        self.clock.run(float("inf"), in_flight_only=True)
        self.raise_errors()

    # Hosts and names

    def add_host(self, name: str | None = None, ip: str | None = None, realm: Any = None) -> MemoryReactor:
        """A new host, which is its reactor; without a realm its callbacks run in the caller's."""
        from sipsimple.testing.reactor import MemoryReactor

        return MemoryReactor(self, ip, realm, name)

    def free_ip(self) -> str:
        """The lowest address of 10.0.0.0/24 that no host has."""
        for number in range(1, MAX_HOSTS + 1):
            ip = f"10.0.0.{number}"
            if ip not in self.hosts:
                return ip
        raise RuntimeError(f"a network has at most {MAX_HOSTS} hosts")

    def attach(self, host: MemoryReactor) -> None:
        """Put a host on the network (a MemoryReactor does that itself).

        :raises ValueError: its address or its name is taken
        """
        if host.ip in self.hosts or host.ip == LOOPBACK:
            raise ValueError(f"the address {host.ip} is taken")
        if host.name.lower() in self.names:
            raise ValueError(f"the name {host.name!r} is taken")
        self.hosts[host.ip] = host
        self.add_name(host.name, host.ip)

    def add_name(self, name: str, ip: str) -> None:
        """Let a name resolve to an address, on all hosts."""
        self.names[name.lower().rstrip(".")] = ip

    def resolve(self, name: str) -> str | None:
        """The address of a name, None when there is none; an address is its own."""
        if isIPAddress(name):
            return name
        name = name.lower().rstrip(".")
        return LOOPBACK if name == "localhost" else self.names.get(name)

    def host(self, who: Any) -> MemoryReactor:
        """The host that a name, an address, a reactor or a UserAgent stands for.

        :raises LookupError: there is none
        """
        if isinstance(who, str):
            ip = self.resolve(who)
            if ip not in self.hosts:
                raise LookupError(f"no host {who!r} is on this network")
            return self.hosts[ip]
        reactor = getattr(who, "reactor", who)
        host = self.hosts.get(getattr(reactor, "ip", ""))
        if host is None or host is not reactor:
            raise LookupError(f"{who!r} is not on this network")
        return host

    def crash(self, who: Any) -> None:
        """Switch a host off: none of its code runs again, and nobody is told."""
        host = self.host(who)
        host.alive = False
        for connection in list(self.connections):
            if connection.reactor is host:
                del self.connections[connection]
        for function, arguments in self.clock.discard_host(host):
            if function == self._arrive:
                self._lose(arguments[0], Fate.UNREACHABLE)

    def close(self) -> None:
        """Stop all agents that run and wait for it; for the end of a test.

        :raises ConditionNotMet: one did not stop
        :raises Exception: what came out of a callback meanwhile
        """
        for agent in self.agents:
            if agent.reactor.alive:
                agent.stop()
        self.raise_errors()

    # Disturbances

    def filter(self, judge: Callable[[Packet], Verdict | None]) -> PacketFilter:
        """Show every packet to a function as it is sent; usable as a decorator and as a context manager.

        :param judge: gets the Packet, may change its `data` and `delay`, returns PASS (None), DROP or HOLD
        """
        filter = PacketFilter(self, judge)
        self._filters.append(filter)
        return filter

    def remove_filter(self, filter: PacketFilter) -> None:
        if filter in self._filters:
            self._filters.remove(filter)

    def partition(self, one: Any, other: Any = None) -> None:
        """Lose all packets between two hosts, or between one and all others, until `heal`."""
        if other is None:
            self._isolated.add(self.host(one).ip)
        else:
            self._partitions.add(frozenset((self.host(one).ip, self.host(other).ip)))

    def heal(self, one: Any = None, other: Any = None) -> None:
        """Undo one partition, with the arguments that made it; all of them without arguments."""
        if one is None:
            self._isolated.clear()
            self._partitions.clear()
        elif other is None:
            self._isolated.discard(self.host(one).ip)
        else:
            self._partitions.discard(frozenset((self.host(one).ip, self.host(other).ip)))

    def kill_connections(self, one: Any = None, other: Any = None) -> int:
        """Reset the TCP connections between two hosts, of one host, or all; both ends see ConnectionLost.

        :return: how many connections there were
        """
        wanted = {self.host(who).ip for who in (one, other) if who is not None}
        ends = [end for end in self.connections if wanted <= {end.reactor.ip, end.remote_ip}]
        for end in ends:
            self.clock.schedule(0.0, end.reactor, end.reset)
        return len({frozenset((end.getHost(), end.getPeer())) for end in ends})

    # Packets

    def send(self, packet: Packet) -> None:
        """Take a packet from a host (for the transports)."""
        self.packets.append(packet)
        if self._filters and not self._passes_filters(packet):
            return
        self._carry(packet)

    def resume(self, packet: Packet) -> None:
        """Carry a packet that a filter held."""
        packet.fate = Fate.IN_FLIGHT
        self._carry(packet)

    def _passes_filters(self, packet: Packet) -> bool:
        for filter in tuple(self._filters):
            try:
                verdict = filter.judge(packet)
            except Exception as exception:
                self._event_failed(packet.sender, filter.judge, exception)
                continue
            if verdict is Verdict.HOLD and filter.hold(packet):
                packet.fate = Fate.HELD
                return False
            if verdict is Verdict.DROP or verdict is Verdict.HOLD:
                self._lose(packet, Fate.DROPPED)
                return False
        return True

    def _carry(self, packet: Packet) -> None:
        sender, target = packet.sender, packet.target
        if target is None or not target.alive:
            self._lose(packet, Fate.UNREACHABLE)
            return
        delay = packet.delay
        if sender is not target:
            if (self._isolated or self._partitions) and self._is_cut(sender.ip, target.ip):
                self._lose(packet, Fate.LOST)
                return
            delay += self.latency
            if self.jitter:
                delay = self._jittered(delay, sender.ip, target.ip)
            if packet.transport == "udp" and (self.loss or self.duplication or self.reordering):
                self._disturb(packet, delay)
                return
        self.clock.schedule(delay, target, self._arrive, (packet,))

    def _disturb(self, packet: Packet, delay: float) -> None:
        draw = self.random.random
        if self.loss and draw() < self.loss:
            self._lose(packet, Fate.LOST)
            return
        if self.reordering and draw() < self.reordering:
            delay += draw() * self.reordering_delay
        self.clock.schedule(delay, packet.target, self._arrive, (packet,))
        if self.duplication and draw() < self.duplication:
            copy = packet.duplicate(self.clock.now)
            self.packets.append(copy)
            self.clock.schedule(delay, copy.target, self._arrive, (copy,))

    def _jittered(self, delay: float, sender: str, target: str) -> float:
        now = self.clock.now
        flow = sender, target
        arrival = max(now + delay + self.random.random() * self.jitter, self._last_arrivals.get(flow, 0.0))
        self._last_arrivals[flow] = arrival
        return arrival - now

    def _arrive(self, packet: Packet) -> None:
        if (self._isolated or self._partitions) and packet.target is not packet.sender:
            assert packet.target is not None
            if self._is_cut(packet.sender.ip, packet.target.ip):
                self._lose(packet, Fate.LOST)
                return
        packet.fate = Fate.DELIVERED
        packet.deliver(packet)

    def _lose(self, packet: Packet, fate: Fate) -> None:
        packet.fate = fate
        if packet.lost is not None:
            packet.lost(packet)

    def _is_cut(self, one: str, other: str) -> bool:
        return one in self._isolated or other in self._isolated or frozenset((one, other)) in self._partitions

    # What went wrong

    def raise_errors(self) -> None:
        """Raise what came out of callbacks since the last time; several exceptions as an ExceptionGroup."""
        left_out = self._errors_left_out
        errors = self._take_errors()
        if len(errors) == 1:
            raise errors[0]
        if errors:
            more = f", {left_out} more left out" if left_out else ""
            raise ExceptionGroup(f"{len(errors)} callbacks failed on the memory network{more}", errors)

    def collect_error(self, host: Host | None, where: str, exception: Exception) -> None:
        """Keep an exception that the code under test let out, for the end of the run."""
        if len(self.errors) >= MAX_COLLECTED_ERRORS:
            self._errors_left_out += 1
            return
        owner = f" of {host.name}" if host is not None else ""
        exception.add_note(f"in {where}{owner} at virtual time {self.clock.now - self.start_time:.6f}")
        self.errors.append(exception)

    def report_with(self, name: str, reporter: Callable[[], str]) -> None:
        """Add text to the message of ConditionNotMet, for example the last notifications of an agent."""
        self._reporters[name] = reporter

    def dump(self, limit: int | None = 100, *, contents: bool = False) -> str:
        """The packet log as text, a line a packet, with the time since the start.

        :param limit: how many of the last packets, None for all
        :param contents: show the whole packets, not only their first lines
        """
        packets = self.packets.last(len(self.packets) if limit is None else limit)
        left_out = len(self.packets) - len(packets)
        lines = [f"({left_out} earlier packets)"] if left_out else []
        for packet in packets:
            lines.append(packet.describe(self.start_time))
            if contents and packet.data:
                text = packet.data.decode("utf-8", "backslashreplace")
                lines.extend(f"    {line}" for line in text.splitlines())
        return "\n".join(lines)

    def _event_failed(self, host: Host | None, function: Any, exception: Exception) -> None:
        self.collect_error(host, describe_callable(function), exception)

    def _take_errors(self) -> list[Exception]:
        errors, self.errors, self._errors_left_out = self.errors, [], 0
        return errors

    def _describe_failure(
        self, predicate: Callable[[], object], timeout: float, errors: list[Exception]
    ) -> Iterator[str]:
        yield f"not true after {timeout:g} virtual seconds: {_describe_predicate(predicate)}"
        if self.clock.is_empty:
            yield "(nothing is left that could still happen)"
        if errors:
            yield "-- exceptions out of callbacks:"
            yield from (f"{type(error).__name__}: {error} ({'; '.join(error.__notes__)})" for error in errors)
        yield "-- last packets:"
        yield self.dump(PACKETS_SHOWN_ON_FAILURE) or "(none)"
        for name, reporter in self._reporters.items():
            yield f"-- {name}:"
            try:
                yield reporter() or "(nothing)"
            except Exception as exception:
                yield f"(no report: {exception!r})"


def _describe_predicate(predicate: Callable[[], object]) -> str:
    try:
        source = " ".join(inspect.getsource(predicate).split())
    except (OSError, TypeError):
        return describe_callable(predicate)
    return source if len(source) <= 200 else f"{source[:199]}…"
