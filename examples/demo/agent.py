"""One user agent of the demo: `agent.py NAME LINES FOLDER [ADDRESS TO CALL]`.

It reports in JSON lines, and stops when its input ends.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from pathlib import Path
from typing import Any

from zope.interface import implementer

from sipsimple.account import Account
from sipsimple.application import SIPApplication
from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.core import SIPURI, Engine, ToHeader
from sipsimple.notification import IObserver, NotificationCenter, NotificationDispatcher
from sipsimple.session import Session
from sipsimple.storage import MemoryStorage
from sipsimple.streams import ChatStream
from sipsimple.util import Route

ADDRESS = "127.0.0.1"


def report(kind: str, text: str, notification: Any = None, amount: float = 0.0) -> None:
    """Reports an event; its time is that of the notification that tells it."""
    when = time.time() if notification is None else notification.data.timestamp.timestamp()
    event = {"kind": kind, "text": text, "amount": amount, "time": when}
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


@implementer(IObserver)
class ChatAgent(NotificationDispatcher):
    """Calls or waits for a call, and says its lines in turn with the other side, which is over with the last report."""

    def __init__(self, name: str, lines: list[str], callee: str | None) -> None:
        self.name = name
        self.lines = lines
        self.callee = callee
        self.session: Session | None = None
        self.chat: ChatStream | None = None
        self.said: dict[str, tuple[str, float]] = {}
        self.expected = len(lines)  # of the other side, which has as many
        self.ended = threading.Event()

    def start(self) -> None:
        NotificationCenter().add_observer(self)
        SIPApplication().start(MemoryStorage())

    def _NH_SIPApplicationWillStart(self, notification: Any) -> None:
        settings = SIPSimpleSettings()
        settings.logs.trace_sip = True
        settings.sip.transport_list = ["udp"]
        for device in ("input_device", "output_device", "alert_device"):
            if hasattr(settings, "audio"):
                setattr(settings.audio, device, None)
        settings.save()

    def _NH_SIPApplicationDidStart(self, notification: Any) -> None:
        account = Account(f"{self.name}@{ADDRESS}")
        account.display_name = self.name.capitalize()
        account.registration.enabled = False
        account.msrp.transport = "tcp"
        account.enabled = True
        account.save()
        host, port = Engine().local_address("udp", ADDRESS)
        report("ready", f"{host}:{port}", notification)
        if self.callee is not None:
            host, _, port = self.callee.partition(":")
            session = Session(account)
            to_header = ToHeader(SIPURI(user="bob", host=host, port=int(port)))
            session.connect(to_header, [Route(host, int(port), "udp")], [ChatStream(account)])

    def _NH_SIPSessionNewOutgoing(self, notification: Any) -> None:
        self.session = notification.sender
        report("state", "outgoing", notification)

    def _NH_SIPSessionNewIncoming(self, notification: Any) -> None:
        self.session = notification.sender
        report("state", "incoming", notification)
        self.session.send_ring_indication()
        self.session.accept(notification.data.streams)

    def _NH_SIPSessionGotRingIndication(self, notification: Any) -> None:
        report("state", "ringing", notification)

    def _NH_SIPSessionDidStart(self, notification: Any) -> None:
        report("state", "connected", notification)
        self.chat = notification.data.streams[0]
        if self.callee is not None:
            self.say()

    def say(self) -> None:
        assert self.chat is not None
        line = self.lines.pop(0)
        report("say", line)
        self.said[self.chat.send_message(line)] = line, time.perf_counter()

    def _NH_ChatStreamGotMessage(self, notification: Any) -> None:
        self.chat = notification.sender  # the first message may be here before the ACK
        content = notification.data.message.content
        report("heard", content if isinstance(content, str) else content.decode(), notification)
        self.expected -= 1
        if self.lines:
            self.say()
        self.look_whether_it_is_over()

    def _NH_ChatStreamDidDeliverMessage(self, notification: Any) -> None:
        line, since = self.said.pop(notification.data.message_id)
        report("delivered", line, notification, 1000 * (time.perf_counter() - since))
        self.look_whether_it_is_over()

    def _NH_ChatStreamDidNotDeliverMessage(self, notification: Any) -> None:
        report("failed", f"not delivered: {notification.data.code} {notification.data.reason}")

    def look_whether_it_is_over(self) -> None:
        if not self.lines and not self.said and not self.expected and self.session is not None:
            self.chat_is_over()

    def chat_is_over(self) -> None:
        # bob has the last word and hangs up when it is confirmed
        if self.callee is None and self.session is not None:
            self.session.end()

    def _NH_SIPSessionDidEnd(self, notification: Any) -> None:
        report("ended", f"ended by {notification.data.originator}", notification)

    def _NH_SIPSessionDidFail(self, notification: Any) -> None:
        report("failed", f"{notification.data.code} {notification.data.reason}")

    def _NH_SIPEngineSIPTrace(self, notification: Any) -> None:
        if not notification.data.received:
            start_line = notification.data.data.partition("\r\n")[0]
            report("sip", start_line.removeprefix("SIP/2.0 ").removesuffix(" SIP/2.0"), notification)

    def _NH_SIPApplicationDidEnd(self, notification: Any) -> None:
        self.ended.set()


def main() -> int:
    logging.basicConfig(level=logging.ERROR)  # warnings, as of a busy machine, would be in the midst of the picture
    name, lines, folder, *callee = sys.argv[1:]
    agent = make_agent(name, json.loads(lines), Path(folder), callee[0] if callee else None)
    agent.start()
    sys.stdin.read()
    SIPApplication().stop()
    return 0 if agent.ended.wait(10) else 1


def make_agent(name: str, lines: list[str], folder: Path, callee: str | None) -> ChatAgent:
    """One that also calls where that is possible."""
    try:
        from call import CallAgent, no_engine
    except ImportError as error:
        reason = f"sipsimple-audio is not installed: {error}"
    else:
        reason = no_engine()
        if reason is None:
            return CallAgent(name, lines, folder, callee)
    report("no audio", reason)
    return ChatAgent(name, lines, callee)


if __name__ == "__main__":
    sys.modules["agent"] = sys.modules["__main__"]  # what call.py imports
    sys.exit(main())
