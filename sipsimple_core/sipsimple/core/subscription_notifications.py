"""The notifications of subscriptions and referrals, each declared once."""

from __future__ import annotations

from sipsimple.notification import declare_notification, field

_STATE = {
    "prev_state": field(str | None, "state before, None at first"),
    "state": field(str, "state now"),
}
_FAILURE = {
    "originator": field(str, "'remote': somebody refused, or told nothing; 'local': nobody answered"),
    "code": field(int, "status code; 408 for a time-out, 503 for a transport error"),
    "reason": field(str, "its phrase, or what went wrong"),
    "retry_after": field(int | None, "seconds that the server asks to wait (Retry-After)"),
    "targets": field(list, "contacts (FrozenContactHeader) of a redirection, best first"),
    "headers": field("HeaderFields | None", "headers of the response; None when nobody answered"),
}
_NOTIFY = {
    "event": field(str, "the event package"),
    "state": field(str, "what Subscription-State says: active, pending, terminated or an extension"),
    "content_type": field(str | None, "media type of the body, in lower case"),
    "headers": field("HeaderFields", "headers of the NOTIFY"),
    "body": field(bytes, "its body"),
}
_ENDING = {
    "originator": field(str, "'local' or 'remote': who ended it"),
    "reason": field(str, "the reason that Subscription-State gave, or what ended it without a NOTIFY"),
}
_REQUEST = {
    "request_uri": field("BaseURI", "the Request-URI"),
    "from_header": field("FrozenFromHeader", "who asks"),
    "to_header": field("FrozenToHeader", "who is asked"),
    "headers": field("HeaderFields", "headers of the request"),
    "content_type": field(str | None, "media type of its body, in lower case"),
    "body": field(bytes, "its body"),
}
_CONFIRMATION = {
    "code": field(int, "status code"),
    "reason": field(str, "its phrase"),
}

# Ours

for _sender, _what in (("Subscription", "SUBSCRIBE"), ("Referral", "REFER")):
    declare_notification(f"SIP{_sender}WillStart", _sender, f"The {_what} was sent.")
    declare_notification(
        f"SIP{_sender}DidStart", _sender, f"The {_what} was accepted, by a response or by the first NOTIFY."
    )
    declare_notification(
        f"SIP{_sender}ChangedState",
        _sender,
        "The state changed: notify_wait, pending, active, terminating or terminated.",
        **_STATE,
    )
    declare_notification(
        f"SIP{_sender}DidFail",
        _sender,
        "It was refused, or broke off. The last notification of this try.",
        **_FAILURE,
    )

declare_notification(
    "SIPSubscriptionGotNotify",
    "Subscription",
    "A NOTIFY arrived.",
    reason=field(str | None, "why it ended, with state terminated"),
    expires=field(int | None, "seconds that the subscription goes on, as far as the NOTIFY tells"),
    **_NOTIFY,
)
declare_notification(
    "SIPReferralGotNotify",
    "Referral",
    "A NOTIFY arrived: how far the recipient is with what it was referred to.",
    code=field(int | None, "status code that the NOTIFY tells; None when its body is no status line"),
    reason=field(str | None, "its phrase"),
    **_NOTIFY,
)
declare_notification(
    "SIPSubscriptionDidEnd",
    "Subscription",
    "The subscription ended as one of the parties wanted. The last notification of this try.",
    originator=field(str, "'local' or 'remote': who ended it"),
    reason=field(str | None, "the reason that the last NOTIFY gave, None when there was none"),
    retry_after=field(int | None, "seconds until a new subscription may be tried, None: it should not be"),
)
declare_notification(
    "SIPReferralDidEnd",
    "Referral",
    "The referral ended: the final NOTIFY came, there are none, or end() was called. The last notification.",
    originator=field(str, "'local' or 'remote': who ended it"),
    code=field(int | None, "status code that the last NOTIFY told, None when there was none"),
    reason=field(str | None, "its phrase"),
)

