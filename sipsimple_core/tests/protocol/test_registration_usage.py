"""Registrations between two stacks: bindings made, refreshed, removed, refused, and registrars that talk rubbish."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipsimple.core.protocol.hop import Hop
from sipsimple.core.protocol.outgoing_request import Destination
from sipsimple.core.protocol.registration_usage import Bindings, RegistrationUsage, own_binding, registrar_of
from sipsimple.core.protocol.request_failure import RequestFailure
from sipsimple.core.protocol.server_transaction import ServerTransaction
from sipsimple.core.protocol.soft_state import (
    MAX_MIN_EXPIRES,
    MAX_REFRESH,
    MAX_REPAIRS,
    MIN_REFRESH,
    SOFT_STATES,
    SoftState,
    SoftStateEvent,
)
from sipsimple.core.wire.digest import Credentials
from sipsimple.core.wire.headers import FrozenContactHeader, FrozenFromHeader
from sipsimple.core.wire.message import SIPRequest, SIPResponse, make_response
from sipsimple.testing.digest_guard import DigestGuard
from sipsimple.testing.parties import Link, Party
from sipsimple.testing.registrar import Registrar

ADDRESS = "sip:alice@example.com"
INSTANCE = '"<urn:uuid:00000000-0000-1000-8000-000a95a0e128>"'


class Recorder:
    """Registers as alice and records what it is told, each with the time since the beginning."""

    def __init__(
        self, link: Link, party: Party, registrar: Hop, credentials: Credentials | None = None, duration: int = 300
    ) -> None:
        self.link = link
        self.start = link.now
        self.events: list[str] = []
        self.times: list[float] = []
        self.bindings: list[Bindings] = []
        self.failures: list[RequestFailure] = []
        self.expired: list[bool] = []
        self.answers: list[tuple[int, Destination]] = []
        self.on_will_expire: Callable[[], None] = lambda: None
        self.destinations = [Destination(registrar)]
        self.usage = RegistrationUsage(party.core, self, FrozenFromHeader(ADDRESS), credentials, duration)
        self.contact = FrozenContactHeader(party.uri)

    def register(self, contact: FrozenContactHeader | None = None, timeout: float | None = None) -> None:
        self.usage.set(contact or self.contact, self.destinations, timeout, now=self.link.now)

    def end(self, timeout: float | None = None) -> None:
        self.usage.end(timeout, now=self.link.now)

    def _note(self, event: str) -> None:
        self.events.append(event)
        self.times.append(self.link.now - self.start)

    def registration_answered(self, response: SIPResponse, destination: Destination) -> None:
        self.answers.append((response.code, destination))

    def registered(self, bindings: Bindings) -> None:
        self._note("registered")
        self.bindings.append(bindings)

    def state_failed(self, failure: RequestFailure) -> None:
        self._note(f"failed {failure.code}")
        self.failures.append(failure)

    def state_will_expire(self, seconds: float) -> None:
        self._note("will expire")
        self.on_will_expire()

    def state_will_end(self) -> None:
        self._note("will end")

    def state_ended(self, response: SIPResponse | None, expired: bool) -> None:
        self._note("ended")
        self.expired.append(expired)

    def state_not_ended(self, failure: RequestFailure) -> None:
        self._note(f"not ended {failure.code}")
        self.failures.append(failure)

    def bindings_fetched(self, bindings: Bindings) -> None:
        self._note("fetched")
        self.bindings.append(bindings)

    def bindings_not_fetched(self, failure: RequestFailure) -> None:
        self._note(f"not fetched {failure.code}")
        self.failures.append(failure)


@pytest.fixture
def server(link: Link) -> Party:
    return Party(link, "registrar", "10.0.0.9")


@pytest.fixture
def user(link: Link, alice: Party, server: Party) -> Recorder:
    return Recorder(link, alice, server.hop)


Answer = Callable[[SIPRequest], SIPResponse | None]


def answer_with(server: Party, answer: Answer) -> list[SIPRequest]:
    """Scripts the server: each REGISTER is answered with what `answer` returns, None is silence."""
    requests: list[SIPRequest] = []

    def serve(request: SIPRequest, transaction: ServerTransaction, source: Hop, now: float) -> None:
        requests.append(request)
        response = answer(request)
        if response is not None:
            transaction.respond(response, now)

    server.core.serve("REGISTER", serve)
    return requests


def respond(code: int, *headers: tuple[str, str], reason: str | None = None) -> Answer:
    return lambda request: make_response(request, code, reason, "1", headers)


def registers(link: Link) -> int:
    return link.lines("alice").count("REGISTER")


def assert_nothing_left(link: Link, alice: Party) -> None:
    link.advance(100)
    assert len(alice.timers) == 0 and alice.layer.client_transactions == 0


# The table


def test_each_state_is_reached_and_left() -> None:
    reached = {state for row in SOFT_STATES.values() for state in row.values()}
    assert set(SOFT_STATES) == set(SoftState) == reached
    assert all(SOFT_STATES.values())


@pytest.mark.parametrize(("state", "event"), list(product(SoftState, SoftStateEvent)))
def test_each_event_in_each_state(
    link: Link, alice: Party, server: Party, user: Recorder, state: SoftState, event: SoftStateEvent
) -> None:
    """What the table lists leads where it says; everything else is an error of the program and changes nothing."""
    user.usage.state = state
    if event in SOFT_STATES[state]:
        user.usage._change(event)
        assert user.usage.state is SOFT_STATES[state][event]
    else:
        with pytest.raises(KeyError):
            user.usage._change(event)
        assert user.usage.state is state


# Bindings


def test_a_binding_is_made_and_removed(link: Link, alice: Party, server: Party, user: Recorder) -> None:
    """RFC 3261 10.2: no user in the Request-URI, To without a tag; 10.2.2: removed by a duration of zero."""
    registrar = Registrar(server.core)
    user.register()
    link.deliver()
    assert user.events == ["registered"] and user.usage.state is SoftState.ACTIVE
    (bindings,) = user.bindings
    assert bindings.contact == bindings.contacts[0] and bindings.expires == 300
    assert bindings.contact is not None and bindings.contact.uri == alice.uri
    assert user.usage.expires_at == link.now + 300
    assert [contact.uri for contact in registrar.contacts(ADDRESS)] == [alice.uri]
    user.end()
    link.deliver()
    assert user.events == ["registered", "will end", "ended"] and user.expired == [False]
    assert registrar.bindings == {}
    assert_nothing_left(link, alice)


def test_the_request_is_as_10_2_says(link: Link, alice: Party, server: Party, user: Recorder) -> None:
    """RFC 3261 10.2, RFC 3327 5.1: Supported: path."""
    requests = answer_with(server, respond(200))
    user.register(FrozenContactHeader(alice.uri, None, {"expires": "7", "q": "0.5"}))
    link.deliver()
    (request,) = requests
    assert request.raw_uri == "sip:example.com" and request.call_id == user.usage.call_id
    assert request.to_header is not None and request.from_header is not None
    assert request.to_header.tag is None and request.from_header.tag
    assert request.to_header.uri == request.from_header.uri
    assert request.contact[0].parameters == {"q": "0.5", "expires": "300"} and request.expires == 300
    assert request.supported == ["path"]


def test_the_binding_is_refreshed_before_its_time_is_out(
    link: Link, alice: Party, server: Party, user: Recorder
) -> None:
    """RFC 3261 10.2.4: with the same Call-ID and the next CSeq, at 240 s less up to a tenth, plus the user's grace."""
    registrar = Registrar(server.core)
    user.register()
    link.advance(1000)
    assert user.events[:3] == ["registered", "will expire", "registered"]
    assert 216 <= user.times[1] <= 240 and user.times[2] == pytest.approx(user.times[1] + 10)
    assert user.events.count("registered") == registrar.requests >= 4 and "ended" not in user.events
    binding = registrar.bindings[ADDRESS].popitem()[1]
    assert binding.cseq == registrar.requests and binding.call_id == user.usage.call_id


