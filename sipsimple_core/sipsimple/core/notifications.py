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
    "SIPEngineDidChangeTransports",
    "Engine",
    "Ports or certificates changed while the engine runs: contacts that were given before may lead nowhere.",
)
declare_notification(
    "SIPEngineGotException",
    "Engine",
    "A defect: something raised what nobody expected. What it was about goes on without it, everything else as well.",
    type=field(str, "class of the exception"),
    value=field(str, "its text"),
    traceback=field(str, "where it came from"),
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
    disconnect_reason=field(str | None, "why it ends; with `disconnecting` and `disconnected`"),
    reason_headers=field(list, "with `disconnected`: what the remote party gives as reasons (FrozenReasonHeader)"),
    targets=field(list, "with `disconnected` by a 3xx: its contacts (FrozenContactHeader), best first"),
)
declare_notification(
    "SIPInvitationGotSDPUpdate",
    "Invitation",
    "An offer was answered, or could not be.",
    succeeded=field(bool, "whether a pair of session descriptions was agreed on"),
    local_sdp=field("FrozenSDPSession | None", "our FrozenSDPSession, None after a failure"),
    remote_sdp=field("FrozenSDPSession | None", "the remote party's FrozenSDPSession, None after a failure"),
    error=field(str | None, "what went wrong"),
    early=field(bool, "the call is not accepted yet: for early media; that of the 2xx follows and may be another"),
)
declare_notification(
    "SIPInvitationGotInfo",
    "Invitation",
    "An INFO came (RFC 6086). It has been answered.",
    content_type=field(str | None, "media type of its body"),
    body=field(bytes, "its body"),
    package=field(str | None, "its Info-Package; None for one of the time before there were packages"),
    headers=field("HeaderFields", "its headers"),
)
declare_notification(
    "SIPInvitationDidSendInfo",
    "Invitation",
    "An INFO of ours was taken.",
    code=field(int, "status code of the response"),
    reason=field(str, "its phrase"),
)
declare_notification(
    "SIPInvitationDidNotSendInfo",
    "Invitation",
    "An INFO of ours was refused, or nobody answered it.",
    code=field(int, "status code; 408 for a time-out, 503 for a transport error"),
    reason=field(str, "its phrase, or what went wrong"),
)

# Requests outside a call

_FAILURE = {
    "originator": field(str, "'remote': somebody refused; 'local': nobody answered"),
    "code": field(int, "status code; 408 for a time-out, 503 for a transport error"),
    "reason": field(str, "its phrase, and what went wrong"),
    "route_header": field("FrozenRouteHeader", "where the request went last"),
    "retry_after": field(int | None, "seconds that the server asks to wait (Retry-After)"),
    "headers": field("HeaderFields | None", "headers of the response; None when nobody answered"),
}

declare_notification(
    "SIPRegistrationGotAnswer",
    "Registration",
    "A response to a REGISTER came: provisional ones, challenges and those that have us try the next route as well.",
    code=field(int, "status code of the response"),
    reason=field(str, "its phrase"),
    route_header=field("FrozenRouteHeader", "where the REGISTER went"),
)
declare_notification(
    "SIPRegistrationDidSucceed",
    "Registration",
    "The registrar accepted a REGISTER: the binding is made, or refreshed.",
    code=field(int, "status code of the response"),
    reason=field(str, "its phrase"),
    contact_header=field("FrozenContactHeader", "our contact as the registrar has it, with its GRUUs if any"),
    contact_header_list=field(list, "all contacts (FrozenContactHeader) that the address is bound to"),
    expires_in=field(int, "seconds until the binding's time is out"),
    route_header=field("FrozenRouteHeader", "where the REGISTER went"),
    service_route_list=field(list, "routes (FrozenServiceRouteHeader) for requests of this address (RFC 3608)"),
    path_list=field(list, "proxies (FrozenPathHeader) on the way from the registrar to us (RFC 3327)"),
    outbound=field(bool, "whether the registrar keeps our flows apart (RFC 5626)"),
    flow_timer=field(int | None, "seconds of silence after which the flow counts as dead (RFC 5626 4.4.1)"),
    public_address=field(tuple | None, "(host, port) that our request came from, when it is not that of its Via"),
    headers=field("HeaderFields", "headers of the response"),
)
declare_notification(
    "SIPRegistrationDidFail",
    "Registration",
    "A REGISTER failed. A binding that was there before lasts until its time is out.",
    targets=field(list, "contacts (FrozenContactHeader) of a redirection, best first"),
    **_FAILURE,
)
declare_notification(
    "SIPRegistrationWillExpire",
    "Registration",
    "The binding is due for a refresh, which follows in a moment unless somebody calls register().",
    expires_in=field(int, "seconds until the binding's time is out"),
)
declare_notification("SIPRegistrationWillEnd", "Registration", "The binding is about to be removed.")
declare_notification(
    "SIPRegistrationDidEnd",
    "Registration",
    "There is no binding any more.",
    expired=field(bool, "True: its time was out; False: end() was called"),
    code=field(int | None, "status code of the response that removed it; None without one"),
    reason=field(str | None, "its phrase"),
)
declare_notification(
    "SIPRegistrationDidNotEnd", "Registration", "The binding could not be removed; it lasts until its time is out.",
    **_FAILURE,
)  # fmt: skip
declare_notification(
    "SIPRegistrationGotBindings",
    "Registration",
    "The registrar told the bindings that fetch_bindings() asked for.",
    code=field(int, "status code of the response"),
    reason=field(str, "its phrase"),
    contact_header_list=field(list, "all contacts (FrozenContactHeader) that the address is bound to"),
    route_header=field("FrozenRouteHeader", "where the REGISTER went"),
)
declare_notification(
    "SIPRegistrationDidNotGetBindings", "Registration", "fetch_bindings() failed.",
    **_FAILURE,
)  # fmt: skip

