"""ChatStream: two streams on a memory network talk; then everything that can be in the way."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from msrplib.protocol import MSRPData
from sipsimple.core.wire.absolute_uri import parse_frozen_uri
from sipsimple.session import IllegalStateError
from sipsimple.streams.chat import (
    ChatIdentity,
    ChatMessage,
    ChatStream,
    ChatStreamError,
    CPIMHeader,
    CPIMIdentity,
    CPIMMessage,
    MultilingualText,
)
from sipsimple.streams.chat.composing import ComposingIndication, print_composing
from sipsimple.streams.chat.inbox import MAX_EARLY_MESSAGES
from sipsimple.streams.chat.stream import MAX_MESSAGE_SIZE, MAX_QUEUED_MESSAGES, MAX_QUEUED_OCTETS
from sipsimple.streams.msrp.testing import Side, StreamPair, accepting, edit
from sipsimple.streams.msrp.transport import REPORT_TIMEOUT

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PRIVATE = ("chatroom", "nickname private-messages")
CAROL = CPIMIdentity("sip:carol@example.com", "Carol")


def started(**options: Any) -> StreamPair:
    pair = StreamPair(ChatStream, **options)
    pair.start()
    return pair


def say(pair: StreamPair, *arguments: Any, **options: Any) -> str:
    message_id: str = pair.alice.run(pair.alice.stream.send_message, *arguments, **options)
    return message_id


def heard(pair: StreamPair, number: int = 1) -> Any:
    return pair.bob.wait("ChatStreamGotMessage", number).message


def results(side: Side) -> dict[str, list[tuple[str, int]]]:
    """What became of each message: (notification, code), in order."""
    found: dict[str, list[tuple[str, int]]] = {}
    for notification in side.recorder:
        if notification.name in ("ChatStreamDidDeliverMessage", "ChatStreamDidNotDeliverMessage"):
            data = notification.data
            found.setdefault(data.message_id, []).append((notification.name[10:], data.code))
    return found


DELIVERED = [("DidDeliverMessage", 200)]


def failed(code: int) -> list[tuple[str, int]]:
    return [("DidNotDeliverMessage", code)]


def raw(pair: StreamPair, content: bytes, content_type: str) -> str:
    """A message that alice's stream would not send, by its session; returns its id."""
    session = pair.alice.stream.msrp_session
    message_id: str = pair.alice.run(session.send_message, content, content_type, None, "yes", "partial").message_id
    return message_id


# A conversation


def test_message_and_its_notifications() -> None:
    """CHAT-001, CHAT-006, CHAT-010, CHAT-025, CHAT-026, CHAT-027, CHAT-028, CHAT-032: sent, got, delivered, under the
    id that was returned."""
    pair = started()
    message_id = say(pair, "hello")
    message = heard(pair)
    delivered = pair.alice.wait("ChatStreamDidDeliverMessage")
    sent = pair.alice.all("ChatStreamDidSendMessage")
    assert isinstance(message, CPIMMessage)
    assert (message.content, message.content_type) == ("hello", "text/plain")
    assert message.sender == CPIMIdentity(pair.alice.uri, "Alice")
    assert message.recipients == [CPIMIdentity(pair.bob.uri, "Bob")]
    assert (delivered.message_id, delivered.code, delivered.reason) == (message_id, 200, "OK")
    assert isinstance(delivered.chunk, MSRPData) and delivered.chunk.method == "REPORT"
    assert len(sent) == 1 and sent[0].data.message.message_id == message_id
    assert sent[0].sender is pair.alice.stream
    pair.end()
    assert results(pair.alice) == {message_id: DELIVERED}


@pytest.mark.parametrize("uri", ["tel:+1234;phone-context=example.com", "im:alice@example.com", "x-y:a,b?c=d%20e"])
def test_identities_of_other_schemes(uri: str) -> None:
    """CHAT-006: whoever calls, and whatever URI From has, the chat works; the text of the URI is the identity's."""
    pair = StreamPair(ChatStream)
    pair.bob.session.remote_identity.uri = parse_frozen_uri(uri)
    pair.start()
    assert pair.bob.stream.remote_identity == CPIMIdentity(uri, "Alice")
    pair.bob.run(pair.bob.stream.send_message, "hello")
    message = pair.alice.wait("ChatStreamGotMessage").message
    assert message.recipients == [CPIMIdentity(uri, "Alice")]
    raw(pair, b"bare", "text/plain")
    assert heard(pair).sender == ChatIdentity(uri, "Alice")


