"""Our nickname in a chat room (RFC 7701 7.1): asked for, given or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msrplib.errors import ConnectionClosedError, MSRPError, MSRPResponseError, as_failure
from msrplib.protocol import REASONS, MSRPData

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from msrplib.session import MSRPSession
    from sipsimple.streams.chat.stream import ChatStream

__all__ = ["Nickname"]


class Nickname:
    """The nickname of a stream, which it posts the notifications of.

    :ivar current: the one that we have, None when there is none
    """

    __slots__ = ("_stream", "current")

    def __init__(self, stream: ChatStream) -> None:
        self._stream = stream
        self.current: str | None = None

    def ask(self, session: MSRPSession | None, nickname: str) -> None:
        """Ask for one, in the session; None: it is over."""
        try:
            if session is None:
                raise ConnectionClosedError("the stream has ended")
            asked = session.send_nickname(nickname)
        except MSRPError as error:
            self._failed(as_failure(error), nickname)
        else:
            asked.addCallbacks(self._answered, self._failed, (nickname,), {}, (nickname,))

    def _answered(self, response: MSRPData, nickname: str) -> None:
        code = response.code or 400
        if code == 200:
            self.current = nickname or None
            self._stream.post("ChatStreamDidSetNickname", nickname=nickname)
        else:
            self._refused(nickname, code, response.comment or REASONS.get(code, ""))

    def _failed(self, failure: Failure, nickname: str) -> None:
        code = failure.value.code if failure.check(MSRPResponseError) else 481
        self._refused(nickname, code, failure.getErrorMessage())

    def _refused(self, nickname: str, code: int, reason: str) -> None:
        self._stream.post("ChatStreamDidNotSetNickname", nickname=nickname, code=code, reason=reason)