declare_notification(
    "SIPPublicationDidSucceed",
    "Publication",
    "The compositor accepted a PUBLISH: the state is published, modified or refreshed.",
    code=field(int, "status code of the response"),
    reason=field(str, "its phrase"),
    expires_in=field(int, "seconds until the state's time is out"),
    etag=field(str | None, "the entity-tag of what is published"),
    route_header=field("FrozenRouteHeader", "where the PUBLISH went"),
    headers=field("HeaderFields", "headers of the response"),
)
declare_notification(
    "SIPPublicationDidFail",
    "Publication",
    "A PUBLISH failed. What was published before lasts until its time is out.",
    targets=field(list, "contacts (FrozenContactHeader) of a redirection, best first"),
    **_FAILURE,
)
declare_notification(
    "SIPPublicationWillExpire",
    "Publication",
    "The state is due for a refresh, which follows in a moment unless somebody calls publish().",
    expires_in=field(int, "seconds until the state's time is out"),
)
declare_notification("SIPPublicationWillEnd", "Publication", "The state is about to be removed.")
declare_notification(
    "SIPPublicationDidEnd",
    "Publication",
    "There is no state at the compositor any more.",
    expired=field(bool, "True: its time was out; False: end() was called"),
    code=field(int | None, "status code of the response that removed it; None without one"),
    reason=field(str | None, "its phrase"),
)
declare_notification(
    "SIPPublicationDidNotEnd", "Publication", "The state could not be removed; it lasts until its time is out.",
    **_FAILURE,
)  # fmt: skip

_SUCCESS = {
    "code": field(int, "status code of the response"),
    "reason": field(str, "its phrase"),
    "route_header": field("FrozenRouteHeader", "where the request went"),
    "headers": field("HeaderFields", "headers of the response"),
    "body": field(bytes, "its body"),
}
_REFUSED = {
    **_FAILURE,
    "body": field(bytes | None, "body of the response; None when nobody answered"),
    "targets": field(list, "contacts (FrozenContactHeader) of a redirection, best first"),
}

declare_notification("SIPRequestDidSucceed", "Request", "The request got a 2xx.", **_SUCCESS)
declare_notification("SIPRequestDidFail", "Request", "The request was refused, or nobody answered.", **_REFUSED)
declare_notification(
    "SIPRequestGotProvisionalResponse",
    "Request",
    "The request got a 1xx.",
    code=field(int, "status code of the response"),
    reason=field(str, "its phrase"),
    headers=field("HeaderFields", "headers of the response"),
    body=field(bytes, "its body"),
)
declare_notification("SIPRequestDidEnd", "Request", "Nothing more will be told of the request.")
declare_notification("SIPMessageDidSucceed", "Message", "The message was accepted.", **_SUCCESS)
declare_notification("SIPMessageDidFail", "Message", "The message was refused, or nobody answered.", **_REFUSED)

_RECEIVED = {
    "request_uri": field("FrozenSIPURI | FrozenTelURI", "whom it is for"),
    "from_header": field("FrozenFromHeader", "who sent it"),
    "to_header": field("FrozenToHeader", "whom it was meant for at first"),
    "content_type": field(str | None, "media type of the body, without parameters; None without a body"),
    "headers": field("HeaderFields", "all headers"),
    "body": field(bytes, "the body"),
}

declare_notification(
    "SIPEngineGotMessage",
    "Engine",
    "A MESSAGE came in. It is answered with 200, but with 405 when nobody observes this notification.",
    peer_address=field("Hop", "where it came from"),
    **_RECEIVED,
)
declare_notification(
    "SIPIncomingRequestGotRequest",
    "IncomingRequest",
    "A request of a method that the application serves came in; it is to be answered within 30 seconds.",
    method=field(str, "its method"),
    **_RECEIVED,
)
declare_notification(
    "SIPIncomingRequestSentResponse",
    "IncomingRequest",
    "The request was answered: by answer(), or with 500 when nobody did in time.",
    code=field(int, "status code"),
    reason=field(str, "its phrase"),
    headers=field("HeaderFields", "headers of the response"),
    body=field(bytes, "its body"),
)
