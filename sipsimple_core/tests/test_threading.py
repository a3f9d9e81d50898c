"""The reactor's thread, the thread pool, and results."""

import asyncio
import subprocess
import sys
import textwrap
import threading

import pytest
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred, fail, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from sipsimple.realm import Realm, current_realm
from sipsimple.result import Result
from sipsimple.threading import call_in_sipsimple_thread, run_in_sipsimple_thread, run_in_thread


class ThreadReactor:
    """As much of a reactor as these tests need, served by the thread that calls `serve`."""

    def __init__(self):
        self.calls = []
        self.arrived = threading.Condition()

    def callFromThread(self, function, *args, **kwargs):
        with self.arrived:
            self.calls.append((function, args, kwargs))
            self.arrived.notify_all()

    def serve(self, count=1):
        """Run this many calls."""
        for _ in range(count):
            with self.arrived:
                assert self.arrived.wait_for(lambda: self.calls, 5)
                function, args, kwargs = self.calls.pop(0)
            function(*args, **kwargs)

    def getThreadPool(self):
        return self

    def callInThreadWithCallback(self, on_result, function, *args, **kwargs):
        def work():
            try:
                result = function(*args, **kwargs)
            except Exception:
                on_result(False, Failure())
            else:
                on_result(True, result)

        threading.Thread(target=work).start()


@pytest.fixture
def reactor():
    """The reactor of the default realm, run by the test's thread."""
    realm = current_realm()
    realm.reactor = ThreadReactor()
    return realm.reactor


def in_thread(function, *args):
    """Start a thread; returns a function that joins it and returns or raises what it did."""
    outcome = []

    def work():
        try:
            outcome.append((function(*args), None))
        except BaseException as error:
            outcome.append((None, error))

    thread = threading.Thread(target=work)
    thread.start()

    def join():
        thread.join(5)
        result, error = outcome[0]
        if error is not None:
            raise error
        return result

    return join


def run_python(source, *args):
    """Run a program in a process of its own; returns what it printed."""
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source), *args],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    return process.stdout.split()


# run_in_sipsimple_thread


def test_call_happens_at_once_without_a_reactor():
    seen = []
    assert run_in_sipsimple_thread(seen.append)("now") is None
    assert seen == ["now"]


def test_call_happens_at_once_in_the_reactor_thread(reactor):
    seen = []
    run_in_sipsimple_thread(seen.append)("now")
    assert seen == ["now"]
    with pytest.raises(ZeroDivisionError):
        call_in_sipsimple_thread(lambda: 1 / 0)


def test_call_from_another_thread_happens_in_the_reactor_thread_in_order(reactor):
    """APP-001: public calls return without waiting; the work is done in the reactor's thread."""
    seen = []

    @run_in_sipsimple_thread
    def note(value, *, suffix=""):
        seen.append((value + suffix, threading.get_ident()))

    def call():
        note("a")
        note("b", suffix="!")

    in_thread(call)()
    assert seen == []
    reactor.serve(2)
    assert seen == [("a", threading.get_ident()), ("b!", threading.get_ident())]


def test_call_from_another_thread_keeps_the_realm():
    realm = Realm("alice")
    realm.reactor = reactor = ThreadReactor()
    seen = []

    def call():
        realm.run(call_in_sipsimple_thread, lambda: seen.append(current_realm()))

    in_thread(call)()
    reactor.serve()
    assert seen == [realm]


def test_call_from_another_thread_that_raises_is_logged(reactor, caplog):
    in_thread(call_in_sipsimple_thread, lambda: 1 / 0)()
    reactor.serve()
    (record,) = caplog.records
    assert record.name == "sipsimple.threading"
    assert record.exc_info[0] is ZeroDivisionError


# run_in_thread


def test_blocking_work_is_done_in_the_pool(reactor):
    """APP-001: blocking work goes to the thread pool, and its result comes back to the reactor's thread."""
    got = []
    realm = current_realm()

    @run_in_thread
    def work(a, *, b):
        assert current_realm() is realm
        return a + b, threading.get_ident()

    deferred = work(1, b=2)
    deferred.addCallback(lambda result: got.append((result, threading.get_ident())))
    reactor.serve()
    ((value, worker), receiver) = got[0]
    assert value == 3
    assert worker != receiver == threading.get_ident()


def test_errors_of_blocking_work_come_back(reactor):
    got = []
    run_in_thread(lambda: 1 / 0)().addErrback(got.append)
    reactor.serve()
    assert got[0].check(ZeroDivisionError)


def test_blocking_work_needs_a_reactor():
    with pytest.raises(RuntimeError, match="SIPApplication is not started"):
        run_in_thread(print)()


# the real reactor


