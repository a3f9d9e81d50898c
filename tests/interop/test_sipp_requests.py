"""Requests outside calls with sipp on the other side: digest, Retry-After, a registrar that wants more time."""

from __future__ import annotations

from typing import Any

from .conftest import Sipp, Stack
from .scenarios import expect, reply, scenario

TIMEOUT = 20
CHALLENGE = 'WWW-Authenticate: Digest realm="test.example", nonce="4f2a", algorithm={}, qop="auth"'


def register(stack: Stack, port: int, duration: int = 600) -> Any:
    from sipsimple.core import SIPURI, ContactHeader, Credentials, FromHeader, Registration, RouteHeader

    uri = SIPURI("test.example", user="alice")
    registration = stack.run(Registration, FromHeader(uri), Credentials("alice", "apass"), duration)
    contact = ContactHeader(SIPURI("127.0.0.1", user="alice", port=stack.port))
    stack.run(registration.register, contact, RouteHeader(SIPURI("127.0.0.1", port=port)), 10)
    return registration


def bound(*headers: str) -> str:
    return reply(200, "OK", "[last_Contact:]", "Expires: 600", *headers, contact=False)


def test_digest(sipp: Sipp, stack: Stack) -> None:
    """RFC 3261 22, RFC 7616: the second REGISTER carries the answer, with a higher CSeq."""
    run = sipp.start(
        scenario(
            expect("REGISTER"),
            reply(401, "Unauthorized", CHALLENGE.format("MD5"), CHALLENGE.format("SHA-256"), contact=False),
            expect("REGISTER"),
            bound(),
        )
    )
    registration = register(stack, run.port)
    stack.recorder.wait_for("SIPRegistrationDidSucceed", registration, TIMEOUT)
    run.finish()
    sent = [trace.data.data for trace in stack.recorder.find_all("SIPEngineSIPTrace", received=False)]
    authorized = {
        int(message.split("CSeq: ")[1].split()[0]): "Authorization: Digest ***" in message for message in sent
    }
    assert list(authorized.values()) == [False, True] and sorted(authorized) == list(authorized)


def test_an_interval_that_is_too_brief(sipp: Sipp, stack: Stack) -> None:
    """RFC 3261 10.2.8: 423 says how long it has to be; the next REGISTER asks for that."""
    run = sipp.start(
        scenario(
            expect("REGISTER"),
            reply(423, "Interval Too Brief", "Min-Expires: 1800", contact=False),
            expect("REGISTER"),
            bound(),
        )
    )
    registration = register(stack, run.port, 60)
    stack.recorder.wait_for("SIPRegistrationDidSucceed", registration, TIMEOUT)
    run.finish()
    last = [trace.data.data for trace in stack.recorder.find_all("SIPEngineSIPTrace", received=False)][-1]
    assert "Expires: 1800" in last


def test_retry_after(sipp: Sipp, stack: Stack) -> None:
    """RFC 3261 20.33: a failure tells after how many seconds it may be tried again."""
    run = sipp.start(
        scenario(expect("REGISTER"), reply(503, "Service Unavailable", "Retry-After: 120 (busy)", contact=False))
    )
    registration = register(stack, run.port)
    data = stack.recorder.wait_for("SIPRegistrationDidFail", registration, TIMEOUT).data
    run.finish()
    assert (data.code, data.retry_after) == (503, 120)
