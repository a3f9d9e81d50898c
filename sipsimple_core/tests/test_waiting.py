"""Waiting for notifications: wait_for() in asyncio and in threads, and the iterator of events."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from sipsimple.core import SIPURI, ToHeader
from sipsimple.notification import NotificationCenter, NotificationData, declare_notification, field
from sipsimple.notification.waiting import WaitFailedError
from sipsimple.realm import Realm
from sipsimple.session import Session
from sipsimple.testing.scripted import Stage
from sipsimple.util import Route

BOB = ToHeader(SIPURI(host="example.com", user="bob"))

declare_notification("WaitingTestHappened", "object", "Something happened.", number=field(int, "which"))


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage().set() as stage:
        yield stage


def happen(sender: object, number: int) -> None:
    NotificationCenter().post_notification("WaitingTestHappened", sender, NotificationData(number=number))


def test_wait_for_in_asyncio(stage: Stage) -> None:
    """SES-009: a session is waited for in a coroutine."""

    async def main() -> None:
        session = Session(stage.account)
        starts = session.wait_for("SIPSessionDidStart")
        session.connect(BOB, [Route("10.0.0.2")], [stage.stream()])
        asyncio.get_running_loop().call_soon(stage.invitations[-1].accept)
        notification = await starts
        assert notification.sender is session and notification.data.streams == session.streams
        assert stage.reactor.getDelayedCalls() == []
        ends = session.wait_for("SIPSessionDidEnd")
        session.end()
        assert (await ends).data.end_reason == "user_request"

    asyncio.run(main())


def test_wait_for_in_a_thread(stage: Stage) -> None:
    """SES-009: and in a thread, with wait()."""
    sender, seen = object(), []
    result = NotificationCenter().wait_for("WaitingTestHappened", sender)
    stage.realm.in_reactor_thread = lambda: False  # type: ignore[method-assign]
    thread = threading.Thread(target=lambda: seen.append(result.wait(5).data.number))
    thread.start()
    happen(object(), 1)
    happen(sender, 2)
    happen(sender, 3)
    thread.join(5)
    assert seen == [2]


def test_a_session_that_fails_while_something_else_is_waited_for(stage: Stage) -> None:
    """SES-082: the wait ends with an error that has the notification."""
    session = Session(stage.account)
    starts, fails = session.wait_for("SIPSessionDidStart"), session.wait_for("SIPSessionDidFail")
    session.connect(BOB, [Route("10.0.0.2")], [stage.stream()])
    stage.invitations[-1].refuse(486)
    with pytest.raises(WaitFailedError, match="SIPSessionDidStart was awaited") as raised:
        starts._get()
    assert raised.value.notification is fails._get()
    assert raised.value.notification.data.code == 486


def test_a_wait_has_an_end(stage: Stage) -> None:
    """SES-009: TimeoutError, and nothing listens any more."""
    sender = object()
    result = NotificationCenter().wait_for("WaitingTestHappened", sender, timeout=3.0)
    stage.reactor.advance(2.9)
    assert not result.done
    stage.reactor.advance(0.2)
    with pytest.raises(TimeoutError, match=r"WaitingTestHappened within 3\.0 seconds"):
        result._get()
    happen(sender, 1)
    assert stage.recorder.center._by_both == {}


def test_events(stage: Stage) -> None:
    """SES-009: all notifications of a sender, in order, until the last."""

    async def main() -> list[str]:
        session = Session(stage.account)
        events = NotificationCenter().events(sender=session, until=["SIPSessionDidEnd"])
        session.connect(BOB, [Route("10.0.0.2")], [stage.stream()])
        stage.invitations[-1].accept()
        session.end()
        return [notification.name async for notification in events]

    assert asyncio.run(main()) == [name for name in stage.recorder.names() if name.startswith("SIPSession")]


def test_events_that_are_closed(stage: Stage) -> None:
    """SES-009: a closed iterator is at its end, also for a task that waits; what nobody reads is bounded."""

    async def main() -> None:
        sender = object()
        with NotificationCenter().events(sender=sender, limit=3) as events:
            for number in range(10):
                happen(sender, number)
            assert (await anext(events)).data.number == 0
            assert events.dropped == 7
        happen(sender, 10)
        with pytest.raises(StopAsyncIteration):
            await anext(events)
        waiting = NotificationCenter().events(sender=sender)
        asyncio.get_running_loop().call_soon(waiting.close)
        assert [notification async for notification in waiting] == []

    asyncio.run(main())


def test_events_need_a_loop(stage: Stage) -> None:
    """SES-009: they are for asyncio."""
    with pytest.raises(RuntimeError, match="loop"):
        NotificationCenter().events()


def test_wait_for_before_there_is_a_reactor() -> None:
    """SES-009: what is waited for may be the start of the application; the time is measured all the same."""
    Realm().run(_wait_without_reactor)


def _wait_without_reactor() -> None:
    sender = object()
    result = NotificationCenter().wait_for("WaitingTestHappened", sender, timeout=0.01)
    with pytest.raises(TimeoutError, match=r"no WaitingTestHappened within 0\.01 seconds"):
        result.wait(30)
    result = NotificationCenter().wait_for("WaitingTestHappened", sender, timeout=60)
    (timer,) = timers()
    happen(sender, 4)
    assert result.wait().data.number == 4
    timer.join(30)
    assert timers() == []


def timers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
