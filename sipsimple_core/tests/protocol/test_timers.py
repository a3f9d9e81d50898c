"""The heap of timers that the protocol layer runs on."""

import logging

from hypothesis import given
from hypothesis import strategies as st

from sipsimple.core.protocol.timers import COMPACTION_FLOOR, TimerHeap


def test_callbacks_are_called_in_the_order_of_their_deadlines_with_the_time():
    timers, calls = TimerHeap(), []
    for deadline in (3.0, 1.0, 2.0):
        timers.schedule(deadline, lambda now, deadline=deadline: calls.append((deadline, now)))
    timers.run_due(2.5)
    assert calls == [(1.0, 2.5), (2.0, 2.5)]
    assert timers.next_deadline() == 3.0


def test_a_deadline_is_due_at_its_very_time_and_not_before():
    timers, calls = TimerHeap(), []
    timers.schedule(1.0, calls.append)
    timers.run_due(0.999)
    assert calls == []
    timers.run_due(1.0)
    assert calls == [1.0]


@given(st.lists(st.integers(0, 3), max_size=30))
def test_equal_deadlines_come_due_in_the_order_in_which_they_were_scheduled(deadlines):
    timers, calls = TimerHeap(), []
    for order, deadline in enumerate(deadlines):
        timers.schedule(float(deadline), lambda now, entry=(deadline, order): calls.append(entry))
    timers.run_due(3.0)
    assert calls == sorted((deadline, order) for order, deadline in enumerate(deadlines))


def test_a_timer_is_called_once():
    timers, calls = TimerHeap(), []
    timer = timers.schedule(1.0, calls.append)
    assert timer.pending
    timers.run_due(1.0)
    timers.run_due(2.0)
    assert calls == [1.0]
    assert not timer.pending
    assert len(timers) == 0


def test_a_cancelled_timer_is_not_called_and_no_deadline():
    timers, calls = TimerHeap(), []
    timer = timers.schedule(1.0, calls.append)
    timers.schedule(2.0, calls.append)
    timer.cancel()
    timer.cancel()
    assert len(timers) == 1
    assert timers.next_deadline() == 2.0
    timers.run_due(1.5)
    assert calls == []


def test_an_empty_heap_has_no_deadline():
    timers = TimerHeap()
    timers.schedule(1.0, lambda now: None).cancel()
    assert timers.next_deadline() is None
    assert len(timers) == 0


def test_a_timer_can_cancel_another_that_is_due_in_the_same_run():
    timers, calls = TimerHeap(), []
    timers.schedule(1.0, lambda now: second.cancel())
    second = timers.schedule(1.0, calls.append)
    timers.run_due(5.0)
    assert calls == []
    assert len(timers) == 0


def test_what_a_callback_schedules_waits_for_the_next_run_even_if_due():
    timers, calls = TimerHeap(), []

    def again(now):
        calls.append(now)
        timers.schedule(now, again)

    timers.schedule(0.0, again)
    timers.run_due(1.0)
    assert calls == [1.0]
    assert timers.next_deadline() == 1.0
    timers.run_due(1.0)
    assert calls == [1.0, 1.0]


def test_a_callback_that_fails_is_logged_and_keeps_no_other_from_being_called(caplog):
    timers, calls = TimerHeap(), []
    timers.schedule(1.0, lambda now: 1 / 0)
    timers.schedule(1.0, calls.append)
    with caplog.at_level(logging.ERROR, "sipsimple.timers"):
        timers.run_due(1.0)
    assert calls == [1.0]
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_cancelled_timers_do_not_accumulate():
    timers = TimerHeap()
    kept = [timers.schedule(1000.0 + n, lambda now: None) for n in range(10)]
    for n in range(10_000):
        timers.schedule(100.0 + n, lambda now: None).cancel()
        assert len(timers._entries) <= 2 * len(kept) + COMPACTION_FLOOR + 1
    assert len(timers) == len(kept)
    assert timers.next_deadline() == 1000.0


def test_cancelling_while_a_run_is_under_way_keeps_count():
    timers, calls = TimerHeap(), []
    later = [timers.schedule(10.0 + n, calls.append) for n in range(3 * COMPACTION_FLOOR)]
    timers.schedule(1.0, lambda now: [timer.cancel() for timer in later[1:]])
    timers.schedule(1.0, lambda now: timers.schedule(5.0, calls.append))
    timers.run_due(1.0)
    assert len(timers) == 2
    assert timers.next_deadline() == 5.0
    timers.run_due(1000.0)
    assert calls == [1000.0, 1000.0]
    assert len(timers) == 0
    assert timers.next_deadline() is None


def test_the_adapter_is_told_when_the_earliest_deadline_becomes_earlier():
    told = []
    timers = TimerHeap(on_earlier=told.append)
    timers.schedule(5.0, lambda now: None)
    timers.schedule(7.0, lambda now: None)
    timers.schedule(3.0, lambda now: None)
    timers.schedule(3.0, lambda now: None)
    assert told == [5.0, 3.0]


@given(data=st.data())
def test_any_sequence_of_operations_agrees_with_a_plain_list(data):
    timers, calls, model, now = TimerHeap(), [], {}, 0.0
    for step in range(data.draw(st.integers(0, 60))):
        operation = data.draw(st.sampled_from(("schedule", "schedule", "cancel", "run")))
        if operation == "schedule":
            deadline = now + data.draw(st.integers(-2, 20))
            model[step] = deadline, timers.schedule(deadline, lambda now, step=step: calls.append(step))
        elif operation == "cancel" and model:
            model.pop(data.draw(st.sampled_from(sorted(model))))[1].cancel()
        else:
            now += data.draw(st.integers(0, 5))
            due = [step for _, step in sorted((deadline, s) for s, (deadline, _) in model.items() if deadline <= now)]
            calls.clear()
            timers.run_due(now)
            assert calls == due
            for step_done in due:
                del model[step_done]
        assert len(timers) == len(model)
        assert timers.next_deadline() == min((deadline for deadline, _ in model.values()), default=None)
