"""Message waiting: while an account is active we are told of its mailbox (RFC 3842)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sipsimple.account.persistent import PersistentService, ServiceState, Way
from sipsimple.core.subscription import Subscription
from sipsimple.core.wire.headers import ContactHeader, FromHeader, Header, ToHeader
from sipsimple.core.wire.uri import SIPURI, BaseSIPURI
from sipsimple.notification import Notification, NotificationCenter
from sipsimple.payloads.messagesummary import CONTENT_TYPE, MessageSummary

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from sipsimple.account.account import Account
    from sipsimple.core.wire.headers import BaseHeader

__all__ = ["MessageWaiting"]

log = logging.getLogger("sipsimple.account")


class MessageWaiting(PersistentService):
    """Keeps a subscription to `message-summary` of the mailbox. The account sends `SIPAccountMWIDidGetSummary`."""

    enabled_setting = "message_summary.enabled"
    decisive_settings = PersistentService.decisive_settings | {
        "message_summary.voicemail_uri",
        "sip.subscribe_interval",
    }

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self._subscription: Subscription | None = None
        self._is_registering = False

    def start(self) -> None:
        center = NotificationCenter()
        for name in ("SIPAccountWillRegister", "SIPAccountRegistrationDidSucceed"):
            center.add_observer(self, name=name, sender=self.account)
        super().start()

    def stop(self) -> Deferred[None]:
        center = NotificationCenter()
        for name in ("SIPAccountWillRegister", "SIPAccountRegistrationDidSucceed"):
            center.discard_observer(self, name=name, sender=self.account)
        return super().stop()

    # What a persistent service is

    def _target(self) -> SIPURI:
        mailbox = self.account.saved_value("message_summary.voicemail_uri")
        return self.account.uri if mailbox is None else SIPURI(mailbox.domain, user=mailbox.username)

    def _try(self, way: Way, redirection: BaseSIPURI | None) -> None:
        self._leave()
        account, mailbox = self.account, self._target()
        subscription = self._subscription = Subscription(
            mailbox if redirection is None else redirection,
            FromHeader(account.uri, account.saved_value("display_name")),
            ToHeader(mailbox),
            ContactHeader(way.contact),
            "message-summary",
            self._route_headers(way),
            account.credentials,
            refresh=account.saved_value("sip.subscribe_interval"),
        )
        NotificationCenter().add_observer(self, sender=subscription)
        headers: list[BaseHeader] = [Header("Accept", CONTENT_TYPE), *account.service_route(way.routes[0])]
        subscription.subscribe(headers, timeout=way.timeout)

    def _leave(self) -> None:
        """What there was of before is nobody's any more."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            NotificationCenter().discard_observer(self, sender=subscription)
            if subscription.state is not None:
                subscription.end()

    def _end(self, timeout: float) -> None:
        if self._subscription is None or self._subscription.state in (None, "terminated"):
            self._give_up()
            self._ended()
        else:
            self._subscription.end(timeout)

    def _give_up(self) -> None:
        if self._subscription is not None:
            NotificationCenter().discard_observer(self, sender=self._subscription)
            self._subscription = None

    def _tell_failure(self, error: str, wait: float) -> None:
        log.warning(
            "The mailbox of %s does not tell its state: %s. Next try in %.0f seconds", self.account.id, error, wait
        )

    def _is_at(self, contact: BaseSIPURI) -> bool:
        return self._subscription is not None and self._subscription.contact_header.uri.matches(contact)

    # What the registration tells

    def _NH_SIPAccountWillRegister(self, notification: Notification) -> None:
        self._is_registering = True

    def _NH_SIPAccountRegistrationDidSucceed(self, notification: Notification) -> None:
        first, self._is_registering = self._is_registering, False
        if first and self.state is ServiceState.WAITING:
            self._moved()  # what was refused to strangers may be granted to us
        else:
            self._look_after_address()  # we may know better now where the server sees us

    # What the subscription tells

    def _NH_SIPSubscriptionDidStart(self, notification: Notification) -> None:
        if notification.sender is self._subscription:
            self._succeeded()

    def _NH_SIPSubscriptionGotNotify(self, notification: Notification) -> None:
        data = notification.data
        if notification.sender is not self._subscription or not data.body:
            return
        if data.content_type != CONTENT_TYPE:
            log.warning("A NOTIFY for the mailbox of %s has content of type %s", self.account.id, data.content_type)
            return
        try:
            summary = MessageSummary.parse(data.body)
        except ValueError as error:
            log.warning("A NOTIFY for the mailbox of %s can't be read: %s", self.account.id, error)
            return
        self._post("SIPAccountMWIDidGetSummary", message_summary=summary)

    def _NH_SIPSubscriptionDidFail(self, notification: Notification) -> None:
        data = notification.data
        if notification.sender is not self._subscription:
            return
        self._give_up()
        if data.originator == "remote" and 300 <= data.code < 400:
            target = next((c.uri for c in data.targets if isinstance(c.uri, BaseSIPURI)), None)
            if target is not None and self._redirected(target):
                return
        code = data.code if data.originator == "remote" else None
        self._failed(f"{data.code} {data.reason}", code, data.retry_after)
        self._ended()

    def _NH_SIPSubscriptionDidEnd(self, notification: Notification) -> None:
        data = notification.data
        if notification.sender is not self._subscription:
            return
        self._give_up()
        # RFC 6665 4.1.3: None means that the same subscription would not be of use
        code = None if data.retry_after is not None else 403
        self._failed(f"ended by the server ({data.reason or 'no reason'})", code, data.retry_after)
        self._ended()