def test_wire_form() -> None:
    """CHAT-005, CHAT-011, CHAT-020: Message/CPIM, Failure-Report: partial, Success-Report: yes, no 200 to a SEND."""
    pair = started()
    chunks: list[Any] = []
    pair.bob.stream._request_handlers = {"SEND": chunks.append, "REPORT": chunks.append}
    say(pair, "hello", "text/html")
    pair.alice.wait("ChatStreamDidDeliverMessage")
    (chunk,) = chunks
    assert chunk.content_type.lower() == "message/cpim"
    assert (chunk.failure_report, chunk.success_report) == ("partial", "yes")
    assert b"Content-Type: text/html; charset=utf-8" in chunk.data
    assert pair.alice.all("ChatStreamDidDeliverMessage")[0].data.chunk.method == "REPORT"


@pytest.mark.parametrize("content", ["", "ü", "\U0001f41d" * 1000, "line\r\n\r\n-------abcd$\r\n", "a" * 300_000])
def test_any_text(content: str) -> None:
    """CHAT-008, CHAT-025: from nothing to many chunks, with any characters."""
    pair = started()
    message_id = say(pair, content)
    assert heard(pair).content == content
    pair.alice.wait("ChatStreamDidDeliverMessage")
    assert results(pair.alice) == {message_id: DELIVERED}


def test_ten_megabytes() -> None:
    """CHAT-008, CHAT-025: the largest message that is taken arrives whole, in an envelope."""
    pair = started()
    content = "\u00fc\U0001f41d\r\n" * (10 * 1024 * 1024 // 8)
    message_id = say(pair, content)
    assert heard(pair).content == content
    pair.alice.wait("ChatStreamDidDeliverMessage")
    assert results(pair.alice) == {message_id: DELIVERED}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=50), max_size=20))
def test_any_unicode(texts: list[str]) -> None:
    """CHAT-008, CHAT-025: whatever characters; what is none, half of a surrogate pair, is refused at once."""
    pair = started()
    for text in texts:
        say(pair, text)
    if texts:
        heard(pair, len(texts))
    assert [found.data.message.content for found in pair.bob.all("ChatStreamGotMessage")] == texts
    with pytest.raises(ValueError):
        say(pair, "\ud800")


def test_octets() -> None:
    """CHAT-008: bytes arrive as bytes, with their type and its parameters."""
    pair = started()
    say(pair, b"\x00\xff\r\n", "image/png; x=y")
    message = heard(pair)
    assert (message.content, message.content_type) == (b"\x00\xff\r\n", "image/png; x=y")


def test_many_in_order_once_and_both_ways() -> None:
    """CHAT-026, CHAT-032: each message arrives once, in order, and is confirmed once."""
    pair = started()
    ids = [say(pair, f"{number}") for number in range(300)]
    for number in range(300):
        pair.bob.run(pair.bob.stream.send_message, f"{number}")
    pair.alice.wait("ChatStreamDidDeliverMessage", 300)
    pair.bob.wait("ChatStreamDidDeliverMessage", 300)
    for side in (pair.alice, pair.bob):
        contents = [found.data.message.content for found in side.all("ChatStreamGotMessage")]
        assert contents == [str(number) for number in range(300)]
    assert results(pair.alice) == dict.fromkeys(ids, DELIVERED)
    assert len(set(ids)) == 300 and all(4 <= len(message_id) <= 32 for message_id in ids)


# What the arguments become


def test_all_options() -> None:
    """CHAT-012, CHAT-014, CHAT-016, CHAT-017, CHAT-018, CHAT-019: in a chat room each of them arrives."""
    pair = started(edit_answer=edit(PRIVATE))
    assert pair.alice.stream.private_messages_allowed and not pair.bob.stream.private_messages_allowed
    say(
        pair,
        "psst",
        recipients=[CAROL],
        courtesy_recipients=[CPIMIdentity("im:dave@example.com")],
        subject=MultilingualText("Wetter", en="weather"),
        timestamp=NOON,
        required=["x.y"],
        additional_headers=[CPIMHeader("X-Y", "z")],
    )
    message = heard(pair)
    assert message.recipients == [CAROL]
    assert message.courtesy_recipients == [CPIMIdentity("im:dave@example.com")]
    assert message.subject.get_translation("en") == "weather"
    assert (message.timestamp, message.required) == (NOON, ["x.y"])
    assert message.additional_headers == [CPIMHeader("X-Y", "z")]


