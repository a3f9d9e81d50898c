"""Publications between two stacks: published, refreshed, modified, removed, lost and published anew."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipsimple.core.protocol.dialog import new_tag
from sipsimple.core.protocol.hop import Hop
from sipsimple.core.protocol.outgoing_request import Destination
from sipsimple.core.protocol.publication_usage import MAX_ETAG, PublicationUsage, Published
from sipsimple.core.protocol.request_failure import RequestFailure
from sipsimple.core.protocol.server_transaction import ServerTransaction
from sipsimple.core.protocol.soft_state import SoftState
from sipsimple.core.wire.digest import Credentials
from sipsimple.core.wire.headers import FrozenFromHeader
from sipsimple.core.wire.message import SIPRequest, SIPResponse, make_response
from sipsimple.testing.digest_guard import DigestGuard
from sipsimple.testing.parties import Link, Party

ADDRESS = "sip:alice@example.com"


class Compositor:
    """An event state compositor (RFC 3903 6); `override` may answer a request in its place."""

    def __init__(self, party: Party, min_expires: int = 60) -> None:
        self.min_expires = min_expires
        self.states: dict[str, bytes] = {}
        self.requests: list[SIPRequest] = []
        self.override: Callable[[SIPRequest], SIPResponse | None] = lambda request: None
        self.silent = False
        party.core.serve("PUBLISH", self)

    def __call__(self, request: SIPRequest, transaction: ServerTransaction, source: Hop, now: float) -> None:
        self.requests.append(request)
        if not self.silent:
            transaction.respond(self.override(request) or self._serve(request), now)

    def _serve(self, request: SIPRequest) -> SIPResponse:
        known = request.headers.get("SIP-If-Match")
        if known is not None and known not in self.states:
            return make_response(request, 412, None, "1")
        if known is None and not request.body:
            return make_response(request, 400, None, "1")
        expires = request.expires or 0
        if 0 < expires < self.min_expires:
            return make_response(request, 423, None, "1", [("Min-Expires", str(self.min_expires))])
        body = request.body or self.states[known or ""]
        self.states.pop(known or "", None)
        etag = new_tag()
        if expires:
            self.states[etag] = body
        return make_response(request, 200, None, "1", [("SIP-ETag", etag), ("Expires", str(expires))])


class Recorder:
    """Publishes as alice and records what it is told."""

    def __init__(
        self, link: Link, party: Party, server: Hop, credentials: Credentials | None = None, duration: int = 300
    ) -> None:
        self.link = link
        self.events: list[str] = []
        self.results: list[Published] = []
        self.failures: list[RequestFailure] = []
        self.expired: list[bool] = []
        self.destinations = [Destination(server)]
        self.usage = PublicationUsage(
            party.core, self, FrozenFromHeader(ADDRESS), "presence", "application/pidf+xml", credentials, duration
        )

    def publish(self, body: bytes, timeout: float | None = None) -> None:
        self.usage.set(body, self.destinations, timeout, now=self.link.now)

    def end(self, timeout: float | None = None) -> None:
        self.usage.end(timeout, now=self.link.now)

    def published(self, published: Published) -> None:
        self.events.append("published")
        self.results.append(published)

    def state_failed(self, failure: RequestFailure) -> None:
        self.events.append(f"failed {failure.code}")
        self.failures.append(failure)

    def state_will_expire(self, seconds: float) -> None:
        self.events.append("will expire")

    def state_will_end(self) -> None:
        self.events.append("will end")

    def state_ended(self, response: SIPResponse | None, expired: bool) -> None:
        self.events.append("ended")
        self.expired.append(expired)

    def state_not_ended(self, failure: RequestFailure) -> None:
        self.events.append(f"not ended {failure.code}")


@pytest.fixture
def server(link: Link) -> Party:
    return Party(link, "server", "10.0.0.9")


@pytest.fixture
def compositor(server: Party) -> Compositor:
    return Compositor(server)


@pytest.fixture
def user(link: Link, alice: Party, server: Party) -> Recorder:
    return Recorder(link, alice, server.hop)


def answer(code: int, *headers: tuple[str, str]) -> Callable[[SIPRequest], SIPResponse]:
    return lambda request: make_response(request, code, None, "1", headers)


def assert_nothing_left(link: Link, alice: Party) -> None:
    link.advance(100)
    assert len(alice.timers) == 0 and alice.layer.client_transactions == 0


def test_published_modified_and_removed(link: Link, alice: Party, compositor: Compositor, user: Recorder) -> None:
    """RFC 3903 4.1, 4.4, 4.5: each 2xx names the state anew, each request names what it replaces."""
    user.publish(b"open")
    link.deliver()
    first = user.usage.etag
    assert user.events == ["published"] and list(compositor.states) == [first]
    user.publish(b"closed")
    link.deliver()
    assert list(compositor.states.values()) == [b"closed"] and user.usage.etag != first
    user.end()
    link.deliver()
    assert user.events == ["published", "published", "will end", "ended"] and user.expired == [False]
    assert compositor.states == {} and user.usage.etag is None
    initial, modify, remove = compositor.requests
    assert initial.raw_uri == ADDRESS and initial.headers.get("Event") == "presence"
    assert initial.content_type == "application/pidf+xml" and "SIP-If-Match" not in initial.headers
    assert modify.headers.get("SIP-If-Match") == first and modify.body == b"closed"
    assert remove.expires == 0 and not remove.body and "Content-Type" not in remove.headers
    assert_nothing_left(link, alice)


def test_refreshed_without_a_body(link: Link, compositor: Compositor, user: Recorder) -> None:
    """RFC 3903 4.3."""
    user.publish(b"open")
    link.advance(700)
    assert user.events == ["published"] + ["will expire", "published"] * 2
    assert [request.body for request in compositor.requests] == [b"open", b"", b""]
    assert all(request.headers.get("SIP-If-Match") for request in compositor.requests[1:])
    assert list(compositor.states.values()) == [b"open"]


def test_lost_state_is_published_anew(link: Link, compositor: Compositor, user: Recorder) -> None:
    """RFC 3903 4.2: after a 412 the whole state, without an entity-tag."""
    user.publish(b"open")
    link.deliver()
    compositor.states.clear()
    link.advance(290)
    assert user.events == ["published", "will expire", "published"]
    assert [request.body for request in compositor.requests] == [b"open", b"", b"open"]
    compositor.states.clear()
    user.publish(b"closed")
    link.deliver()
    assert list(compositor.states.values()) == [b"closed"]


def test_an_endless_row_of_412_ends(link: Link, alice: Party, compositor: Compositor, user: Recorder) -> None:
    user.publish(b"open")
    link.deliver()
    compositor.override = answer(412)
    user.publish(b"closed")
    link.deliver()
    assert user.events == ["published", "failed 412"] and len(compositor.requests) == 3
    user.end()
    assert user.events[-2:] == ["will end", "ended"] and len(compositor.requests) == 3
    assert_nothing_left(link, alice)


def test_removing_what_is_gone_is_an_end(link: Link, alice: Party, compositor: Compositor, user: Recorder) -> None:
    user.publish(b"open")
    link.deliver()
    compositor.states.clear()
    user.end()
    link.deliver()
    assert user.events == ["published", "will end", "ended"]
    assert_nothing_left(link, alice)


def test_too_brief_is_repaired(link: Link, compositor: Compositor, user: Recorder) -> None:
    """RFC 3903 6: 423 with Min-Expires."""
    compositor.min_expires = 900
    user.publish(b"open")
    link.deliver()
    assert user.events == ["published"] and user.results[0].expires == 900
    assert [request.expires for request in compositor.requests] == [300, 900]


def test_only_the_last_of_those_that_wait_is_published(link: Link, compositor: Compositor, user: Recorder) -> None:
    """RFC 3903 4: one PUBLISH at a time."""
    for body in (b"1", b"2", b"3"):
        user.publish(body)
    assert link.lines("alice") == ["PUBLISH"]
    link.deliver()
    assert [request.body for request in compositor.requests] == [b"1", b"3"]
    assert list(compositor.states.values()) == [b"3"]


def test_without_an_entity_tag_the_whole_state_is_sent_again(
    link: Link, alice: Party, compositor: Compositor, user: Recorder
) -> None:
    compositor.override = answer(200)
    user.publish(b"open")
    link.advance(290)
    assert user.events == ["published", "will expire", "published"]
    assert [request.body for request in compositor.requests] == [b"open", b"open"]
    user.end()
    assert user.events[-2:] == ["will end", "ended"] and len(compositor.requests) == 2
    assert_nothing_left(link, alice)


def test_a_challenge_is_answered(link: Link, alice: Party, server: Party, compositor: Compositor) -> None:
    guard = DigestGuard({"alice": "secret"})
    server.guards.append(guard)
    user = Recorder(link, alice, server.hop, Credentials("alice", "secret"))
    user.publish(b"open")
    link.advance(290)
    assert user.events.count("published") == 2 and (guard.challenged, guard.passed) == (1, 2)


def test_a_failure_is_told_and_the_state_lapses(
    link: Link, alice: Party, compositor: Compositor, user: Recorder
) -> None:
    user.publish(b"open")
    link.deliver()
    compositor.override = answer(503, ("Retry-After", "9"))
    link.advance(301)
    assert user.events == ["published", "will expire", "failed 503", "ended"]
    assert user.failures[0].retry_after == 9 and user.expired == [True] and user.usage.etag is None
    compositor.override = lambda request: None
    user.publish(b"again")
    link.deliver()
    assert user.events[-1] == "published" and "SIP-If-Match" not in compositor.requests[-1].headers


def test_a_refresh_that_outlives_the_state(link: Link, alice: Party, server: Party, compositor: Compositor) -> None:
    user = Recorder(link, alice, server.hop, duration=20)
    compositor.min_expires = 5
    user.publish(b"open")
    link.deliver()
    compositor.silent = True
    user.publish(b"closed")
    link.advance(31)
    assert user.usage.state is SoftState.CREATING
    link.advance(2)
    assert user.events == ["published", "failed 408"]
    assert user.usage.state is SoftState.NULL and user.usage.etag is None
    assert_nothing_left(link, alice)


@pytest.mark.parametrize("etag", ["", "a" * (MAX_ETAG + 1), "two words", "é"])
def test_entity_tags_that_can_not_be_named(link: Link, compositor: Compositor, user: Recorder, etag: str) -> None:
    compositor.override = answer(200, ("SIP-ETag", etag))
    user.publish(b"open", timeout=5)
    link.advance(6)
    assert user.events == ["published"] and user.usage.etag is None


values = st.text(
    st.characters(blacklist_characters="\r\n", blacklist_categories=["Cs"]), max_size=30
) | st.sampled_from(["0", "1", "4294967295", "tag", "Digest realm=x, nonce=y"])
headers = st.tuples(
    st.sampled_from(["SIP-ETag", "Expires", "Min-Expires", "Retry-After", "WWW-Authenticate", "Contact"]), values
)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([100, 200, 302, 401, 412, 423, 503, 600]), st.lists(headers, max_size=4)),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_the_compositor_says_it_ends(answers: list[tuple[int, list[tuple[str, str]]]]) -> None:
    link = Link()
    alice, server = Party(link, "alice", "10.0.0.1"), Party(link, "server", "10.0.0.9")
    compositor = Compositor(server)
    script = iter(answers)
    compositor.override = lambda request: answer((one := next(script, answers[-1]))[0], *one[1])(request)
    user = Recorder(link, alice, server.hop, Credentials("alice", "secret"))
    user.publish(b"open", timeout=10)
    link.advance(120)
    assert user.events and len(link.lines("alice")) < 150
    user.end(timeout=10)
    link.advance(60)
    assert user.events[-1] == "ended" or user.events[-1].startswith("not ended")
