"""Scripted counterparts of a session: a stream, an account and an invitation that do what a test tells them.

With them the order of everything that can happen to a session is in the test's hands, down to the single step; no
message is sent. `Stage` is the realm, the clock and the recorder that they need.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from twisted.internet.task import Clock
from zope.interface import implementer

from sipsimple.core import (
    SIPURI,
    FromHeader,
    FrozenFromHeader,
    FrozenToHeader,
    SDPConnection,
    SDPMediaStream,
    SDPSession,
    ToHeader,
)
from sipsimple.core.protocol.hop import Hop
from sipsimple.core.protocol.invite_events import InvalidStateError
from sipsimple.core.wire.header_fields import HeaderFields
from sipsimple.core.wire.reasons import reason_phrase
from sipsimple.core.wire.sdp import FrozenSDPSession
from sipsimple.notification import NotificationCenter, NotificationData
from sipsimple.realm import Realm, replace_default_realm
from sipsimple.streams import IMediaStream, held_by_remote
from sipsimple.testing.recorder import NotificationRecorder

__all__ = ["ScriptedAccount", "ScriptedInvitation", "ScriptedStream", "Stage"]

LOCAL_IP = "10.0.0.1"
REMOTE_IP = "10.0.0.2"


class ScriptedReactor(Clock):
    """A clock that stands in for a reactor: calls from threads are made when the test advances it."""

    def callFromThread(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self.callLater(0, function, *args, **kwargs)


class Stage:
    """A realm with a clock, in which a session can be tried.

    Attributes: `realm`, `reactor` (a `twisted.internet.task.Clock`), `recorder`, `account`, `invitations` (all that
    were made), `calls` (what was done to streams and invitations, as strings, in order).
    """

    def __init__(self) -> None:
        self.realm = Realm("scripted")
        self.realm.reactor = self.reactor = ScriptedReactor()
        self.realm.local_ip_towards = lambda host: LOCAL_IP  # type: ignore[method-assign]
        self.recorder: NotificationRecorder = self.realm.run(NotificationRecorder)
        self.account = ScriptedAccount("alice@example.com")
        self.invitations: list[ScriptedInvitation] = []
        self.calls: list[str] = []

    def invitation(self) -> ScriptedInvitation:
        """A new invitation."""
        invitation = ScriptedInvitation(self)
        self.invitations.append(invitation)
        return invitation

    @contextmanager
    def set(self) -> Iterator[Stage]:
        """Within it outgoing sessions get scripted invitations, and the stage's realm is the default one."""
        with mock.patch("sipsimple.session.outgoing.Invitation", self.invitation):
            previous = replace_default_realm(self.realm)
            try:
                yield self
            finally:
                replace_default_realm(previous)
                self.recorder.stop()

    def stream(self, name: str = "a", **script: Any) -> ScriptedStream:
        """A new stream called `name` in `calls`; for `script` see ScriptedStream."""
        stream = ScriptedStream(self.account)
        stream.calls, stream.name = self.calls, name
        for attribute, value in script.items():
            setattr(stream, attribute, value)
        return stream

    def sent(self, sender: object, prefix: str = "SIPSession") -> list[str]:
        """The names of what `sender` posted, without the prefix."""
        return [name.removeprefix(prefix) for name in self.recorder.names(sender) if name.startswith(prefix)]


class ScriptedAccount:
    """An account that is always enabled and has no credentials."""

    enabled = True
    credentials = None
    display_name = "Alice"

    def __init__(self, id: str) -> None:
        self.id = id
        user, _, host = id.partition("@")
        self.uri = SIPURI(host=host, user=user)

    @property
    def contact(self) -> ScriptedAccount:
        return self

    def __getitem__(self, route: Any) -> SIPURI:
        return SIPURI(host=LOCAL_IP, port=5060, user="contact")

    def service_route(self, route: Any) -> list[Any]:
        return []