def test_reactor_thread():
    """APP-013: the reactor runs in a daemon thread of its own, once a process; work in the pool does not keep
    the
    process from ending."""
    printed = run_python("""
        import sys, threading, time
        import sipsimple.threading, sipsimple.realm, sipsimple.result
        assert 'twisted.internet.reactor' not in sys.modules
        from sipsimple.realm import current_realm
        from sipsimple.threading import *
        realm = current_realm()
        start_reactor_thread(realm)
        reactor = realm.reactor
        start_reactor_thread(realm)
        assert realm.reactor is reactor
        assert not realm.in_reactor_thread()
        names = []
        done = threading.Event()
        def note():
            names.append((threading.current_thread().name, threading.current_thread().daemon))
            assert realm.in_reactor_thread()
            worker = run_in_thread(threading.current_thread)()
            worker.addCallback(lambda worker: (names.append(worker.daemon), done.set()))
        run_in_sipsimple_thread(note)()
        assert done.wait(10)
        assert [thread.name for thread in threading.enumerate()].count('sipsimple') == 1
        print(names[0][0], names[0][1], names[1], type(reactor).__module__)
    """)
    assert printed[:3] == ["sipsimple", "True", "True"]


def test_reactor_thread_stops_its_pool_and_triggers_at_exit():
    printed = run_python("""
        from sipsimple.realm import current_realm
        from sipsimple.threading import *
        import threading
        start_reactor_thread(current_realm())
        ready = threading.Event()
        def prepare():
            current_realm().reactor.addSystemEventTrigger('before', 'shutdown', print, 'shutdown')
            ready.set()
        call_in_sipsimple_thread(prepare)
        assert ready.wait(10)
        print('main')
    """)
    assert printed == ["main", "shutdown"]


def test_reactor_that_runs_already_is_used():
    """A Twisted application's own reactor, in its main thread, is the one that is used."""
    printed = run_python("""
        import threading
        from twisted.internet import reactor
        from sipsimple.realm import current_realm
        from sipsimple.threading import *
        def main():
            realm = current_realm()
            start_reactor_thread(realm)
            assert realm.reactor is reactor and realm.in_reactor_thread()
            assert threading.active_count() == 1
            print('used')
            reactor.stop()
        reactor.callWhenRunning(main)
        reactor.run()
    """)
    assert printed == ["used"]


def test_reactor_that_was_stopped_is_refused():
    printed = run_python("""
        from twisted.internet import reactor
        from sipsimple.realm import current_realm
        from sipsimple.threading import *
        reactor.callWhenRunning(reactor.stop)
        reactor.run()
        try:
            start_reactor_thread(current_realm())
        except RuntimeError as error:
            print('refused')
    """)
    assert printed == ["refused"]


@pytest.mark.parametrize("started", ["started", "not-started"])
def test_asyncio_reactor_is_used(started):
    """An asyncio reactor on a running loop is used, in the loop's thread, whoever calls."""
    printed = run_python(
        """
        import asyncio, sys, threading
        from twisted.internet import asyncioreactor
        from sipsimple.realm import current_realm
        from sipsimple.result import Result
        from sipsimple.threading import *
        async def main():
            asyncioreactor.install(asyncio.get_running_loop())
            from twisted.internet import reactor
            if sys.argv[1] == 'started':
                reactor.startRunning(installSignalHandlers=False)
            realm = current_realm()
            await asyncio.get_running_loop().run_in_executor(None, start_reactor_thread, realm)
            assert realm.reactor is reactor and realm.in_reactor_thread()
            called = asyncio.Event()
            reactor.callLater(0, called.set)
            await asyncio.wait_for(called.wait(), 10)
            def later():
                from twisted.internet.task import deferLater
                return deferLater(reactor, 0.001, lambda: 'result')
            print(await Result.of(later))
            assert 'sipsimple' not in [thread.name for thread in threading.enumerate()]
        asyncio.run(main())
        """,
        started,
    )
    assert printed == ["result"]


def test_results_across_real_threads():
    """The three uses of a result: wait in a thread, await in asyncio, callbacks in the reactor's thread."""
    printed = run_python("""
        import asyncio, threading
        from sipsimple.realm import current_realm
        from sipsimple.result import Result
        from sipsimple.threading import *
        from twisted.internet.task import deferLater
        realm = current_realm()
        start_reactor_thread(realm)
        def operation(value):
            return deferLater(realm.reactor, 0.001, lambda: value)
        print(Result.of(operation, 'waited').wait(10))
        async def main():
            return await Result.of(operation, 'awaited')
        print(asyncio.run(main()))
        done = threading.Event()
        def called(value):
            print(value, realm.in_reactor_thread())
            done.set()
        Result.of(operation, 'called').addCallback(called)
        assert done.wait(10)
        def blocking():
            try:
                Result.of(operation, 1).wait(1)
            except RuntimeError:
                print('refused')
            done.set()
        done.clear()
        call_in_sipsimple_thread(blocking)
        assert done.wait(10)
    """)
    assert printed == ["waited", "awaited", "called", "True", "refused"]


