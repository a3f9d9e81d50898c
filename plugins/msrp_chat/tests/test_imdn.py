"""Disposition notifications (RFC 5438): the documents, and what ChatStream does with them."""

from __future__ import annotations

import contextlib
import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipsimple.session import IllegalStateError
from sipsimple.streams.chat import ChatMessage, ChatStream, ChatStreamError, CPIMHeader, CPIMIdentity, CPIMMessage
from sipsimple.streams.chat.cpim import parse_cpim
from sipsimple.streams.chat.dispositions import MAX_TOLD
from sipsimple.streams.chat.imdn import (
    IMDN_NAMESPACE,
    STATUSES,
    DispositionNotification,
    DispositionRequest,
    IMDNError,
    parse_imdn,
    print_imdn,
)
from sipsimple.streams.msrp.testing import Side, StreamPair, accepting, edit

NAMESPACE = "urn:ietf:params:xml:ns:imdn"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
GOT = "ChatStreamGotDispositionNotification"
DISPLAYED = "<display-notification><status><displayed/></status></display-notification>"


# Documents


def document(inside: str, namespace: str = f' xmlns="{NAMESPACE}"', prolog: str = "") -> bytes:
    return f"{prolog}<imdn{namespace}>{inside}</imdn>".encode()


@pytest.mark.parametrize("namespace", ["", f' xmlns="{NAMESPACE}"'])
def test_example_of_the_rfc(namespace: str) -> None:
    """RFC 5438 7.2.1.3: the example, whose elements have no namespace, and with the one of its schema."""
    data = document(
        """
        <message-id>34jk324j</message-id>
        <datetime>2008-04-04T12:16:49-05:00</datetime>
        <display-notification>
            <status>
                <displayed/>
            </status>
        </display-notification>
        """,
        namespace,
    )
    assert parse_imdn(data) == DispositionNotification(
        "34jk324j", "display", "displayed", datetime.fromisoformat("2008-04-04T12:16:49-05:00")
    )


@pytest.mark.parametrize(
    ("inside", "disposition", "status"),
    [
        ("<delivery-notification><status><delivered/></status></delivery-notification>", "delivery", "delivered"),
        ("<delivery-notification><status><failed/></status></delivery-notification>", "delivery", "failed"),
        ("<processing-notification><status><stored/></status></processing-notification>", "processing", "stored"),
        ("<display-notification><status><forbidden/></status></display-notification>", "display", "forbidden"),
        (f'<o:x xmlns:o="urn:o"><o:display-notification/></o:x>{DISPLAYED}', "display", "displayed"),
    ],
)
def test_statuses(inside: str, disposition: str, status: str) -> None:
    """RFC 5438 11.1: each kind and status; what another namespace adds is passed over."""
    notification = parse_imdn(document(f"<message-id>1</message-id>{inside}"))
    assert (notification.disposition, notification.status) == (disposition, status)


LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"displayed",
        document(DISPLAYED),
        document("<message-id> </message-id>" + DISPLAYED),
        document("<message-id>1</message-id>"),
        document("<message-id>1</message-id><display-notification><status/></display-notification>"),
        document("<message-id>1</message-id><display-notification><displayed/></display-notification>"),
        document('<message-id>1</message-id><o:x xmlns:o="urn:o">' + DISPLAYED + "</o:x>"),
        document("<message-id>1</message-id>" + DISPLAYED, ' xmlns="urn:o"'),
        document("<message-id>&c;</message-id>" + DISPLAYED, prolog=LAUGHS),
        document("<message-id>1</message-id>" + DISPLAYED, prolog='<!DOCTYPE imdn SYSTEM "http://127.0.0.1:9/dtd">'),
        document(
            "<message-id>&e;</message-id>" + DISPLAYED, prolog='<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
        ),
        document(f"<message-id>{'a' * 2000}</message-id>" + DISPLAYED),
        document(f"<message-id>1</message-id>{DISPLAYED}<!--{'a' * 20000}-->"),
        document("<a>" * 100 + "</a>" * 100 + "<message-id>1</message-id>" + DISPLAYED),
    ],
)
def test_broken_and_hostile(data: bytes) -> None:
    """RFC 5438 14: no document type, no entity, no other root, no depth, no size is taken."""
    with pytest.raises(IMDNError):
        parse_imdn(data)


