"""`Publication`, `Request`, `Message` and `IncomingRequest` on the memory network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sipsimple.core import (
    SIPURI,
    Credentials,
    Engine,
    EngineError,
    EventHeader,
    FromHeader,
    Header,
    IncomingRequest,
    InvalidStateError,
    Message,
    Publication,
    Request,
    RouteHeader,
    ToHeader,
)
from sipsimple.core.incoming_request import ANSWER_TIMEOUT, MAX_WAITING
from sipsimple.core.protocol.hop import Hop
from sipsimple.core.protocol.server_transaction import ServerTransaction
from sipsimple.core.wire.message import SIPRequest, make_response
from sipsimple.notification import NotificationCenter, NotificationData
from sipsimple.testing import MemoryNetwork, UserAgent
from sipsimple.testing.digest_guard import DigestGuard
from sipsimple.testing.peer import DatagramPeer
from sipsimple.testing.sip_server import SIPServer


@pytest.fixture
def network() -> MemoryNetwork:
    return MemoryNetwork()


@pytest.fixture
def alice(network: MemoryNetwork) -> Iterator[UserAgent]:
    agent = UserAgent(network, "alice")
    yield agent
    agent.stop()


@pytest.fixture
def bob(network: MemoryNetwork) -> Iterator[UserAgent]:
    agent = UserAgent(network, "bob")
    yield agent
    agent.stop()


class Observer:
    """Observes one notification by its name."""

    def __init__(self, agent: UserAgent, name: str, action: Callable[[Any], None] = lambda notification: None) -> None:
        self.got: list[NotificationData] = []
        self.senders: list[Any] = []
        self._action = action
        agent.run(lambda: NotificationCenter().add_observer(self, name))

    def handle_notification(self, notification: Any) -> None:
        self.got.append(notification.data)
        self.senders.append(notification.sender)
        self._action(notification)


def uri_of(agent: UserAgent) -> SIPURI:
    return SIPURI(agent.ip, agent.name)


def route_to(agent: UserAgent) -> RouteHeader:
    return RouteHeader(f"sip:{agent.ip}:5060;lr")


def request_of(alice: UserAgent, bob: UserAgent, method: str = "INFO", **options: Any) -> Request:
    return alice.run(
        Request, method, uri_of(bob), FromHeader(uri_of(alice)), ToHeader(uri_of(bob)), route_to(bob), **options
    )


def message_of(alice: UserAgent, bob: UserAgent, body: bytes | str = "Hello", **options: Any) -> Message:
    content_type = options.pop("content_type", "text/plain")
    return alice.run(
        Message, FromHeader(uri_of(alice), "Alice"), ToHeader(uri_of(bob)), route_to(bob), content_type, body, **options
    )


def outcome(network: MemoryNetwork, agent: UserAgent, sender: Any, *names: str) -> tuple[str, NotificationData]:
    """The first of these notifications from the sender."""
    found = [name for name in names if agent.recorder.find(name, sender)]
    if not found:
        network.run_until(lambda: any(agent.recorder.find(name, sender) for name in names), 60)
        found = [name for name in names if agent.recorder.find(name, sender)]
    notification = agent.recorder.find(found[0], sender)
    assert notification is not None
    return found[0], notification.data


def message_outcome(network: MemoryNetwork, agent: UserAgent, message: Message) -> tuple[str, NotificationData]:
    agent.run(message.send)
    return outcome(network, agent, message, "SIPMessageDidSucceed", "SIPMessageDidFail")


# Messages


def test_a_message_arrives(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    """RFC 3428 4, 7."""
    observer = Observer(bob, "SIPEngineGotMessage")
    message = message_of(alice, bob, "Bonjour, ça va?", extra_headers=[Header("X-Test", "1")])
    name, data = message_outcome(network, alice, message)
    assert (name, data.code) == ("SIPMessageDidSucceed", 200) and data.route_header.uri.host == bob.ip
    (got,) = observer.got
    assert got.body.decode() == "Bonjour, ça va?" and got.content_type == "text/plain"
    assert got.from_header.display_name == "Alice" and str(got.request_uri) == str(uri_of(bob)) == str(
        got.to_header.uri
    )
    assert got.headers.get("X-Test") == "1" and got.peer_address == Hop("udp", alice.ip, 5060)
    assert observer.senders == [bob.run(Engine)]


def test_a_message_that_nobody_would_read_is_refused(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    """RFC 3428 7: a 200 would say that it was received."""
    bob.run(lambda: NotificationCenter().remove_observer(bob.recorder))
    name, data = message_outcome(network, alice, message_of(alice, bob))
    assert (name, data.code, data.originator) == ("SIPMessageDidFail", 405, "remote")
    assert "MESSAGE" not in data.headers.get("Allow")
    bob.run(lambda: NotificationCenter().add_observer(bob.recorder))


def test_a_message_in_an_unknown_encoding_is_refused(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    """RFC 3261 8.2.3; and 8.2.2.3 for an extension that is required."""
    observer = Observer(bob, "SIPEngineGotMessage")
    packed = message_of(alice, bob, extra_headers=[Header("Content-Encoding", "gzip")])
    assert message_outcome(network, alice, packed)[1].code == 415
    demanding = message_of(alice, bob, extra_headers=[Header("Require", "telepathy")])
    assert message_outcome(network, alice, demanding)[1].code == 420
    assert observer.got == []


def test_a_message_to_nobody(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    message = alice.run(
        Message, FromHeader(uri_of(alice)), ToHeader(uri_of(bob)), RouteHeader("sip:10.0.0.99"), "text/plain", "Hello?"
    )
    alice.run(message.send, 3)
    name, data = outcome(network, alice, message, "SIPMessageDidSucceed", "SIPMessageDidFail")
    assert (name, data.code, data.originator, data.headers) == ("SIPMessageDidFail", 408, "local", None)


def test_a_message_is_sent_once(alice: UserAgent, bob: UserAgent) -> None:
    message = message_of(alice, bob)
    alice.run(message.send)
    with pytest.raises(InvalidStateError):
        alice.run(message.send)
    alice.run(message.end)
    assert message.state == "terminated"


# Requests


def test_a_request_is_answered_by_the_application(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    """RFC 3261 8.2: methods that the application serves."""
    bob.run(lambda: Engine().add_method("INFO"))
    observer = Observer(
        bob, "SIPIncomingRequestGotRequest", lambda n: n.sender.answer(299, "Fine", [Header("X-Answer", "42")])
    )
    request = request_of(alice, bob, content_type="text/plain", body=b"data", extra_headers=[Header("X-Test", "1")])
    alice.run(request.send)
    name, data = outcome(network, alice, request, "SIPRequestDidSucceed", "SIPRequestDidFail")
    assert (name, data.code, data.reason) == ("SIPRequestDidSucceed", 299, "Fine")
    assert data.headers.get("X-Answer") == "42"
    assert alice.recorder.count("SIPRequestDidEnd", request) == 1 and request.state == "terminated"
    (got,) = observer.got
    assert (got.method, got.body, got.content_type) == ("INFO", b"data", "text/plain")
    incoming: IncomingRequest = observer.senders[0]
    assert incoming.call_id == request.call_id and incoming.answered
    sent = bob.recorder.find("SIPIncomingRequestSentResponse", incoming)
    assert sent is not None and (sent.data.code, sent.data.reason) == (299, "Fine")
    with pytest.raises(InvalidStateError):
        bob.run(incoming.answer, 200)


def test_a_request_that_the_application_does_not_answer(
    network: MemoryNetwork, alice: UserAgent, bob: UserAgent
) -> None:
    """RFC 3261 17.1.2.2: the sender hears of it before its own time is out."""
    bob.run(lambda: Engine().add_method("INFO"))
    request = request_of(alice, bob)
    started = network.now
    alice.run(request.send)
    name, data = outcome(network, alice, request, "SIPRequestDidSucceed", "SIPRequestDidFail")
    assert (name, data.code, data.originator) == ("SIPRequestDidFail", 500, "remote")
    assert network.now - started < ANSWER_TIMEOUT + 1


def test_a_late_answer_is_an_error(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    bob.run(lambda: Engine().add_method("INFO"))
    observer = Observer(bob, "SIPIncomingRequestGotRequest")
    request = request_of(alice, bob)
    alice.run(request.send)
    network.run_until(lambda: observer.got, 5)
    with pytest.raises(ValueError, match="no final"):
        bob.run(observer.senders[0].answer, 180)
    network.run_until(lambda: request.state == "terminated", 60)
    with pytest.raises(InvalidStateError):
        bob.run(observer.senders[0].answer, 200)


def test_methods_of_no_one_are_refused(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    """RFC 3261 8.2.1, 21.4.6, 21.5.2."""
    codes = {}
    for method in ("INFO", "PUBLISH", "DANCE"):
        request = request_of(alice, bob, method)
        alice.run(request.send)
        codes[method] = outcome(network, alice, request, "SIPRequestDidFail")[1].code
    assert codes == {"INFO": 481, "PUBLISH": 405, "DANCE": 501}
    bob.run(lambda: Engine().add_method("DANCE"))
    observer = Observer(bob, "SIPIncomingRequestGotRequest", lambda n: n.sender.answer(200))
    request = request_of(alice, bob, "DANCE")
    alice.run(request.send)
    assert outcome(network, alice, request, "SIPRequestDidSucceed")[1].code == 200
    assert observer.got[0].method == "DANCE"


def test_a_method_that_is_added_before_the_start_lasts(network: MemoryNetwork, alice: UserAgent) -> None:
    carol = UserAgent(network, "carol", start=False)
    carol.run(lambda: Engine().add_method("INFO"))
    carol.start()
    Observer(carol, "SIPIncomingRequestGotRequest", lambda n: n.sender.answer(200))
    request = request_of(alice, carol)
    alice.run(request.send)
    assert outcome(network, alice, request, "SIPRequestDidSucceed", "SIPRequestDidFail")[1].code == 200
    carol.stop()


@pytest.mark.parametrize("method", ["INVITE", "BYE", "OPTIONS", "SUBSCRIBE", "NOTIFY", "REFER", "no method", ""])
def test_methods_that_the_application_can_not_serve(alice: UserAgent, method: str) -> None:
    with pytest.raises(ValueError, match="can't be served"):
        alice.run(lambda: Engine().add_method(method))


def test_options_is_answered_with_what_we_are_able_to_do(
    network: MemoryNetwork, alice: UserAgent, bob: UserAgent
) -> None:
    """RFC 3261 11.2."""
    request = request_of(alice, bob, "OPTIONS")
    alice.run(request.send)
    _, data = outcome(network, alice, request, "SIPRequestDidSucceed")
    assert {"INVITE", "MESSAGE"} <= set(data.headers.elements("Allow"))


def test_a_flood_of_requests_is_bounded(network: MemoryNetwork, bob: UserAgent) -> None:
    """One too many gets 503 with Retry-After; all get an answer in the end."""
    bob.run(lambda: Engine().add_method("INFO"))
    flood = DatagramPeer(network.add_host("mallory"), 5060)
    for number in range(MAX_WAITING + 5):
        lines = [
            f"INFO sip:bob@{bob.ip} SIP/2.0", f"Via: SIP/2.0/UDP {flood.host.ip};branch=z9hG4bK{number}",
            "From: <sip:m@example.com>;tag=1", f"To: <sip:bob@{bob.ip}>", f"Call-ID: {number}", "CSeq: 1 INFO",
            "Max-Forwards: 70", "Content-Length: 0",
        ]  # fmt: skip
        flood.send("".join(f"{line}\r\n" for line in [*lines, ""]).encode(), bob.ip)

    def answers(code: int) -> int:
        return sum(data.startswith(f"SIP/2.0 {code} ".encode()) for data, _ in flood.received)

    network.run_until(lambda: answers(503) >= 5, 5)
    assert answers(503) == 5 and all(b"Retry-After" in data for data, _ in flood.received)
    network.run_until(lambda: len({data for data, _ in flood.received}) == MAX_WAITING + 5, ANSWER_TIMEOUT + 5)
    assert bob.run(lambda: Engine()._requests.waiting) == 0


def test_a_challenge_and_a_redirection(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    """RFC 3261 22.2, 21.3."""
    server = SIPServer(network.add_host("server", "10.0.0.200"))
    guard = DigestGuard({"alice": "secret"})

    def serve(request: SIPRequest, transaction: ServerTransaction, source: Hop, now: float) -> None:
        refusal = guard(request)
        moved = make_response(request, 302, None, "1", [("Contact", "<sip:b@10.0.0.9>;q=0.1, <sip:a@10.0.0.8>")])
        transaction.respond(refusal or moved, now)

    server.core.serve("INFO", serve)
    to = SIPURI("example.com", "bob")
    route = RouteHeader("sip:10.0.0.200;lr")
    request = alice.run(
        Request, "INFO", to, FromHeader(uri_of(alice)), ToHeader(to), route, Credentials("alice", "secret"), cseq=40
    )
    alice.run(request.send)
    name, data = outcome(network, alice, request, "SIPRequestDidSucceed", "SIPRequestDidFail")
    assert (name, data.code) == ("SIPRequestDidFail", 302) and guard.passed == 1
    assert [target.uri.user for target in data.targets] == ["a", "b"]


def test_provisional_responses_are_told(network: MemoryNetwork, alice: UserAgent) -> None:
    server = SIPServer(network.add_host("server", "10.0.0.200"))

    def serve(request: SIPRequest, transaction: ServerTransaction, source: Hop, now: float) -> None:
        transaction.respond(make_response(request, 100, "Wait"), now)
        transaction.respond(make_response(request, 200, None, "1"), now)

    server.core.serve("INFO", serve)
    to = SIPURI("10.0.0.200", "bob")
    request = alice.run(Request, "INFO", to, FromHeader(uri_of(alice)), ToHeader(to), RouteHeader("sip:10.0.0.200"))
    alice.run(request.send)
    outcome(network, alice, request, "SIPRequestDidSucceed")
    assert alice.recorder.names(request) == [
        "SIPRequestGotProvisionalResponse", "SIPRequestDidSucceed", "SIPRequestDidEnd",
    ]  # fmt: skip


def test_an_ended_request_tells_no_outcome(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    bob.run(lambda: Engine().add_method("INFO"))
    observer = Observer(bob, "SIPIncomingRequestGotRequest")
    request = request_of(alice, bob)
    alice.run(request.send)
    alice.run(request.end)
    alice.run(request.end)
    network.run_until(lambda: observer.got, 5)
    bob.run(observer.senders[0].answer, 200)
    network.advance(5)
    assert alice.recorder.names(request) == ["SIPRequestDidEnd"]


def test_errors_of_use(alice: UserAgent, bob: UserAgent) -> None:
    for method in ("INVITE", "ACK", "CANCEL", "", "two words"):
        with pytest.raises(ValueError, match="single request"):
            request_of(alice, bob, method)
    with pytest.raises(ValueError, match="content type"):
        request_of(alice, bob, body=b"data")
    for cseq in (-1, 2**31):
        with pytest.raises(ValueError, match="CSeq"):
            request_of(alice, bob, cseq=cseq)
    with pytest.raises(ValueError, match="nothing to publish"):
        alice.run(Publication(FromHeader(uri_of(alice)), "presence", "text/plain").publish, b"", route_to(bob))
    for event in ("", "two words", "<x>"):
        with pytest.raises(ValueError, match="event package"):
            alice.run(Publication, FromHeader(uri_of(alice)), event, "text/plain")
    with pytest.raises(ValueError, match="lasts longer"):
        alice.run(Publication, FromHeader(uri_of(alice)), "presence", "text/plain", None, 0)
    request = request_of(alice, bob, credentials=Credentials("alice", "secret"))
    assert "secret" not in repr(vars(request)) and "secret" not in repr(request)
    alice.run(lambda: Engine().stop())
    with pytest.raises(EngineError):
        alice.run(request.send)


# Publications


def test_a_publication(network: MemoryNetwork, alice: UserAgent) -> None:
    """RFC 3903 4: published, refreshed, removed; each step is told."""
    server = SIPServer(network.add_host("server", "10.0.0.200"))
    requests: list[SIPRequest] = []

    def serve(request: SIPRequest, transaction: ServerTransaction, source: Hop, now: float) -> None:
        requests.append(request)
        headers = [("SIP-ETag", f"etag{len(requests)}"), ("Expires", str(request.expires))]
        transaction.respond(make_response(request, 200, None, "1", headers), now)

    server.core.serve("PUBLISH", serve)
    publication: Publication = alice.run(
        Publication, FromHeader(uri_of(alice)), EventHeader("presence"), "application/pidf+xml"
    )
    alice.run(publication.publish, "<presence/>", RouteHeader("sip:10.0.0.200;lr"))
    _, data = outcome(network, alice, publication, "SIPPublicationDidSucceed", "SIPPublicationDidFail")
    assert (data.code, data.expires_in, data.etag) == (200, 300, "etag1")
    assert alice.run(lambda: publication.is_published) and publication.etag == "etag1"
    network.run_until(lambda: alice.recorder.count("SIPPublicationDidSucceed", publication) == 2, 300)
    assert alice.recorder.count("SIPPublicationWillExpire", publication) == 1
    alice.run(publication.end)
    _, data = outcome(network, alice, publication, "SIPPublicationDidEnd", "SIPPublicationDidNotEnd")
    assert (data.code, data.expired) == (200, False)
    assert [request.headers.get("SIP-If-Match") for request in requests] == [None, "etag1", "etag2"]
    assert requests[0].body == b"<presence/>" and requests[2].expires == 0


def test_a_publication_that_fails(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    publication: Publication = alice.run(Publication, FromHeader(uri_of(alice)), "presence", "text/plain")
    alice.run(publication.publish, "x", route_to(bob))
    name, data = outcome(network, alice, publication, "SIPPublicationDidSucceed", "SIPPublicationDidFail")
    assert (name, data.code, data.originator) == ("SIPPublicationDidFail", 405, "remote")
    alice.run(publication.end)
    assert alice.recorder.count("SIPPublicationDidEnd", publication) == 1