def test_the_user_may_refresh_by_itself(link: Link, alice: Party, server: Party, user: Recorder) -> None:
    Registrar(server.core)
    user.on_will_expire = user.register
    user.register()
    link.advance(290)
    assert user.events == ["registered", "will expire", "registered"] and user.times[1] == user.times[2]
    assert registers(link) == 2


def test_a_shorter_duration_is_obeyed(link: Link, alice: Party, server: Party, user: Recorder) -> None:
    Registrar(server.core, min_expires=5, max_expires=20)
    user.register()
    link.advance(100)
    assert "ended" not in user.events and user.bindings[0].expires == 20
    gaps = [later - earlier for earlier, later in zip(user.times, user.times[1:], strict=False)]
    assert registers(link) >= 7 and all(gap < 15 for gap in gaps)


@pytest.mark.parametrize(
    ("headers", "expires"),
    [
        ([("Expires", "120")], 120),
        ([], 300),
        ([("Contact", "<sip:alice@10.0.0.1:5060>;expires=70"), ("Expires", "120")], 70),
        ([("Contact", "<sip:alice@10.0.0.1:5060>"), ("Expires", "120")], 120),
        ([("Contact", "<sip:other@10.0.0.1:5060>;expires=10"), ("Expires", "120")], 120),
        ([("Contact", "<sip:x@10.0.0.7>;expires=10, <sip:%61lice@10.0.0.1:5060;ob>;expires=80")], 80),
    ],
)
def test_how_long_the_binding_was_granted(
    link: Link, server: Party, user: Recorder, headers: Sequence[tuple[str, str]], expires: int
) -> None:
    """RFC 3261 10.2.4: our Contact by the comparison of 19.1.4, its parameter before the Expires header."""
    answer_with(server, respond(200, *headers))
    user.register()
    link.deliver()
    assert user.bindings[0].expires == expires