@given(
    st.sampled_from([(kind, status) for kind, statuses in STATUSES.items() for status in statuses]),
    st.text("ab<>&\"'ü\U0001f41d", min_size=1),
    st.datetimes(timezones=st.just(UTC)),
    st.sampled_from([(None, None), ("sip:a@b?x=1&y=<2>", "im:ü@c")]),
)
def test_round_trip(
    kind: tuple[str, str], message_id: str, when: datetime, recipients: tuple[str | None, str | None]
) -> None:
    """What is printed is read again."""
    notification = DispositionNotification(message_id, *kind, when, *recipients)
    assert parse_imdn(print_imdn(notification)) == notification


@given(st.binary() | st.binary().map(lambda data: document("") + data) | st.text().map(document))
def test_any_octets(data: bytes) -> None:
    """A notification or an IMDNError."""
    with contextlib.suppress(IMDNError):
        assert parse_imdn(data).disposition in STATUSES


@pytest.mark.parametrize(("disposition", "status"), [("display", "delivered"), ("read", "displayed"), ("", "")])
def test_no_such_status(disposition: str, status: str) -> None:
    with pytest.raises(ValueError, match="is no status"):
        print_imdn(DispositionNotification("1", disposition, status))


# What a message asks for


def asking(*headers: tuple[str, str]) -> CPIMMessage:
    return CPIMMessage(
        "x", "text/plain", additional_headers=[CPIMHeader(*header, IMDN_NAMESPACE) for header in headers]
    )


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("Message-ID", "1"), ("Disposition-Notification", "display")], {"display"}),
        ([("message-id", "1"), ("disposition-notification", "Positive-Delivery ,display;x=y")],
         {"positive-delivery", "display"}),
        ([("Message-ID", "1"), ("Disposition-Notification", "display, telepathy"), ("Disposition-Notification",
         "processing")], {"display", "processing"}),
        ([("Message-ID", "1"), ("Disposition-Notification", "telepathy")], None),
        ([("Message-ID", "1")], None),
        ([("Disposition-Notification", "display")], None),
        ([("Message-ID", ""), ("Disposition-Notification", "display")], None),
        ([("Message-ID", "\x01"), ("Disposition-Notification", "display")], None),
        ([("Message-ID", "x" * 1025), ("Disposition-Notification", "display")], None),
        ([("Message-ID", "1"), ("Disposition-Notification", "display"), *[("IMDN-Record-Route", "<sip:a@b>")] * 17],
         None),
        ([], None),
    ],
)  # fmt: skip
def test_requests(headers: list[tuple[str, str]], expected: set[str] | None) -> None:
    """RFC 5438 6.3, 7.1.1: what can be told is; a request without an id that can be named is none."""
    request = DispositionRequest.of(asking(*headers))
    assert (None if request is None else request.dispositions) == expected


def test_headers_of_no_namespace_ask_for_nothing() -> None:
    """RFC 5438 6: the namespace makes the headers."""
    headers = [CPIMHeader("imdn.Message-ID", "1"), CPIMHeader("Disposition-Notification", "display")]
    assert DispositionRequest.of(CPIMMessage("x", "text/plain", additional_headers=headers)) is None


# Two streams


def asking_pair(*dispositions: str, **options: Any) -> StreamPair:
    """Alice asks for the dispositions, display by default."""
    pair = StreamPair(ChatStream, **options)
    pair.propose()
    pair.alice.stream.disposition_notifications = dispositions or ("display",)
    pair.accept()
    pair.deliver_answer()
    pair.alice.wait("MediaStreamDidStart")
    pair.bob.wait("MediaStreamDidStart")
    return pair


def say(pair: StreamPair, *arguments: Any, **options: Any) -> str:
    message_id: str = pair.alice.run(pair.alice.stream.send_message, *arguments, **options)
    return message_id


def heard(pair: StreamPair, number: int = 1) -> Any:
    return pair.bob.wait("ChatStreamGotMessage", number).message


def display(pair: StreamPair, message: Any, *arguments: Any) -> None:
    pair.bob.run(pair.bob.stream.send_display_notification, message, *arguments)


def raw(side: Side, content: bytes, content_type: str = "message/cpim") -> str:
    """A message that the stream would not send, by its session; returns its id."""
    session = side.stream.msrp_session
    message_id: str = side.run(session.send_message, content, content_type, None, "yes", "partial").message_id
    return message_id


def told(side: Side) -> list[tuple[str, str, str]]:
    return [(found.data.message_id, found.data.disposition, found.data.status) for found in side.all(GOT)]


