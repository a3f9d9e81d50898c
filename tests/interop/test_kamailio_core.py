"""What talks outside a call, with Kamailio on the other side: registrations, publications, subscriptions, messages."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from .conftest import Stack
from .kamailio_server import ADDRESS, REALM, USERS, Kamailio

TIMEOUT = 20

PIDF = """<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:alice@test.example">
<tuple id="t1"><status><basic>{}</basic></status></tuple></presence>"""

DIALOG_INFO = """<?xml version="1.0"?>
<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" state="full" entity="sip:alice@test.example">
<dialog id="x1" call-id="c1" direction="initiator"><state>{}</state></dialog></dialog-info>"""

SUMMARY = "Messages-Waiting: yes\r\nMessage-Account: sip:alice@test.example\r\nVoice-Message: 2/8 (0/2)\r\n"


class User:
    """One user of the server, over one transport."""

    def __init__(self, stack: Stack, server: Kamailio, name: str, transport: str = "udp", password: str = "") -> None:
        from sipsimple.core import SIPURI, ContactHeader, Credentials, FromHeader, RouteHeader, ToHeader

        self.stack = stack
        self.uri = SIPURI(REALM, user=name)
        self.from_header = FromHeader(self.uri)
        self.to_header = ToHeader(self.uri)
        self.credentials = Credentials(name, password or USERS[name])
        parameters = {"transport": transport}
        self.route = RouteHeader(SIPURI(ADDRESS, port=server.port, parameters={**parameters, "lr": None}))
        port = stack.run(stack.engine.local_address, transport, ADDRESS)[1]
        self.contact = ContactHeader(SIPURI(ADDRESS, user=name, port=port, parameters=parameters))

    def make(self, cls: type, *arguments: Any, **options: Any) -> Any:
        return self.stack.run(cls, *arguments, **options)

    def register(self, duration: int = 60) -> Any:
        from sipsimple.core import Registration

        registration = self.make(Registration, self.from_header, self.credentials, duration)
        self.stack.run(registration.register, self.contact, self.route, 10)
        return registration

    def subscribe(self, to: User, event: str) -> Any:
        from sipsimple.core import Subscription

        subscription = self.make(
            Subscription, to.uri, self.from_header, to.to_header, self.contact, event, self.route, self.credentials
        )
        self.stack.run(subscription.subscribe, timeout=10)
        return subscription

    def publish(self, event: str, content_type: str, body: str) -> Any:
        from sipsimple.core import Publication

        publication = self.make(Publication, self.from_header, event, content_type, self.credentials)
        self.stack.run(publication.publish, body, self.route, 10)
        return publication


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_register_refresh_and_unregister(stack: Stack, kamailio_server: Kamailio, transport: str) -> None:
    """RFC 3261 10.2, 22: challenged once, bound, refreshed, removed."""
    alice = User(stack, kamailio_server, "alice", transport)
    registration = alice.register()
    data = stack.recorder.wait_for("SIPRegistrationDidSucceed", registration, TIMEOUT).data
    assert data.code == 200 and 0 < data.expires_in <= 60
    assert [str(contact.uri) for contact in data.contact_header_list] == [str(alice.contact.uri)]
    assert stack.sent("REGISTER") == 2
    stack.run(registration.register, alice.contact, alice.route, 10)
    stack.recorder.wait_until(lambda: stack.recorder.count("SIPRegistrationDidSucceed", registration) == 2, TIMEOUT)
    stack.run(registration.end, 10)
    data = stack.recorder.wait_for("SIPRegistrationDidEnd", registration, TIMEOUT).data
    assert not data.expired and not stack.run(lambda: registration.is_registered)


def test_two_users_on_one_engine(stack: Stack, kamailio_server: Kamailio) -> None:
    users = [User(stack, kamailio_server, name) for name in USERS]
    for registration in [user.register() for user in users]:
        stack.recorder.wait_for("SIPRegistrationDidSucceed", registration, TIMEOUT)
        stack.run(registration.end, 10)
        stack.recorder.wait_for("SIPRegistrationDidEnd", registration, TIMEOUT)


def test_a_wrong_password_is_refused_without_a_loop(stack: Stack, kamailio_server: Kamailio) -> None:
    """RFC 3261 22.1: credentials that were refused are not tried again."""
    registration = User(stack, kamailio_server, "alice", password="wrong").register()
    data = stack.recorder.wait_for("SIPRegistrationDidFail", registration, TIMEOUT).data
    assert data.code in (401, 403) and stack.sent("REGISTER") <= 3
    assert "wrong" not in repr(registration.credentials)


def test_the_server_restarts_in_between(stack: Stack, kamailio_server: Kamailio) -> None:
    """The nonce is of the past, the binding is gone, and so is a TCP connection: it is registered anew."""
    alice = User(stack, kamailio_server, "alice", "tcp")
    registration = alice.register()
    stack.recorder.wait_for("SIPRegistrationDidSucceed", registration, TIMEOUT)
    kamailio_server.restart()
    stack.run(registration.register, alice.contact, alice.route, 10)
    stack.recorder.wait_until(lambda: stack.recorder.count("SIPRegistrationDidSucceed", registration) == 2, TIMEOUT)


def test_from_publish_to_notify(stack: Stack, kamailio_server: Kamailio) -> None:
    """RFC 3903, RFC 6665: what alice publishes reaches bob; a second state replaces the first."""
    alice, bob = (User(stack, kamailio_server, name, "tcp") for name in USERS)
    publication = alice.publish("dialog", "application/dialog-info+xml", DIALOG_INFO.format("early"))
    stack.recorder.wait_for("SIPPublicationDidSucceed", publication, TIMEOUT)
    subscription = bob.subscribe(alice, "dialog")
    stack.recorder.wait_for("SIPSubscriptionDidStart", subscription, TIMEOUT)

    def told(state: str) -> bool:
        notifies = stack.recorder.find_all("SIPSubscriptionGotNotify", subscription)
        return any(f"<state>{state}</state>".encode() in notify.data.body for notify in notifies)

    stack.recorder.wait_until(lambda: told("early"), TIMEOUT, "a NOTIFY that says early")
    etag = publication.etag
    stack.run(publication.publish, DIALOG_INFO.format("confirmed"), alice.route, 10)
    stack.recorder.wait_until(lambda: told("confirmed"), TIMEOUT, "a NOTIFY that says confirmed")
    assert publication.etag != etag
    for talker, ended in ((subscription, "SIPSubscriptionDidEnd"), (publication, "SIPPublicationDidEnd")):
        stack.run(talker.end, 10)
        stack.recorder.wait_for(ended, talker, TIMEOUT)
    stack.assert_nothing_left()


def test_presence_waits_for_permission(stack: Stack, kamailio_server: Kamailio) -> None:
    """RFC 6665 4.1.3: without alice's permission bob's subscription is pending, and ends when he wants."""
    alice, bob = (User(stack, kamailio_server, name, "tcp") for name in USERS)
    subscription = bob.subscribe(alice, "presence")
    stack.recorder.wait_for("SIPSubscriptionChangedState", subscription, TIMEOUT, state="pending")
    stack.run(subscription.end, 10)
    stack.recorder.wait_for("SIPSubscriptionDidEnd", subscription, TIMEOUT)
    stack.assert_nothing_left()


def test_a_lost_entity_tag_is_published_anew(stack: Stack, kamailio_server: Kamailio) -> None:
    """RFC 3903 4.4: 412 says that the server has forgotten; the state is published as if for the first time."""
    alice = User(stack, kamailio_server, "alice")
    publication = alice.publish("presence", "application/pidf+xml", PIDF.format("open"))
    stack.recorder.wait_for("SIPPublicationDidSucceed", publication, TIMEOUT)
    kamailio_server.restart()
    stack.run(publication.publish, PIDF.format("closed"), alice.route, 10)
    stack.recorder.wait_until(lambda: stack.recorder.count("SIPPublicationDidSucceed", publication) == 2, TIMEOUT)
    received = [trace.data.data for trace in stack.recorder.find_all("SIPEngineSIPTrace", received=True)]
    assert any(message.startswith("SIP/2.0 412") for message in received)


def test_message_summary(stack: Stack, kamailio_server: Kamailio) -> None:
    """RFC 3842: a waiting message reaches the subscriber."""
    alice = User(stack, kamailio_server, "alice", "tcp")
    subscription = alice.subscribe(alice, "message-summary")
    stack.recorder.wait_for("SIPSubscriptionDidStart", subscription, TIMEOUT)
    alice.publish("message-summary", "application/simple-message-summary", SUMMARY)
    stack.recorder.wait_until(
        lambda: any(
            b"Voice-Message: 2/8" in notify.data.body
            for notify in stack.recorder.find_all("SIPSubscriptionGotNotify", subscription)
        ),
        TIMEOUT,
        "a NOTIFY with the summary",
    )


def test_an_event_that_the_server_does_not_know(stack: Stack, kamailio_server: Kamailio) -> None:
    """RFC 6665 4.1.2.3: 489 is final."""
    alice = User(stack, kamailio_server, "alice", "tcp")
    subscription = alice.subscribe(alice, "no-such-event")
    assert stack.recorder.wait_for("SIPSubscriptionDidFail", subscription, TIMEOUT).data.code == 489


def test_a_message_through_the_proxy(stack: Stack, kamailio_server: Kamailio) -> None:
    """RFC 3428: alice's message is challenged, and reaches bob's contact."""
    from sipsimple.core import Message

    alice, bob = (User(stack, kamailio_server, name) for name in USERS)
    stack.recorder.wait_for("SIPRegistrationDidSucceed", bob.register(), TIMEOUT)
    message = stack.run(
        Message, alice.from_header, bob.to_header, alice.route, "text/plain", b"hello bob", alice.credentials
    )
    stack.run(message.send, 10)
    got = stack.recorder.wait_for("SIPEngineGotMessage", timeout=TIMEOUT).data
    assert got.body == b"hello bob"
    stack.recorder.wait_for("SIPMessageDidSucceed", message, TIMEOUT)


# Outbound: the flow to the registrar is ours, and requests for us come over it

INSTANCE = '"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>"'


def register_flow(alice: User, **parameters: str) -> Any:
    """alice's registration with parameters in its contact; what the registrar said of it."""
    from sipsimple.core import ContactHeader

    alice.contact = ContactHeader(alice.contact.uri, parameters={"+sip.instance": INSTANCE, **parameters})
    recorder = alice.stack.recorder
    return recorder.wait_for("SIPRegistrationDidSucceed", alice.register(), TIMEOUT).data


