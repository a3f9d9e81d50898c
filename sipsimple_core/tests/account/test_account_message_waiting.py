"""Message waiting as a function of accounts, and the summaries that it brings (RFC 3842)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sipsimple.account.persistent import REFUSED_WAIT
from sipsimple.core import Engine, IncomingSubscription
from sipsimple.notification import NotificationCenter
from sipsimple.payloads.messagesummary import CONTENT_TYPE, MessageSummary
from sipsimple.testing import MemoryNetwork, UserAgent
from sipsimple.testing.account_server import DOMAIN, AccountAgent, ScriptedRegistrar

SUMMARY = "Messages-Waiting: yes\r\nMessage-Account: sip:alice@example.com\r\nVoice-Message: 2/8 (0/2)\r\n"


class Mailbox:
    """A user agent that is the server of example.com, and serves subscriptions to message-summary."""

    def __init__(self, network: MemoryNetwork) -> None:
        self.agent = UserAgent(network, "server")
        network.add_name(DOMAIN, self.agent.ip)
        self.subscriptions: list[IncomingSubscription] = []
        self.requests: list[Any] = []
        self.refuse_with: int | None = None
        self.agent.run(self._serve)

    def _serve(self) -> None:
        from sipsimple.core import Engine

        Engine().add_event("message-summary", [CONTENT_TYPE])
        NotificationCenter().add_observer(self, name="SIPIncomingSubscriptionGotSubscribe")

    def handle_notification(self, notification: Any) -> None:
        subscription = notification.sender
        self.requests.append(notification.data)
        if self.refuse_with is not None:
            subscription.reject(self.refuse_with)
            return
        self.subscriptions.append(subscription)
        subscription.accept(CONTENT_TYPE, SUMMARY.encode())

    def push(self, content: bytes, content_type: str = CONTENT_TYPE) -> None:
        self.agent.run(self.subscriptions[-1].push_content, content_type, content)

    def end(self, reason: str) -> None:
        self.agent.run(self.subscriptions[-1].end, reason)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryNetwork]:
    monkeypatch.setenv("SIPSIMPLE_LOAD_PLUGINS", "")
    network = MemoryNetwork()
    yield network
    network.close()


@pytest.fixture
def mailbox(network: MemoryNetwork) -> Iterator[Mailbox]:
    mailbox = Mailbox(network)
    yield mailbox
    mailbox.agent.stop()


@pytest.fixture
def alice(network: MemoryNetwork, mailbox: Mailbox) -> Iterator[AccountAgent]:
    agent = AccountAgent(network)
    yield agent
    agent.stop()


def subscribe(alice: AccountAgent, **settings: Any) -> Any:
    alice.save(registration__enabled=False, message_summary__enabled=True, **settings)
    return alice.wait("MWIDidGetSummary").message_summary


def test_the_state_of_the_mailbox_is_told(network: MemoryNetwork, mailbox: Mailbox, alice: AccountAgent) -> None:
    """ACC-027, ACC-049: with `message_summary.enabled`, at first and with each change, until it is switched off."""
    summary = subscribe(alice)
    assert isinstance(summary, MessageSummary) and summary.messages_waiting
    assert summary.summaries["voice-message"]["new_messages"] == 2
    mailbox.push(b"Messages-Waiting: no\r\n")
    assert not alice.wait("MWIDidGetSummary", 2).message_summary.messages_waiting
    assert mailbox.requests[0].headers.get("Accept") == CONTENT_TYPE
    assert str(mailbox.requests[0].request_uri) == f"sip:alice@{DOMAIN}"
    alice.save(message_summary__enabled=False)
    network.run_until(lambda: mailbox.agent.recorder.count("SIPIncomingSubscriptionDidEnd"))
    assert alice.run(lambda: alice.account.is_active)


def test_no_subscription_without_the_flag(network: MemoryNetwork, mailbox: Mailbox, alice: AccountAgent) -> None:
    """ACC-023, ACC-027, ACC-028: it takes the flag of the account, the own one, and save()."""
    alice.save(registration__enabled=False)
    network.advance(60)
    alice.run(lambda: setattr(alice.account.message_summary, "enabled", True))
    network.advance(60)
    assert mailbox.requests == []


def test_another_mailbox(network: MemoryNetwork, mailbox: Mailbox, alice: AccountAgent) -> None:
    """`message_summary.voicemail_uri`: whose state is asked for; a change takes effect at once."""
    subscribe(alice)
    alice.save(message_summary__voicemail_uri=f"box42@{DOMAIN}")
    network.run_until(lambda: str(mailbox.requests[-1].request_uri) == f"sip:box42@{DOMAIN}")
    network.run_until(lambda: mailbox.agent.recorder.count("SIPIncomingSubscriptionDidEnd") == 1)


def test_the_interval(network: MemoryNetwork, mailbox: Mailbox, alice: AccountAgent) -> None:
    subscribe(alice, sip__subscribe_interval=120)
    assert mailbox.requests[0].expires == 120


@pytest.mark.parametrize(("code", "least"), [(403, REFUSED_WAIT), (480, 2.5), (500, 2.5)])
def test_a_refusal_is_tried_again(
    network: MemoryNetwork, mailbox: Mailbox, alice: AccountAgent, code: int, least: float
) -> None:
    mailbox.refuse_with = code
    alice.save(registration__enabled=False, message_summary__enabled=True)
    network.run_until(lambda: mailbox.requests)
    before = network.now
    mailbox.refuse_with = None
    alice.wait("MWIDidGetSummary", timeout=700)
    assert network.now - before >= least


@pytest.mark.parametrize(("reason", "most"), [("deactivated", 10), ("timeout", 10), ("noresource", 700)])
def test_a_server_that_ends_it(
    network: MemoryNetwork, mailbox: Mailbox, alice: AccountAgent, reason: str, most: float
) -> None:
    """RFC 6665 4.1.3: subscribed anew at once where the reason allows it, and late where not."""
    subscribe(alice)
    before = network.now
    mailbox.end(reason)
    network.run_until(lambda: len(mailbox.requests) == 2, most)
    assert reason != "noresource" or network.now - before >= REFUSED_WAIT


@pytest.mark.parametrize(
    ("content_type", "content"),
    [(CONTENT_TYPE, b"rubbish"), (CONTENT_TYPE, b"\xff\x00"), ("text/html", b"<p>"), (CONTENT_TYPE, b"")],
)
def test_rubbish_is_no_summary(
    network: MemoryNetwork, mailbox: Mailbox, alice: AccountAgent, content_type: str, content: bytes
) -> None:
    """It is passed over, and what comes after it counts."""
    subscribe(alice)
    mailbox.push(content, content_type)
    network.advance(5)
    mailbox.push(b"Messages-Waiting: no\r\n")
    assert not alice.wait("MWIDidGetSummary", 2).message_summary.messages_waiting
    assert len(alice.posted("MWIDidGetSummary")) == 2


def test_it_ends_without_a_network(network: MemoryNetwork, mailbox: Mailbox, alice: AccountAgent) -> None:
    """APP-031: in bounded time."""
    subscribe(alice)
    network.partition("alice", "server")
    before = network.now
    alice.stop()
    assert network.now - before < 6


def test_a_changed_address_subscribes_anew(network: MemoryNetwork, mailbox: Mailbox, alice: AccountAgent) -> None:
    """NOTIFYs go to the Contact, so that it has to be where we are."""
    subscribe(alice)
    alice.agent.realm.local_ip_towards = lambda host: "10.0.0.77"  # type: ignore[method-assign]
    network.run_until(lambda: len(mailbox.requests) > 1 and "10.0.0.77" in mailbox.requests[-1].headers.get("Contact"))


def test_it_is_asked_for_again_once_we_are_registered(
    network: MemoryNetwork, mailbox: Mailbox, alice: AccountAgent
) -> None:
    """A server that serves only those who are registered: it is not left until the end of a long wait."""
    registrar = ScriptedRegistrar(mailbox.agent.run(lambda: Engine()), [500])
    mailbox.refuse_with = 403
    alice.save(message_summary__enabled=True)
    alice.wait("RegistrationDidFail")
    network.run_until(lambda: mailbox.requests)
    mailbox.refuse_with = None
    alice.wait("RegistrationDidSucceed")
    before = network.now
    alice.wait("MWIDidGetSummary")
    assert network.now - before < 1 and len(registrar.requests) == 2


def test_behind_a_nat(network: MemoryNetwork, mailbox: Mailbox, alice: AccountAgent) -> None:
    """The address that the registrar sees is where NOTIFYs have to go, too."""
    ScriptedRegistrar(mailbox.agent.run(lambda: Engine()))
    alice.agent.realm.local_ip_towards = lambda host: "192.168.1.5"  # type: ignore[method-assign]
    alice.save(message_summary__enabled=True)
    network.run_until(lambda: mailbox.requests and alice.agent.ip in mailbox.requests[-1].headers.get("Contact"))
    network.advance(60)
    assert len(mailbox.requests) <= 3


# The payload


def test_the_example_of_the_rfc() -> None:
    """RFC 3842 5.2."""
    summary = MessageSummary.parse(
        b"Messages-Waiting: yes\r\n"
        b"Message-Account: sip:alice@vmail.example.com\r\n"
        b"Voice-Message: 4/8 (1/2)\r\n"
        b"Video-Message: 0/0\r\n"
        b"\r\n"
        b"To: <alice@atlanta.example.com>\r\n"
        b"Subject: carpool\r\n tomorrow\r\n"
        b"\r\n"
        b"To: <alice@example.com>\r\n"
    )
    assert summary.messages_waiting and summary.message_account == "sip:alice@vmail.example.com"
    assert summary.summaries == {
        "voice-message": {"new_messages": 4, "old_messages": 8, "new_urgent_messages": 1, "old_urgent_messages": 2},
        "video-message": {"new_messages": 0, "old_messages": 0, "new_urgent_messages": 0, "old_urgent_messages": 0},
    }
    assert summary.optional_headers == {"to": "<alice@example.com>", "subject": "carpool tomorrow"}
    assert MessageSummary.parse(summary.to_string()) == summary


@pytest.mark.parametrize("text", ["messages-waiting:no", "Messages-Waiting : NO\n", "MESSAGES-WAITING: No\r\n\r\n"])
def test_what_may_be_written_differently(text: str) -> None:
    assert MessageSummary.parse(text) == MessageSummary(False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\r\n\r\n",
        "Messages-Waiting: perhaps",
        "Voice-Message: 1/2",
        "Messages-Waiting: yes\r\nVoice-Message: many",
        "Messages-Waiting: yes\r\nVoice-Message: -1/2",
        "Messages-Waiting: yes\r\nVoice-Message: 99999999999/2",
        "Messages-Waiting: yes\r\nVoice-Message: 1/2 (3)",
        "Messages-Waiting: yes\r\nno header",
        "Messages-Waiting: yes\r\n" + "".join(f"Kind-{number}: 1/1\r\n" for number in range(1000)),
    ],
)
def test_what_is_no_summary(text: str) -> None:
    with pytest.raises(ValueError):
        MessageSummary.parse(text)


def test_a_summary_of_every_length() -> None:
    """Cut anywhere, it is a summary or a ValueError."""
    for length in range(len(SUMMARY)):
        try:
            MessageSummary.parse(SUMMARY[:length])
        except ValueError:
            continue