def test_displayed() -> None:
    """Issue 6: the recipient's application says that a message was displayed, and its sender is told, once; none of
    the notifications of messages comes of it."""
    pair = asking_pair()
    message_id = say(pair, "hello")
    message = heard(pair)
    pair.alice.wait("ChatStreamDidDeliverMessage")
    assert not pair.alice.all(GOT)
    display(pair, message)
    data = pair.alice.wait(GOT)
    assert (data.message_id, data.disposition, data.status) == (message_id, "display", "displayed")
    assert data.sender == CPIMIdentity(pair.bob.uri, "Bob")
    display(pair, message)
    pair.network.run_idle()
    assert told(pair.alice) == [(message_id, "display", "displayed")]
    assert not pair.alice.all("ChatStreamGotMessage") and not pair.bob.all("ChatStreamDidSendMessage")
    assert not pair.bob.all("ChatStreamDidDeliverMessage") and not pair.bob.all(GOT)


def test_of_each_message() -> None:
    """One after the other, in another order, while others follow; also of those sent before the start."""
    pair = StreamPair(ChatStream)
    pair.propose()
    pair.alice.stream.disposition_notifications = ["display"]
    ids = [say(pair, "early")]
    pair.accept()
    pair.deliver_answer()
    pair.alice.wait("MediaStreamDidStart")
    ids += [say(pair, str(number), subject="s" if number % 2 else None) for number in range(20)]
    heard(pair, 21)
    messages = [found.data.message for found in pair.bob.all("ChatStreamGotMessage")]
    for message in reversed(messages):
        display(pair, message)
    pair.alice.wait(GOT, 21)
    assert [message_id for message_id, _, _ in told(pair.alice)] == ids[::-1]


def test_what_is_sent() -> None:
    """RFC 5438 7.1.1, 7.2.1.1: the request in the envelope; the notification with its own Message-ID and without a
    request, its part with a disposition of its own."""
    pair = asking_pair("display", "positive-delivery")
    chunks: list[Any] = []
    for side in (pair.alice, pair.bob):
        side.stream._request_handlers = {"SEND": chunks.append}
    message_id = say(pair, "hello", timestamp=NOON)
    display(pair, heard(pair))
    pair.alice.wait(GOT, 2)
    asked, delivered, displayed = chunks
    lines = asked.data.decode().split("\r\n")
    at = lines.index("NS: imdn <urn:ietf:params:imdn>")
    assert lines[at + 1 :][:2] == [
        f"imdn.Message-ID: {message_id}", "imdn.Disposition-Notification: positive-delivery, display",
    ]  # fmt: skip
    for chunk in (delivered, displayed):
        assert chunk.success_report == "no" and b"Disposition-Notification" not in chunk.data
        assert b"\r\n\r\nContent-Type: message/imdn+xml\r\nContent-Disposition: notification\r\n\r\n" in chunk.data
        envelope = parse_cpim(chunk.data)
        assert (envelope.sender, envelope.recipients) == (
            CPIMIdentity(pair.bob.uri, "Bob"), [CPIMIdentity(pair.alice.uri, "Alice")],
        )  # fmt: skip
        (identifier,) = envelope.additional_headers
        assert identifier.name == "Message-ID" and identifier.value != message_id
        notification = parse_imdn(envelope.content)  # type: ignore[arg-type]
        assert (notification.message_id, notification.timestamp) == (message_id, NOON)
    assert told(pair.alice) == [(message_id, "delivery", "delivered"), (message_id, "display", "displayed")]


def test_nothing_is_asked_for_by_default() -> None:
    """Who did not ask is not told."""
    pair = StreamPair(ChatStream)
    pair.start()
    assert pair.alice.stream.disposition_notifications == ()
    say(pair, "hello")
    message = heard(pair)
    assert message.additional_headers == []
    display(pair, message)
    pair.network.run_idle()
    assert not pair.alice.all(GOT)


def test_only_what_was_asked_for() -> None:
    """RFC 5438 7.2.1: who asks for delivery is not told of display, and the other way round."""
    pair = asking_pair("positive-delivery")
    message_id = say(pair, "hello")
    display(pair, heard(pair))
    pair.network.run_idle()
    assert told(pair.alice) == [(message_id, "delivery", "delivered")]