def test_timestamp_is_now() -> None:
    """CHAT-019: by default the moment of sending."""
    pair = started()
    before = datetime.now(UTC)
    say(pair, "hello")
    assert timedelta(0) <= heard(pair).timestamp - before < timedelta(seconds=30)


def test_private_messages_need_a_chat_room() -> None:
    """CHAT-013, CHAT-015, CHAT-024: other recipients are refused; those of the default are not others."""
    pair = started()
    for options in ({"recipients": [CAROL]}, {"courtesy_recipients": [CAROL]}):
        with pytest.raises(ChatStreamError) as caught:
            say(pair, "psst", **options)
        assert caught.value.code == 428
    with pytest.raises(ChatStreamError):
        pair.alice.run(pair.alice.stream.send_composing_indication, "active", 60, recipients=[CAROL])
    say(pair, "hello", recipients=[CPIMIdentity(pair.bob.uri, "Robert")])
    assert heard(pair).recipients == [CPIMIdentity(pair.bob.uri, "Robert")]


@pytest.mark.parametrize(
    "options",
    [
        {"subject": "s"},
        {"required": ["x"]},
        {"additional_headers": [CPIMHeader("X", "y")]},
        {"courtesy_recipients": [CAROL]},
        {"recipients": [CAROL]},
    ],
)
def test_options_need_cpim(options: dict[str, Any]) -> None:
    """CHAT-013, CHAT-015, CHAT-016, CHAT-017, CHAT-018: without CPIM there is no place for them, not even in a chat
    room."""
    pair = started(edit_answer=lambda media: (accepting("text/plain")(media), edit(PRIVATE)(media)))
    with pytest.raises(ChatStreamError):
        say(pair, "hello", **options)


@pytest.mark.parametrize(
    ("types", "wrapped", "content_type", "expected"),
    [
        ("message/cpim text/plain", None, "text/plain", CPIMMessage),
        ("message/cpim", "*", "text/plain", CPIMMessage),
        ("message/cpim", "text/html", "text/html", CPIMMessage),
        ("*", None, "text/plain", CPIMMessage),
        ("text/plain", None, "text/plain", ChatMessage),
        ("text/*", "*", "text/html", ChatMessage),
        ("text/plain", None, "text/html", None),
        ("message/cpim", "text/html", "text/plain", None),
    ],
)
def test_wraps_by_accept_types(types: str, wrapped: str | None, content_type: str, expected: Any) -> None:
    """CHAT-005, CHAT-011, CHAT-025: in an envelope where the peer takes one, bare where it does not."""
    pair = started(edit_answer=accepting(types, wrapped))
    if expected is None:
        with pytest.raises(ChatStreamError) as caught:
            say(pair, "hello", content_type)
        assert caught.value.code == 415
        return
    say(pair, "hello", content_type)
    message = heard(pair)
    assert type(message) is expected
    assert (message.content, message.content_type) == ("hello", content_type)
    assert message.sender == ChatIdentity(pair.alice.uri, "Alice")
    assert message.recipients == [ChatIdentity(pair.bob.uri, "Bob")]
    assert message.timestamp is not None


def test_size_that_the_peer_takes() -> None:
    """CHAT-008: RFC 4975 8.7: a=max-size is kept to."""
    pair = started(edit_answer=edit(("max-size", "500")))
    say(pair, "short")
    with pytest.raises(ChatStreamError) as caught:
        say(pair, "long" * 200)
    assert caught.value.code == 413


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        ((5,), {}, TypeError),
        (("x", "text"), {}, ValueError),
        (("x", "text/plain\r\nX: y"), {}, ValueError),
        (("\ud800",), {}, ValueError),
        (("x",), {"recipients": ["sip:a@b"]}, TypeError),
        (("x",), {"courtesy_recipients": ["sip:a@b"]}, TypeError),
        (("x",), {"subject": 5}, TypeError),
        (("x",), {"required": "abc"}, TypeError),
        (("x",), {"required": ["a b"]}, ValueError),
        (("x",), {"additional_headers": ["X: y"]}, TypeError),
        (("x",), {"timestamp": "now"}, TypeError),
        (("x",), {"timestamp": datetime.max.replace(tzinfo=timezone(timedelta(hours=-12)))}, ValueError),
    ],
)
@pytest.mark.parametrize("running", [False, True])
def test_wrong_arguments(arguments: Any, options: Any, error: type[Exception], running: bool) -> None:
    """CHAT-008: refused at once, queued or not, and nothing is sent."""
    pair = StreamPair(ChatStream)
    pair.start() if running else pair.propose()
    with pytest.raises(error):
        say(pair, *arguments, **options)
    assert not results(pair.alice)


