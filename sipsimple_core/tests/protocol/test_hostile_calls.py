"""Calls whose other party says anything, in any order: no error of ours, and nothing left when it is over."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sipsimple.testing.hostile_party import STEPS, HostileCall

HEADERS = [
    *("Require: 100rel", "Supported: 100rel, timer, replaces", "Require: nothing", "RSeq: 1", "RSeq: 2", "RSeq: x"),
    *("RAck: 1 1 INVITE", "RAck: 0 0 INVITE", "RAck: x", "Session-Expires: 90", "Session-Expires: 1;refresher=uas"),
    *("Session-Expires: 4294967295;refresher=uac", "Session-Expires: x", "Min-SE: 90", "Min-SE: 4294967295"),
    *("Min-SE: x", "Replaces: hostile;to-tag=a;from-tag=b", "Replaces: x", "Reason: SIP;cause=200", "Reason: ;;"),
    *(
        "Contact: <sip:a@[::1]>",
        "Contact: <sip:",
        "Record-Route: <sip:10.0.0.8;lr>",
        "Record-Route: <",
        "Allow: UPDATE",
    ),
    *("Retry-After: 5", "Retry-After: x", "Refer-To: <sip:c@10.0.0.3>", "Event: refer", "Info-Package: x", "Join: x"),
    *("Subscription-State: active", 'WWW-Authenticate: Digest realm="a", nonce="b"', "Content-Type: multipart/mixed"),
    *("Content-Disposition: early-session", "Content-Encoding: gzip", "Accept: text/plain", "To: <sip:x@y>;tag=z"),
]
BODIES = [
    None,
    b"",
    b"v=0\r\n",
    b"rubbish",
    b"--x\r\n\r\n",
    b"v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nt=0 0\r\nm=a 1 b 0\r\n",
]

steps = st.lists(
    st.tuples(st.integers(0, len(STEPS) - 1), st.lists(st.sampled_from(HEADERS), max_size=3), st.sampled_from(BODIES)),
    max_size=12,
)


#: How far the call is when anything may happen, from either side's beginning.
OUTGOING = ([], [180], [183], [200], [183, 200], [200, "reinvite"], [200, "update"], [200, "INVITE"], [200, "UPDATE"])
INCOMING = (["INVITE"], ["INVITE", "progress"], ["INVITE", "accept"], ["INVITE", "accept", "ACK"])
BEGINNINGS = [(True, beginning) for beginning in OUTGOING] + [(False, beginning) for beginning in INCOMING]
#: What a beginning says beside what it must.
BESIDE = ["Session-Expires: 90", "Allow: INVITE, UPDATE"]


@pytest.mark.timeout(300)
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(BEGINNINGS), steps)
def test_whatever_is_said_the_call_ends(
    beginning: tuple[bool, list[int | str]], steps: list[tuple[int, list[str], bytes | None]]
) -> None:
    hostile = HostileCall(beginning[0])
    for what in beginning[1]:
        hostile.step(STEPS.index(what), BESIDE)
    for number, lines, body in steps:
        hostile.step(number, lines, body)
    hostile.finish()
    core = hostile.party.core
    assert core.dialogs == 0
    assert len(hostile.party.timers) == 0
    if hostile.call is not None:
        assert hostile.call.states[-1] == "disconnected" and hostile.call.states.count("disconnected") == 1


def test_every_step_is_taken_in_a_call() -> None:
    """The hostile party gets through to a call: else the test above would show nothing."""
    hostile = HostileCall(True)
    for what in (183, 200, "INFO", "UPDATE", "accept", "reinvite", 491, "BYE"):
        hostile.step(STEPS.index(what))
    assert hostile.call is not None
    assert hostile.call.states[-1] == "disconnected" and "connected" in hostile.call.states
    assert len(hostile.call.infos) == 1
    assert [update.early for update in hostile.call.updates] == [True, False, False]
    hostile = HostileCall(False)
    for what in ("INVITE", "progress", "PRACK", "accept", "ACK", "reinvite", 491, "BYE"):
        hostile.step(STEPS.index(what))
    assert hostile.call is not None and "connected" in hostile.call.states
    # in the 183 and its PRACK, in another offer in the PRACK, and in the call
    assert [update.early for update in hostile.call.updates] == [True, True, False]