@implementer(IMediaStream)
class ScriptedStream:
    """A stream that succeeds at once in everything, unless told otherwise.

    `script` names what each of 'initialize', 'start' and 'end' shall do: 'now' (post what is expected inside the
    call), 'wait' (the test calls `did_initialize`, `did_start`, `did_end`), 'fail', or 'raise'. `media` is the SDP
    media line, or None to have get_local_media raise. `acceptable` is what validate_update returns.
    """

    type = "scripted"
    priority = 1
    hold_supported = False
    on_hold_by_local = on_hold_by_remote = False
    acceptable = True

    def __init__(self, account: Any) -> None:
        self.account = account
        self.name = "a"
        self.calls: list[str] = []
        self.initialize_does = self.start_does = self.end_does = "now"
        self.media: SDPMediaStream | None = SDPMediaStream("message", 2855, "TCP/MSRP", formats=["*"])
        self.session: Any = None
        self.direction: str | None = None
        self.started_with: tuple[Any, Any, int] | None = None

    @classmethod
    def new_from_sdp(cls, account: Any, remote_sdp: Any, stream_index: int) -> ScriptedStream | None:
        return cls(account) if remote_sdp.media[stream_index].media == "message" else None

    def __repr__(self) -> str:
        return f"<stream {self.name}>"

    @property
    def on_hold(self) -> bool:
        return self.on_hold_by_local or self.on_hold_by_remote

    def _act(self, method: str, what: str, succeed: Callable[[], None]) -> None:
        self.calls.append(f"{self.name}.{method}")
        if what == "raise":
            raise RuntimeError(f"{method} is scripted to raise")
        if what == "fail":
            self.did_fail(f"{method} failed")
        elif what == "now":
            succeed()

    def post(self, name: str, **data: Any) -> None:
        NotificationCenter().post_notification(name, self, NotificationData(**data))

    def did_initialize(self) -> None:
        self.post("MediaStreamDidInitialize")

    def did_start(self) -> None:
        self.post("MediaStreamDidStart")

    def did_end(self) -> None:
        self.post("MediaStreamDidEnd")

    def did_fail(self, reason: str = "connection lost") -> None:
        self.post("MediaStreamDidFail", context="scripted", failure=None, reason=reason)

    def get_local_media(self, for_offer: bool, remote_sdp: Any = None, stream_index: int = 0) -> SDPMediaStream:
        self.calls.append(f"{self.name}.{'offer' if for_offer else 'answer'}")
        if self.media is None:
            raise RuntimeError("no media")
        # RFC 3264 8.4: who holds sends (announcements, say), who is held receives; what we offer is for us to say
        held = self.hold_supported and not for_offer and held_by_remote(remote_sdp, stream_index)
        if not (self.on_hold_by_local or held):
            return self.media
        media = SDPMediaStream.new(self.media)
        media.direction = "inactive" if self.on_hold_by_local and held else "recvonly" if held else "sendonly"
        return media

    def initialize(self, session: Any, direction: str) -> None:
        self.session, self.direction = session, direction
        self._act("initialize", self.initialize_does, self.did_initialize)

    def start(self, local_sdp: Any, remote_sdp: Any, stream_index: int) -> None:
        self.started_with = local_sdp, remote_sdp, stream_index
        self.on_hold_by_remote = self.hold_supported and held_by_remote(remote_sdp, stream_index)
        self._act("start", self.start_does, self.did_start)

    def validate_update(self, remote_sdp: Any, stream_index: int) -> bool:
        self.calls.append(f"{self.name}.validate_update")
        return self.acceptable

    def update(self, local_sdp: Any, remote_sdp: Any, stream_index: int) -> None:
        self.calls.append(f"{self.name}.update")
        self.on_hold_by_remote = self.hold_supported and held_by_remote(remote_sdp, stream_index)

    def hold(self) -> None:
        self.calls.append(f"{self.name}.hold")
        self.on_hold_by_local = self.hold_supported

    def unhold(self) -> None:
        self.calls.append(f"{self.name}.unhold")
        self.on_hold_by_local = False

    def deactivate(self) -> None:
        self.calls.append(f"{self.name}.deactivate")

    def end(self) -> None:
        self.post("MediaStreamWillEnd")
        self._act("end", self.end_does, self.did_end)