# Before it has started


def test_queue() -> None:
    """CHAT-009: what is sent before the start leaves in order at the start, and before what is sent then."""
    pair = StreamPair(ChatStream)
    pair.alice.stream = pair.alice.run(ChatStream, pair.alice.account)
    first = pair.alice.stream
    pair._make = lambda account: first
    ids = [say(pair, "one", timestamp=NOON)]
    pair.propose()
    ids.append(say(pair, "two"))

    class Observer:
        def handle_notification(self, notification: Any) -> None:
            ids.append(say(pair, "three"))

    pair.alice.recorder.center.add_observer(Observer(), name="MediaStreamDidStart", sender=pair.alice.stream)
    pair.accept()
    pair.deliver_answer()
    heard(pair, 3)
    pair.alice.wait("ChatStreamDidDeliverMessage", 3)
    messages = [found.data.message for found in pair.bob.all("ChatStreamGotMessage")]
    assert [message.content for message in messages] == ["one", "two", "three"]
    assert messages[0].timestamp == NOON
    assert results(pair.alice) == dict.fromkeys(ids, DELIVERED)
    names = pair.alice.names()
    assert names.index("MediaStreamDidStart") < names.index("ChatStreamDidSendMessage")


def test_queued_and_not_possible() -> None:
    """CHAT-009, CHAT-013, CHAT-016, CHAT-027: what turns out to be impossible is not delivered, by its code."""
    pair = StreamPair(ChatStream, edit_answer=accepting("text/plain"))
    pair.propose()
    good = say(pair, "x")
    subject = say(pair, "x", subject="s")
    private = say(pair, "x", recipients=[CAROL])
    html = say(pair, "x", "text/html")
    pair.accept()
    pair.deliver_answer()
    pair.alice.wait("ChatStreamDidDeliverMessage")
    assert results(pair.alice) == {
        good: DELIVERED, subject: failed(415), private: failed(428), html: failed(415),
    }  # fmt: skip


def test_queued_and_never_started() -> None:
    """CHAT-009, CHAT-027: the end of the stream ends what is queued, before MediaStreamDidEnd."""
    pair = StreamPair(ChatStream)
    pair.propose()
    ids = [say(pair, "x"), say(pair, "y")]
    pair.alice.run(pair.alice.stream.end)
    assert results(pair.alice) == {message_id: failed(481) for message_id in ids}
    assert pair.alice.names()[-4:] == [
        'MediaStreamWillEnd', 'ChatStreamDidNotDeliverMessage', 'ChatStreamDidNotDeliverMessage',
        'MediaStreamDidEnd',
    ]  # fmt: skip


def test_queue_is_bounded() -> None:
    """CHAT-009: memory is not for who never starts; the start makes room again."""
    pair = StreamPair(ChatStream)
    pair.propose()
    ids = [say(pair, "x") for _ in range(MAX_QUEUED_MESSAGES)]
    with pytest.raises(ChatStreamError):
        say(pair, "x")
    pair.accept()
    pair.deliver_answer()
    pair.alice.wait("ChatStreamDidDeliverMessage", MAX_QUEUED_MESSAGES)
    say(pair, "x")
    assert results(pair.alice) == dict.fromkeys(ids, DELIVERED)


def test_queued_octets_are_bounded() -> None:
    """CHAT-009: also of few messages; the end makes room too."""
    pair = StreamPair(ChatStream)
    pair.propose()
    size = MAX_QUEUED_OCTETS // 4
    ids = [say(pair, b"x" * size) for _ in range(4)]
    with pytest.raises(ChatStreamError):
        say(pair, b"x")
    pair.alice.run(pair.alice.stream.end)
    assert results(pair.alice) == dict.fromkeys(ids, failed(481))
    assert (pair.alice.stream._backlog.messages, pair.alice.stream._backlog.octets) == (0, 0)


