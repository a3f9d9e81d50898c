"""WhiteboardStream: `m=application PORT TCP whiteboard`, with the connection set up as in RFC 4145."""

from __future__ import annotations

import secrets
from collections import deque
from typing import Any

from twisted.internet.defer import DeferredList, maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from zope.interface import implementer

from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.core import SDPAttribute, SDPMediaStream
from sipsimple.notification import NotificationCenter, NotificationData
from sipsimple.realm import current_realm
from sipsimple.streams import IMediaStream, MediaStreamRegistrar
from sipsimple.threading import call_in_sipsimple_thread
from sipsimple_whiteboard import notifications as notifications
from sipsimple_whiteboard.board import Stroke
from sipsimple_whiteboard.wire import Connection

CONNECT_TIMEOUT = 15.0
BYE_TIMEOUT = 1.0  # how much later than the end of the connection the BYE may come
ANSWERS = {"actpass": "active", "passive": "active", "active": "passive"}


@implementer(IMediaStream)
class WhiteboardStream(metaclass=MediaStreamRegistrar):
    """`strokes` is what is on the board. WhiteboardStreamGotStroke tells of the other party's."""

    type, priority = "whiteboard", 0
    hold_supported = on_hold_by_local = on_hold_by_remote = on_hold = False

    def __init__(self, account: Any) -> None:
        self.account = account
        self.session: Any = None
        self.strokes: list[Stroke] = []
        self._drawn: deque[Stroke] = deque()  # and not sent yet
        self.connections: list[Connection] = []
        self.connection: Connection | None = None
        self._state = "new"  # initialized, starting, started, failed, ended
        self._expects_end = False
        self._key = secrets.token_urlsafe(16)
        self._setup = "actpass"
        self._port: Any = None
        self._timer: Any = None
        self._realm = current_realm()
        self.reactor: Any = None

    # Who we are, in SDP

    @classmethod
    def new_from_sdp(cls, account: Any, remote_sdp: Any, stream_index: int) -> WhiteboardStream | None:
        return None if _described(remote_sdp, stream_index) is None else cls(account)

    def get_local_media(self, for_offer: bool, remote_sdp: Any = None, stream_index: int = 0) -> SDPMediaStream:
        if not for_offer:
            self._setup = ANSWERS.get(remote_sdp.media[stream_index].attributes.getfirst("setup"), "active")
        attributes = [SDPAttribute("setup", self._setup), SDPAttribute("key", self._key)]
        return SDPMediaStream(
            "application", self._port.getHost().port, "TCP", formats=["whiteboard"], attributes=attributes
        )

    # The life of the stream, as a session leads it

    def initialize(self, session: Any, direction: str) -> None:
        self.session, self.reactor, self._state = session, self._realm.reactor, "initialized"
        factory = Factory.forProtocol(lambda: Connection(self, self._key, expects_key=True))
        factory.noisy = False
        try:
            ipv6 = ":" in self.session.route.address if self.session.route else False
            self._port = self.reactor.listenTCP(0, factory, interface="::" if ipv6 else "")
        except Exception as error:
            self._fail("initialize", f"no port could be opened: {error}", Failure())
        else:
            self._post("MediaStreamDidInitialize")

    def start(self, local_sdp: Any, remote_sdp: Any, stream_index: int) -> None:
        self._state = "starting"
        remote = _described(remote_sdp, stream_index)
        if remote is None:
            return self._fail("start", "the remote party refused the whiteboard")
        setup = local_sdp.media[stream_index].attributes.getfirst("setup")
        host, port, key, remote_setup = remote
        if setup == "active" or (setup == "actpass" and remote_setup == "passive"):
            factory = Factory.forProtocol(lambda: Connection(self, key, expects_key=False))
            factory.noisy = False
            connecting = TCP4ClientEndpoint(self.reactor, host, port, CONNECT_TIMEOUT).connect(factory)
            connecting.addCallbacks(self.connected, lambda why: self._fail("start", why.getErrorMessage(), why))
        elif self.connection is not None:  # it was faster than the answer
            self._begin()
        else:
            reason = "the remote party does not connect"
            self._timer = self.reactor.callLater(CONNECT_TIMEOUT, self._fail, "start", reason)
        return None

    def validate_update(self, remote_sdp: Any, stream_index: int) -> bool:
        return _described(remote_sdp, stream_index) is not None or remote_sdp.media[stream_index].port == 0

    def update(self, local_sdp: Any, remote_sdp: Any, stream_index: int) -> None:
        pass  # the connection stays (RFC 4145 4: a=connection:existing)

    def hold(self) -> None:
        pass

    def unhold(self) -> None:
        pass

    def deactivate(self) -> None:
        self._expects_end = True

    def end(self) -> None:
        if self._state != "ended":
            self._state = "ended"
            self._post("MediaStreamWillEnd")
            self._close().addCallback(lambda _: self._post("MediaStreamDidEnd"))

    # The connection, which tells what happens to it

    def wants(self, connection: Connection) -> bool:
        return self.connection is None and self._state in ("initialized", "starting")

    def connected(self, connection: Connection) -> None:
        if not self.wants(connection):  # ended meanwhile
            connection.close()
            return
        self.connection = connection
        connection.pauseProducing()  # nothing is heard until the stream has started
        if self._state == "starting":
            self._begin()

    def _begin(self) -> None:
        assert self.connection is not None
        self._stop_timer()
        self._state = "started"
        self._post("MediaStreamDidStart")
        self._send_drawn()
        self.connection.resumeProducing()

    def line_received(self, line: bytes) -> None:
        if self._state != "started":
            return
        try:
            stroke = Stroke.parse(line.decode())
            self._keep(stroke)
        except ValueError as error:
            self._fail("reading", str(error), Failure())
        else:
            self._post("WhiteboardStreamGotStroke", stroke=stroke)

    def connection_lost(self, connection: Connection, reason: Failure) -> None:
        if connection is self.connection and self._state in ("initialized", "starting", "started"):
            self._stop_timer()
            self._timer = self.reactor.callLater(BYE_TIMEOUT, self._lost, reason)

    def _lost(self, reason: Failure) -> None:
        if not self._expects_end:
            self._fail("reading", reason.getErrorMessage(), reason)

    # Drawing

    def draw(self, stroke: Stroke) -> None:
        """Draw on both boards; from any thread. Raises ValueError if the board is full."""
        self._keep(stroke)
        self._drawn.append(stroke)
        self._realm.run(call_in_sipsimple_thread, self._send_drawn)

    def _keep(self, stroke: Stroke) -> None:
        limit = SIPSimpleSettings().whiteboard.max_strokes  # type: ignore[attr-defined]
        if len(self.strokes) >= limit:
            raise ValueError(f"there are {limit} strokes on the whiteboard")
        self.strokes.append(stroke)

    def _send_drawn(self) -> None:
        while self._state == "started" and self._drawn:
            assert self.connection is not None
            if not self.connection.send(str(self._drawn.popleft())):
                self._fail("sending", "the remote party does not read")

    # The end

    def _fail(self, context: str, reason: str, failure: Failure | None = None) -> None:
        if self._state not in ("failed", "ended"):
            self._state = "failed"
            self._close()
            self._post("MediaStreamDidFail", context=context, reason=reason, failure=failure)

    def _close(self) -> DeferredList:
        self._stop_timer()
        closing: list[Any] = [connection.close() for connection in self.connections]
        if self._port is not None:
            closing.append(maybeDeferred(self._port.stopListening))
        return DeferredList(closing)

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _post(self, name: str, **data: Any) -> None:
        self._realm.run(NotificationCenter).post_notification(name, self, NotificationData(**data))


def _described(sdp: Any, index: int) -> tuple[str, int, str, str | None] | None:
    """Host, port, key and setup of a whiteboard; None if the media line is no whiteboard that can be used."""
    media, connection = sdp.media[index], sdp.connection_of(index)
    is_ours = (media.media, media.transport, list(media.formats)) == ("application", "TCP", ["whiteboard"])
    key = media.attributes.getfirst("key")
    if not is_ours or not media.port or not key or connection is None:
        return None
    return connection.address, media.port, key, media.attributes.getfirst("setup")