def test_our_binding_is_known_by_its_flow() -> None:
    """RFC 5626 6: instance and reg-id, whatever the URI became."""
    ours = FrozenContactHeader("sip:a@10.0.0.1", None, {"+sip.instance": INSTANCE, "reg-id": "1"})
    same_uri = FrozenContactHeader("sip:a@10.0.0.1", None, {"+sip.instance": INSTANCE, "reg-id": "2"})
    rewritten = FrozenContactHeader("sip:a@192.0.2.1", None, {"+sip.instance": INSTANCE, "reg-id": "1"})
    foreign = FrozenContactHeader("mailto:a@example.com")
    assert own_binding(ours, [foreign, same_uri, rewritten]) is rewritten
    assert own_binding(FrozenContactHeader("sip:a@10.0.0.1"), [rewritten, same_uri]) is same_uri
    assert own_binding(ours, [foreign]) is None


def test_what_the_registrar_says_beside_the_binding(link: Link, alice: Party, server: Party, user: Recorder) -> None:
    """RFC 3327, RFC 3608, RFC 5626 4.2, RFC 5627 5.1."""
    Registrar(server.core, service_routes=["<sip:home.example.com;lr>"], flow_timer=25, gruu=True)
    requests: list[SIPRequest] = []

    def edge_proxy(request: SIPRequest) -> None:
        requests.append(request)
        request.headers.add("Path", "<sip:edge.example.com;lr;ob>")

    server.guards.append(edge_proxy)
    user.register(FrozenContactHeader(alice.uri, None, {"+sip.instance": INSTANCE, "reg-id": "1"}))
    link.deliver()
    assert requests[0].supported == ["path", "outbound", "gruu"]
    (bindings,) = user.bindings
    assert [str(header.uri) for header in bindings.path] == ["sip:edge.example.com;lr;ob"]
    assert [str(header.uri) for header in bindings.service_routes] == ["sip:home.example.com;lr"]
    assert (bindings.outbound, bindings.flow_timer) == (True, 25)
    contact = bindings.contact
    assert contact is not None and contact.public_gruu is not None and contact.temporary_gruu is not None
    assert contact.public_gruu.startswith("sip:alice@example.com;gr=urn:uuid:")


def test_the_address_that_the_registrar_sees_is_told(link: Link, alice: Party, server: Party, user: Recorder) -> None:
    """RFC 3261 18.2.1, RFC 3581 4: received and rport of our Via."""

    def answer(request: SIPRequest) -> SIPResponse:
        response = make_response(request, 200, None, "1")
        via = re.sub(";(received|rport)[^;]*", "", response.headers.get("Via") or "")
        response.headers.set("Via", f"{via};received=192.0.2.7;rport=40123")
        return response

    answer_with(server, answer)
    user.register()
    link.deliver()
    assert user.bindings[0].public_address == ("192.0.2.7", 40123)
    answer_with(server, respond(200))
    user.register()
    link.deliver()
    assert user.bindings[1].public_address is None