def test_what_other_threads_send_is_bounded() -> None:
    """CHAT-008: a thread that is faster than the reactor's, or finds it busy, does not fill the memory."""
    pair = started()
    ids: list[str] = []
    refused: list[int] = []

    def flood() -> None:
        try:
            while len(ids) <= MAX_QUEUED_MESSAGES:
                ids.append(say(pair, "x"))
        except ChatStreamError as error:
            refused.append(error.code)

    thread = threading.Thread(target=flood)
    thread.start()
    thread.join()
    assert (len(ids), refused) == (MAX_QUEUED_MESSAGES, [413])
    pair.alice.wait("ChatStreamDidDeliverMessage", MAX_QUEUED_MESSAGES)
    pair.alice.run(pair.alice.stream.send_composing_indication, "active", 60)
    ids.append(say(pair, "x"))
    pair.alice.wait("ChatStreamDidDeliverMessage", MAX_QUEUED_MESSAGES + 1)
    assert results(pair.alice) == dict.fromkeys(ids, DELIVERED)


def test_early_messages() -> None:
    """CHAT-025: a peer that starts first may talk first; its messages follow MediaStreamDidStart."""
    pair = StreamPair(ChatStream)
    pair.propose()
    pair.accept()
    pair.bob.wait("MediaStreamDidStart")
    for number in range(MAX_EARLY_MESSAGES + 5):
        pair.bob.run(pair.bob.stream.send_message, str(number))
    pair.bob.wait("ChatStreamDidNotDeliverMessage", 5)
    assert not pair.alice.all("ChatStreamGotMessage")
    pair.deliver_answer()
    got = [found.data.message.content for found in pair.alice.all("ChatStreamGotMessage")]
    assert got == [str(number) for number in range(MAX_EARLY_MESSAGES)]
    assert pair.alice.names().index("MediaStreamDidStart") < pair.alice.names().index("ChatStreamGotMessage")


# When it goes wrong


def test_connection_lost() -> None:
    """CHAT-027, STR-034: what was not confirmed is not delivered, before MediaStreamDidFail, and once."""
    pair = started()
    first = say(pair, "x")
    pair.alice.wait("ChatStreamDidDeliverMessage")
    pair.network.partition(pair.alice.realm.host, pair.bob.realm.host)
    ids = [say(pair, "y"), say(pair, "z" * 200_000)]
    pair.alice.run(pair.alice.stream.msrp_session._connection.transport.abortConnection)
    pair.alice.wait("MediaStreamDidFail")
    pair.alice.run(pair.alice.stream.end)
    assert results(pair.alice) == {first: DELIVERED, **{message_id: failed(481) for message_id in ids}}
    names = pair.alice.names()
    assert names.index("ChatStreamDidNotDeliverMessage") < names.index("MediaStreamDidFail")


def test_no_report() -> None:
    """CHAT-027: a report that does not come in time is a failure with 408, and there is no end to waiting else."""
    pair = started()
    pair.network.partition(pair.alice.realm.host, pair.bob.realm.host)
    message_id = say(pair, "x")
    began = pair.network.now
    data = pair.alice.wait("ChatStreamDidNotDeliverMessage", timeout=2 * REPORT_TIMEOUT)
    assert (data.message_id, data.code, data.chunk) == (message_id, 408, None)
    assert pair.network.now - began == pytest.approx(REPORT_TIMEOUT, abs=5)


def test_ended_with_messages_under_way() -> None:
    """CHAT-027: our own end ends them as well; afterwards nothing can be sent."""
    pair = started()
    message_id = say(pair, "x")
    pair.alice.run(pair.alice.stream.end)
    assert results(pair.alice) == {message_id: failed(481)}
    for call in (pair.alice.stream.send_message, pair.alice.stream.send_composing_indication):
        with pytest.raises(IllegalStateError):
            pair.alice.run(call, "idle", None)


def test_sent_after_the_peer_closed() -> None:
    """CHAT-027: between the close of the connection and the failure of the stream messages fail at once."""
    pair = started()
    pair.bob.run(pair.bob.stream.end)
    pair.network.run_idle()
    message_id = say(pair, "x")
    assert results(pair.alice) == {message_id: failed(481)}


def test_from_another_thread() -> None:
    """CHAT-008, CHAT-010: send_message from any thread returns the id, and the reactor's thread sends."""
    pair = started()
    ids: list[str] = []
    thread = threading.Thread(target=lambda: ids.extend(say(pair, str(number)) for number in range(50)))
    thread.start()
    thread.join()
    assert not pair.alice.all("ChatStreamDidSendMessage")
    pair.alice.wait("ChatStreamDidDeliverMessage", 50)
    assert results(pair.alice) == dict.fromkeys(ids, DELIVERED)
    assert [found.data.message.content for found in pair.bob.all("ChatStreamGotMessage")] == [
        str(number) for number in range(50)
    ]


