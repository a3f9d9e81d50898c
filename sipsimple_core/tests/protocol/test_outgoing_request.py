"""One request from its first sending to its outcome: challenges, hops that fail, redirections, time-outs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipsimple.core.protocol.authentication import Authenticator
from sipsimple.core.protocol.client_request import client_request, tagged_from
from sipsimple.core.protocol.dialog import Dialog, DialogState
from sipsimple.core.protocol.hop import Hop
from sipsimple.core.protocol.outgoing_request import (
    MAX_TARGETS,
    Destination,
    OutgoingRequest,
    redirection_targets,
    retry_after,
)
from sipsimple.core.protocol.server_transaction import ServerTransaction
from sipsimple.core.wire.digest import Credentials
from sipsimple.core.wire.headers import FrozenContactHeader, FrozenFromHeader, FrozenRouteHeader, FrozenToHeader
from sipsimple.core.wire.message import SIPRequest, SIPResponse, make_response
from sipsimple.testing.digest_guard import DigestGuard
from sipsimple.testing.parties import Link, Party

SECRET = Credentials("alice", "secret")


class Outcome:
    """Records what an OutgoingRequest tells."""

    def __init__(self) -> None:
        self.progress: list[int] = []
        self.results: list[tuple[str, int]] = []
        self.error: str | None = None
        self.response: SIPResponse | None = None

    def request_progressed(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        self.progress.append(response.code)

    def request_succeeded(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        self.results.append(("succeeded", response.code))
        self.response = response

    def request_refused(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        self.results.append(("refused", response.code))
        self.response = response

    def request_failed(self, outgoing: OutgoingRequest, code: int, error: str, now: float) -> None:
        self.results.append(("failed", code))
        self.error = error


class Server:
    """A party that answers INFO with one code after the other, the last one for ever; None is silence."""

    def __init__(self, link: Link, name: str, host: str) -> None:
        self.party = Party(link, name, host)
        self.codes: list[int | None] = [200]
        self.headers: list[tuple[str, str]] = []
        self.requests: list[SIPRequest] = []
        self.party.core.serve("INFO", self._serve)

    @property
    def hop(self) -> Hop:
        return self.party.hop

    def _serve(self, request: SIPRequest, transaction: ServerTransaction, source: Hop, now: float) -> None:
        self.requests.append(request)
        code = self.codes.pop(0) if len(self.codes) > 1 else self.codes[0]
        if code is not None:
            transaction.respond(make_response(request, code, headers=self.headers, to_tag="1"), now)


@pytest.fixture
def servers(link: Link) -> list[Server]:
    return [Server(link, f"server{number}", f"10.0.1.{number}") for number in range(3)]


Send = Callable[..., tuple[OutgoingRequest, Outcome]]


@pytest.fixture
def send(link: Link, alice: Party, servers: list[Server]) -> Send:
    def send(
        destinations: Sequence[Destination | Hop] = (),
        authenticator: Authenticator | None = None,
        timeout: float | None = None,
    ) -> tuple[OutgoingRequest, Outcome]:
        uri = servers[0].party.uri
        request = client_request("INFO", uri, tagged_from(FrozenFromHeader(alice.uri)), FrozenToHeader(uri), "1", 7)
        outcome = Outcome()
        return (
            OutgoingRequest(
                request,
                destinations or [servers[0].hop],
                alice.core,
                outcome,
                authenticator,
                None,
                timeout,
                now=link.now,
            ),
            outcome,
        )

    return send


def break_transport(party: Party, *hops: Hop) -> None:
    send = party.layer.send

    def fail(data: bytes, hop: Hop) -> None:
        if hop in hops:
            raise ConnectionRefusedError("nobody listens")
        send(data, hop)

    party.layer.send = fail


def assert_nothing_left(link: Link, alice: Party) -> None:
    link.advance(100)
    assert len(alice.timers) == 0 and alice.layer.client_transactions == 0


@pytest.mark.parametrize("code", [200, 202, 299])
def test_success(link: Link, alice: Party, servers: list[Server], send: Send, code: int) -> None:
    servers[0].codes = [code]
    outgoing, outcome = send()
    assert outcome.results == []
    link.deliver()
    assert outcome.results == [("succeeded", code)] and outgoing.done
    assert_nothing_left(link, alice)


def test_provisional_responses_are_told(link: Link, alice: Party, servers: list[Server], send: Send) -> None:
    def serve(request: SIPRequest, transaction: ServerTransaction, source: Hop, now: float) -> None:
        transaction.respond(make_response(request, 183, to_tag="1"), now)
        transaction.respond(make_response(request, 200, to_tag="1"), now)

    servers[0].party.core.serve("INFO", serve)
    _, outcome = send()
    link.deliver()
    assert (outcome.progress, outcome.results) == ([183], [("succeeded", 200)])
    assert_nothing_left(link, alice)


@pytest.mark.parametrize("code", [400, 404, 480, 500, 603])
def test_a_refusal_is_final(link: Link, alice: Party, servers: list[Server], send: Send, code: int) -> None:
    """RFC 3263 4.3: only a failure to reach the server, or its 503, leads to the next one."""
    servers[0].codes = [code]
    _, outcome = send([server.hop for server in servers])
    link.deliver()
    assert outcome.results == [("refused", code)]
    assert servers[1].requests == []
    assert_nothing_left(link, alice)


def test_a_challenge_is_answered(link: Link, alice: Party, servers: list[Server], send: Send) -> None:
    """RFC 3261 22.2: the same Call-ID, From tag and To, and the next CSeq."""
    guards = [DigestGuard({"alice": "secret"}), DigestGuard({"alice": "secret"}, "proxy", of_proxy=True)]
    servers[0].party.guards += guards
    outgoing, outcome = send(authenticator=Authenticator(SECRET))
    link.deliver()
    assert outcome.results == [("succeeded", 200)]
    assert link.lines() == ["INFO", "401 INFO", "INFO", "407 INFO", "INFO", "200 INFO"]
    (request,) = servers[0].requests
    assert request.cseq is not None and request.cseq.number == 9 == outgoing.cseq
    assert request.call_id == "1" and len(request.vias) == 1
    assert_nothing_left(link, alice)


@pytest.mark.parametrize("authenticator", [None, Authenticator(None), Authenticator(Credentials("alice", "wrong"))])
def test_a_challenge_without_an_answer_is_a_refusal(
    link: Link, alice: Party, servers: list[Server], send: Send, authenticator: Authenticator | None
) -> None:
    servers[0].party.guards.append(DigestGuard({"alice": "secret"}))
    _, outcome = send(authenticator=authenticator)
    link.deliver()
    assert outcome.results == [("refused", 401)]
    assert link.lines("alice").count("INFO") <= 2
    assert_nothing_left(link, alice)


def test_a_challenge_after_a_failover_goes_on_with_the_same_server(
    link: Link, alice: Party, servers: list[Server], send: Send
) -> None:
    servers[0].codes = [503]
    servers[1].party.guards.append(DigestGuard({"alice": "secret"}))
    outgoing, outcome = send([server.hop for server in servers], Authenticator(SECRET))
    link.deliver()
    assert outcome.results == [("succeeded", 200)] and outgoing.hop == servers[1].hop
    assert servers[2].requests == []
    assert_nothing_left(link, alice)


def test_503_leads_to_the_next_hop(link: Link, alice: Party, servers: list[Server], send: Send) -> None:
    """RFC 3263 4.3: the same request, so the same CSeq, with another branch."""
    servers[0].codes = [503]
    servers[0].headers = [("Retry-After", "120 (busy);duration=60")]
    outgoing, outcome = send([server.hop for server in servers])
    link.deliver()
    assert outcome.results == [("succeeded", 200)]
    assert (outgoing.hop, outgoing.retry_after) == (servers[1].hop, 120)
    first, second = servers[0].requests[0], servers[1].requests[0]
    assert first.cseq == second.cseq and first.call_id == second.call_id
    assert first.via is not None and second.via is not None and first.via.branch != second.via.branch
    assert_nothing_left(link, alice)


def test_503_of_the_last_hop_is_a_refusal(link: Link, alice: Party, servers: list[Server], send: Send) -> None:
    servers[0].codes = servers[1].codes = [503]
    servers[1].headers = [("Retry-After", "30")]
    outgoing, outcome = send([server.hop for server in servers[:2]])
    link.deliver()
    assert outcome.results == [("refused", 503)] and outgoing.retry_after == 30
    assert_nothing_left(link, alice)


def test_a_transport_error_leads_to_the_next_hop(link: Link, alice: Party, servers: list[Server], send: Send) -> None:
    break_transport(alice, servers[0].hop, servers[1].hop)
    outgoing, outcome = send([server.hop for server in servers])
    link.advance(0)
    assert outcome.results == [("succeeded", 200)] and outgoing.hop == servers[2].hop
    assert_nothing_left(link, alice)


def test_a_transport_error_of_the_last_hop_is_a_failure(
    link: Link, alice: Party, servers: list[Server], send: Send
) -> None:
    """RFC 3261 8.1.3.1: the same as a 503."""
    break_transport(alice, *[server.hop for server in servers])
    _, outcome = send([server.hop for server in servers])
    assert outcome.results == []
    link.advance(0)
    assert outcome.results == [("failed", 503)] and "nobody listens" in (outcome.error or "")
    assert_nothing_left(link, alice)


def test_silence_leads_to_the_next_hop(link: Link, alice: Party, servers: list[Server], send: Send) -> None:
    """RFC 3263 4.3, RFC 3261 17.1.2.2: timer F."""
    outgoing, outcome = send([Hop("udp", "10.9.9.9", 5060), servers[1].hop])
    link.advance(31.9)
    assert outcome.results == []
    link.advance(0.2)
    assert outcome.results == [("succeeded", 200)] and outgoing.hop == servers[1].hop
    assert_nothing_left(link, alice)


def test_each_hop_gets_its_share_of_the_time(link: Link, alice: Party, servers: list[Server], send: Send) -> None:
    silent = [Hop("udp", "10.9.9.8", 5060), Hop("udp", "10.9.9.9", 5060)]
    outgoing, outcome = send([*silent, servers[0].hop], timeout=9)
    link.advance(2.9)
    assert outgoing.hop == silent[0]
    link.advance(0.2)
    assert outgoing.hop == silent[1]
    link.advance(3)
    assert outcome.results == [("succeeded", 200)]
    assert_nothing_left(link, alice)


def test_the_whole_ends_in_time(link: Link, alice: Party, servers: list[Server], send: Send) -> None:
    _, outcome = send([Hop("udp", "10.9.9.8", 5060), Hop("udp", "10.9.9.9", 5060)], timeout=10)
    link.advance(9.9)
    assert outcome.results == []
    link.advance(0.2)
    assert outcome.results == [("failed", 408)]
    assert_nothing_left(link, alice)


def test_a_server_that_is_at_work_is_not_left(link: Link, alice: Party, servers: list[Server], send: Send) -> None:
    def serve(request: SIPRequest, transaction: ServerTransaction, source: Hop, now: float) -> None:
        transaction.respond(make_response(request, 100), now)

    servers[0].party.core.serve("INFO", serve)
    _, outcome = send([server.hop for server in servers], timeout=9)
    link.advance(8.9)
    assert outcome.results == []
    link.advance(0.2)
    assert outcome.results == [("failed", 408)] and servers[1].requests == []
    assert_nothing_left(link, alice)


def test_a_late_answer_of_a_hop_that_was_left_is_not_told(
    link: Link, alice: Party, servers: list[Server], send: Send
) -> None:
    late: list[tuple[SIPRequest, ServerTransaction]] = []
    servers[0].party.core.serve("INFO", lambda request, transaction, source, now: late.append((request, transaction)))
    servers[1].codes = [None]
    _, outcome = send([server.hop for server in servers[:2]], timeout=8)
    link.advance(5)
    late[0][1].respond(make_response(late[0][0], 200, to_tag="1"), link.now)
    link.deliver()
    assert outcome.results == []
    link.advance(4)
    assert outcome.results == [("failed", 408)]
    assert_nothing_left(link, alice)


def test_an_abandoned_request_tells_nothing(link: Link, alice: Party, servers: list[Server], send: Send) -> None:
    outgoing, outcome = send(timeout=5)
    outgoing.abandon()
    link.advance(50)
    assert outcome.results == [] and outcome.progress == [] and outgoing.done
    assert_nothing_left(link, alice)


def test_each_destination_has_its_own_route(link: Link, alice: Party, servers: list[Server], send: Send) -> None:
    servers[0].codes = servers[1].codes = [503]
    routes = [FrozenRouteHeader(f"sip:{server.hop.host};lr") for server in servers[:2]]
    destinations = [Destination(servers[0].hop, routes[0]), Destination(servers[1].hop, routes[1]), servers[2].hop]
    _, outcome = send(destinations)
    link.deliver()
    assert outcome.results == [("succeeded", 200)]
    assert [server.requests[0].route for server in servers] == [[routes[0]], [routes[1]], []]
    assert_nothing_left(link, alice)


def test_a_redirection_gives_its_targets_best_first(
    link: Link, alice: Party, servers: list[Server], send: Send
) -> None:
    """RFC 3261 8.1.3.4, 21.3."""
    servers[0].codes = [302]
    contacts = "<sip:b@10.0.0.7>;q=0.2, <sip:a@10.0.0.8>, <sip:c@10.0.0.9>;q=0.7"
    servers[0].headers = [("Contact", contacts)]
    outgoing, outcome = send()
    link.deliver()
    assert outcome.results == [("refused", 302)]
    assert [contact.uri.user for contact in outgoing.targets] == ["a", "c", "b"]
    assert_nothing_left(link, alice)


def test_targets_that_can_not_be_read_are_left_out() -> None:
    request = SIPRequest("INFO", "sip:a@b", [("CSeq", "1 INFO")])
    contacts = "rubbish <>, <sip:a@1.2.3.4>;q=8, <sip:b@10.0.0.8>, *"
    (target,) = redirection_targets(make_response(request, 302, headers=[("Contact", contacts)]))
    assert target.uri.user == "b"


def test_targets_are_bounded() -> None:
    request = SIPRequest("INFO", "sip:a@b", [("CSeq", "1 INFO")])
    contacts = ", ".join([f"<sip:{n}@10.0.0.1>" for n in range(3 * MAX_TARGETS)])
    assert len(redirection_targets(make_response(request, 302, headers=[("Contact", contacts)]))) == MAX_TARGETS


@given(st.text(st.characters(blacklist_characters="\r\n", blacklist_categories=["Cs"]), max_size=60))
def test_rubbish_in_a_refusal_is_survived(value: str) -> None:
    request = SIPRequest("INFO", "sip:a@b", [("CSeq", "1 INFO")])
    response = make_response(request, 302, headers=[("Contact", value), ("Retry-After", value)])
    assert len(redirection_targets(response)) <= MAX_TARGETS
    seconds = retry_after(response)
    assert seconds is None or seconds >= 0


def test_inside_a_dialog_the_dialog_counts(link: Link, alice: Party, servers: list[Server]) -> None:
    """RFC 3261 12.2.1.1, 22.3: a challenged request takes the dialog's next CSeq, also if another took one since."""
    server = servers[0]
    server.party.guards.append(DigestGuard({"alice": "secret"}, of_proxy=True))
    dialog = Dialog(
        "1", FrozenFromHeader(alice.uri, None, {"tag": "a"}), FrozenToHeader(server.party.uri, None, {"tag": "b"}),
        FrozenContactHeader(alice.uri), server.party.uri, (), server.hop, DialogState.CONFIRMED, local_cseq=4,
    )  # fmt: skip
    served: list[int] = []

    class Usage:
        def serves(self, request: SIPRequest) -> bool:
            return True

        def request_received(
            self, request: SIPRequest, transaction: ServerTransaction | None, source: Hop, now: float
        ) -> None:
            assert transaction is not None and request.cseq is not None
            served.append(request.cseq.number)
            transaction.respond(make_response(request, 200), now)

    mirror = Dialog(
        "1", FrozenToHeader(server.party.uri, None, {"tag": "b"}), FrozenFromHeader(alice.uri, None, {"tag": "a"}),
        FrozenContactHeader(server.party.uri), alice.uri, (), alice.hop, DialogState.CONFIRMED,
    )  # fmt: skip
    server.party.core.add_dialog(mirror, Usage())
    outcomes = [Outcome(), Outcome()]
    authenticator = Authenticator(SECRET)
    for outcome in outcomes:
        OutgoingRequest(
            dialog.create_request("INFO"), [dialog.next_hop()], alice.core, outcome, authenticator, dialog, now=link.now
        )
    link.deliver()
    assert [outcome.results for outcome in outcomes] == [[("succeeded", 200)]] * 2
    assert served == [7, 8] and dialog.local_cseq == 8
    assert_nothing_left(link, alice)


def test_too_many_transactions_are_a_failure_told_later(
    link: Link, alice: Party, servers: list[Server], send: Send
) -> None:
    alice.layer.max_client_transactions = 0
    _, outcome = send()
    assert outcome.results == []
    link.advance(0)
    assert outcome.results == [("failed", 503)]
    assert_nothing_left(link, alice)
