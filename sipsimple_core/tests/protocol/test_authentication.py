"""Authentication of one client usage, and its end without loops."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipsimple.core.protocol.authentication import MAX_ROUNDS, MAX_SPACES, MAX_STALE, Authenticator
from sipsimple.core.wire.digest import Challenge, Credentials
from sipsimple.core.wire.headers import FrozenAuthorizationHeader
from sipsimple.core.wire.message import SIPRequest, SIPResponse, make_response
from sipsimple.testing.digest_guard import DigestGuard

PASSWORDS = {"alice": "secret"}


def register(cseq: int = 1, body: bytes = b"") -> SIPRequest:
    return SIPRequest(
        "REGISTER",
        "sip:example.com",
        [
            ("Via", "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1"),
            ("From", "<sip:alice@example.com>;tag=1"),
            ("To", "<sip:alice@example.com>"),
            ("Call-ID", "1"),
            ("CSeq", f"{cseq} REGISTER"),
        ],
        body,
    )


def challenge(*headers: Challenge) -> SIPResponse:
    fields = [(header.name, header) for header in (challenge.header() for challenge in headers)]
    code = 407 if any(challenge.of_proxy for challenge in headers) else 401
    return make_response(register(), code, headers=fields)


def pass_through(authenticator: Authenticator, *guards: DigestGuard, body: bytes = b"") -> tuple[int, int]:
    """Sends a request until all guards let it pass or it is given up: how often, and the last code (200: passed)."""
    attempt = authenticator.attempt()
    for times in range(1, 100):
        request = register(times, body)
        attempt.authorize(request)
        refusal = next((response for guard in guards if (response := guard(request)) is not None), None)
        if refusal is None:
            return times, 200
        if not attempt.challenged(refusal):
            return times, refusal.code
    raise AssertionError("it never ends")


@pytest.fixture
def authenticator() -> Authenticator:
    return Authenticator(Credentials("alice", "secret"))


@pytest.mark.parametrize("algorithm", [None, "MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256"])
@pytest.mark.parametrize("qop", [(), ("auth",), ("auth-int",), ("auth-int", "auth")])
def test_each_algorithm_and_quality(authenticator: Authenticator, algorithm: str | None, qop: tuple[str, ...]) -> None:
    """RFC 2617 3.2, RFC 7616 3.4, RFC 8760 2."""
    guard = DigestGuard(PASSWORDS, algorithms=[algorithm], qop=qop)
    assert pass_through(authenticator, guard, body=b"octets") == (2, 200)


def test_the_strongest_of_several_challenges_is_answered(authenticator: Authenticator) -> None:
    guard = DigestGuard(PASSWORDS, algorithms=["MD5", "SHA-512-256", "SHA-256"])
    attempt = authenticator.attempt()
    assert attempt.challenged(make_response(register(), 401, headers=guard.challenges()))
    request = register(2)
    attempt.authorize(request)
    (header,) = request.headers.all(FrozenAuthorizationHeader)
    assert header.text("algorithm") == "SHA-512-256"
    assert guard(request) is None


def test_later_requests_are_authorized_unasked_and_count_the_nonce(authenticator: Authenticator) -> None:
    """RFC 7616 3.4: nc counts the requests sent with a nonce."""
    guard = DigestGuard(PASSWORDS)
    assert pass_through(authenticator, guard) == (2, 200)
    assert [pass_through(authenticator, guard) for _ in range(3)] == [(1, 200)] * 3
    request = register()
    authenticator.authorize(request)
    assert request.headers.all(FrozenAuthorizationHeader)[0].text("nc") == "00000005"


def test_a_stale_nonce_is_renewed(authenticator: Authenticator) -> None:
    guard = DigestGuard(PASSWORDS, uses=2)
    assert pass_through(authenticator, guard) == (2, 200)
    assert pass_through(authenticator, guard) == (1, 200)
    assert pass_through(authenticator, guard) == (2, 200)
    assert guard.stale == 1


def test_a_server_that_forgot_its_nonces_without_saying_stale_is_answered_once_more(
    authenticator: Authenticator,
) -> None:
    assert pass_through(authenticator, DigestGuard(PASSWORDS)) == (2, 200)
    assert pass_through(authenticator, DigestGuard(PASSWORDS)) == (2, 200)


def test_several_proxies_and_the_server_each_get_their_answer(authenticator: Authenticator) -> None:
    """RFC 3261 22.3: credentials for each realm are on the request, also once the next one challenges."""
    guards = [
        DigestGuard(PASSWORDS, "first.example.com", of_proxy=True),
        DigestGuard(PASSWORDS, "second.example.com", of_proxy=True, algorithms=["MD5"]),
        DigestGuard(PASSWORDS, "first.example.com"),
    ]
    assert pass_through(authenticator, *guards) == (4, 200)
    assert pass_through(authenticator, *guards) == (1, 200)


def test_several_challenges_in_one_response_are_answered_at_once(authenticator: Authenticator) -> None:
    """RFC 3261 22.3: a forking proxy collects the challenges of its branches."""
    attempt = authenticator.attempt()
    assert attempt.challenged(
        challenge(Challenge("one", "1"), Challenge("two", "2"), Challenge("one", "3", of_proxy=True))
    )
    request = register(2)
    attempt.authorize(request)
    assert len(request.headers.getall("Authorization")) == 2
    assert len(request.headers.getall("Proxy-Authorization")) == 1


def test_rejected_credentials_are_not_sent_again() -> None:
    """RFC 3261 22.2: no retry with what was just rejected, and no showing of it in later requests."""
    authenticator = Authenticator(Credentials("alice", "wrong"))
    assert pass_through(authenticator, DigestGuard(PASSWORDS)) == (2, 401)
    request = register()
    authenticator.authorize(request)
    assert "Authorization" not in request.headers


def test_another_realm_does_not_get_the_credentials() -> None:
    authenticator = Authenticator(Credentials("alice", "secret", "example.com"))
    assert pass_through(authenticator, DigestGuard(PASSWORDS, "example.org")) == (1, 401)
    assert pass_through(authenticator, DigestGuard(PASSWORDS, "example.com")) == (2, 200)
    assert pass_through(Authenticator(None), DigestGuard(PASSWORDS)) == (1, 401)


def test_an_endless_stale_ends(authenticator: Authenticator) -> None:
    attempt = authenticator.attempt()
    rounds = 0
    while attempt.challenged(challenge(Challenge("example.com", f"nonce {rounds}", stale=True))):
        rounds += 1
    assert rounds == 1 + MAX_STALE


def test_a_stale_that_repeats_its_nonce_ends(authenticator: Authenticator) -> None:
    attempt = authenticator.attempt()
    assert attempt.challenged(challenge(Challenge("example.com", "1")))
    assert not attempt.challenged(challenge(Challenge("example.com", "1", stale=True)))


def test_endless_realms_end_and_are_not_kept(authenticator: Authenticator) -> None:
    for _ in range(3):
        attempt = authenticator.attempt()
        rounds = 0
        while attempt.challenged(challenge(*[Challenge(f"realm {rounds} {n}", "1") for n in range(5)])):
            rounds += 1
        assert rounds == MAX_ROUNDS
    request = register()
    authenticator.authorize(request)
    assert len(request.headers.getall("Authorization")) == MAX_SPACES


def test_what_can_not_be_answered_is_a_refusal(authenticator: Authenticator) -> None:
    unknown = challenge(Challenge("example.com", "1", "SHA-3"), Challenge("example.com", "1", qop=("auth-conf",)))
    assert not authenticator.attempt().challenged(unknown)
    assert not authenticator.attempt().challenged(make_response(register(), 401))
    basic = make_response(register(), 401, headers=[("WWW-Authenticate", 'Basic realm="example.com"')])
    assert not authenticator.attempt().challenged(basic)


def test_the_next_nonce_is_used(authenticator: Authenticator) -> None:
    """RFC 7616 3.5: nextnonce of Authentication-Info."""
    attempt = authenticator.attempt()
    attempt.challenged(challenge(Challenge("example.com", "first", qop=("auth",), opaque="o")))
    accepted = make_response(register(), 200, headers=[("Authentication-Info", 'nextnonce="second", qop=auth')])
    authenticator.accepted(accepted)
    request = register(3)
    authenticator.authorize(request)
    (header,) = request.headers.all(FrozenAuthorizationHeader)
    assert (header.text("nonce"), header.text("nc"), header.text("opaque")) == ("second", "00000001", "o")


@pytest.mark.parametrize("value", ["", "nextnonce", 'nextnonce="', "\x00", 'rspauth="1"', 'nextnonce=""'])
def test_a_malformed_authentication_info_changes_nothing(authenticator: Authenticator, value: str) -> None:
    authenticator.attempt().challenged(challenge(Challenge("example.com", "first")))
    authenticator.accepted(make_response(register(), 200, headers=[("Authentication-Info", value)]))
    assert authenticator.nonce((False, "example.com")) == "first"


def test_the_password_shows_nowhere(authenticator: Authenticator) -> None:
    attempt = authenticator.attempt()
    attempt.challenged(challenge(Challenge("example.com", "1")))
    request = register()
    attempt.authorize(request)
    for text in (repr(authenticator), str(authenticator), repr(attempt), repr(request), request.encode().decode()):
        assert "secret" not in text


@given(st.text(max_size=80), st.booleans())
def test_any_challenge_is_answered_or_refused(value: str, of_proxy: bool) -> None:
    name = "Proxy-Authenticate" if of_proxy else "WWW-Authenticate"
    authenticator = Authenticator(Credentials("alice", "secret"))
    try:
        response = make_response(register(), 401, headers=[(name, f"Digest {value}")])
    except ValueError:
        return
    if authenticator.attempt().challenged(response):
        request = register()
        authenticator.authorize(request)
        assert request.encode()