# Theirs

declare_notification(
    "SIPIncomingSubscriptionGotSubscribe",
    "IncomingSubscription",
    "Somebody wants to subscribe. Accept or reject it, at once or in a moment: after 10 seconds it gets 480.",
    event=field(str, "the event package"),
    expires=field(int, "seconds that will be granted; 0: the state is wanted once"),
    **_REQUEST,
)
declare_notification(
    "SIPIncomingSubscriptionDidEnd",
    "IncomingSubscription",
    "The subscription is over, and nothing is owed any more. The last notification.",
    **_ENDING,
)
declare_notification(
    "SIPIncomingReferralGotRefer",
    "IncomingReferral",
    "Somebody refers us to somebody else. Accept or reject it, at once or in a moment: after 10 seconds it gets 480.",
    refer_to=field("FrozenReferToHeader", "what to contact"),
    referred_by=field("FrozenReferredByHeader | None", "on whose behalf"),
    **_REQUEST,
)
declare_notification(
    "SIPIncomingReferralDidEnd",
    "IncomingReferral",
    "Nobody is told any more how the referral goes on. The last notification.",
    **_ENDING,
)
for _sender in ("IncomingSubscription", "IncomingReferral"):
    declare_notification(
        f"SIP{_sender}ChangedState", _sender, "The state changed: incoming, pending, active or terminated.", **_STATE
    )
    declare_notification(
        f"SIP{_sender}GotRefreshingSubscribe",
        _sender,
        "The subscriber goes on. What was told last is sent again by itself.",
        expires=field(int, "seconds that were granted"),
        headers=field("HeaderFields", "headers of the SUBSCRIBE"),
        content_type=field(str | None, "media type of its body, in lower case"),
        body=field(bytes, "its body"),
    )
    declare_notification(
        f"SIP{_sender}GotUnsubscribe",
        _sender,
        "The subscriber wants no more.",
        headers=field("HeaderFields", "headers of the SUBSCRIBE"),
    )
    declare_notification(f"SIP{_sender}DidTimeout", _sender, "The subscriber did not refresh in time.")
    declare_notification(
        f"SIP{_sender}NotifyDidSucceed",
        _sender,
        "A NOTIFY arrived at the subscriber.",
        headers=field("HeaderFields", "headers of the response"),
        **_CONFIRMATION,
    )
    declare_notification(
        f"SIP{_sender}NotifyDidFail",
        _sender,
        "A NOTIFY was refused (it may be tried again) or not answered: 408 for a time-out, 503 for a transport error.",
        **_CONFIRMATION,
    )

# Inside calls

declare_notification(
    "SIPInvitationTransferNewOutgoing",
    "Invitation",
    "The remote party is asked to call somebody else.",
    transfer_destination=field("BaseURI", "whom"),
    transfer_source=field("BaseURI", "who asks"),
)
declare_notification(
    "SIPInvitationTransferNewIncoming",
    "Invitation",
    "The remote party asks us to call somebody else. It was told that we are trying; tell it the progress.",
    refer_to=field("FrozenReferToHeader", "whom to call; its URI may have a Replaces header"),
    referred_by=field("FrozenReferredByHeader | None", "on whose behalf"),
    headers=field("HeaderFields", "headers of the REFER"),
)
declare_notification(
    "SIPInvitationTransferDidStart", "Invitation", "The transfer was accepted: somebody is being called."
)
declare_notification(
    "SIPInvitationTransferGotNotify",
    "Invitation",
    "The remote party told how far its call is.",
    **_CONFIRMATION,
)
declare_notification(
    "SIPInvitationTransferDidFail",
    "Invitation",
    "The transfer was refused, could not be followed, or its outcome will not be known. Its last notification.",
    **_CONFIRMATION,
)
declare_notification("SIPInvitationTransferDidEnd", "Invitation", "The transfer succeeded. Its last notification.")
