"""The notifications of `sipsimple.core`, each declared once."""

from __future__ import annotations

from sipsimple.notification import declare_notification, field

declare_notification("SIPEngineWillStart", "Engine", "The engine is about to open its transports.")
declare_notification("SIPEngineDidStart", "Engine", "The engine listens on its transports.")
declare_notification("SIPEngineWillEnd", "Engine", "The engine is about to close its transports.")
declare_notification("SIPEngineDidEnd", "Engine", "The engine has closed its transports.")
declare_notification(
    "SIPEngineDidFail",
    "Engine",
    "The engine could not start, for example because a port is in use.",
    error=field(str, "what failed, and where"),
)
declare_notification(
    "SIPEngineSIPTrace",
    "Engine",
    "A SIP message was sent or received (only while `logs.trace_sip` is on). Secrets are masked.",
    received=field(bool, "True for a received message, False for a sent one"),
    transport=field(str, "'udp', 'tcp' or 'tls'"),
    source_ip=field(str, "address that the message comes from"),
    source_port=field(int, "its port"),
    destination_ip=field(str, "address that the message goes to"),
    destination_port=field(int, "its port"),
    data=field(str, "the message"),
)
declare_notification(
    "SIPInvitationChangedState",
    "Invitation",
    "The state or sub-state of an invitation changed, or a provisional response arrived that changes neither.",
    originator=field(str, "'local' or 'remote': who caused the change"),
    prev_state=field(str | None, "state before, None at first"),
    state=field(str | None, "incoming, outgoing, early, connecting, connected, disconnecting or disconnected"),
    prev_sub_state=field(str | None, "sub-state before, None outside `connected`"),
    sub_state=field(str | None, "normal, sent_proposal or received_proposal inside `connected`"),
    method=field(str | None, "method of the transaction that caused the change"),
    code=field(int | None, "status code of that transaction"),
    reason=field(str | None, "reason phrase of that code"),
    headers=field("HeaderFields | None", "headers of the message that caused the change"),
    body=field(bytes | None, "its body"),
    disconnect_reason=field(str | None, "why it ended; with `disconnected` alone"),
)
declare_notification(
    "SIPInvitationGotSDPUpdate",
    "Invitation",
    "An offer was answered, or could not be.",
    succeeded=field(bool, "whether a pair of session descriptions was agreed on"),
    local_sdp=field("FrozenSDPSession | None", "our FrozenSDPSession, None after a failure"),
    remote_sdp=field("FrozenSDPSession | None", "the remote party's FrozenSDPSession, None after a failure"),
    error=field(str | None, "what went wrong"),
)
