"""The recorder of notifications, and the pytest plugin."""

import subprocess
import sys
import threading
from typing import Any as AnyValue

import pytest

import sipsimple.testing
from sipsimple.notification import NotificationCenter, NotificationData, declare_notification, field
from sipsimple.realm import Realm
from sipsimple.testing import NotificationRecorder

pytest_plugins = ["pytester"]

for letter in "XYZ":
    declare_notification(f"Record{letter}", None, "Only a test.", value=field(AnyValue, "any", optional=True))


def post(letter, sender=None, **fields):
    NotificationCenter().post_notification(f"Record{letter}", sender, NotificationData(**fields))


def test_records_everything_in_order():
    recorder = NotificationRecorder()
    first, second = object(), object()
    post("X", first, value=1)
    post("Y", second)
    post("X", second, value=2)
    assert recorder.names() == ["RecordX", "RecordY", "RecordX"]
    assert recorder.names(sender=second) == ["RecordY", "RecordX"]
    assert recorder.names(only=["RecordX"]) == ["RecordX", "RecordX"]
    assert len(recorder) == 3
    assert recorder.find("RecordX").data.value == 1
    assert recorder.last("RecordX").data.value == 2
    assert recorder.find("RecordX", sender=second).data.value == 2
    assert recorder.find("RecordX", value=2).sender is second
    assert recorder.find("RecordX", value=3) is None
    assert recorder.find("RecordX", other=None) is None
    assert recorder.last("RecordZ") is None
    assert recorder.count("RecordX") == 2


def test_records_what_was_chosen():
    sender = object()
    chosen = NotificationRecorder(["RecordX", "RecordZ"], sender=sender)
    named = NotificationRecorder("RecordY")
    for letter in "XYZ":
        post(letter, sender)
        post(letter)
    assert chosen.names() == ["RecordX", "RecordZ"]
    assert named.names() == ["RecordY", "RecordY"]


def test_stops_and_clears():
    with NotificationRecorder() as recorder:
        post("X")
    post("Y")
    assert recorder.names() == ["RecordX"]
    recorder.stop()
    recorder.clear()
    assert recorder.names() == []


def test_records_the_center_of_its_realm():
    other = Realm("other")
    recorder = other.run(NotificationRecorder)
    post("X")
    other.run(post, "Y")
    assert recorder.names() == ["RecordY"]


def test_waits_for_what_another_thread_posts():
    recorder = NotificationRecorder()
    post("X", value=1)
    assert recorder.wait_for("RecordX", timeout=0).data.value == 1
    thread = threading.Thread(target=lambda: [post("Y", value=1), post("Y", value=2)])
    thread.start()
    assert recorder.wait_for("RecordY", value=2).data.value == 2
    assert recorder.wait_until(lambda: recorder.count("RecordY")) == 2
    thread.join(5)


def test_says_what_it_saw_when_it_waited_in_vain():
    recorder = NotificationRecorder()
    post("X", value="seen")
    with pytest.raises(AssertionError, match="RecordY value=5 did not come within") as failure:
        recorder.wait_for("RecordY", timeout=0.01, value=5)
    assert "1. RecordX from nobody (value='seen'" in str(failure.value)


def test_assertions_hold():
    recorder = NotificationRecorder()
    for letter in "XYZ":
        post(letter, value=letter)
    recorder.assert_names(["RecordX", "RecordY", "RecordZ"])
    recorder.assert_names(["RecordY"], only=["RecordY"])
    recorder.assert_order("RecordX", "RecordZ")
    recorder.assert_none("RecordX", value="Z")
    assert recorder.assert_one("RecordZ").data.value == "Z"


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda r: r.assert_names(["RecordX"]), "they differ from number 2 on"),
        (lambda r: r.assert_names(["RecordX", "RecordZ"]), "they differ from number 2 on"),
        (lambda r: r.assert_names(["RecordX", "RecordY", "RecordZ"]), "they differ from number 3 on"),
        (lambda r: r.assert_order("RecordY", "RecordX"), "RecordX is missing, or came too early"),
        (lambda r: r.assert_order("RecordX", "RecordX"), "RecordX is missing, or came too early"),
        (lambda r: r.assert_one("RecordZ"), "RecordZ came 0 times, not once"),
        (lambda r: r.assert_none("RecordY"), "RecordY came"),
    ],
)
def test_assertions_fail_with_what_was_seen(check, message):
    recorder = NotificationRecorder()
    post("X")
    post("Y")
    with pytest.raises(AssertionError, match=message) as failure:
        check(recorder)
    assert "recorded: 2 notifications" in str(failure.value)


