"""The virtual clock: order of events, timers, threads, the end of a livelock."""

import gc
import threading

import pytest
from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import LoopingCall
from zope.interface.verify import verifyObject

from sipsimple.testing.network import LivelockError, MemoryNetwork
from sipsimple.testing.reactor import MemoryReactor


@pytest.fixture
def network() -> MemoryNetwork:
    return MemoryNetwork()


@pytest.fixture
def host(network: MemoryNetwork) -> MemoryReactor:
    return network.add_host("host")


def test_time_starts_at_a_fixed_value_that_is_not_zero() -> None:
    assert MemoryNetwork().now == MemoryNetwork().now == MemoryNetwork().start_time > 0


def test_calls_run_at_their_time_and_equal_times_in_the_order_of_scheduling(
    network: MemoryNetwork, host: MemoryReactor
) -> None:
    start, seen = host.seconds(), []
    for name, delay in (("c", 2.0), ("a", 1.0), ("b", 1.0), ("now", 0.0)):
        host.callLater(delay, lambda name=name: seen.append((name, host.seconds() - start)))
    network.advance(1.5)
    assert seen == [("now", 0.0), ("a", 1.0), ("b", 1.0)]
    assert host.seconds() == start + 1.5
    network.advance(0.5)
    assert seen[-1] == ("c", 2.0)


def test_calls_of_several_hosts_share_one_order(network: MemoryNetwork, host: MemoryReactor) -> None:
    other, seen = network.add_host("other"), []
    host.callLater(1.0, seen.append, 1)
    other.callLater(1.0, seen.append, 2)
    host.callLater(1.0, seen.append, 3)
    network.advance(1.0)
    assert seen == [1, 2, 3]


def test_arguments_reach_the_function(network: MemoryNetwork, host: MemoryReactor) -> None:
    seen = []
    host.callLater(0, lambda *args, **kwargs: seen.append((args, kwargs)), 1, two=2)
    host.callFromThread(lambda *args, **kwargs: seen.append((args, kwargs)), 3, four=4)
    host.callWhenRunning(lambda *args, **kwargs: seen.append((args, kwargs)), 5, six=6)
    network.run_idle()
    assert sorted(seen) == [((1,), {"two": 2}), ((3,), {"four": 4}), ((5,), {"six": 6})]


def test_a_call_can_be_cancelled_once(network: MemoryNetwork, host: MemoryReactor) -> None:
    seen: list[int] = []
    call = host.callLater(1.0, seen.append, 1)
    assert verifyObject(IDelayedCall, call)
    assert call.active()
    call.cancel()
    assert not call.active()
    with pytest.raises(AlreadyCancelled):
        call.cancel()
    network.advance(2.0)
    assert seen == []
    done = host.callLater(0, seen.append, 2)
    network.advance(0)
    assert not done.active()
    for change in (done.cancel, lambda: done.delay(1), lambda: done.reset(1)):
        with pytest.raises(AlreadyCalled):
            change()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda call: call.reset(5.0), 6.0),
        (lambda call: call.reset(1.0), 2.0),
        (lambda call: call.delay(2.0), 5.0),
        (lambda call: call.delay(-1.5), 1.5),
        (lambda call: (call.reset(9.0), call.reset(0.5)), 1.5),
        (lambda call: (call.delay(9.0), call.reset(8.0)), 9.0),
    ],
)
def test_reset_and_delay_move_a_call(network: MemoryNetwork, host: MemoryReactor, change, expected: float) -> None:
    start, seen = host.seconds(), []
    call = host.callLater(3.0, lambda: seen.append(host.seconds() - start))
    network.advance(1.0)
    change(call)
    assert call.getTime() == start + expected
    network.advance(20.0)
    assert seen == [expected]


def test_delayed_calls_are_those_of_the_host_in_the_order_of_their_time(
    network: MemoryNetwork, host: MemoryReactor
) -> None:
    late, early, cancelled = (host.callLater(delay, print) for delay in (3.0, 1.0, 2.0))
    network.add_host("other").callLater(1.0, print)
    cancelled.cancel()
    assert list(host.getDelayedCalls()) == [early, late]
    early.reset(4.0)
    assert list(host.getDelayedCalls()) == [late, early]