def test_bindings_are_fetched_without_changing_any(link: Link, alice: Party, server: Party, user: Recorder) -> None:
    """RFC 3261 10.2.3: a REGISTER without Contact."""
    Registrar(server.core)
    user.register()
    link.deliver()
    other = Recorder(link, alice, server.hop)
    other.usage.fetch(other.destinations, now=link.now)
    link.deliver()
    assert other.events == ["fetched"]
    assert [contact.uri for contact in other.bindings[0].contacts] == [alice.uri]
    assert other.usage.state is SoftState.NULL
    other.usage.fetch([Destination(Hop("udp", "10.9.9.9", 5060))], 3, now=link.now)
    link.advance(4)
    answer_with(server, respond(403))
    other.usage.fetch(other.destinations, now=link.now)
    link.deliver()
    assert other.events == ["fetched", "not fetched 408", "not fetched 403"]


# Authentication


def test_a_challenge_is_answered_and_refreshes_need_none(link: Link, alice: Party, server: Party) -> None:
    """RFC 3261 22.2."""
    guard = DigestGuard({"alice": "secret"})
    registrar = Registrar(server.core, guard)
    user = Recorder(link, alice, server.hop, Credentials("alice", "secret"))
    user.register()
    link.advance(700)
    assert user.events.count("registered") == 3 and registrar.requests == 3
    assert (guard.challenged, guard.passed) == (1, 3)
    user.end()
    link.deliver()
    assert user.events[-1] == "ended" and guard.challenged == 1
    assert_nothing_left(link, alice)


def test_wrong_credentials_are_told_and_not_tried_again(link: Link, alice: Party, server: Party) -> None:
    guard = DigestGuard({"alice": "secret"})
    Registrar(server.core, guard)
    user = Recorder(link, alice, server.hop, Credentials("alice", "wrong"))
    user.register()
    link.advance(1000)
    assert user.events == ["failed 401"] and guard.challenged == 2
    assert "wrong" not in repr(user.failures) and "wrong" not in repr(vars(user.usage))
    assert_nothing_left(link, alice)


def test_an_endless_row_of_challenges_ends(link: Link, alice: Party, server: Party) -> None:
    count = iter(range(10_000))

    def challenge(request: SIPRequest) -> SIPResponse:
        header = f'Digest realm="{next(count)}", nonce="{next(count)}", stale=true'
        return make_response(request, 401, None, "1", [("WWW-Authenticate", header)])

    answer_with(server, challenge)
    user = Recorder(link, alice, server.hop, Credentials("alice", "secret"))
    user.register()
    link.advance(100)
    assert user.events == ["failed 401"] and registers(link) < 12
    assert_nothing_left(link, alice)


# Refusals


def test_too_brief_is_repaired(link: Link, alice: Party, server: Party, user: Recorder) -> None:
    """RFC 3261 10.2.8: 423 with Min-Expires, and the longer duration stays."""
    registrar = Registrar(server.core, min_expires=600)
    user.register()
    link.deliver()
    assert user.events == ["registered"] and user.bindings[0].expires == 600 == user.usage.duration
    assert registers(link) == 2 and registrar.requests == 2
    user.register()
    link.deliver()
    assert registers(link) == 3


@pytest.mark.parametrize(
    "least", [None, "", "300", "0", "-1", "x", "9" * 50, str(MAX_MIN_EXPIRES + 1), "4294967295", "1.5", "٣٠٠٠"]
)
def test_a_useless_minimum_is_a_failure(
    link: Link, alice: Party, server: Party, user: Recorder, least: str | None
) -> None:
    answer_with(server, respond(423, *([] if least is None else [("Min-Expires", least)])))
    user.register(timeout=20)
    link.advance(21)
    assert user.events in (["failed 423"], ["failed 408"]) and user.usage.state is SoftState.NULL
    assert user.usage.duration == 300
    assert_nothing_left(link, alice)


def test_an_endless_row_of_minimums_ends(link: Link, alice: Party, server: Party, user: Recorder) -> None:
    answer_with(server, lambda request: respond(423, ("Min-Expires", str(request.expires + 1)))(request))
    user.register()
    link.deliver()
    assert user.events == ["failed 423"] and registers(link) == 1 + MAX_REPAIRS
    assert_nothing_left(link, alice)


@pytest.mark.parametrize("code", [302, 403, 404, 439, 500, 503])
def test_a_refusal_is_told_with_what_it_says(
    link: Link, alice: Party, server: Party, user: Recorder, code: int
) -> None:
    headers = [("Retry-After", "77"), ("Contact", "<sip:other.example.com>")]
    answer_with(server, respond(code, *headers, reason="Because"))
    user.register()
    link.advance(1000)
    assert user.events == [f"failed {code}"] and registers(link) == 1
    (failure,) = user.failures
    assert (failure.originator, failure.reason, failure.retry_after) == ("remote", "Because", 77)
    assert [target.uri.host for target in failure.targets] == (["other.example.com"] if code == 302 else [])
    assert_nothing_left(link, alice)


