"""A user agent for the benchmarks: it takes every session, or makes them, and counts; run in a process of its own."""

from __future__ import annotations

import threading
import time
from typing import Any

from sipsimple.account import Account
from sipsimple.application import SIPApplication
from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.core import SIPURI, Engine, ToHeader
from sipsimple.notification import NotificationCenter
from sipsimple.session import Session
from sipsimple.storage import MemoryStorage
from sipsimple.streams import ChatStream
from sipsimple.threading import call_in_sipsimple_thread
from sipsimple.util import Route

ADDRESS = "127.0.0.1"
TIMEOUT = 20
TEXT = "x" * 100


class Peer:
    """One application with one account that needs no server."""

    def __init__(self, name: str, transport: str = "udp") -> None:
        self.name = name
        self.transport = transport
        self.events: dict[str, threading.Event] = {}
        self.times: dict[str, float] = {}
        self.outstanding: dict[str, float] = {}
        self.latencies: list[float] = []
        self.chat: Any = None
        self.failure: str | None = None
        self.answers = True  # takes every session
        self._window = self._to_send = 0
        NotificationCenter().add_observer(self)

    def handle_notification(self, notification: Any) -> None:
        name, now = notification.name, time.perf_counter()
        if name == "ChatStreamDidDeliverMessage":
            self.latencies.append(now - self.outstanding.pop(notification.data.message_id))
            self._send_more()
            return
        if name in ("ChatStreamDidNotDeliverMessage", "SIPSessionDidFail"):
            self.failure = f"{name}: {notification.data}"
        elif name == "SIPApplicationWillStart":
            settings = SIPSimpleSettings()
            settings.sip.transport_list = [self.transport]
            settings.save()
        elif name == "SIPApplicationDidStart":
            self._add_account()
        elif name == "SIPSessionNewIncoming" and self.answers:
            notification.sender.accept(notification.data.streams)
        elif name == "SIPSessionDidStart":
            self.chat = notification.data.streams[0]
        self._set(name, now)

    def _set(self, name: str, now: float) -> None:
        self.times[name] = now
        self.events.setdefault(name, threading.Event()).set()

    def _add_account(self) -> None:
        account = self.account = Account(f"{self.name}@{ADDRESS}")
        account.registration.enabled = False
        account.msrp.transport = "tcp"
        account.enabled = True
        account.save()

    def expect(self, *names: str) -> None:
        for name in names:
            self.events[name] = threading.Event()

    def wait(self, name: str, timeout: float = TIMEOUT) -> float:
        """Waits for what was expected; returns when it came."""
        if not self.events.setdefault(name, threading.Event()).wait(timeout):
            raise SystemExit(f"{self.name}: no {name} within {timeout} s; {self.failure or 'no failure seen'}")
        return self.times[name]

    def start(self) -> tuple[str, int]:
        SIPApplication().start(MemoryStorage())
        self.wait("SIPApplicationDidStart")
        return Engine().local_address(self.transport, ADDRESS)

    def stop(self) -> None:
        self.expect("SIPApplicationDidEnd")
        SIPApplication().stop()
        self.wait("SIPApplicationDidEnd")

    def connect(self, port: int) -> tuple[Session, float]:
        """Sets a session up; returns it and the seconds from `connect` to `SIPSessionDidStart`."""
        self.expect("SIPSessionDidStart")
        session = Session(self.account)
        since = time.perf_counter()
        to_header = ToHeader(SIPURI(user="bob", host=ADDRESS, port=port))
        session.connect(to_header, [Route(ADDRESS, port, self.transport)], [ChatStream(self.account)])
        return session, self.wait("SIPSessionDidStart") - since

    def end(self, session: Session) -> None:
        self.expect("SIPSessionDidEnd")
        session.end()
        self.wait("SIPSessionDidEnd")

    def send(self, count: int, window: int) -> float:
        """Sends so many messages with so many unconfirmed at most; returns the seconds until the last report."""
        self.latencies.clear()
        self.expect("delivered")
        self._to_send, self._window = count, window
        since = time.perf_counter()
        call_in_sipsimple_thread(self._send_more)
        return self.wait("delivered") - since

    def _send_more(self) -> None:
        while self._to_send and len(self.outstanding) < self._window:
            self._to_send -= 1
            now = time.perf_counter()
            self.outstanding[self.chat.send_message(TEXT)] = now
        if not self.outstanding:
            self._set("delivered", time.perf_counter())