def test_the_registrar_gives_a_gruu(stack: Stack, kamailio_server: Kamailio) -> None:
    """RFC 5627 3, 4: who registers an instance gets two GRUUs, and both lead to it."""
    from sipsimple.core import SIPURI, Message, ToHeader

    alice, bob = (User(stack, kamailio_server, name) for name in USERS)
    contact = register_flow(alice).contact_header
    for number, gruu in enumerate((contact.public_gruu, contact.temporary_gruu), 1):
        uri = SIPURI.parse(str(gruu))
        assert "gr" in uri.parameters and uri.host == REALM
        message = stack.run(
            Message, bob.from_header, ToHeader(uri), bob.route, "text/plain", str(gruu).encode(), bob.credentials
        )
        stack.run(message.send, 10)
        stack.recorder.wait_for("SIPMessageDidSucceed", message, TIMEOUT)
        got = stack.recorder.find_all("SIPEngineGotMessage")
        assert len(got) == number and got[-1].data.body == str(gruu).encode()


def test_a_flow_that_the_registrar_keeps_apart(stack: Stack, kamailio_server: Kamailio) -> None:
    """RFC 5626 4.2, 4.4.1, 6: it says that it does outbound, and for how long a flow may be silent."""
    data = register_flow(User(stack, kamailio_server, "alice", "tcp"), **{"reg-id": "1"})
    assert data.outbound and data.flow_timer == 25