def test_negative_delivery() -> None:
    """RFC 5438 7.2.1.2: what is in the envelope is not taken."""

    class Narrow(ChatStream):
        type = None  # type: ignore[assignment]
        accept_wrapped_types = ["text/plain", "message/imdn+xml"]
        accept_types = ["message/cpim"]

    pair = StreamPair(Narrow)
    pair.start()
    request = "NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: m\r\nimdn.Disposition-Notification: {}\r\n\r\n"
    for asked in ("negative-delivery", "display"):
        raw(pair.alice, request.format(asked).encode() + b"Content-Type: text/html\r\n\r\nx")
    pair.alice.wait("ChatStreamDidNotDeliverMessage", 2)
    assert told(pair.alice) == [("m", "delivery", "failed")]


@pytest.mark.parametrize("status", ["forbidden", "error"])
def test_other_statuses(status: str) -> None:
    """RFC 5438 7.2.1.3: the user does not want it to be known; it could not be shown."""
    pair = asking_pair()
    message_id = say(pair, "hello")
    display(pair, heard(pair), status)
    pair.alice.wait(GOT)
    assert told(pair.alice) == [(message_id, "display", status)]


@pytest.mark.parametrize("types", [("text/*", None), ("message/cpim text/*", None), ("message/cpim", "text/plain")])
def test_to_who_does_not_take_notifications(types: tuple[str, str | None]) -> None:
    """Issue 6: only where the peer takes message/imdn+xml: alice does not, whatever she asks for."""
    pair = StreamPair(ChatStream, edit_offer=accepting(*types))
    pair.start()
    request = "NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: m\r\nimdn.Disposition-Notification: display\r\n\r\n"
    raw(pair.alice, request.encode() + b"Content-Type: text/plain\r\n\r\nx")
    display(pair, heard(pair))
    pair.network.run_idle()
    assert not pair.alice.all(GOT) and not pair.alice.all("ChatStreamGotMessage")


def test_to_who_takes_small_messages_only() -> None:
    """RFC 4975 8.7: what is larger than the peer takes is not sent."""
    pair = StreamPair(ChatStream, edit_offer=edit(("max-size", "400")))
    pair.start()
    request = "NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: m\r\nimdn.Disposition-Notification: display\r\n\r\n"
    raw(pair.alice, request.encode() + b"Content-Type: text/plain\r\n\r\nx")
    display(pair, heard(pair))
    pair.network.run_idle()
    assert not pair.alice.all(GOT)


def test_who_can_not_answer() -> None:
    """A message that asks for delivery in a chat that only we are sent to is taken; nothing is told."""
    pair = asking_pair("positive-delivery", make_offered=lambda account: ChatStream(account, "sendonly"))
    say(pair, "hello")
    assert heard(pair).content == "hello"
    pair.alice.wait("ChatStreamDidDeliverMessage")
    pair.network.run_idle()
    assert not pair.alice.all(GOT)


def test_without_an_envelope() -> None:
    """A message that goes out bare asks for nothing, and what came bare can not be told of."""
    pair = asking_pair(edit_answer=accepting("text/*"))
    say(pair, "hello")
    message = heard(pair)
    assert isinstance(message, ChatMessage)
    display(pair, message)
    pair.network.run_idle()
    assert not pair.alice.all(GOT)


@pytest.mark.parametrize("room", ["nickname", "nickname private-messages"])
def test_in_a_chat_room(room: str) -> None:
    """RFC 7701 6.2: the one who asked is told, by a private message; in a room without these nobody is."""
    pair = StreamPair(ChatStream, edit_offer=edit(("chatroom", room)))
    pair.start()
    head = (
        "From: Carol <sip:carol@example.com>\r\nNS: imdn<urn:ietf:params:imdn>\r\nimdn.Message-ID: m\r\n"
        "imdn.Disposition-Notification: display\r\n\r\nContent-Type: text/plain\r\n\r\nx"
    )
    raw(pair.alice, head.encode())
    chunks: list[Any] = []
    pair.alice.stream._request_handlers = {"SEND": chunks.append}
    display(pair, heard(pair))
    pair.network.run_idle()
    recipients = [parse_cpim(chunk.data).recipients for chunk in chunks]
    expected = [CPIMIdentity("sip:carol@example.com", "Carol")]
    assert recipients == ([expected] if "private" in room else [])


