"""The notifications of sessions (SES-076 to SES-086, SES-095, SES-097)."""

from __future__ import annotations

from typing import Literal

from sipsimple.notification import declare_notification, field

__all__: list[str] = []

_PARTY = Literal["local", "remote"]

declare_notification(
    "SIPSessionNewIncoming",
    "Session",
    "A remote party wants a session (SES-076). Answer it with accept() or reject(); send_ring_indication() tells "
    "the remote party that somebody is being asked.",
    streams=field(list, "the streams that the remote party proposes"),
)
declare_notification(
    "SIPSessionNewOutgoing",
    "Session",
    "connect() was called; the remote party has not been contacted yet (SES-015, SES-077).",
    streams=field(list, "the streams that will be proposed to the remote party"),
)
declare_notification(
    "SIPSessionGotRingIndication",
    "Session",
    "The device of the remote party rings (SES-078). May come more than once.",
)
declare_notification(
    "SIPSessionGotProvisionalResponse",
    "Session",
    "A provisional response to the INVITE or a re-INVITE came (SES-079).",
    code=field(int, "its status code, 100 to 199"),
    reason=field(str, "its reason phrase"),
)
declare_notification(
    "SIPSessionWillStart",
    "Session",
    "The INVITE was accepted; the ACK is still to come (SES-080).",
)
declare_notification(
    "SIPSessionDidStart",
    "Session",
    "The session is acknowledged and all its streams have started (SES-081).",
    streams=field(list, "the streams that are now active"),
)
declare_notification(
    "SIPSessionDidFail",
    "Session",
    "The session failed before it started (SES-082). SIPSessionDidEnd does not follow.",
    originator=field(_PARTY, "who brought it about"),
    code=field(int, "the SIP status code of the failure"),
    reason=field(str, "the reason phrase of that status"),
    failure_reason=field(str, "such as 'user_request', 'missing ACK' or 'SIP core error: ...'"),
)
declare_notification(
    "SIPSessionWillEnd",
    "Session",
    "A session that had started is about to be terminated (SES-055, SES-085).",
)
declare_notification(
    "SIPSessionDidEnd",
    "Session",
    "A session that had started is over, and its streams are ended (SES-086).",
    originator=field(_PARTY, "who ended it"),
    end_reason=field(str, "such as 'user_request', 'stream failed: ...' or 'SIP core error: ...'"),
)
declare_notification(
    "SIPSessionDidRenegotiateStreams",
    "Session",
    "The streams of the session have changed (SES-095).",
    action=field(Literal["add", "remove"], "what was done"),
    originator=field(_PARTY, "who wanted it, or whose stream failed"),
    streams=field(list, "the streams that were added or removed"),
)
declare_notification(
    "SIPSessionGotProposal",
    "Session",
    "Either party proposes streams for a session that runs (SES-091). Answer that of the remote party with "
    "accept_proposal() or reject_proposal().",
    originator=field(_PARTY, "who proposes them"),
    streams=field(list, "the streams that are proposed"),
)
declare_notification(
    "SIPSessionGotAcceptProposal",
    "Session",
    "Proposed streams were accepted and have started (SES-093).",
    originator=field(_PARTY, "who proposed them"),
    streams=field(list, "the streams that are now active"),
    proposed_streams=field(list, "all the streams that were proposed"),
)
declare_notification(
    "SIPSessionGotRejectProposal",
    "Session",
    "Proposed streams were refused, or the proposal was cancelled, which has the code 487 (SES-092).",
    originator=field(_PARTY, "who proposed them"),
    code=field(int, "the SIP status code of the refusal"),
    reason=field(str, "its reason phrase"),
    streams=field(list, "the streams that were refused"),
)
declare_notification(
    "SIPSessionHadProposalFailure",
    "Session",
    "A proposal of either party came to nothing for a reason on our side, such as a stream that can't start (SES-094).",
    failure_reason=field(str, "such as 'stream failed: ...' or 'SIP core error: ...'"),
    streams=field(list, "the streams that were proposed"),
)
declare_notification(
    "SIPSessionDidChangeHoldState",
    "Session",
    "Streams were put on hold or taken off hold (SES-087).",
    originator=field(_PARTY, "who did it"),
    on_hold=field(bool, "whether at least one stream is on hold now, by whomever"),
    partial=field(bool, "whether at the same time one that could be is not"),
)
declare_notification(
    "SIPSessionDidProcessTransaction",
    "Session",
    "A SIP transaction of the session's dialog is complete (SES-097).",
    originator=field(_PARTY, "who sent the request"),
    method=field(str, "the request's method"),
    code=field(int, "the status code of its final response"),
    reason=field(str, "the reason phrase of its final response"),
    ack_received=field(
        Literal[True, False, "unknown"], "only for INVITE: whether the final response was acknowledged", optional=True
    ),
)

_URI = "FrozenSIPURI | None"

declare_notification(
    "SIPSessionTransferNewOutgoing",
    "Session",
    "The remote party is being asked to call somebody else (SES-100); or we were, and the new session is begun.",
    transfer_destination=field("FrozenSIPURI", "who is to be called"),
    transfer_source=field(_URI, "who asks for it"),
)

declare_notification(
    "SIPSessionTransferNewIncoming",
    "Session",
    "The remote party asks us to call somebody else. Answer it with accept_transfer() or reject_transfer(); where "
    "nobody observes this notification the transfer is refused.",
    transfer_destination=field("FrozenSIPURI", "who is to be called"),
    transfer_source=field(_URI, "who asks for it"),
)

declare_notification("SIPSessionTransferDidStart", "Session", "A transfer was agreed to (SES-101).")

declare_notification(
    "SIPSessionTransferGotProgress",
    "Session",
    "The remote party, whom we transfer, tells how far its new call is.",
    code=field(int, "status code of the new call"),
    reason=field(str, "its reason phrase"),
)

declare_notification(
    "SIPSessionTransferDidEnd", "Session", "A transfer has succeeded: the new call stands. Who asked for it hangs up."
)

declare_notification(
    "SIPSessionTransferDidFail",
    "Session",
    "A transfer has failed; the session goes on (SES-102).",
    code=field(int, "status code of the new call, or of the request for it"),
    reason=field(str, "its reason phrase, or what went wrong"),
)