def test_thread_races_with_the_end() -> None:
    """CHAT-027: given to send_message before the end and sent after it: not delivered."""
    pair = started()
    ids: list[str] = []
    thread = threading.Thread(target=lambda: ids.append(say(pair, "x")))
    thread.start()
    thread.join()
    pair.alice.run(pair.alice.stream.end)
    pair.network.run_idle()
    assert results(pair.alice) == {ids[0]: failed(481)}


def test_thread_races_with_the_end_of_what_never_started() -> None:
    """CHAT-027: the same for a stream that had not started: nothing is raised in the thread."""
    pair = StreamPair(ChatStream)
    pair.propose()
    stream = pair.alice.stream
    new_id = stream._new_id

    def ended_meanwhile() -> str:
        stream.end()
        return new_id()

    stream._new_id = ended_meanwhile
    message_id = say(pair, "x")
    assert results(pair.alice) == {message_id: failed(481)}


# Directions


@pytest.mark.parametrize("direction", ["recvonly", "inactive"])
def test_nothing_to_send_in_that_direction(direction: str) -> None:
    """CHAT-002: a chat that only receives refuses send_message, also before it has started."""
    pair = StreamPair(ChatStream, make_offered=lambda account: ChatStream(account, direction))
    pair.propose()
    assert direction in pair.offer.media[0].attributes
    with pytest.raises(ChatStreamError):
        say(pair, "x")


def test_one_way() -> None:
    """CHAT-002: offered sendonly, answered recvonly: the other way is refused on both sides."""
    pair = started(make_offered=lambda account: ChatStream(account, "sendonly"))
    assert "recvonly" in pair.answer.media[0].attributes
    say(pair, "x")
    assert heard(pair).content == "x"
    with pytest.raises(ChatStreamError):
        pair.bob.run(pair.bob.stream.send_message, "y")
    pair.bob.stream.direction = "sendrecv"
    pair.bob.run(pair.bob.stream.send_message, "y")
    assert pair.bob.wait("ChatStreamDidNotDeliverMessage").code == 403
    assert not pair.alice.all("ChatStreamGotMessage")


# What comes in


@pytest.mark.parametrize(
    ("content", "content_type", "code"),
    [
        (b"no headers", "message/cpim", 400),
        (b"From: nobody\r\n\r\n\r\nx", "message/cpim", 400),
        (b"\x00" * 1000, "message/cpim", 400),
        (b"x", "application/octet-stream", 415),
        (b"x", "nonsense", 415),
        (b"<!DOCTYPE x>", "application/im-iscomposing+xml", 400),
        (b"From: <sip:a@b>\r\n\r\nContent-Type: application/im-iscomposing+xml\r\n\r\nx", "message/cpim", 400),
    ],
)
def test_refused(content: bytes, content_type: str, code: int) -> None:
    """CHAT-006, CHAT-027: what cannot be read gets its code, and the chat goes on."""
    pair = started()
    message_id = raw(pair, content, content_type)
    pair.alice.wait("ChatStreamDidNotDeliverMessage")
    assert results(pair.alice) == {message_id: failed(code)}
    assert not pair.bob.all("ChatStreamGotMessage")
    say(pair, "still here")
    assert heard(pair).content == "still here"


def test_too_large() -> None:
    """CHAT-027: more than the bound gets 413, and is not kept."""
    pair = started()
    message_id = raw(pair, b"x" * (MAX_MESSAGE_SIZE + 1), "text/plain")
    pair.alice.wait("ChatStreamDidNotDeliverMessage")
    assert results(pair.alice) == {message_id: failed(413)}


def test_wrapped_type_that_is_not_accepted() -> None:
    """CHAT-005: accept-wrapped-types counts for us too."""

    class Narrow(ChatStream):
        type = None  # type: ignore[assignment]
        accept_types = ["message/cpim"]
        accept_wrapped_types = ["text/plain"]

    pair = StreamPair(Narrow)
    pair.start()
    message_id = raw(pair, b"\r\nContent-Type: text/html\r\n\r\nx", "message/cpim")
    pair.alice.wait("ChatStreamDidNotDeliverMessage")
    assert results(pair.alice) == {message_id: failed(415)}


