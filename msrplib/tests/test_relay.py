"""Relays (RFC 4976): authorization, and sessions through one or two of them, in memory."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msrplib.digest import DigestChallenge, DigestError
from msrplib.errors import BindTimeoutError, ConnectionClosedError, MSRPResponseError, SessionStateError
from msrplib.limits import Limits
from msrplib.relay import RelayAuthenticationError, RelayError, RelayLeg
from msrplib.session import MSRPSession
from msrplib.transport import MSRPConnector, MSRPListener
from msrplib.uri import MSRPURI

RELAY_PORT = 2855
CHALLENGE = 'Digest realm="example.com", qop="auth", nonce="n%d", algorithm=MD5'


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


class Relay:
    """A relay of a few lines: it authorizes, answers hop by hop, and passes on."""

    def __init__(self, reactor: Any, port: int = RELAY_PORT) -> None:
        self.reactor = reactor
        self.port = port
        self.uri = MSRPURI("10.0.0.1", port)
        self.password = "secret"
        self.expires: str | None = "600"
        self.answers: list[str] = []  # what AUTH gets instead of what it should
        self.challenge = CHALLENGE
        self.nonces = 0
        self.keeps_paths = True
        self.auths: list[str] = []
        self.clients: dict[str, Any] = {}  # by the session id that was given to them
        self.connections: list[Any] = []
        reactor.listenTCP(port, self)

    def buildProtocol(self, address: Any) -> Any:
        connection = RelayConnection(self)
        self.connections.append(connection)
        return connection


class RelayConnection:
    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.buffer = b""
        self.transport: Any = None
        self.nonce = ""
        self.given = ""
        self.peers: dict[str, Any] = {}

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport

    def connectionLost(self, reason: Any) -> None: ...

    def dataReceived(self, data: bytes) -> None:
        self.buffer += data
        while True:
            found = re.match(rb"MSRP (\S+) ", self.buffer)
            end = found and re.search(rb"-------" + re.escape(found[1]) + rb"[$+#]\r\n", self.buffer)
            if not end:
                return
            chunk, self.buffer = self.buffer[: end.end()], self.buffer[end.end() :]
            self.chunk(chunk)

    def chunk(self, chunk: bytes) -> None:
        head = chunk.split(b"\r\n\r\n")[0].decode()
        transaction_id, what = head.split("\r\n")[0].split(" ")[1:3]
        headers = dict(re.findall(r"^([\w-]+): (.*?)\r?$", head, re.MULTILINE))
        if what == "AUTH":
            self.auth(transaction_id, headers)
        elif what in ("SEND", "REPORT"):
            self.pass_on(chunk, transaction_id, what, headers)

    def reply(self, transaction_id: str, status: str, headers: dict[str, str], *more: str) -> None:
        lines = [f"MSRP {transaction_id} {status}", f"To-Path: {headers['From-Path'].split()[0]}"]
        lines += [f"From-Path: {headers['To-Path'].split()[0]}", *more, f"-------{transaction_id}$", ""]
        self.transport.write("\r\n".join(lines).encode())

    def auth(self, transaction_id: str, headers: dict[str, str]) -> None:
        relay = self.relay
        relay.auths.append(headers.get("Authorization", ""))
        if relay.answers:
            answer = relay.answers.pop(0)
            if answer:
                self.reply(transaction_id, *self._parts(answer, headers))
            return
        fields = dict(re.findall(r'(\w+)="?([^",]*)"?', headers.get("Authorization", "")))
        ha1, ha2 = md5(f"alice:example.com:{relay.password}"), md5(f"AUTH:{relay.uri}")
        expected = md5(f"{ha1}:{self.nonce}:{fields.get('nc')}:{fields.get('cnonce')}:auth:{ha2}")
        if fields.get("nonce") != self.nonce or fields.get("response") != expected:
            relay.nonces += 1
            self.nonce = f"n{relay.nonces}"
            self.reply(
                transaction_id, "401 Unauthorized", headers, f"WWW-Authenticate: {relay.challenge % relay.nonces}"
            )
            return
        if not self.given or not relay.keeps_paths:
            self.given = f"leg{len(relay.clients)}"
        relay.clients[self.given] = self
        more = [f"Use-Path: msrp://10.0.0.1:{relay.port}/{self.given};tcp"]
        more += [f"Expires: {relay.expires}"] if relay.expires is not None else []
        self.reply(transaction_id, "200 OK", headers, *more)

    @staticmethod
    def _parts(answer: str, headers: dict[str, str]) -> tuple[Any, ...]:
        status, *more = answer.split("\r\n")
        return (status, headers, *more)

    def pass_on(self, chunk: bytes, transaction_id: str, what: str, headers: dict[str, str]) -> None:
        relay = self.relay
        to, sender = headers["To-Path"].split(), headers["From-Path"].split()
        leg = to[0].partition(";")[0].rpartition("/")[2]
        client = relay.clients.get(leg)
        if client is None:
            self.reply(transaction_id, "481 No such session", headers)
            return
        if what == "SEND":
            self.reply(transaction_id, "200 OK", headers)
        rest = to[1:]
        for uri, other in self.peers.items():
            if uri == rest[0]:
                client = other
        client.peers[sender[0]] = self
        if rest and rest[0].startswith(f"msrp://10.0.0.1:{relay.port}/"):
            client = self  # the next hop is this relay again
        old = f"To-Path: {headers['To-Path']}\r\nFrom-Path: {headers['From-Path']}"
        new = f"To-Path: {' '.join(rest)}\r\nFrom-Path: {to[0]} {headers['From-Path']}"
        passed = chunk.replace(old.encode(), new.encode(), 1)
        if client is self and len(rest) > 1:
            self.chunk(passed)
        else:
            client.transport.write(passed)


@pytest.fixture
def relay(reactor: Any) -> Relay:
    return Relay(reactor)


def leg_to(relay: Relay, reactor: Any, password: str = "secret", name: str = "alice", **options: Any) -> RelayLeg:
    uri = MSRPURI("10.0.0.2", 9, f"{name}session")
    return RelayLeg(reactor, relay.uri, uri, "alice", password, **options)


def outcome_of(leg: RelayLeg, reactor: Any, timeout: float | None = None) -> Any:
    got: list[Any] = []
    leg.authorize(timeout).addBoth(got.append)
    reactor.settle()
    return got[0] if got else None


def error_of(outcome: Any) -> Exception:
    error: Exception = outcome.value
    return error


# Authorization


def test_authorize(relay: Relay, reactor: Any) -> None:
    """RFC 4976 5.1, 9.1: AUTH, 401, AUTH with credentials, 200 with a Use-Path."""
    leg = leg_to(relay, reactor)
    assert outcome_of(leg, reactor) is leg
    assert [bool(auth) for auth in relay.auths] == [False, True]
    assert [str(uri) for uri in leg.path] == ["msrp://10.0.0.1:2855/leg0;tcp", "msrp://10.0.0.2:9/alicesession;tcp"]
    assert leg.expires == 600 and "secret" not in repr(leg)
    assert "secret" not in relay.auths[1] and 'uri="msrp://10.0.0.1:2855;tcp"' in relay.auths[1]
    with pytest.raises(SessionStateError):
        leg.authorize()
    leg.close()
    leg.close()


def test_wrong_password(relay: Relay, reactor: Any) -> None:
    """RFC 4976 9.1: credentials that were refused are not sent again."""
    error = error_of(outcome_of(leg_to(relay, reactor, "wrong"), reactor))
    assert isinstance(error, RelayAuthenticationError)
    assert len(relay.auths) == 2


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        ("403 Forbidden", RelayAuthenticationError, "403"),
        ("500 Oops", RelayError, "500"),
        ("401 Unauthorized", RelayError, "Digest"),
        ("401 Unauthorized\r\nWWW-Authenticate: Basic x", RelayError, "Digest"),
        ('401 No\r\nWWW-Authenticate: Digest realm="a", nonce="b"', RelayError, "qop"),
        ('401 No\r\nWWW-Authenticate: Digest realm="a", nonce="b", qop="auth", algorithm=X', RelayError, "algorithm"),
        ("200 OK", RelayError, "path"),
        ("200 OK\r\nUse-Path: rubbish", RelayError, "path"),
    ],
)
def test_answers_of_no_use(relay: Relay, reactor: Any, answer: str, kind: type[Exception], text: str) -> None:
    relay.answers = [answer]
    error = error_of(outcome_of(leg_to(relay, reactor), reactor))
    assert isinstance(error, kind) and text in str(error)


def test_no_answer(relay: Relay, reactor: Any) -> None:
    relay.answers = [""]
    got: list[Any] = []
    leg_to(relay, reactor).authorize(10).addBoth(got.append)
    reactor.settle()
    reactor.pass_time(9.9)
    assert got == []
    reactor.pass_time(0.2)
    assert isinstance(error_of(got[0]), BindTimeoutError)


def test_nobody_there(reactor: Any) -> None:
    leg = RelayLeg(reactor, MSRPURI("10.0.0.1", 4), MSRPURI("10.0.0.2", 9, "x"), "alice", "secret")
    assert "refused" in str(error_of(outcome_of(leg, reactor)))


def test_given_up(relay: Relay, reactor: Any) -> None:
    leg = leg_to(relay, reactor)
    leg.authorize().addErrback(lambda failure: None)
    leg.close()
    reactor.settle()
    assert relay.auths == []


@pytest.mark.parametrize(
    ("expires", "seconds"), [("600", 600), ("1", 10), ("99999999", 86_400), (None, 900), ("x", 900)]
)
def test_renewal(relay: Relay, reactor: Any, expires: str | None, seconds: int) -> None:
    """RFC 4976 5.1: renewed before it expires, again and again, with the same path."""
    relay.expires = expires
    leg = leg_to(relay, reactor)
    outcome_of(leg, reactor)
    assert leg.expires == seconds
    for number in range(1, 4):
        before = len(relay.auths)
        reactor.pass_time(seconds * 0.8 + 0.1)
        assert len(relay.auths) > before, number
    assert "nc=00000002" in relay.auths[2]
    leg.close()


def test_renewal_with_a_new_nonce(relay: Relay, reactor: Any) -> None:
    leg = leg_to(relay, reactor)
    outcome_of(leg, reactor)
    relay.connections[0].nonce = "forgotten"
    reactor.pass_time(481)
    assert leg.path and relay.auths[-1].count('nonce="n2"') == 1
    leg.close()


def test_renewal_that_is_refused(relay: Relay, reactor: Any, make_recorder: Any) -> None:
    """The session can be reached no more: it fails."""
    leg = leg_to(relay, reactor)
    outcome_of(leg, reactor)
    handler = make_recorder()
    session = MSRPSession(leg.path, (), handler)
    leg.expect(session).addErrback(lambda failure: None)
    relay.answers = ["403 Forbidden"]
    reactor.pass_time(481)
    assert session.is_closed


# Sessions


class Talk:
    """Alice behind a relay, bob without one."""

    def __init__(self, relay: Relay, reactor: Any, make_recorder: Any) -> None:
        self.reactor = reactor
        self.leg = leg_to(relay, reactor)
        outcome_of(self.leg, reactor)
        self.handler, self.bobs_handler = make_recorder(), make_recorder()
        self.alice = MSRPSession(self.leg.path, (), self.handler)
        self.connector = MSRPConnector(reactor)
        self.listener = MSRPListener(reactor, "10.0.0.1", 5000)
        self.listener.start()
        self.bob = MSRPSession(self.listener.new_uri(), self.alice.local_path, self.bobs_handler)
        self.alice.remote_path = self.bob.local_path

    def bind_from_bob(self) -> None:
        got: list[Any] = []
        self.leg.expect(self.alice).addBoth(got.append)
        self.connector.connect(self.bob).addBoth(got.append)
        self.reactor.settle()
        assert set(got) == {self.alice, self.bob}


def test_the_peer_connects_to_the_relay(relay: Relay, reactor: Any, make_recorder: Any) -> None:
    """RFC 4976 6: requests come over the leg, and answers and reports go back all the way."""
    talk = Talk(relay, reactor, make_recorder)
    talk.bind_from_bob()
    talk.bob.send_message(b"hello", "text/plain", success_report="yes")
    reactor.settle()
    assert [message.content for message in talk.handler.messages] == [b"hello"]
    assert "delivered" in [event[0] for event in talk.bobs_handler.events]
    talk.alice.send_message(b"hi", "text/plain", success_report="yes")
    reactor.settle()
    assert [message.content for message in talk.bobs_handler.messages] == [b"hi"]
    assert "delivered" in [event[0] for event in talk.handler.events]


def test_chunks_are_short(relay: Relay, reactor: Any, make_recorder: Any) -> None:
    """Relays pass on short chunks alone."""
    talk = Talk(relay, reactor, make_recorder)
    talk.bind_from_bob()
    talk.alice.send_message(bytes(100_000), "application/octet-stream", success_report="yes")
    reactor.settle()
    (message,) = talk.bobs_handler.messages
    assert len(message.content) == 100_000
    assert max(request.size for request in talk.bobs_handler.requests) <= Limits().relay_chunk_size


def test_chunks_to_who_is_behind_a_relay_are_short(relay: Relay, reactor: Any, make_recorder: Any) -> None:
    """RFC 4976 6: the sender has no relay, but its path to the other one has."""
    talk = Talk(relay, reactor, make_recorder)
    talk.bind_from_bob()
    talk.bob.send_message(bytes(100_000), "application/octet-stream", success_report="yes")
    talk.bob.send_message(bytes(10_000), "text/plain", success_report="yes")
    reactor.settle()
    assert sorted(len(message.content) for message in talk.handler.messages) == [10_000, 100_000]
    assert max(request.size for request in talk.handler.requests) <= Limits().relay_chunk_size


def test_renewal_with_another_path(relay: Relay, reactor: Any, make_recorder: Any) -> None:
    """The peer knows the first path alone, and the relay still takes it: the session goes on."""
    talk = Talk(relay, reactor, make_recorder)
    talk.bind_from_bob()
    path = talk.leg.path
    relay.keeps_paths = False
    reactor.pass_time(481)
    assert len(relay.clients) == 2 and talk.leg.path == path
    talk.bob.send_message(b"hello", "text/plain")
    talk.alice.send_message(b"hi", "text/plain")
    reactor.settle()
    assert [message.content for message in talk.handler.messages] == [b"hello"]
    assert [message.content for message in talk.bobs_handler.messages] == [b"hi"]


def test_two_legs(relay: Relay, reactor: Any, make_recorder: Any) -> None:
    """RFC 4976 5: both are behind a relay; alice begins."""
    mine, theirs = leg_to(relay, reactor), leg_to(relay, reactor, name="bob")
    outcome_of(mine, reactor), outcome_of(theirs, reactor)
    handler, other = make_recorder(), make_recorder()
    bob = MSRPSession(theirs.path, mine.path, other)
    alice = MSRPSession(mine.path, theirs.path, handler)
    got: list[Any] = []
    theirs.expect(bob).addBoth(got.append)
    mine.connect(alice).addBoth(got.append)
    reactor.settle()
    assert set(got) == {alice, bob}
    alice.send_message(b"hello", "text/plain", success_report="yes")
    reactor.settle()
    assert [message.content for message in other.messages] == [b"hello"]
    assert "delivered" in [event[0] for event in handler.events]


def test_a_session_that_ends(relay: Relay, reactor: Any, make_recorder: Any) -> None:
    """The leg goes with it, and its renewal."""
    talk = Talk(relay, reactor, make_recorder)
    talk.bind_from_bob()
    talk.alice.close()
    before = len(relay.auths)
    reactor.pass_time(2000)
    assert len(relay.auths) == before
    with pytest.raises(SessionStateError):
        talk.leg.expect(talk.alice)


def test_a_relay_that_goes(relay: Relay, reactor: Any, make_recorder: Any) -> None:
    """The connection is lost: so is the session, and what is under way is told."""
    talk = Talk(relay, reactor, make_recorder)
    talk.bind_from_bob()
    talk.alice.send_message(b"hello", "text/plain", success_report="yes")
    relay.connections[0].transport.loseConnection()
    reactor.settle()
    assert talk.alice.is_closed
    assert talk.handler.events[-1][0] == "closed"


def test_a_session_that_is_refused(relay: Relay, reactor: Any, make_recorder: Any) -> None:
    talk = Talk(relay, reactor, make_recorder)
    talk.alice.remote_path = (MSRPURI("10.0.0.1", RELAY_PORT, "nobody"), MSRPURI("10.0.0.2", 9, "x"))
    relay.clients.clear()
    got: list[Any] = []
    talk.leg.connect(talk.alice).addErrback(got.append)
    reactor.settle()
    assert isinstance(error_of(got[0]), MSRPResponseError)


def test_wrong_use(relay: Relay, reactor: Any, make_recorder: Any) -> None:
    leg = leg_to(relay, reactor)
    session = MSRPSession(leg.uri, (), make_recorder())
    with pytest.raises(SessionStateError):
        leg.expect(session)
    outcome_of(leg, reactor)
    leg.expect(session).addErrback(lambda failure: None)
    with pytest.raises(SessionStateError):
        leg.expect(MSRPSession(leg.uri, (), make_recorder()))
    got: list[Any] = []
    session.close()
    leg2 = leg_to(relay, reactor, limits=Limits(connect_timeout=5))
    leg2.authorize().addBoth(got.append)
    leg2.close()
    assert isinstance(error_of(got[0]), ConnectionClosedError)


# Digest


def test_the_example_of_rfc_7616() -> None:
    """RFC 7616 3.9.1, with its method and URI: MD5 and SHA-256."""
    challenge = DigestChallenge("http-auth@example.org", "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v")
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    answer = challenge.answer("Mufasa", "Circle of Life", "GET", "/dir/index.html", 1, cnonce)
    assert 'response="8ca523f5e9506fed4657c9700eebdbec"' in answer
    challenge = DigestChallenge(challenge.realm, challenge.nonce, "SHA-256")
    answer = challenge.answer("Mufasa", "Circle of Life", "GET", "/dir/index.html", 1, cnonce)
    assert 'response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"' in answer


@pytest.mark.parametrize("text", ["", "Basic x", "Digest", "Digest realm", 'Digest realm="a"', "Digest " + "x" * 5000])
def test_challenges_that_can_not_be_answered(text: str) -> None:
    with pytest.raises(DigestError):
        DigestChallenge.parse(text)


@given(st.text(max_size=100))
def test_any_challenge_is_read_or_refused(text: str) -> None:
    try:
        DigestChallenge.parse("Digest " + text)
    except DigestError:
        return


def test_quotes_and_other_parameters() -> None:
    challenge = DigestChallenge.parse(
        'Digest realm="a \\"b\\", c", nonce=abc, qop="auth-int, auth", opaque="o", stale=TRUE, algorithm=sha-256-sess'
    )
    assert (challenge.realm, challenge.stale, challenge.algorithm) == ('a "b", c', True, "SHA-256-SESS")
    assert 'realm="a \\"b\\", c"' in challenge.answer("u", "p", "AUTH", "x") and 'opaque="o"' in challenge.answer(
        "u", "p", "AUTH", "x"
    )
