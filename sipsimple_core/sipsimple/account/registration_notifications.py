"""The notifications of an account's registration (ACC-042..048)."""

from __future__ import annotations

from sipsimple.notification import declare_notification, field

_REGISTRATION = field("Registration", "the registration")
_REGISTRAR = field("Route", "where the registrar is")

declare_notification("SIPAccountWillRegister", "Account", "The account is about to register for the first time.")
declare_notification("SIPAccountRegistrationWillRefresh", "Account", "The registration is about to be refreshed.")
declare_notification(
    "SIPAccountRegistrationDidSucceed",
    "Account",
    "The account is registered; also after each refresh.",
    contact_header=field("FrozenContactHeader", "our contact as the registrar has it"),
    contact_header_list=field(list, "all contacts (FrozenContactHeader) that the address is bound to"),
    expires=field(int, "seconds for which the registration lasts unless it is refreshed"),
    registrar=_REGISTRAR,
)
declare_notification(
    "SIPAccountRegistrationDidFail",
    "Account",
    "A try to register, or to refresh the registration, failed over all routes. A registration that was there before "
    "lasts until its time is out.",
    error=field(str, "code and reason of the answer, or why there was none"),
    timeout=field(float, "seconds until the next try"),
)
declare_notification(
    "SIPAccountRegistrationDidEnd",
    "Account",
    "The account is not registered any more: it was unregistered, or the time of its registration is out.",
    registration=_REGISTRATION,
)
declare_notification(
    "SIPAccountRegistrationDidNotEnd",
    "Account",
    "The account could not be unregistered. The registrar believes in the registration until its time is out.",
    code=field(int, "status code of the answer; 408 without one"),
    reason=field(str, "its phrase, or what went wrong"),
    registration=_REGISTRATION,
)
declare_notification(
    "SIPAccountRegistrationGotAnswer",
    "Account",
    "A response to a REGISTER came: provisional ones, challenges and those that have us try the next route as well.",
    code=field(int, "status code"),
    reason=field(str, "its phrase"),
    registration=_REGISTRATION,
    registrar=_REGISTRAR,
)