def test_the_path_comes_back(stack: Stack, kamailio_server: Kamailio) -> None:
    """RFC 3327 5.3: the registrar repeats the Path that it stored, since we say that we know it."""
    from sipsimple.core import Header, Registration

    alice = User(stack, kamailio_server, "alice")
    path = "<sip:192.0.2.5;lr>"
    registration = stack.run(
        Registration, alice.from_header, alice.credentials, 60, extra_headers=[Header("Path", path)]
    )
    stack.run(registration.register, alice.contact, alice.route, 10)
    data = stack.recorder.wait_for("SIPRegistrationDidSucceed", registration, TIMEOUT).data
    assert [str(header.uri) for header in data.path_list] == ["sip:192.0.2.5;lr"]
    # ... and the binding goes, for it would lead the others of alice's astray
    stack.run(registration.end, 10)
    stack.recorder.wait_for("SIPRegistrationDidEnd", registration, TIMEOUT)


def test_a_flow_over_udp_is_kept_alive(stack: Stack, kamailio_server: Kamailio) -> None:
    """RFC 5626 4.4.2: STUN on the port of SIP; the server says where it sees us."""
    from sipsimple.core.protocol.hop import Hop

    hop = Hop("udp", ADDRESS, kamailio_server.port)
    failures: list[Exception] = []
    keep_alive = stack.run(stack.engine.keep_alive, hop, 1.0, failures.append)
    deadline = time.monotonic() + TIMEOUT
    while not failures and stack.run(lambda: keep_alive.mapped_address) is None:
        assert time.monotonic() < deadline, "no STUN answer"
    assert (failures, keep_alive.mapped_address) == ([], (ADDRESS, stack.port))
    stack.run(keep_alive.stop)


