"""Whole accounts with Kamailio on the other side: an application that is told nothing but settings."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import require
from .kamailio_server import ADDRESS, ADDRESS_IPV6, REALM, USERS, Kamailio, free_port
from .nsd_server import Nsd

TIMEOUT = 30

SUMMARY = "Messages-Waiting: yes\r\nMessage-Account: sip:alice@test.example\r\nVoice-Message: 2/8 (0/2)\r\n"


class Phone:
    """An application in this process."""

    def __init__(self) -> None:
        from sipsimple.application import SIPApplication
        from sipsimple.testing import NotificationRecorder

        self.recorder = NotificationRecorder()
        self.application = SIPApplication()

    def start(self) -> None:
        from sipsimple.storage import MemoryStorage

        self.application.start(MemoryStorage())
        self.recorder.wait_for("SIPApplicationDidStart", timeout=TIMEOUT)

    def stop(self) -> float:
        """How many seconds it took."""
        begin = time.monotonic()
        if self.application.running:
            self.application.stop()
            self.recorder.wait_for("SIPApplicationDidEnd", timeout=TIMEOUT)
        return time.monotonic() - begin

    def set(self, **settings: Any) -> None:
        from sipsimple.configuration.settings import SIPSimpleSettings

        change(SIPSimpleSettings(), settings)

    def account(self, user: str, proxy: str | None, **settings: Any) -> Any:
        """An enabled account of a user; settings as `sip__tls_name`."""
        from sipsimple.account import Account

        account = Account(f"{user}@{REALM}")
        given = {"auth__password": USERS[user], "sip__outbound_proxy": proxy, "registration__interval": 60}
        change(account, {"enabled": True, **given, **settings})
        return account

    def wait(self, name: str, account: Any, count: int = 1) -> Any:
        name = f"SIPAccount{name}"
        found = self.recorder.wait_until(
            lambda: len(self.recorder.find_all(name, account)) >= count and self.recorder.last(name, account), TIMEOUT,
            f"{name} did not come {count} times",
        )  # fmt: skip
        return found.data


def change(target: Any, settings: dict[str, Any]) -> None:
    for name, value in settings.items():
        *groups, last = name.split("__")
        owner = target
        for group in groups:
            owner = getattr(owner, group)
        setattr(owner, last, value)
    target.save()


@pytest.fixture
def phone() -> Iterator[Phone]:
    phone = Phone()
    phone.start()
    yield phone
    phone.stop()


def proxy_of(server: Kamailio, transport: str, host: str = ADDRESS) -> str:
    return f"{host}:{server.tls_port if transport == 'tls' else server.port};transport={transport}"


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_register_refresh_and_unregister(phone: Phone, kamailio_server: Kamailio, transport: str) -> None:
    """ACC-024, ACC-042, ACC-043, ACC-044, ACC-046: alice over IPv4 and, where the machine has it, bob over IPv6."""
    phone.set(tls__ca_list=str(kamailio_server.authority.ca_list))
    name = {"sip__tls_name": REALM} if transport == "tls" else {}
    hosts = {"alice": ADDRESS, **({"bob": ADDRESS_IPV6} if kamailio_server.ipv6 else {})}
    accounts = []
    for user, host in hosts.items():
        proxy = proxy_of(kamailio_server, transport, f"[{host}]" if ":" in host else host)
        account = phone.account(user, proxy, registration__interval=12, **name)
        data = phone.wait("RegistrationDidSucceed", account)
        assert data.registrar.transport == transport and data.registrar.address == host
        assert data.contact_header.uri.user == account.contact.username
        assert 0 < data.expires <= 12
        assert data.contact_header in data.contact_header_list
        accounts.append(account)
    for account in accounts:
        # the refresh is due after half of the time
        due = phone.wait("RegistrationWillRefresh", account).timestamp
        phone.recorder.wait_until(
            lambda: phone.recorder.last("SIPAccountRegistrationDidSucceed", account).data.timestamp > due,  # noqa: B023
            TIMEOUT,
            "the refresh",
        )
        account.enabled = False
        account.save()
        phone.wait("RegistrationDidEnd", account)
        phone.wait("DidDeactivate", account)
        assert phone.recorder.count("SIPAccountWillRegister", account) == 1
        assert not phone.recorder.count("SIPAccountRegistrationDidFail", account)


def test_two_accounts(phone: Phone, kamailio_server: Kamailio) -> None:
    """Both are registered over one socket, each with its own contact and password."""
    accounts = [phone.account(user, proxy_of(kamailio_server, "udp")) for user in USERS]
    registered = [phone.wait("RegistrationDidSucceed", account) for account in accounts]
    ports = {data.contact_header.uri.port for data in registered}
    users = {data.contact_header.uri.user for data in registered}
    assert len(ports) == 1 and len(users) == 2
    assert phone.stop() < 10
    for account in accounts:
        assert phone.recorder.count("SIPAccountRegistrationDidEnd", account) == 1


def test_a_wrong_password(phone: Phone, kamailio_server: Kamailio) -> None:
    """ACC-045, ACC-048: told with the reason and the time until the next try; the right one works as soon as saved."""
    alice = phone.account("alice", proxy_of(kamailio_server, "udp"), auth__password="wrong")
    data = phone.wait("RegistrationDidFail", alice)
    assert data.error.startswith("401") and data.timeout >= 600
    # ACC-048: the challenge, and the refusal of what we answered it with
    assert phone.recorder.count("SIPAccountRegistrationGotAnswer", alice, code=401) == 2
    assert "wrong" not in phone.recorder.transcript()
    alice.auth.password = USERS["alice"]
    alice.save()
    phone.wait("RegistrationDidSucceed", alice)


@pytest.mark.parametrize(
    ("names", "options", "complaint"),
    [
        (("other.example",), {}, "other.example"),
        ((REALM,), {"self_signed": True}, "self"),
        ((REALM,), {"expired": True}, "expired"),
    ],
    ids=["wrong host", "self-signed", "expired"],
)
def test_a_server_that_proves_nothing(
    phone: Phone, kamailio_server: Kamailio, names: tuple[str, ...], options: dict[str, bool], complaint: str
) -> None:
    """RFC 5922 7: the failure says which name was expected, and what was wrong. With a good certificate it works."""
    kamailio_server.use_certificate("bad", *names, **options)
    kamailio_server.restart()
    try:
        phone.set(tls__ca_list=str(kamailio_server.authority.ca_list))
        alice = phone.account("alice", proxy_of(kamailio_server, "tls"))
        data = phone.wait("RegistrationDidFail", alice)
        assert REALM in data.error and complaint in data.error, data.error
        assert not phone.recorder.count("SIPAccountRegistrationGotAnswer", alice)
    finally:
        kamailio_server.use_certificate("server", REALM, ADDRESS, f"sip:{REALM}")
        kamailio_server.restart()
    phone.wait("RegistrationDidSucceed", alice)


def test_the_certificates_change_while_it_runs(phone: Phone, kamailio_server: Kamailio) -> None:
    """Without our CA the server is refused; naming the CA in the settings is enough, without a restart."""
    alice = phone.account("alice", proxy_of(kamailio_server, "tls"))
    assert REALM in phone.wait("RegistrationDidFail", alice).error
    begin = time.monotonic()
    phone.set(tls__ca_list=str(kamailio_server.authority.ca_list))
    phone.wait("RegistrationDidSucceed", alice)
    assert time.monotonic() - begin < TIMEOUT


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_the_registrar_restarts(phone: Phone, kamailio_server: Kamailio, transport: str) -> None:
    """Its nonces and bindings are gone, and so is a connection: the account is registered again, by itself."""
    alice = phone.account("alice", proxy_of(kamailio_server, transport), registration__interval=12)
    phone.wait("RegistrationDidSucceed", alice)
    kamailio_server.restart()
    known = phone.recorder.count("SIPAccountRegistrationDidSucceed", alice)
    phone.wait("RegistrationDidSucceed", alice, known + 1)
    bob = phone.account("bob", proxy_of(kamailio_server, transport))
    phone.wait("RegistrationDidSucceed", bob)


def test_a_silent_registrar(phone: Phone, kamailio_server: Kamailio) -> None:
    """It is told after a while, tried again, and the application stops in bounded time all the same (APP-031)."""
    kamailio_server.silence()
    try:
        alice = phone.account("alice", proxy_of(kamailio_server, "udp"))
        data = phone.wait("RegistrationDidFail", alice)
        assert "Timeout" in data.error and 0 < data.timeout <= 5
    finally:
        kamailio_server.speak()
    phone.wait("RegistrationDidSucceed", alice)
    kamailio_server.silence()
    try:
        assert phone.stop() < 10
    finally:
        kamailio_server.speak()
    assert phone.recorder.count("SIPAccountRegistrationDidNotEnd", alice) == 1


def test_a_user_that_does_not_answer(phone: Phone, kamailio_server: Kamailio) -> None:
    """A mailbox at sip:void@, of which nothing is heard, leaves the registration of the account alone."""
    alice = phone.account(
        "alice",
        proxy_of(kamailio_server, "udp"),
        message_summary__enabled=True,
        message_summary__voicemail_uri="void@192.0.2.1",
    )
    phone.wait("RegistrationDidSucceed", alice)
    assert phone.stop() < 10
    assert phone.recorder.count("SIPAccountRegistrationDidEnd", alice) == 1


def test_message_summary_from_a_publish(phone: Phone, kamailio_server: Kamailio) -> None:
    """ACC-027, ACC-049, RFC 3842: what is published for alice's mailbox arrives as a MessageSummary."""
    from twisted.internet.threads import blockingCallFromThread

    from sipsimple.core import FromHeader, Publication, RouteHeader
    from sipsimple.payloads.messagesummary import MessageSummary
    from sipsimple.realm import current_realm

    alice = phone.account("alice", proxy_of(kamailio_server, "tcp"), message_summary__enabled=True)
    phone.wait("RegistrationDidSucceed", alice)

    def publish() -> Any:
        publication = Publication(
            FromHeader(alice.uri), "message-summary", "application/simple-message-summary", alice.credentials
        )
        route = RouteHeader(f"sip:{ADDRESS}:{kamailio_server.port};transport=tcp;lr")
        publication.publish(SUMMARY.encode(), route, TIMEOUT)
        return publication

    publication = blockingCallFromThread(current_realm().reactor, publish)
    phone.recorder.wait_for("SIPPublicationDidSucceed", publication, TIMEOUT)

    def told() -> bool:
        found = phone.recorder.find_all("SIPAccountMWIDidGetSummary", alice)
        return any(
            notification.data.message_summary.summaries.get("voice-message", {}).get("new_messages") == 2
            for notification in found
        )

    phone.recorder.wait_until(told, TIMEOUT, "the summary")
    summary = phone.recorder.last("SIPAccountMWIDidGetSummary", alice).data.message_summary
    assert isinstance(summary, MessageSummary) and summary.messages_waiting
    assert summary.message_account == "sip:alice@test.example"