def test_shows_the_last_ones():
    recorder = NotificationRecorder()
    for number in range(100):
        post("X", value=number)
    text = recorder.transcript(last=3)
    assert len(text.splitlines()) == 5
    assert "97 before" in text
    assert "100. RecordX" in text


def test_is_bounded(monkeypatch, observer_errors):
    monkeypatch.setattr("sipsimple.testing.recorder.MAX_RECORDED", 2)
    recorder = NotificationRecorder()
    for letter in "XYZ":
        post(letter)
    assert recorder.names() == ["RecordX", "RecordY"]
    assert observer_errors[0].exc_info[0] is OverflowError


def test_names_of_the_package_are_lazy():
    assert set(sipsimple.testing.__all__) >= {"MemoryNetwork", "NotificationRecorder", "UserAgent"}
    with pytest.raises(AttributeError, match="nonsense"):
        sipsimple.testing.nonsense  # noqa: B018


# the pytest plugin


def test_plugin_imports_nothing_of_the_sdk_at_the_start_of_pytest():
    code = """
import sys, sipsimple.testing.pytest_plugin
print(sorted(name for name in sys.modules if name.startswith(('sipsimple.', 'twisted', 'zope'))))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert result.stdout.strip() == "['sipsimple.testing', 'sipsimple.testing.pytest_plugin']"


OBSERVED = """
import pytest
from sipsimple.notification import *
from sipsimple.realm import current_realm, default_realm
declare_notification('Known', None, 'A test.')
class Broken:
    def handle_notification(self, notification):
        raise RuntimeError('this observer is broken')
def post_to_broken():
    NotificationCenter().add_observer(Broken())
    NotificationCenter().post_notification('Known')
"""


def run_tests(pytester, source):
    pytester.makepyfile(OBSERVED + source)
    return pytester.runpytest_inprocess("-p", "no:cacheprovider")


def test_plugin_fails_tests_whose_observers_raise(pytester):
    result = run_tests(
        pytester,
        """
def test_fails():
    post_to_broken()
@pytest.mark.observer_errors
def test_marked():
    post_to_broken()
def test_handled(observer_errors):
    post_to_broken()
    assert 'Broken' in observer_errors[0].getMessage()
    assert len(observer_errors) == 1
def test_quiet():
    NotificationCenter().post_notification('Known')
""",
    )
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*an observer raised*", "*RuntimeError: this observer is broken*"])


def test_plugin_watches_teardown_too(pytester):
    result = run_tests(
        pytester,
        """
@pytest.fixture
def late():
    yield
    post_to_broken()
def test_late(late):
    pass
""",
    )
    result.assert_outcomes(passed=1, errors=1)


def test_plugin_makes_notifications_strict(pytester):
    result = run_tests(
        pytester,
        """
def test_strict():
    with pytest.raises(NotificationError):
        NotificationCenter().post_notification('Unknown')
""",
    )
    result.assert_outcomes(passed=1)


def test_plugin_gives_each_test_a_fresh_realm(pytester):
    result = run_tests(
        pytester,
        """
realms, centers = [default_realm()], []
@pytest.mark.parametrize('number', [1, 2])
def test_fresh(number):
    assert current_realm() not in realms and NotificationCenter() not in centers
    realms.append(current_realm())
    centers.append(NotificationCenter())
""",
    )
    result.assert_outcomes(passed=2)