def test_a_flow_that_breaks_is_made_anew(stack: Stack, kamailio_server: Kamailio) -> None:
    """RFC 5626 4.4.1, 4.5: a connection that is lost is told at once, and a new REGISTER makes the next."""
    from sipsimple.core.protocol.hop import Hop

    alice = User(stack, kamailio_server, "alice", "tcp")
    register_flow(alice, **{"reg-id": "1"})
    failed = threading.Event()
    stack.run(stack.engine.keep_alive, Hop("tcp", ADDRESS, kamailio_server.port), 1.0, lambda error: failed.set())
    assert not failed.is_set()
    kamailio_server.restart()
    assert failed.wait(TIMEOUT)
    assert register_flow(alice, **{"reg-id": "1"}).outbound


# TLS: who the server is, is proven


def secure(stack: Stack, server: Kamailio, **options: Any) -> None:
    stack.run(stack.engine.set_tls_options, 0, ca_list=str(server.authority.ca_list), **options)


def register_over_tls(stack: Stack, server: Kamailio) -> Any:
    """alice's registration by way of an address that has to prove the name of her domain."""
    from sipsimple.core import SIPURI, ContactHeader, Credentials, FromHeader, Registration, RouteHeader

    uri = SIPURI(REALM, user="alice")
    route = RouteHeader(SIPURI(ADDRESS, port=server.tls_port, parameters={"transport": "tls", "lr": None}))
    registration = stack.run(Registration, FromHeader(uri), Credentials("alice", USERS["alice"]), 60)
    contact = ContactHeader(SIPURI(ADDRESS, user="alice", port=stack.port, parameters={"transport": "tls"}))
    stack.run(registration.register, contact, route, 10)
    return registration


def test_register_over_tls(stack: Stack, kamailio_server: Kamailio) -> None:
    """RFC 5922 4: the server's certificate names the domain, by DNS name and by SIP URI."""
    secure(stack, kamailio_server)
    registration = register_over_tls(stack, kamailio_server)
    stack.recorder.wait_for("SIPRegistrationDidSucceed", registration, TIMEOUT)
    stack.run(registration.end, 10)
    stack.recorder.wait_for("SIPRegistrationDidEnd", registration, TIMEOUT)


@pytest.mark.parametrize(
    ("names", "options", "complaint"),
    [
        (("other.example",), {}, REALM),
        ((REALM,), {"self_signed": True}, "self"),
        ((REALM,), {"expired": True}, "expired"),
    ],
    ids=["wrong host", "self-signed", "expired"],
)
def test_a_server_that_proves_nothing_is_refused(
    stack: Stack, kamailio_server: Kamailio, names: tuple[str, ...], options: dict[str, bool], complaint: str
) -> None:
    """RFC 5922 7: no REGISTER leaves, and the failure says what was wrong with the certificate."""
    kamailio_server.use_certificate("bad", *names, **options)
    kamailio_server.restart()
    try:
        secure(stack, kamailio_server)
        registration = register_over_tls(stack, kamailio_server)
        data = stack.recorder.wait_for("SIPRegistrationDidFail", registration, TIMEOUT).data
        assert data.originator == "local" and complaint in data.reason, data.reason
        assert stack.sent("REGISTER") <= 1
    finally:
        kamailio_server.use_certificate("server", REALM, ADDRESS, f"sip:{REALM}")
        kamailio_server.restart()


def test_verification_can_be_switched_off(stack: Stack, kamailio_server: Kamailio) -> None:
    """Who knows what he does may take any certificate."""
    kamailio_server.use_certificate("bad", REALM, self_signed=True)
    kamailio_server.restart()
    try:
        secure(stack, kamailio_server, verify_server=False)
        registration = register_over_tls(stack, kamailio_server)
        stack.recorder.wait_for("SIPRegistrationDidSucceed", registration, TIMEOUT)
    finally:
        kamailio_server.use_certificate("server", REALM, ADDRESS, f"sip:{REALM}")
        kamailio_server.restart()