def test_sparse_envelope() -> None:
    """CHAT-006, CHAT-025: an envelope that says nothing: from and to whom, and when, is filled in."""
    pair = started()
    raw(pair, b"\r\nContent-Type: text/plain\r\n\r\nx", "message/cpim")
    message = heard(pair)
    assert message.sender == CPIMIdentity(pair.alice.uri, "Alice")
    assert message.recipients == [CPIMIdentity(pair.bob.uri, "Bob")]
    assert message.timestamp.tzinfo is not None


def test_log_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """CHAT-006: a peer that sends nonsense without end does not fill the log."""
    pair = started()
    for _ in range(50):
        raw(pair, b"", "message/cpim")
    pair.alice.wait("ChatStreamDidNotDeliverMessage", 50)
    assert 1 <= sum(record.name == "sipsimple.streams" for record in caplog.records) <= 10


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.binary(max_size=200), st.sampled_from(
    ['message/cpim', 'text/plain; charset=utf-16', 'application/im-iscomposing+xml', '\x7f', 'message/cpim; x="'])
), max_size=5))  # fmt: skip
def test_any_octets(messages: list[tuple[bytes, str]]) -> None:
    """CHAT-006, CHAT-026, CHAT-027: whatever is sent, each message has one outcome, and the chat goes on."""
    pair = started()
    ids = [raw(pair, content, content_type) for content, content_type in messages]
    last = say(pair, "still here")
    pair.network.run_until(lambda: last in results(pair.alice))
    found = results(pair.alice)
    assert set(found) == {*ids, last}
    assert all(len(outcomes) == 1 for outcomes in found.values())
    assert found[last] == DELIVERED


# Composing


def compose(pair: StreamPair, *arguments: Any, **options: Any) -> None:
    pair.alice.run(pair.alice.stream.send_composing_indication, *arguments, **options)


@pytest.mark.parametrize("types", [None, "text/plain application/im-iscomposing+xml"])
def test_composing(types: str | None) -> None:
    """CHAT-007, CHAT-021, CHAT-022, CHAT-023, CHAT-029, CHAT-030, CHAT-031: its own notification, no message, and
    none of a message's."""
    pair = started(edit_answer=accepting(types) if types else None)
    compose(pair, "active", 90, NOON)
    data = pair.bob.wait("ChatStreamGotComposingIndication")
    assert (data.state, data.refresh, data.last_active, data.content_type) == ("active", 90, NOON, None)
    kind = ChatIdentity if types else CPIMIdentity
    assert type(data.sender) is kind and data.sender == ChatIdentity(pair.alice.uri, "Alice")
    assert [type(recipient) for recipient in data.recipients] == [kind]
    compose(pair, "idle", None)
    assert pair.bob.wait("ChatStreamGotComposingIndication", 2).state == "idle"
    pair.network.run_idle()
    assert not pair.bob.all("ChatStreamGotMessage")
    assert not results(pair.alice) and not pair.alice.all("ChatStreamDidSendMessage")


def test_composing_to_a_private_recipient() -> None:
    """CHAT-024: in a chat room to somebody in it."""
    pair = started(edit_answer=edit(PRIVATE))
    compose(pair, "active", 60, recipients=[CAROL])
    assert pair.bob.wait("ChatStreamGotComposingIndication").recipients == [CAROL]


def test_composing_times_out() -> None:
    """CHAT-022, CHAT-029: RFC 3994 3.3: what is not refreshed is idle when its time is over; by default 120 s."""
    pair = started()
    compose(pair, "active", 10)
    pair.bob.wait("ChatStreamGotComposingIndication")
    began = pair.network.now
    data = pair.bob.wait("ChatStreamGotComposingIndication", 2)
    assert (data.state, data.refresh, data.sender) == ("idle", None, ChatIdentity(pair.alice.uri, "Alice"))
    assert pair.network.now - began == pytest.approx(10)
    compose(pair, "active", None)
    pair.bob.wait("ChatStreamGotComposingIndication", 3)
    began = pair.network.now
    pair.bob.wait("ChatStreamGotComposingIndication", 4, timeout=130)
    assert pair.network.now - began == pytest.approx(120)