class ScriptedInvitation:
    """An invitation whose remote party is the test.

    It makes the steps of `sipsimple.core.Invitation` and posts what that posts. Outgoing: `ring`, `accept`, `refuse`,
    `fail`; incoming: `arrive`, `acknowledge`, `cancel`, `miss_ack`; both: `hang_up`, `confirm_end`. Within the session:
    `ring_again`, `accept_offer` and `refuse_offer` answer our re-INVITE, `propose` and `cancel_offer` are theirs; all
    our offers and answers are in `described`.
    """

    def __init__(self, stage: Stage) -> None:
        self.calls = stage.calls
        self.state: str | None = None
        self.sub_state: str | None = None
        self.direction: str | None = None
        self.request_uri: Any = None
        self.from_header: Any = None
        self.to_header: Any = None
        self.contact_header: Any = None
        self.remote_user_agent: str | None = None
        self.invite_headers: dict[str, str] = {}
        self.peer_address = Hop("udp", REMOTE_IP, 5060)
        self.transport: str | None = None
        self.remote_sdp_offer: Any = None
        self.replaced_invitation: Any = None
        self.offer: Any = None
        self.arguments: dict[str, Any] = {}
        self.responses: list[tuple[int, str | None, list[Any]]] = []
        self.answer: Any = None
        self.end_confirmed_by_itself = True
        self.error: Exception | None = None
        self.described: list[Any] = []
        self.remote: Any = None

    @property
    def local_identity(self) -> Any:
        return self.to_header if self.direction == "incoming" else self.from_header

    @property
    def remote_identity(self) -> Any:
        return self.from_header if self.direction == "incoming" else self.to_header

    # What the session calls

    def send_invite(
        self, request_uri: Any, from_header: Any, to_header: Any, route_header: Any, contact_header: Any, sdp: Any,
        credentials: Any = None, extra_headers: Iterable[Any] = (), timeout: float | None = None,
    ) -> None:  # fmt: skip
        self.calls.append("INVITE")
        if self.error is not None:
            raise self.error
        self.direction, self.request_uri, self.offer = "outgoing", request_uri, sdp
        self.from_header, self.to_header = FrozenFromHeader.new(from_header), FrozenToHeader.new(to_header)
        self.contact_header = contact_header
        self.transport = route_header.uri.transport
        self.arguments = {
            'route': route_header, 'credentials': credentials, 'extra_headers': list(extra_headers), 'timeout': timeout,
        }  # fmt: skip
        self._change("outgoing", "local", method="INVITE")

    def send_response(
        self, code: int, reason: str | None = None, contact_header: Any = None, sdp: Any = None,
        extra_headers: Iterable[Any] = (),
    ) -> None:  # fmt: skip
        if self.sub_state == "received_proposal":
            self._answer_offer(code, reason or reason_phrase(code), sdp, list(extra_headers))
            return
        if self.state not in ("incoming", "early"):
            raise InvalidStateError(f"no INVITE waits for a response in state {self.state}")
        self.calls.append(str(code))
        if self.error is not None:
            raise self.error
        self.responses.append((code, reason, list(extra_headers)))
        self.contact_header = contact_header
        reason = reason or reason_phrase(code)
        if code < 200:
            self._change("early", "local", method="INVITE", code=code, reason=reason)
        elif code < 300:
            self.answer = sdp
            self._change("connecting", "local", method="INVITE", code=code, reason=reason)
            self._update(FrozenSDPSession.new(sdp), FrozenSDPSession.new(self.remote_sdp_offer))
        else:
            self._disconnect("local", method="INVITE", code=code, reason=reason)

    def _answer_offer(self, code: int, reason: str, sdp: Any, headers: list[Any]) -> None:
        self.calls.append(str(code))
        self.responses.append((code, reason, headers))
        offer, self.remote_sdp_offer = self.remote_sdp_offer, None
        if code < 300 and offer is None:
            self.offer = FrozenSDPSession.new(sdp)  # the answer comes with the ACK: see `answer_offer`
            return
        if code < 300:
            self._update(FrozenSDPSession.new(sdp), offer)
        self._proposal_over("local" if code >= 300 else "remote", code, reason)

    def _proposal_over(self, originator: str, code: int, reason: str) -> None:
        """The refusal is sent, or the ACK of our 2xx is there."""
        self.sub_state = "normal"
        self._change("connected", originator, "received_proposal", method="INVITE", code=code, reason=reason)

    def glare_delay(self) -> float:
        low, high = (2.1, 4.0) if self.direction == "outgoing" else (0.0, 2.0)
        return random.uniform(low, high)

    def send_reinvite(
        self, contact_header: Any = None, sdp: Any = None, extra_headers: Iterable[Any] = ()
    ) -> None:  # fmt: skip
        if self.state != "connected" or self.sub_state != "normal":
            raise InvalidStateError(f"no re-INVITE in state {self.state}, {self.sub_state}")
        self.calls.append("re-INVITE")
        if self.error is not None:
            raise self.error
        self.offer, self.sub_state = FrozenSDPSession.new(sdp), "sent_proposal"
        self._change("connected", "local", "normal", method="INVITE")

    def cancel_reinvite(self) -> None:
        if self.sub_state != "sent_proposal":
            raise InvalidStateError("no re-INVITE of ours is open")
        self.calls.append("CANCEL")

    def end(self, extra_headers: Iterable[Any] = (), timeout: float | None = None) -> None:
        if self.state in ("disconnecting", "disconnected"):
            return
        method = "CANCEL" if self.direction == "outgoing" and self.state in ("outgoing", "early") else "BYE"
        self.calls.append(method)
        if self.error is not None:
            raise self.error
        self._method = method
        self._change("disconnecting", "local", method=method)
        if self.end_confirmed_by_itself:
            self.confirm_end()

    # What the remote party does

    def ring(self, code: int = 180) -> None:
        state = "outgoing" if code == 100 else "early"
        self._change(state, "remote", method="INVITE", code=code, reason=reason_phrase(code))

    def describe_early(self, answer: Any = None, error: str | None = None) -> None:
        """A 183 with `answer` (by default one that takes everything), or with one that is no answer."""
        self.ring(183)
        described = FrozenSDPSession.new(answer) if answer else self._description(self.offer.media)
        local, remote = (None, None) if error else (FrozenSDPSession.new(self.offer), described)
        self._post_update(succeeded=not error, local_sdp=local, remote_sdp=remote, error=error, early=True)

    def accept(self, answer: Any = None, acknowledge: bool = True, user_agent: str | None = None) -> None:
        """A 200 with `answer` (by default one that takes everything), acknowledged unless told otherwise."""
        self.remote_user_agent = user_agent
        self._change("connecting", "remote", method="INVITE", code=200, reason="OK")
        if self.state == "connecting":
            self._update(
                FrozenSDPSession.new(self.offer),
                FrozenSDPSession.new(answer) if answer else self._description(self.offer.media),
            )
        if acknowledge and self.state == "connecting":
            self.acknowledge()

    def accept_without_agreement(self, error: str) -> None:
        self._change("connecting", "remote", method="INVITE", code=200, reason="OK")
        self._post_update(succeeded=False, local_sdp=None, remote_sdp=None, error=error, early=False)

    def acknowledge(self) -> None:
        originator = "local" if self.direction == "outgoing" else "remote"
        self.sub_state = "normal"
        self._change("connected", originator, method="ACK")

    def refuse(self, code: int, reason: str | None = None) -> None:
        reason = reason or reason_phrase(code)
        self._disconnect("remote", method="INVITE", code=code, reason=reason, why=reason)

    def fail(self, code: int, why: str) -> None:
        """No response came."""
        self._disconnect("local", method="INVITE", code=code, reason=reason_phrase(code), why=why)

    def arrive(
        self, media: Iterable[SDPMediaStream] | None = (), headers: dict[str, str] | None = None, body: bytes = b'v=0',
        to: str = 'sip:alice@example.com',
    ) -> None:  # fmt: skip
        """An INVITE comes from bob, which offers `media` (None: no offer)."""
        self.direction, self.transport = "incoming", "udp"
        self.request_uri = SIPURI.parse(to)
        self.from_header = FrozenFromHeader.new(FromHeader(SIPURI(host="example.com", user="bob"), "Bob"))
        self.to_header = FrozenToHeader.new(ToHeader(self.request_uri))
        self.invite_headers = headers or {}
        if media is not None:
            self.remote_sdp_offer = self._description(media)
        self._change("incoming", "remote", method="INVITE", body=body)

    def cancel(self) -> None:
        """A CANCEL comes, which is answered."""
        self._disconnect("remote", method="CANCEL", code=487, reason=reason_phrase(487))

    def miss_ack(self) -> None:
        """The ACK did not come: the invitation says BYE by itself."""
        self.calls.append("BYE")
        self._change("disconnecting", "local", method="BYE")
        self._disconnect("remote", method="BYE", code=408, reason=reason_phrase(408), why="missing ACK")

    def hang_up(self) -> None:
        """A BYE comes."""
        self._disconnect("remote", method="BYE")

    def confirm_end(self) -> None:
        """The answer to our CANCEL or BYE comes."""
        if self._method == "CANCEL":
            self._disconnect("local", method="INVITE", code=487, reason=reason_phrase(487))
        else:
            self._disconnect("local", method="BYE", code=200, reason="OK")

    def accept_too_late(self) -> None:
        """A 200 crosses our CANCEL: the invitation acknowledges it and says BYE."""
        self.calls.append("BYE")
        self._disconnect("local", method="BYE", code=487, reason=reason_phrase(487))

    # What the remote party does within the session

    def ring_again(self, code: int = 180) -> None:
        """A provisional response to our re-INVITE."""
        self._change("connected", "remote", method="INVITE", code=code, reason=reason_phrase(code))

    def accept_offer(self, media: Iterable[Any] | None = None) -> None:
        """Accept our re-INVITE; `media` are the lines of the answer, by default those of the offer."""
        answer = self._description(self.offer.media if media is None else media)
        self._update(self.offer, answer)
        self.sub_state = "normal"
        self._change("connected", "remote", "sent_proposal", method="INVITE", code=200, reason="OK")

    def refuse_offer(self, code: int, originator: str = "remote") -> None:
        self.sub_state = "normal"
        self._change(
            "connected", originator, "sent_proposal", method="INVITE", code=code, reason=reason_phrase(code)
        )  # fmt: skip

    def propose(self, media: Iterable[Any] | None, method: str = "INVITE") -> None:
        """A re-INVITE that offers these media lines (None: no offer)."""
        self.remote_sdp_offer = None if media is None else self._description(media)
        self.sub_state = "received_proposal"
        self._change("connected", "remote", "normal", method=method)

    def answer_offer(self) -> None:
        """The ACK answers what we offered in a 200."""
        self._update(self.offer, self._description(self.offer.media))
        self._proposal_over("remote", 200, "OK")

    def cancel_offer(self) -> None:
        """Their re-INVITE is cancelled."""
        self.remote_sdp_offer, self.sub_state = None, "normal"
        self._change(
            "connected", "remote", "received_proposal", method="INVITE", code=487, reason=reason_phrase(487)
        )  # fmt: skip

    def _description(self, media: Iterable[Any]) -> FrozenSDPSession:
        return FrozenSDPSession.new(
            SDPSession(REMOTE_IP, id=7, version=7, connection=SDPConnection(REMOTE_IP), media=list(media))
        )

    # How it tells

    def _change(
        self, state: str, originator: str, prev_sub_state: str | None = None, why: str | None = None, **step: Any
    ) -> None:
        previous, self.state = self.state, state
        data = NotificationData(
            originator=originator,
            prev_state=previous,
            state=state,
            prev_sub_state=self.sub_state if prev_sub_state is None else prev_sub_state,
            sub_state=self.sub_state,
            headers=HeaderFields(),
            disconnect_reason=why,
            reason_headers=[],
            targets=[],
            **{"method": None, "code": None, "reason": None, "body": None, **step},
        )
        NotificationCenter().post_notification("SIPInvitationChangedState", self, data)

    def _disconnect(self, originator: str, why: str = "user request", **step: Any) -> None:
        self._change("disconnected", originator, why=why, **step)

    def _update(self, local_sdp: Any, remote_sdp: Any) -> None:
        self.described.append(local_sdp)
        self.remote = remote_sdp
        self._post_update(succeeded=True, local_sdp=local_sdp, remote_sdp=remote_sdp, error=None, early=False)

    def _post_update(self, **data: Any) -> None:
        NotificationCenter().post_notification("SIPInvitationGotSDPUpdate", self, NotificationData(**data))