def test_the_system_resolves_a_name(phone: Phone, kamailio_server: Kamailio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a plugin that looks up names, the resolver of the system does."""
    monkeypatch.setenv("SIPSIMPLE_LOAD_PLUGINS", "")
    alice = phone.account("alice", f"localhost:{kamailio_server.port};transport=tcp")
    data = phone.wait("RegistrationDidSucceed", alice)
    assert data.registrar.address in (ADDRESS, ADDRESS_IPV6)


def test_gruus_and_outbound(phone: Phone, kamailio_server: Kamailio) -> None:
    """RFC 5626, RFC 5627: what the registrar gives is kept, and a message to the public GRUU arrives."""
    from twisted.internet.threads import blockingCallFromThread

    from sipsimple.core import FromHeader, Message, RouteHeader, ToHeader
    from sipsimple.realm import current_realm

    alice = phone.account("alice", proxy_of(kamailio_server, "tcp"))
    bob = phone.account("bob", proxy_of(kamailio_server, "udp"))
    for account in (alice, bob):
        phone.wait("RegistrationDidSucceed", account)
    gruu = alice.contact.public_gruu
    assert gruu is not None and "gr" in gruu.parameters and gruu.host == REALM

    def send() -> Any:
        route = RouteHeader(f"sip:{ADDRESS}:{kamailio_server.port};lr")
        message = Message(FromHeader(bob.uri), ToHeader(gruu), route, "text/plain", b"by GRUU", bob.credentials)
        message.send(TIMEOUT)
        return message

    message = blockingCallFromThread(current_realm().reactor, send)
    phone.recorder.wait_for("SIPMessageDidSucceed", message, TIMEOUT)
    assert phone.recorder.wait_for("SIPEngineGotMessage", timeout=TIMEOUT).data.body == b"by GRUU"


def test_nothing_is_left_running(tmp_path: Path, kamailio_server: Kamailio) -> None:
    """A server that is stopped is gone, with all its processes, also after it was silent."""
    import os
    import signal

    other = Kamailio(kamailio_server.program, tmp_path)
    other.start()
    assert other._process is not None
    group = other._process.pid
    other.silence()
    other.speak()
    other.stop()
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            os.killpg(group, signal.SIG_DFL)
        except ProcessLookupError:
            break
        assert time.monotonic() < deadline, "processes of Kamailio are left"
        time.sleep(0.05)


ZONE = """
@ IN SOA ns admin 1 7200 3600 86400 300
@ IN NS ns
ns IN A 127.0.0.1
_sip._tcp IN SRV 10 10 {dead} dead
_sip._tcp IN SRV 20 10 {port} server
dead IN A 127.0.0.1
server IN A 127.0.0.1
"""


def test_the_registrar_is_found_by_srv(phone: Phone, kamailio_server: Kamailio, tmp_path: Path) -> None:
    """DNS-021, ACC-044: nothing is told but the address; the first server is dead, so that it is the second one."""
    dead = free_port()
    nameserver = Nsd(require("nsd"), tmp_path / "nsd", {REALM: ZONE.format(dead=dead, port=kamailio_server.port)})
    nameserver.start()
    try:
        phone.set(dns__probe_domain=None, dns__use_authoritative=False, dns__nameservers=[nameserver.server])
        phone.set(sip__transport_list=["tcp"])
        data = phone.wait("RegistrationDidSucceed", phone.account("alice", None))
        assert (data.registrar.port, data.registrar.transport) == (kamailio_server.port, "tcp")
        found = phone.recorder.last("DNSLookupDidSucceed").data.result
        assert [(route.port, route.server) for route in found] == [
            (dead, f"dead.{REALM}"),
            (kamailio_server.port, f"server.{REALM}"),
        ]
    finally:
        nameserver.stop()