# results


def test_result_of_a_value_an_error_and_a_deferred():
    got = []
    Result.of(lambda x: x + 1, 1).addCallback(got.append)
    Result.of(lambda: succeed("later")).addCallback(got.append)
    Result.of(lambda: 1 / 0).addErrback(lambda failure: got.append(failure.check(ZeroDivisionError)))
    Result.of(lambda: fail(LookupError("x"))).addErrback(lambda failure: got.append(failure.check(LookupError)))
    assert got == [2, "later", ZeroDivisionError, LookupError]


def test_every_callback_gets_the_outcome_itself():
    got = []
    result = Result()
    result.addCallback(lambda value: got.append(value) or "changed").addCallback(got.append).addBoth(got.append)
    result.addErrback(got.append)
    assert not result.done
    result.succeed("value")
    result.addCallback(got.append)
    assert got == ["value"] * 4
    assert result.done
    assert result.wait(0) == "value"


def test_callback_that_raises_is_logged_and_disturbs_nobody(caplog):
    got = []
    result = Result()
    result.addCallback(lambda _: 1 / 0).addCallback(got.append)
    result.succeed("value")
    assert got == ["value"]
    assert "ZeroDivisionError" in caplog.text


def test_result_is_settled_once():
    result = Result()
    result.fail(LookupError("first"))
    with pytest.raises(RuntimeError, match="settled already"):
        result.succeed(1)
    with pytest.raises(LookupError):
        result.wait(0)


def test_wait_ends_in_time():
    result = Result()
    with pytest.raises(TimeoutError):
        result.wait(0.01)
    assert "pending" in repr(result)


def test_wait_in_the_reactor_thread_is_refused(reactor):
    """Green threads: in the reactor's thread wait() raises instead of a deadlock, each time."""
    result = Result()
    with pytest.raises(RuntimeError, match="block the reactor thread"):
        result.wait(1)
    result.succeed(1)
    with pytest.raises(RuntimeError, match="block the reactor thread"):
        result.wait(1)


def test_wait_in_another_thread(reactor):
    """Green threads: wait() returns or raises the outcome in any other thread."""
    for settle, expected in ((lambda r: r.succeed(5), 5), (lambda r: r.fail(LookupError("no")), LookupError)):
        result = Result()
        join = in_thread(result.wait, 5)
        settle(result)
        if expected is LookupError:
            with pytest.raises(LookupError):
                join()
        else:
            assert join() == expected


def test_await_in_a_coroutine_driven_by_twisted(reactor):
    """Green threads: it can be awaited in a coroutine."""
    clock, got = Clock(), []
    operation = Deferred()
    clock.callLater(3, operation.callback, "value")

    async def main():
        return await Result.of(lambda: operation)

    ensureDeferred(main()).addCallback(got.append)
    assert got == []
    clock.advance(3)
    assert got == ["value"]


def test_await_in_asyncio():
    """Green threads: an asyncio task can await it, while another thread is the reactor's."""
    realm = current_realm()
    reactor = ThreadReactor()
    stop = threading.Event()

    def serve():
        realm.reactor = reactor
        ready.set()
        reactor.serve(2)
        stop.wait(5)

    ready = threading.Event()
    thread = threading.Thread(target=serve)
    thread.start()
    assert ready.wait(5)

    async def main():
        results = []
        results.append(await asyncio.wait_for(Result.of(lambda: "value"), 5))
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(Result.of(lambda: 1 / 0), 5)
        return results

    try:
        assert asyncio.run(main()) == ["value"]
    finally:
        stop.set()
        thread.join(5)


def test_await_of_a_settled_result():
    result = Result()
    result.succeed("value")

    async def main():
        return await result

    assert asyncio.run(main()) == "value"


def test_awaiting_asyncio_task_may_be_cancelled():
    result = Result()

    async def main():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(result, 0.01)
        result.succeed(1)
        await asyncio.sleep(0)
        return await result

    assert asyncio.run(main()) == 1


def test_an_operation_is_broken_off(reactor):
    """The Deferred behind the result is cancelled; what it says of that is the outcome."""
    operation = Deferred()
    result = Result.of(lambda: operation)
    result.cancel()
    assert result.done
    with pytest.raises(CancelledError):
        result._get()


def test_breaking_off_what_is_over_does_nothing(reactor):
    operation = Deferred()
    result = Result.of(lambda: operation)
    operation.callback(5)
    result.cancel()
    assert result.deferred().result == 5
    nothing = Result()
    nothing.cancel()
    assert not nothing.done


def test_an_operation_is_broken_off_from_another_thread(reactor):
    result = Result.of(Deferred)
    thread = threading.Thread(target=result.cancel)
    thread.start()
    reactor.serve()
    thread.join(5)
    assert result.done