def test_silence_is_told(link: Link, alice: Party, server: Party, user: Recorder) -> None:
    answer_with(server, lambda request: None)
    user.register(timeout=10)
    link.advance(11)
    assert user.events == ["failed 408"] and user.failures[0].originator == "local"
    assert_nothing_left(link, alice)


def test_a_failed_refresh_leaves_the_binding_to_its_time(
    link: Link, alice: Party, server: Party, user: Recorder
) -> None:
    Registrar(server.core)
    user.register()
    link.deliver()
    answer_with(server, respond(500))
    link.advance(299)
    assert user.events == ["registered", "will expire", "failed 500"] and user.usage.state is SoftState.LAPSING
    assert user.usage.expires_at is not None
    link.advance(2)
    assert user.events[-1] == "ended" and user.expired == [True] and user.usage.state is SoftState.NULL
    assert_nothing_left(link, alice)


def test_a_lapsing_binding_can_be_refreshed_or_removed(link: Link, alice: Party, server: Party, user: Recorder) -> None:
    Registrar(server.core)
    user.register()
    link.deliver()
    answer_with(server, respond(500))
    user.register()
    link.deliver()
    assert user.usage.state is SoftState.LAPSING
    user.end()
    link.deliver()
    assert user.events == ["registered", "failed 500", "will end", "not ended 500"]
    assert user.usage.state is SoftState.LAPSING
    Registrar(server.core)
    user.register()
    link.deliver()
    assert user.events[-1] == "registered" and user.usage.state is SoftState.ACTIVE


def test_the_next_server_takes_over(link: Link, alice: Party, server: Party, user: Recorder) -> None:
    """RFC 3263 4.3; and it is asked first from then on."""
    second = Party(link, "second", "10.0.0.10")
    answer_with(server, respond(503))
    registrar = Registrar(second.core)
    user.destinations.append(Destination(second.hop))
    user.register()
    link.advance(300)
    assert user.events == ["registered", "will expire", "registered"]
    assert link.lines("registrar") == ["503 REGISTER"] and registrar.requests == 2
    first, last = user.destinations
    assert user.answers == [(503, first), (200, last), (200, last)]


# What is asked for meanwhile


def test_one_request_at_a_time(link: Link, alice: Party, server: Party, user: Recorder) -> None:
    """RFC 3261 10.2: no new registration before the outcome of the one before; the last of several is made."""
    registrar = Registrar(server.core)
    user.register()
    user.register(FrozenContactHeader("sip:first@10.0.0.1"))
    user.register(FrozenContactHeader("sip:last@10.0.0.1"))
    assert registers(link) == 1
    link.deliver()
    assert user.events == ["registered", "registered"]
    assert [contact.uri.user for contact in registrar.contacts(ADDRESS)] == ["alice", "last"]


def test_an_end_waits_for_the_outcome(link: Link, alice: Party, server: Party, user: Recorder) -> None:
    registrar = Registrar(server.core)
    user.register()
    user.register()
    user.end()
    user.end()
    link.deliver()
    assert user.events == ["registered", "will end", "ended"] and registrar.bindings == {}
    assert registers(link) == 2
    assert_nothing_left(link, alice)


def test_an_end_after_a_failure_has_nothing_to_do(link: Link, alice: Party, server: Party, user: Recorder) -> None:
    answer_with(server, respond(403))
    user.register()
    user.end()
    link.deliver()
    assert user.events == ["failed 403", "ended"] and registers(link) == 1
    user.end()
    assert user.events[-2:] == ["ended", "ended"]
    assert_nothing_left(link, alice)


def test_a_registration_that_was_ended_can_begin_again(link: Link, alice: Party, server: Party, user: Recorder) -> None:
    registrar = Registrar(server.core)
    user.register()
    link.deliver()
    user.end()
    user.register()
    link.deliver()
    assert user.events == ["registered", "will end", "ended", "registered"]
    assert len(registrar.contacts(ADDRESS)) == 1


def test_an_end_that_nobody_answers_is_over_in_time(link: Link, alice: Party, server: Party, user: Recorder) -> None:
    Registrar(server.core)
    user.register()
    link.deliver()
    answer_with(server, lambda request: None)
    user.end(timeout=5)
    link.advance(6)
    assert user.events == ["registered", "will end", "not ended 408"] and user.usage.state is SoftState.LAPSING
    link.advance(300)
    assert user.events[-1] == "ended" and user.expired == [True]
    assert_nothing_left(link, alice)