@pytest.mark.parametrize("delay", [-0.1, float("nan")])
def test_a_delay_that_is_no_delay_is_refused(host: MemoryReactor, delay: float) -> None:
    with pytest.raises(ValueError, match="cannot be delayed"):
        host.callLater(delay, print)


def test_many_cancelled_calls_do_not_fill_the_memory(network: MemoryNetwork, host: MemoryReactor) -> None:
    for _ in range(20_000):
        host.callLater(3600.0, print).cancel()
    assert len(network.clock._heap) < 2_000
    call = host.callLater(3600.0, print)
    for _ in range(20_000):
        call.reset(3600.0)
        call.reset(1.0)
    assert len(network.clock._heap) < 2_000
    assert list(host.getDelayedCalls()) == [call]


def test_a_cancelled_call_lets_go_of_its_arguments(host: MemoryReactor) -> None:
    class Argument:
        pass

    call = host.callLater(3600.0, print, Argument())
    call.cancel()
    assert not [found for found in gc.get_objects() if isinstance(found, Argument)]


def test_looping_calls_run_on_virtual_time(network: MemoryNetwork, host: MemoryReactor) -> None:
    start, seen = host.seconds(), []
    loop = LoopingCall(lambda: seen.append(host.seconds() - start))
    loop.clock = host
    loop.start(10.0)
    network.advance(35.0)
    loop.stop()
    assert seen == [0.0, 10.0, 20.0, 30.0]
    assert not host.getDelayedCalls()


def test_advance_does_not_go_backwards(network: MemoryNetwork) -> None:
    with pytest.raises(ValueError, match="cannot advance"):
        network.advance(-1.0)


def test_calls_from_another_thread_run_in_the_thread_of_the_network_in_their_order(
    network: MemoryNetwork, host: MemoryReactor
) -> None:
    seen = []

    def work() -> None:
        for number in range(1000):
            host.callFromThread(lambda number=number: seen.append((number, threading.get_ident())))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == []
    network.run_idle()
    assert seen == [(number, threading.get_ident()) for number in range(1000)]


def test_calls_from_thread_are_not_made_within_the_running_event(network: MemoryNetwork, host: MemoryReactor) -> None:
    seen = []

    def event() -> None:
        host.callFromThread(seen.append, "later")
        seen.append("event")

    host.callLater(0, event)
    network.run_idle()
    assert seen == ["event", "later"]


def test_run_idle_waits_for_no_timer(network: MemoryNetwork, host: MemoryReactor) -> None:
    seen: list[str] = []
    host.callLater(10.0, seen.append, "timer")
    host.callLater(0.0, seen.append, "due")
    network.run_idle()
    assert seen == ["due"]
    assert network.now == network.start_time


def test_a_call_that_repeats_itself_at_once_is_a_livelock(network: MemoryNetwork, host: MemoryReactor) -> None:
    def again_and_again() -> None:
        host.callLater(0, again_and_again)

    network.clock.event_limit = 5000
    host.callLater(0, again_and_again)
    with pytest.raises(LivelockError, match=r"5000 events ran in 0 virtual seconds(.|\n)*host: .*again_and_again"):
        network.run_until(lambda: False)


def test_the_limit_counts_the_events_of_one_run_only(network: MemoryNetwork, host: MemoryReactor) -> None:
    network.clock.event_limit = 10
    for _ in range(5):
        for _ in range(10):
            host.callLater(0, int)
        network.run_idle()
    assert network.clock.events_run == 50


def test_the_network_is_not_run_inside_an_event(network: MemoryNetwork, host: MemoryReactor) -> None:
    host.callLater(0, network.run_idle)
    with pytest.raises(RuntimeError, match="events cannot run inside an event"):
        network.run_idle()
    network.run_idle()
