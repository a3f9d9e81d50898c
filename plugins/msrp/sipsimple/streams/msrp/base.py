"""MSRPStreamBase: what all streams over MSRP have in common (MSRP-001 to MSRP-011; RFC 4975, RFC 6135).

Theory of operation. `initialize` takes a port to be connected to; `get_local_media` makes the msrplib session whose
URI goes into the `a=path`, and from then on it may be connected to, as a peer that connects may be faster than its
own answer. `start` knows both descriptions: it connects, or waits for the connection, and the stream has started
once the session is bound. `states` has the life of a stream as a table; an event that a state does not list is an
error of the caller, but `end`, which does nothing when it was called before.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any, ClassVar

from twisted.internet.defer import CancelledError, Deferred, FirstError, gatherResults
from twisted.python.failure import Failure
from zope.interface import implementer

from msrplib.errors import ConnectionClosedError, MSRPError, as_failure
from msrplib.handler import MessageSink, Refusal, SessionHandler
from msrplib.incoming import IncomingMessage
from msrplib.protocol import MSRPData
from msrplib.relay import RelayLeg
from msrplib.session import MSRPSession
from msrplib.uri import DEFAULT_PORT, MSRPURI, format_path
from sipsimple.core import SDPAttribute, SDPMediaStream
from sipsimple.notification import IObserver, Notification, NotificationCenter, NotificationData
from sipsimple.streams import IMediaStream, MediaStreamRegistrar, following
from sipsimple.streams.msrp.relay import authorized_leg, relay_of
from sipsimple.streams.msrp.sdp import (
    DIRECTIONS,
    MSRPMedia,
    answer_setup,
    combine_directions,
    we_connect,
)
from sipsimple.streams.msrp.states import OVER, STATES, StreamEvent, StreamState
from sipsimple.streams.msrp.transport import LIMITS, MSRPPort, MSRPTransport, MSRPTransportError

__all__ = ["MSRPStreamBase"]

log = logging.getLogger("sipsimple.streams")

START_TIMEOUT = 20.0
"""Seconds from `start` until the connection is there; less than what a session waits, so that our reason counts."""
CLOSE_GRACE = 1.0
"""Seconds that a stream waits for `deactivate` or `end` after the connection was closed: if the peer ends the
session, its BYE comes over another connection, and may come later."""


class _Discard:
    """Takes the octets of messages that nobody puts together (`use_msrp_session = False`)."""

    def write(self, offset: int, data: bytes) -> None:
        pass

    def finish(self, message: IncomingMessage) -> Refusal | None:
        return None

    def abort(self, reason: str) -> None:
        pass


_DISCARD = _Discard()


@lru_cache(maxsize=64)
def _request_methods(cls: type) -> tuple[tuple[str, str], ...]:
    """The MSRP methods for which a class has a `_handle_XXX`, with the names of these (MSRP-008)."""
    prefix = "_handle_"
    names = [name for name in dir(cls) if name.startswith(prefix) and name[len(prefix) :].isupper()]
    return tuple((name[len(prefix) :], name) for name in names)


@implementer(IMediaStream, IObserver)
class MSRPStreamBase(SessionHandler, metaclass=MediaStreamRegistrar):  # type: ignore[misc]  # no new_from_sdp
    """The base of streams over MSRP. It has every method of IMediaStream but `new_from_sdp`.

    A subclass gives the class attributes `type`, `priority`, `media_type`, `accept_types`, `accept_wrapped_types`,
    `use_msrp_session` and `shares_connection` (whether other streams may use its connection), and overrides what it
    needs of

    - the methods of msrplib.handler.SessionHandler (`message_received(session, message)`, …), which are called with
      whole messages if `use_msrp_session` is true;
    - `_handle_XXX(chunk)`, called with each request whose MSRP method is XXX (`_handle_SEND`); a method other than
      SEND and REPORT has to be answered with `self.msrp_session.respond(chunk, code)`;
    - `_NH_<name of a notification>(notification)`, called for the notifications that the stream itself posts;
    - `_local_attributes(for_offer)`: more attributes for the media line;
    - `_get_ready()`: what takes time before the stream can be described.

    What is received may come before MediaStreamDidStart was posted.

    Notifications: those of IMediaStream, MSRPTransportTrace, MSRPLibraryLog. All methods are called in the reactor's
    thread.

    :ivar account: the account of the session
    :ivar session: the session, from `initialize` on
    :ivar direction: the direction offered, then the one agreed on: 'sendrecv', 'sendonly', 'recvonly', 'inactive'
    :ivar msrp_session: the msrplib session, from the first `get_local_media` on; None before
    :ivar remote_media: what the peer's description says, None before it is known
    """

    type: ClassVar[str | None] = None
    priority: ClassVar[int | None] = None
    media_type: ClassVar[str]
    accept_types: ClassVar[list[str] | None] = None
    accept_wrapped_types: ClassVar[list[str] | None] = None
    use_msrp_session: ClassVar[bool] = True
    shares_connection: ClassVar[bool] = True

    hold_supported = False
    on_hold_by_local = False
    on_hold_by_remote = False

    def __init__(self, account: Any, direction: str = "sendrecv") -> None:
        if direction not in DIRECTIONS:
            raise ValueError(f"direction must be one of {', '.join(DIRECTIONS)}, not {direction!r}")
        self.account = account
        self.session: Any = None
        self.direction = direction
        self.msrp_session: MSRPSession | None = None
        self.remote_media: MSRPMedia | None = None
        self._wanted_direction = direction
        self._state = StreamState.NEW
        self._center = NotificationCenter()
        self._transport: MSRPTransport | None = None
        self._port: MSRPPort | None = None
        self._secure = False
        self._is_offerer = True
        self._deactivated = False
        self._preparation: Deferred[Any] | None = None
        self._leg: RelayLeg | None = None
        self._expected: Deferred[Any] | None = None
        self._connection: Deferred[Any] | None = None
        self._timer: Any = None
        self._request_handlers = {method: getattr(self, name) for method, name in _request_methods(self.__class__)}

    @property
    def state(self) -> StreamState:
        return self._state

    @property
    def on_hold(self) -> bool:
        return self.on_hold_by_local or self.on_hold_by_remote

    # IMediaStream: getting ready

    def initialize(self, session: Any, direction: str) -> None:
        self._advance(StreamEvent.INITIALIZE)
        self.session = session
        self._is_offerer = direction == "outgoing"
        if self.remote_media is not None:
            self._secure = self.remote_media.secure
        else:
            self._secure = self.account.msrp.transport == "tls"
        self._center.add_observer(self, sender=self)
        self._transport = MSRPTransport()
        try:
            self._take_port(self._local_host())
        except MSRPTransportError as error:
            self._fail("initialize", as_failure(error), str(error))
            return
        try:
            preparations = [found for found in (self._get_authorized(), self._get_ready()) if found is not None]
        except Exception as error:
            self._fail("initialize", as_failure(error), str(error))
            return
        if preparations:
            self._preparation = gatherResults(preparations, consumeErrors=True)
            self._preparation.addCallbacks(self._is_ready, self._not_ready)
        else:
            self._post("MediaStreamDidInitialize")

    def _get_authorized(self) -> Deferred[Any] | None:
        """By the relay, if there is one."""
        offered = None if self.remote_media is None else self.remote_media.secure
        relay = relay_of(self.account, self._is_offerer, offered)
        if relay is None:
            return None
        assert self._transport is not None and self._port is not None
        self._secure = relay.secure
        uri = MSRPURI.new(self._local_host(), self._port.number, relay.secure)
        finding = authorized_leg(relay, uri, self.account, self._transport, self._limits())
        return Deferred.fromCoroutine(finding).addCallback(self._has_leg)

    def _has_leg(self, leg: RelayLeg) -> None:
        if self._state in OVER:
            leg.close()
        else:
            self._leg = leg

    def _get_ready(self) -> Deferred[Any] | None:
        """For a subclass: what has to be there before the stream can be described.

        MediaStreamDidInitialize waits until it fires; if it fails, so does the stream; if the stream ends first, it
        is cancelled.
        """
        return None

    def _is_ready(self, _: object) -> None:
        self._preparation = None
        if self._state not in OVER:
            self._post("MediaStreamDidInitialize")

    def _not_ready(self, failure: Failure) -> None:
        self._preparation = None
        if failure.check(FirstError):
            failure = failure.value.subFailure
        if self._state not in OVER:
            self._fail("initialize", failure, failure.getErrorMessage())

    def get_local_media(self, for_offer: bool, remote_sdp: Any = None, stream_index: int = 0) -> Any:
        if self._state in OVER or self._port is None:
            raise RuntimeError(f"a stream that is {self._state.value} has no description")
        if for_offer:
            self.direction = self._wanted_direction
            setup: str | None = "actpass"
            self._prepare(True, self._secure)
        else:
            remote = MSRPMedia.read(remote_sdp, stream_index) if remote_sdp is not None else self.remote_media
            if remote is None or not remote.path:
                raise ValueError("the offer has no MSRP description that could be answered")
            self.remote_media = remote
            self.direction = combine_directions(self._wanted_direction, remote.direction)
            setup = answer_setup(remote, self._local_host())
            self._prepare(not we_connect(False, setup), remote.secure)
        self._is_offerer = for_offer if self._state is StreamState.INITIALIZED else self._is_offerer
        return self._describe(setup, for_offer)

    def _prepare(self, is_expecting: bool, secure: bool) -> None:
        """Before `start`: have a session for the description, which can be connected to if that is expected."""
        if self._state is StreamState.INITIALIZED:
            self._secure = secure
            self._have_session(self._local_host())
            if is_expecting:
                self._expect_connection()

    def _describe(self, setup: str | None, for_offer: bool) -> Any:
        assert self._port is not None and self.msrp_session is not None and self._transport is not None
        attributes = [SDPAttribute("path", format_path(self.msrp_session.local_path))]
        if self.accept_types is not None:
            attributes.append(SDPAttribute("accept-types", " ".join(self.accept_types)))
        if self.accept_wrapped_types is not None:
            attributes.append(SDPAttribute("accept-wrapped-types", " ".join(self.accept_wrapped_types)))
        if setup is not None:
            attributes.append(SDPAttribute("setup", setup))
        if self.direction != "sendrecv":
            attributes.append(SDPAttribute(self.direction))
        if self._secure and self._leg is None:
            attributes.append(SDPAttribute("fingerprint", self._transport.tls_identity.fingerprint))
        return SDPMediaStream(
            self.media_type,
            self._port.number if self._leg is None else self.msrp_session.local_path[0].port or DEFAULT_PORT,
            "TCP/TLS/MSRP" if self._secure else "TCP/MSRP",
            formats=["*"],
            attributes=[*attributes, *self._local_attributes(for_offer)],
        )

    def _local_attributes(self, for_offer: bool) -> list[Any]:
        """More attributes (SDPAttribute) for the media line, for a subclass to say."""
        return []

    def _local_host(self) -> str:
        """The address of ours that the peer can connect to: the one from which our packets to it leave."""
        assert self._transport is not None
        if self.remote_media is not None and self.remote_media.path:
            host = self.remote_media.path[0].host
        else:
            # The route that an INVITE is about to take, where the session says so.
            route = getattr(self.session, "route", None)
            identity = getattr(self.session, "remote_identity", None)
            host = route.address if route is not None else identity.uri.host if identity is not None else ""
        return self._transport.local_ip_towards(host)

    def _take_port(self, host: str) -> None:
        """Have a port that can be connected to at our address `host`."""
        assert self._transport is not None
        port = self._transport.port(self._secure, ":" in host)
        if port is not self._port:
            port.acquire()
            self._release_port()
            self._port = port

    def _release_port(self) -> None:
        if self._port is not None:
            self._port.release()
            self._port = None

    def _have_session(self, host: str) -> None:
        """Have a session with a URI at `host`; another one than before if that is another address by now."""
        session = self.msrp_session
        if self._leg is not None:
            if session is None:
                self.msrp_session = MSRPSession(self._leg.path, handler=self, limits=self._limits())
            return
        if session is not None and session.local_uri.host == host and session.local_uri.secure is self._secure:
            return
        self._forget_session()
        self._take_port(host)
        assert self._port is not None
        fresh = MSRPURI.new(host, self._port.number, self._secure)
        self.msrp_session = MSRPSession((fresh,), handler=self, limits=self._limits())
        log.debug("%s can be reached as %s:%d", type(self).__name__, host, self._port.number)

    def _limits(self) -> Any:
        """The bounds of the msrplib session."""
        return LIMITS

    def _expect_connection(self) -> None:
        if self._expected is None:
            assert self._port is not None and self.msrp_session is not None
            self._expected = (self._leg or self._port).expect(self.msrp_session)
            self._expected.addCallbacks(self._bound, self._not_bound, errbackArgs=(self.msrp_session,))

    # IMediaStream: the connection

    def start(self, local_sdp: Any, remote_sdp: Any, stream_index: int) -> None:
        self._advance(StreamEvent.START)
        remote = MSRPMedia.read(remote_sdp, stream_index)
        session = self.msrp_session
        if remote is None or session is None:
            self._fail("start", None, "the remote party sent no MSRP description that can be used")
            return
        if remote.port == 0:
            self._fail("start", None, "the remote party refused the stream")
            return
        if remote.secure is not self._secure:
            self._fail("start", None, "the remote party answered with another transport than the offered one")
            return
        self._adopt(remote)
        # RFC 4976 9.2: a relay is known by its name; behind it there is nobody whose certificate could be seen
        session.remote_fingerprint = remote.fingerprint if self._secure and self._leg is None else None
        if self._state in OVER:  # connected to already, by somebody with another certificate
            return
        session.remote_path = remote.path
        # RFC 6135 4.2: the answer decides who connects.
        if self._is_offerer:
            setup = remote.setup
        else:
            setup = MSRPMedia.read(local_sdp, stream_index).setup  # type: ignore[union-attr]
        if session.is_bound:
            self._start_media()
            return
        assert self._transport is not None
        self._timer = self._transport.reactor.callLater(START_TIMEOUT, self._start_timed_out)
        if we_connect(self._is_offerer, setup):
            self._stop_expecting()
            try:
                if self._leg is not None:
                    self._connection = self._leg.connect(session)
                else:
                    self._connection = self._transport.connect(session, START_TIMEOUT, self.shares_connection)
            except (MSRPTransportError, MSRPError) as error:
                self._fail("start", as_failure(error), str(error))
                return
            self._connection.addCallbacks(self._bound, self._not_bound, errbackArgs=(session,))
        else:
            self._expect_connection()

    def _bound(self, session: MSRPSession) -> None:
        """A connection is bound to the session; of one that was expected, possibly before `start`."""
        if session is self.msrp_session and self._state is StreamState.CONNECTING:
            self._start_media()

    def _not_bound(self, failure: Failure, session: MSRPSession) -> None:
        if session is not self.msrp_session or self._state in OVER or isinstance(failure.value, CancelledError):
            return
        if self._state is not StreamState.STARTED:
            self._fail("start", failure, f"no connection: {failure.getErrorMessage()}")

    def _start_timed_out(self) -> None:
        self._timer = None
        self._fail("start", None, f"no connection within {START_TIMEOUT:g} seconds")

    def _start_media(self) -> None:
        self._cancel_timer()
        self._advance(StreamEvent.CONNECTED)
        self._post("MediaStreamDidStart")

    def _adopt(self, remote: MSRPMedia) -> None:
        """What the peer's description says counts from now on."""
        self.remote_media = remote
        self.direction = combine_directions(self._wanted_direction, remote.direction)

    def validate_update(self, remote_sdp: Any, stream_index: int) -> bool:
        """True unless the peer wants another connection, which would need another session (RFC 4975 8.3)."""
        remote, current = MSRPMedia.read(remote_sdp, stream_index), self.remote_media
        if remote is None or current is None:
            return False
        if remote.port == 0:
            return True
        return (remote.media_type, remote.secure, remote.path) == (
            current.media_type,
            current.secure,
            current.path,
        )

    def update(self, local_sdp: Any, remote_sdp: Any, stream_index: int) -> None:
        remote = MSRPMedia.read(remote_sdp, stream_index)
        if remote is not None and remote.port != 0:
            self._adopt(remote)

    def hold(self) -> None:
        """MSRP streams have no hold (`hold_supported`): nothing happens."""

    def unhold(self) -> None:
        """MSRP streams have no hold (`hold_supported`): nothing happens."""

    # IMediaStream: the end

    def deactivate(self) -> None:
        self._deactivated = True
        if self._state is StreamState.CLOSING:
            self._cancel_timer()

    def end(self) -> None:
        if self._state is StreamState.ENDED:
            return
        self._advance(StreamEvent.END)
        self._post("MediaStreamWillEnd")
        error = None
        try:
            self._close()
        except Exception as raised:
            log.exception("A stream could not be closed")
            error = str(raised)
        self._post("MediaStreamDidEnd", error=error)

    def _fail(self, context: str, failure: Failure | None, reason: str) -> None:
        """The stream cannot go on; it is closed, and MediaStreamDidFail posted. Nothing when it is over already."""
        if self._state in OVER:
            return
        self._advance(StreamEvent.FAIL)
        self._close()
        self._post("MediaStreamDidFail", context=context, failure=failure, reason=reason)

    def _close(self) -> None:
        """Give back all that the stream holds. What it has written still leaves."""
        self._cancel_timer()
        preparation, self._preparation = self._preparation, None
        if preparation is not None:
            preparation.cancel()
        self._forget_session()
        if self._leg is not None:
            self._leg.close()
        self._release_port()
        self._closed()

    def _closed(self) -> None:
        """The session is closed; MediaStreamDidFail or MediaStreamDidEnd comes next. For a subclass."""

    def _forget_session(self) -> None:
        self._stop_expecting()
        if self._connection is not None:
            self._connection.cancel()
            self._connection = None
        if self.msrp_session is not None:
            self.msrp_session.close()

    def _stop_expecting(self) -> None:
        expected, self._expected = self._expected, None
        if expected is not None:
            expected.cancel()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # SessionHandler

    def message_started(self, session: MSRPSession, chunk: MSRPData) -> Refusal | MessageSink | None:
        return None if self.use_msrp_session else _DISCARD

    def request_received(self, session: MSRPSession, chunk: MSRPData) -> None:
        handler = self._request_handlers.get(chunk.method or "")
        if handler is not None:
            handler(chunk)

    def session_closed(self, session: MSRPSession, reason: Failure | None) -> None:
        if session is not self.msrp_session or reason is None or self._state in OVER:
            return
        if self._deactivated:
            return
        if self._state is StreamState.STARTED and isinstance(reason.value, ConnectionClosedError):
            self._advance(StreamEvent.CLOSED)
            assert self._transport is not None
            self._timer = self._transport.reactor.callLater(CLOSE_GRACE, self._grace_is_over, reason)
            return
        context = "reading" if self._state is StreamState.STARTED else "start"
        self._fail(context, reason, reason.getErrorMessage())

    def _grace_is_over(self, reason: Failure) -> None:
        self._timer = None
        self._fail("reading", reason, reason.getErrorMessage())

    # Notifications

    def handle_notification(self, notification: Notification) -> None:
        """A notification of the stream itself (MSRP-009), or of what a subclass observes."""
        handler = getattr(self, f"_NH_{notification.name}", None)
        try:
            if handler is not None:
                handler(notification)
        finally:
            if notification.name == "MediaStreamDidEnd" and notification.sender is self:
                self._center.discard_observer(self, sender=self)

    def _post(self, name: str, **fields: Any) -> None:
        self._center.post_notification(name, self, NotificationData(**fields))

    def _advance(self, event: StreamEvent) -> None:
        self._state = following(STATES, self._state, event)