def test_a_binding_whose_time_is_out_while_it_is_removed(
    link: Link, alice: Party, server: Party, user: Recorder
) -> None:
    Registrar(server.core, min_expires=5, max_expires=12)
    user.register()
    link.deliver()
    answer_with(server, lambda request: None)
    user.end()
    link.advance(40)
    assert user.events == ["registered", "will end", "not ended 408"] and user.usage.state is SoftState.NULL
    assert_nothing_left(link, alice)


# Registrars that talk rubbish


def test_a_grant_of_no_time_is_a_failure(link: Link, alice: Party, server: Party, user: Recorder) -> None:
    answer_with(server, respond(200, ("Expires", "0")))
    user.register()
    link.advance(1000)
    assert user.events == ["failed 200"] and "0 seconds" in user.failures[0].reason and registers(link) == 1
    assert_nothing_left(link, alice)


def test_a_grant_of_one_second_does_not_become_a_flood(link: Link, server: Party, user: Recorder) -> None:
    answer_with(server, respond(200, ("Expires", "1")))
    user.register()
    link.advance(100)
    assert 5 < registers(link) <= 1 + 100 / MIN_REFRESH


def test_a_grant_of_ages_is_refreshed_all_the_same(link: Link, server: Party, user: Recorder) -> None:
    answer_with(server, respond(200, ("Expires", "4294967295")))
    user.register()
    link.advance(MAX_REFRESH + 20)
    assert user.events == ["registered", "will expire", "registered"] and user.bindings[0].expires == 4294967295


def test_more_bindings_than_a_list_may_have_are_no_answer(
    link: Link, alice: Party, server: Party, user: Recorder
) -> None:
    answer_with(server, respond(200, ("Contact", ", ".join([f"<sip:{n}@10.0.0.2>;expires=9" for n in range(1000)]))))
    user.register(timeout=5)
    link.advance(6)
    assert user.events == ["failed 408"]
    assert_nothing_left(link, alice)


NAMES = [
    "Contact", "Expires", "Min-Expires", "Path", "Service-Route", "Require", "Flow-Timer", "Retry-After",
    "WWW-Authenticate", "Authentication-Info", "Proxy-Authenticate", "Date",
]  # fmt: skip
values = st.text(
    st.characters(blacklist_characters="\r\n", blacklist_categories=["Cs"]), max_size=40
) | st.sampled_from(
    [
        "0",
        "1",
        "4294967295",
        "4294967296",
        "*",
        "<sip:a@b>",
        "<sip:a@b>;expires=x",
        'Digest realm="", nonce=""',
        "outbound",
    ]
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([100, 183, 200, 202, 301, 401, 407, 408, 423, 500, 503, 699]),
            st.lists(st.tuples(st.sampled_from(NAMES), values), max_size=5),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_the_registrar_says_it_ends(answers: list[tuple[int, list[tuple[str, str]]]]) -> None:
    """Any responses: an outcome for each request, a bounded number of requests, nothing left in the end."""
    link = Link()
    alice, server = Party(link, "alice", "10.0.0.1"), Party(link, "registrar", "10.0.0.9")
    script = iter(answers)
    last = answers[-1]
    answer_with(server, lambda request: respond((code := next(script, last))[0], *code[1])(request))
    user = Recorder(link, alice, server.hop, Credentials("alice", "secret"))
    user.register(timeout=10)
    link.advance(120)
    assert user.events and registers(link) < 120
    user.end(timeout=10)
    link.advance(60)
    assert (
        user.events[-1] == "ended" or user.events[-1].startswith("not ended") or user.usage.state is SoftState.LAPSING
    )


@pytest.mark.parametrize("uri", ["tel:+31201234567", "mailto:alice@example.com"])
def test_only_sip_addresses_are_registered(uri: str) -> None:
    with pytest.raises(ValueError, match="no SIP URI"):
        registrar_of(FrozenFromHeader(uri).uri)


def test_the_registrar_of_an_address() -> None:
    """RFC 3261 10.2: the domain, without user and parameters; sips stays sips."""
    assert (
        str(registrar_of(FrozenFromHeader("sips:alice@example.com:5071;transport=tcp").uri)) == "sips:example.com:5071"
    )
