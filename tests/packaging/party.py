"""One of two processes that have a session: `answer` prints its port, `call PORT STREAM...` what it got, as JSON.

Streams are named chat and whiteboard. It needs what is installed only: the other party may not know a whiteboard.
"""

from __future__ import annotations

import json
import sys
from threading import Event
from typing import Any

from sipsimple.account import Account
from sipsimple.application import SIPApplication
from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.core import SIPURI, Engine, ToHeader
from sipsimple.notification import NotificationCenter, NotificationDispatcher
from sipsimple.session import Session
from sipsimple.storage import MemoryStorage
from sipsimple.util import Route

TIMEOUT = 50
STROKE = "#d33 2 10.0,10.0 40.0,25.0"


class Party(NotificationDispatcher):
    """Answers calls; sends back what is said, and draws what is drawn; remembers what it got."""

    def __init__(self) -> None:
        self.started, self.over = Event(), Event()
        self.answers = False
        self.wanted: set[str] = set()
        self.got: dict[str, Any] = {"failed": None, "ended": [], "got": []}

    def _NH_SIPApplicationWillStart(self, notification: Any) -> None:
        settings = SIPSimpleSettings()
        settings.sip.transport_list = ["udp"]
        settings.save()

    def _NH_SIPApplicationDidStart(self, notification: Any) -> None:
        account = self.account = Account("party@127.0.0.1")
        account.registration.enabled = False
        account.msrp.transport = "tcp"
        account.enabled = True
        account.save()
        self.started.set()

    def _NH_SIPSessionNewIncoming(self, notification: Any) -> None:
        notification.sender.accept(notification.data.streams)

    def _NH_SIPSessionDidStart(self, notification: Any) -> None:
        if self.answers:
            return
        streams = {stream.type: stream for stream in notification.sender.streams}
        self.got["streams"] = sorted(streams)
        self.wanted = set(streams)
        if "chat" in streams:
            streams["chat"].send_message("hello")
        if "whiteboard" in streams:
            from sipsimple_whiteboard import Stroke

            streams["whiteboard"].draw(Stroke.parse(STROKE))

    def _NH_ChatStreamGotMessage(self, notification: Any) -> None:
        if self.answers:
            notification.sender.send_message(notification.data.message.content)
        else:
            self._heard("chat", notification.data.message.content)

    def _NH_WhiteboardStreamGotStroke(self, notification: Any) -> None:
        if self.answers:
            notification.sender.draw(notification.data.stroke)
        else:
            self._heard("whiteboard", str(notification.data.stroke))

    def _heard(self, stream: str, what: str) -> None:
        self.got["got"].append(what)
        self.wanted.discard(stream)
        if not self.wanted:
            self.over.set()

    def _NH_MediaStreamDidEnd(self, notification: Any) -> None:
        self.got["ended"].append(notification.sender.type)

    def _NH_SIPSessionDidFail(self, notification: Any) -> None:
        self.got["failed"] = [notification.data.code, notification.data.reason]
        self.over.set()

    def _NH_SIPApplicationPluginDidFail(self, notification: Any) -> None:
        print(notification.data.reason, file=sys.stderr)


def main() -> int:
    party = Party()
    party.answers = sys.argv[1] == "answer"
    NotificationCenter().add_observer(party)
    application = SIPApplication()
    application.start(MemoryStorage())
    assert party.started.wait(TIMEOUT)
    if party.answers:
        print(Engine().local_address("udp", "127.0.0.1")[1], flush=True)
        sys.stdin.read()  # until who started this process has enough
    else:
        import sipsimple.streams as streams

        classes = {"chat": "ChatStream", "whiteboard": "WhiteboardStream"}
        offered = [getattr(streams, classes[name])(party.account) for name in sys.argv[3:]]
        session = Session(party.account)
        port = int(sys.argv[2])
        to_header = ToHeader(SIPURI("127.0.0.1", user="party", port=port))
        session.connect(to_header, [Route("127.0.0.1", port, "udp")], offered)
        party.got["in time"] = party.over.wait(TIMEOUT)
        print(json.dumps(party.got), flush=True)
    application.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