def test_the_way_back() -> None:
    """RFC 5438 6.4, 7.2.1.1: the recorded route is taken, and who it was first addressed to is named."""
    pair = StreamPair(ChatStream)
    pair.start()
    head = (
        "To: <sip:list@example.com>\r\nNS: i <urn:ietf:params:imdn>\r\ni.Message-ID: m\r\n"
        "i.Disposition-Notification: display\r\ni.Original-To: im:all@example.com\r\n"
        "i.IMDN-Record-Route: <sip:two@b>\r\ni.IMDN-Record-Route: <sip:one@b>\r\n\r\n\r\nx"
    )
    raw(pair.alice, head.encode())
    chunks: list[Any] = []
    pair.alice.stream._request_handlers = {"SEND": chunks.append}
    display(pair, heard(pair))
    pair.alice.wait(GOT)
    envelope = parse_cpim(chunks[0].data)
    routes = [header.value for header in envelope.additional_headers if header.name == "IMDN-Route"]
    assert routes == ["<sip:two@b>", "<sip:one@b>"]
    notification = parse_imdn(envelope.content)  # type: ignore[arg-type]
    assert (notification.recipient, notification.original_recipient) == ("sip:list@example.com", "im:all@example.com")


def test_its_own_headers() -> None:
    """An application that asks in its own way is not spoken for; nor is a notification that it makes itself, or an
    indication."""
    pair = asking_pair()
    headers = [CPIMHeader("Message-ID", "mine", IMDN_NAMESPACE),
               CPIMHeader("Disposition-Notification", "display", IMDN_NAMESPACE)]  # fmt: skip
    say(pair, "hello", additional_headers=headers)
    message = heard(pair)
    assert message.additional_headers == headers
    display(pair, message)
    assert pair.alice.wait(GOT).message_id == "mine"
    chunks: list[Any] = []
    pair.bob.stream._request_handlers = {"SEND": chunks.append}
    pair.alice.run(pair.alice.stream.send_composing_indication, "active", 60)
    say(pair, print_imdn(DispositionNotification("1", "display", "displayed")), "message/imdn+xml")
    pair.bob.wait(GOT)
    assert len(chunks) == 2 and not any(b"imdn.Disposition" in chunk.data for chunk in chunks)


@pytest.mark.parametrize("body", [b"", b"<imdn", document(DISPLAYED), LAUGHS.encode() + document("&c;")])
def test_hostile_notifications(body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """They are refused with 400 and a line in the log; the chat goes on."""
    pair = asking_pair()
    raw(pair.bob, b"\r\nContent-Type: message/imdn+xml\r\n\r\n" + body)
    assert pair.bob.wait("ChatStreamDidNotDeliverMessage").code == 400
    assert [record.levelname for record in caplog.records if record.name == "sipsimple.streams"] == ["WARNING"]
    assert not pair.alice.all(GOT) and not pair.alice.all("ChatStreamGotMessage")
    say(pair, "still here")
    assert heard(pair).content == "still here"


def test_arguments() -> None:
    """What is no disposition, message or status is refused at once; a chat that cannot be sent in, or is over, too."""
    pair = asking_pair()
    stream = pair.bob.stream
    for wrong, error in ((["read"], ValueError), ("display", TypeError), ([None], ValueError)):
        with pytest.raises(error):
            stream.disposition_notifications = wrong
    say(pair, "hello")
    message = heard(pair)
    with pytest.raises(TypeError):
        display(pair, "hello")
    with pytest.raises(ValueError, match="'read'"):
        display(pair, message, "read")
    pair.end()
    with pytest.raises(IllegalStateError):
        display(pair, message)
    silent = StreamPair(ChatStream, make_offered=lambda account: ChatStream(account, "sendonly"))
    silent.start()
    with pytest.raises(ChatStreamError):
        display(silent, message)


def test_what_was_told_is_not_remembered_without_end() -> None:
    """A peer that asks again and again costs no memory without end."""
    pair = asking_pair()
    stream = pair.bob.stream
    for number in range(MAX_TOLD + 10):
        request = asking(("Message-ID", str(number)), ("Disposition-Notification", "display"))
        stream._dispositions.answer(stream._envelope, request, "display", "displayed", "x")
        request.sender = CPIMIdentity("sip:a@b")
        assert stream._dispositions.answer(stream._envelope, request, "display", "displayed", "x") is not None
    assert len(stream._dispositions._told) == MAX_TOLD


def test_from_another_thread() -> None:
    """The application may say it in any thread, and after the peer has gone without harm."""
    pair = asking_pair()
    message_id = say(pair, "hello")
    message = heard(pair)
    thread = threading.Thread(target=display, args=(pair, message))
    thread.start()
    thread.join()
    pair.alice.wait(GOT)
    assert told(pair.alice) == [(message_id, "display", "displayed")]
    assert pair.bob.stream._backlog.messages == 0
