"""Threads: the reactor's, in which all state is touched, and the pool's, in which blocking work is done.

The reactor of an application is Twisted's global one. It runs in a daemon thread named `sipsimple`, is
started once in a process and stays up until the process exits, since a Twisted reactor can't be started again
but an application can. Where a reactor is running already (Twisted's or asyncio's, in whichever thread) that
one is used.

A fork takes no threads along: in the child of a process whose reactor runs in that thread nothing runs, and nothing
can. There the default realm is a fresh one, in which nothing was started, and starting says what is wrong.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from collections.abc import Callable
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from sipsimple.realm import Realm, current_realm, replace_default_realm

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

__all__ = [
    "call_in_sipsimple_thread",
    "run_in_sipsimple_thread",
    "run_in_thread",
    "runs_our_reactor",
    "start_reactor_thread",
]

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger("sipsimple.threading")

THREAD_NAME = "sipsimple"
EXIT_TIMEOUT = 2.0  # seconds that the exit of the process waits for the reactor and its thread pool

_lock = threading.Lock()
_thread: threading.Thread | None = None
_forked = False


def start_reactor_thread(realm: Realm) -> None:
    """Give `realm` the process's reactor, and see to it that it runs. Returns at once.

    Raises RuntimeError when the reactor was run and stopped by the application: it can't run again; and in a forked
    process whose parent had it run.
    """
    global _thread
    if _forked:
        raise RuntimeError(
            "the Twisted reactor runs in the process that this one was forked from: "
            "fork before the application is started, or start another program (multiprocessing: 'spawn')"
        )
    with _lock:
        running_in = _thread.ident if _thread is not None and _thread.is_alive() else _foreign_thread()
        if running_in is None:
            from twisted.internet import reactor

            if getattr(reactor, "_startedBefore", False):
                raise RuntimeError("the Twisted reactor was stopped and cannot be started again")
            _thread = threading.Thread(target=_run_reactor, args=(reactor,), name=THREAD_NAME, daemon=True)
            _thread.start()
            atexit.register(_stop_reactor, reactor, _thread)
            running_in = _thread.ident
        realm.set_reactor(sys.modules["twisted.internet.reactor"], running_in)


def runs_our_reactor() -> bool:
    """Whether the calling thread is the one that was started for the reactor."""
    return threading.current_thread() is _thread


def _after_fork() -> None:
    global _lock, _forked
    if _thread is not None:
        _lock, _forked = threading.Lock(), True
        replace_default_realm()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _foreign_thread() -> int | None:
    """The thread that already runs the reactor, started by the application itself."""
    reactor: Any = sys.modules.get("twisted.internet.reactor")
    if reactor is None:
        return None
    loop = getattr(reactor, "_asyncioEventloop", None)
    if loop is not None and loop.is_running():
        _have_daemon_threads(reactor)  # asyncio ends without telling the reactor, which would end its threads
    if not reactor.running:
        # An asyncio reactor was installed on a loop that runs, but nobody has told the reactor yet.
        if loop is None or not loop.is_running():
            return None
        loop.call_soon_threadsafe(_join_loop, reactor)
        return _thread_of(loop)
    from twisted.python import threadable

    thread: int | None = threadable.ioThread
    return thread


def _join_loop(reactor: Any) -> None:
    if not reactor.running:
        reactor.startRunning(installSignalHandlers=False)


def _thread_of(loop: Any) -> int | None:
    thread: int | None = getattr(loop, "_thread_id", None)
    return thread or threading.get_ident()


def _have_daemon_threads(reactor: Any) -> None:
    """Otherwise the pool's threads keep the process alive: they are waited for before atexit's functions run."""
    reactor.getThreadPool().threadFactory = partial(threading.Thread, daemon=True)


def _run_reactor(reactor: Any) -> None:
    _have_daemon_threads(reactor)
    try:
        reactor.run(installSignalHandlers=False)
    except Exception:
        log.exception("The reactor ended with an error")


def _stop_reactor(reactor: Any, thread: threading.Thread) -> None:
    if thread.is_alive() and reactor.running:
        reactor.callFromThread(reactor.stop)
        thread.join(EXIT_TIMEOUT)


def call_in_sipsimple_thread(function: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> None:
    """Call `function` in the reactor's thread and in the present realm.

    At once when this is that thread, or when the realm has no reactor yet; otherwise as soon as that thread
    gets to it, in the order of the calls; what it raises there is logged.
    """
    realm = current_realm()
    reactor = realm.reactor
    if reactor is None or realm.in_reactor_thread():
        function(*args, **kwargs)
    else:
        reactor.callFromThread(_call_logged, realm, function, args, kwargs)


def _call_logged(realm: Realm, function: Callable[..., object], args: Any, kwargs: Any) -> None:
    try:
        realm.run(function, *args, **kwargs)
    except Exception:
        log.exception("%s failed in the reactor thread", getattr(function, "__qualname__", function))


def run_in_sipsimple_thread(function: Callable[P, object]) -> Callable[P, None]:
    """Decorator: runs the function in the reactor's thread, like `call_in_sipsimple_thread`; returns None."""

    @wraps(function)
    def in_sipsimple_thread(*args: P.args, **kwargs: P.kwargs) -> None:
        call_in_sipsimple_thread(function, *args, **kwargs)

    return in_sipsimple_thread


def run_in_thread(function: Callable[P, T]) -> Callable[P, Deferred[T]]:
    """Decorator: runs the function, which may block, in the reactor's thread pool; returns a Deferred.

    The Deferred fires in the reactor's thread, with what the function returns or raises. The pool has ten
    threads: the work done in it must end in bounded time. Raises RuntimeError while the realm has no reactor.
    To be called in the reactor's thread, as the Deferred belongs there.
    """

    @wraps(function)
    def in_thread(*args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        from twisted.internet.threads import deferToThreadPool

        realm = current_realm()
        reactor = realm.reactor
        if reactor is None:
            raise RuntimeError(f"{function.__qualname__} needs a reactor: SIPApplication is not started")
        return deferToThreadPool(reactor, reactor.getThreadPool(), realm.run, function, *args, **kwargs)

    return in_thread
