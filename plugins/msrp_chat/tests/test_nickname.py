"""Nicknames in chat rooms (RFC 7701): a ChatStream and a room that answers its NICKNAME."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from sipsimple.core import SDPAttribute
from sipsimple.session import IllegalStateError
from sipsimple.streams.chat import ChatStream, ChatStreamError
from sipsimple.streams.msrp.testing import StreamPair, edit

SET, NOT_SET = "ChatStreamDidSetNickname", "ChatStreamDidNotSetNickname"


class Room(ChatStream):
    """The stream of a chat room, which knows who has which nickname."""

    type = None  # type: ignore[assignment]

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.asked: list[str | None] = []
        self.code: int | None = 200

    def _local_attributes(self, for_offer: bool) -> list[Any]:
        return [SDPAttribute("chatroom", "nickname private-messages")]

    def _handle_NICKNAME(self, chunk: Any) -> None:
        self.asked.append(chunk.use_nickname)
        assert self.msrp_session is not None
        if self.code is not None:
            self.msrp_session.respond(chunk, self.code)
        chunk.answered = True


def in_room(**options: Any) -> StreamPair:
    """Alice is in the room bob."""
    pair = StreamPair(Room, make_offered=ChatStream, **options)
    pair.start()
    return pair


def ask(pair: StreamPair, nickname: Any) -> None:
    pair.alice.run(pair.alice.stream.set_local_nickname, nickname)


def test_set_and_given_up() -> None:
    """Issue 6, RFC 7701 7.1: asked for, given, changed, given up."""
    pair = in_room()
    stream = pair.alice.stream
    assert stream.nickname_allowed and stream.nickname is None
    for number, nickname in enumerate(("Alice", 'Alice "the ü" \U0001f41d', "")):
        ask(pair, nickname)
        assert pair.alice.wait(SET, number + 1).nickname == nickname
        assert stream.nickname == (nickname or None)
    assert pair.bob.stream.asked == ["Alice", 'Alice "the ü" \U0001f41d', ""]
    assert not pair.alice.all(NOT_SET) and not pair.bob.all("ChatStreamGotMessage")


@pytest.mark.parametrize("code", [403, 404, 423, 424, 425, 500])
def test_refused(code: int) -> None:
    """RFC 7701 7.1, 9: the code says why; the nickname that we had stays."""
    pair = in_room()
    ask(pair, "Alice")
    pair.alice.wait(SET)
    pair.bob.stream.code = code
    ask(pair, "Bob")
    data = pair.alice.wait(NOT_SET)
    assert (data.nickname, data.code) == ("Bob", code) and (data.reason or code == 500)
    assert pair.alice.stream.nickname == "Alice" and len(pair.alice.all(SET)) == 1


def test_a_room_that_does_not_know_the_method() -> None:
    """RFC 4975 10.9: it offers nicknames and does not know NICKNAME: 501; the chat goes on."""
    pair = StreamPair(ChatStream, edit_answer=edit(("chatroom", "nickname")))
    pair.start()
    ask(pair, "Alice")
    assert pair.alice.wait(NOT_SET).code == 501
    pair.alice.run(pair.alice.stream.send_message, "hello")
    assert pair.bob.wait("ChatStreamGotMessage").message.content == "hello"


def test_a_room_that_does_not_answer() -> None:
    """RFC 4975 7.1.1: 408 when its time is over."""
    pair = in_room()
    pair.bob.stream.code = None
    ask(pair, "Alice")
    assert pair.alice.wait(NOT_SET, timeout=40).code == 408


def test_the_stream_ends_first() -> None:
    """481, before MediaStreamDidEnd; afterwards it is an error."""
    pair = in_room()
    pair.bob.stream.code = None
    ask(pair, "Alice")
    pair.end()
    assert pair.alice.names()[-2:] == [NOT_SET, "MediaStreamDidEnd"]
    assert pair.alice.all(NOT_SET)[0].data.code == 481
    with pytest.raises(IllegalStateError):
        ask(pair, "Alice")


def test_not_allowed() -> None:
    """Who is no chat room with nicknames is not asked, nor anybody before the start."""
    pair = StreamPair(ChatStream, edit_answer=edit(("chatroom", "private-messages")))
    pair.propose()
    with pytest.raises(ChatStreamError):
        ask(pair, "Alice")
    pair.accept()
    pair.deliver_answer()
    pair.alice.wait("MediaStreamDidStart")
    assert not pair.alice.stream.nickname_allowed
    with pytest.raises(ChatStreamError, match="no nicknames"):
        ask(pair, "Alice")


@pytest.mark.parametrize(("nickname", "error"), [("a\r\nX: y", ValueError), ("\x00", ValueError), (None, TypeError)])
def test_arguments(nickname: Any, error: type[Exception]) -> None:
    """What is no nickname is refused at once, and nothing is sent."""
    pair = in_room()
    with pytest.raises(error):
        ask(pair, nickname)
    pair.network.run_idle()
    assert pair.bob.stream.asked == []


def test_from_another_thread() -> None:
    """In any thread; nobody else's answers are taken for ours."""
    pair = in_room()
    threads = [threading.Thread(target=ask, args=(pair, f"Alice {number}")) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pair.alice.wait(SET, 5)
    assert pair.alice.stream.nickname == pair.bob.stream.asked[-1]
    assert pair.alice.stream._backlog.messages == 0