@pytest.mark.parametrize("what", ["message", "idle", "refresh", "end"])
def test_composing_does_not_time_out(what: str) -> None:
    """CHAT-029: a message, an idle indication or a refresh takes the time's place; the end of the stream too."""
    pair = started()
    compose(pair, "active", 10)
    pair.bob.wait("ChatStreamGotComposingIndication")
    pair.network.advance(5)
    if what == "message":
        say(pair, "done")
        heard(pair)
    elif what == "end":
        pair.bob.run(pair.bob.stream.end)
    else:
        compose(pair, "idle" if what == "idle" else "active", 10)
        pair.bob.wait("ChatStreamGotComposingIndication", 2)
    known = len(pair.bob.all("ChatStreamGotComposingIndication"))
    pair.network.advance(8)
    assert len(pair.bob.all("ChatStreamGotComposingIndication")) == known


def test_composers_are_bounded() -> None:
    """CHAT-029: a room of invented composers costs no memory without end."""
    from sipsimple.streams.chat.composers import MAX_COMPOSERS

    pair = started()
    document = print_composing(ComposingIndication("active", 60))
    for number in range(MAX_COMPOSERS + 20):
        head = f"From: <sip:{number}@x>\r\n\r\nContent-Type: application/im-iscomposing+xml\r\n\r\n"
        raw(pair, head.encode() + document, "message/cpim")
    pair.bob.wait("ChatStreamGotComposingIndication", MAX_COMPOSERS + 20)
    assert len(pair.bob.stream._inbox.composers) == MAX_COMPOSERS


def test_composing_that_goes_nowhere() -> None:
    """CHAT-021: before the start, and to a peer that takes no indications, nothing is sent; nonsense is refused."""
    pair = StreamPair(ChatStream, edit_answer=accepting("text/plain"))
    pair.propose()
    compose(pair, "active", 10)
    pair.accept()
    pair.deliver_answer()
    pair.alice.wait("MediaStreamDidStart")
    compose(pair, "active", 10)
    with pytest.raises(ValueError):
        compose(pair, "thinking", 10)
    say(pair, "x")
    heard(pair)
    assert not pair.bob.all("ChatStreamGotComposingIndication")


# SDP


def test_offer() -> None:
    """CHAT-003: the media line of the chapter's example, over TCP."""
    pair = StreamPair(ChatStream)
    pair.propose()
    media = pair.offer.media[0]
    assert (media.media, media.transport, list(media.formats)) == ("message", "TCP/MSRP", ["*"])
    assert media.attributes.getfirst("accept-types") == "message/cpim text/* application/im-iscomposing+xml"
    assert media.attributes.getfirst("accept-wrapped-types") == "*"


@pytest.mark.parametrize(
    "change",
    [
        lambda media: setattr(media, "media", "audio"),
        lambda media: setattr(media, "transport", "RTP/AVP"),
        lambda media: setattr(media, "port", 0),
        edit(without=("path",)),
        edit(without=("accept-types",)),
        edit(("accept-types", " "), without=("accept-types",)),
        edit(("path", "msrp://"), without=("path",)),
        edit(("file-selector", 'name:"x"')),
    ],
)
def test_not_for_a_chat(change: Any) -> None:
    """STR-007, CHAT-001: other media, other transports, refused, no path, no types, a file."""
    pair = StreamPair(ChatStream, edit_offer=change)
    pair.propose()
    assert pair.bob.stream is None


def test_update_without_types() -> None:
    """STR-016: a re-INVITE that leaves nothing to send is refused."""
    pair = started()
    stripped = pair.answer.thawed()
    edit(without=("accept-types",))(stripped.media[0])
    assert not pair.alice.run(pair.alice.stream.validate_update, stripped, 0)
    assert pair.alice.run(pair.alice.stream.validate_update, pair.answer, 0)


def test_importable_from_everywhere() -> None:
    """CHAT-001, STR-001, STR-026, STR-027: the class, its companions, its type and priority."""
    from sipsimple.streams import ChatStream as from_streams
    from sipsimple.streams.msrp import ChatIdentity as identity
    from sipsimple.streams.msrp import ChatMessage as message
    from sipsimple.streams.msrp import ChatStream as from_msrp
    from sipsimple.streams.msrp import ChatStreamError as error
    from sipsimple.streams.msrp import CPIMIdentity as cpim_identity
    from sipsimple.streams.msrp import CPIMMessage as cpim_message

    assert from_streams is from_msrp is ChatStream
    assert (error, message, cpim_message) == (ChatStreamError, ChatMessage, CPIMMessage)
    assert (identity, cpim_identity) == (ChatIdentity, CPIMIdentity)
    assert ChatStream.type == "chat" and isinstance(ChatStream.priority, int)
