"""Accounts: settings, identity, and the functions that run while an account is active (ACC-016..041)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sipsimple.account import notifications, registration_notifications  # noqa: F401  (declare what accounts post)
from sipsimple.account.contact import ContactURIFactory
from sipsimple.account.services import AccountService, AccountServices
from sipsimple.account.settings import AuthSettings, MessageSummarySettings, RegistrationSettings, SIPSettings
from sipsimple.account.switch import Switch
from sipsimple.configuration.datatypes import HeaderText, SIPAddress
from sipsimple.configuration.setting import Setting
from sipsimple.configuration.settings_object import SettingsObject, SettingsObjectID
from sipsimple.notification import NotificationCenter

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from sipsimple.account.service_route import ServiceRoute
    from sipsimple.core import SIPURI, Credentials
    from sipsimple.core.wire.headers import RouteHeader
    from sipsimple.util import Route

__all__ = ["Account", "BaseAccount"]


class BaseAccount(SettingsObject):
    """What all kinds of accounts have in common: an identity, a contact, and being active or not.

    The AccountManager decides when an account is active: while it is enabled (and was saved so) and the
    Engine runs (ACC-020..022). Notifications: `SIPAccountWillActivate`, `DidActivate`, `WillDeactivate`,
    `DidDeactivate`.
    """

    enabled = Setting(bool, False, doc="Use the account. Without it none of its functions runs.")
    display_name = Setting(
        HeaderText, None, nillable=True, doc="The name of the user, which others see; None: they see none."
    )

    if TYPE_CHECKING:
        # SIPAddress or, for a singleton, what __id__ says.
        @property
        def id(self) -> SIPAddress: ...

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id)
        self._contact = ContactURIFactory()
        self._activation = Switch(self._activate, self._deactivate)
        self._services = AccountServices(self)
        #: What the registrar said with Service-Route; None without a registration, or if it said nothing.
        self.registered_route: ServiceRoute | None = None

    @property
    def contact(self) -> ContactURIFactory:
        """Makes the Contact URIs of the account (ACC-030)."""
        return self._contact

    @property
    def credentials(self) -> Credentials:
        """What the account authenticates with."""
        raise NotImplementedError

    @property
    def uri(self) -> SIPURI:
        """The SIPURI of the account; a new one each time, the caller's to change."""
        raise NotImplementedError

    @property
    def is_active(self) -> bool:
        """Whether the functions of the account run."""
        return self._activation.is_on

    def service_route(self, route: Route) -> list[RouteHeader]:
        """The Route headers, beyond that of `route` itself, of a request that is sent by it outside a dialog.

        They are those that the registrar asked for with Service-Route, if the route leads there (RFC 3608).
        """
        return [] if self.registered_route is None else self.registered_route.route_headers(route)

    def account_services(self) -> Iterable[AccountService]:
        """The functions that this kind of account has by itself; plugins add theirs by a hook."""
        return ()

    def set_active(self, active: bool) -> None:
        """Activate or deactivate the account. For the AccountManager, in the reactor's thread."""
        self._activation.set(active)

    def deactivated(self) -> Deferred[None]:
        """Deactivate the account; fires when its functions have ended, or their time is over."""
        return self._activation.off()

    def settings_changed(self, modified: Mapping[str, object]) -> None:
        """The account was saved with these changes. For the AccountManager, in the reactor's thread."""
        self._services.settings_changed(modified)

    def _entered(self) -> None:
        from sipsimple.account.manager import AccountManager

        AccountManager().enter(self)

    def _left(self) -> None:
        from sipsimple.account.manager import AccountManager

        AccountManager().forget(self)

    def _activate(self) -> None:
        center = NotificationCenter()
        center.post_notification("SIPAccountWillActivate", sender=self)
        self._services.start(self._all_services())
        center.post_notification("SIPAccountDidActivate", sender=self)

    def _all_services(self) -> Iterator[AccountService]:
        from sipsimple.plugins import PluginManager

        yield from self.account_services()
        for services in PluginManager().hook.sipsimple_account_services(account=self):
            yield from services

    def _deactivate(self) -> Deferred[object]:
        NotificationCenter().post_notification("SIPAccountWillDeactivate", sender=self)
        return self._services.stop().addCallback(self._deactivated)

    def _deactivated(self, _: Any) -> None:
        NotificationCenter().post_notification("SIPAccountDidDeactivate", sender=self)


class Account(BaseAccount):
    """An account at a SIP provider: `Account('alice@example.com')`, one instance for each id (ACC-016,
    ACC-017).

    It is at once its settings and its functions (ACC-018). `save()` puts changes into effect, `delete()`
    removes it. Raises ValueError if the id is no SIP address.
    """

    __group__ = "Accounts"
    __id__ = SettingsObjectID(type=SIPAddress)

    id: SettingsObjectID[SIPAddress] = __id__

    auth = AuthSettings()
    sip = SIPSettings()
    registration = RegistrationSettings()
    message_summary = MessageSummarySettings()

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self._credentials: tuple[tuple[str, str], Credentials] | None = None

    def account_services(self) -> Iterable[AccountService]:
        """Registration, and the state of the mailbox."""
        from sipsimple.account.message_waiting import MessageWaiting
        from sipsimple.account.registration import RegistrationService

        return RegistrationService(self), MessageWaiting(self)

    @property
    def credentials(self) -> Credentials:
        """`Credentials` with `auth.username`, or else the user part of the id, and `auth.password` (ACC-034).

        A new object after a save() that changed one of them.
        """
        from sipsimple.core import Credentials
        from sipsimple.core.wire.escapes import unescape

        username = self.saved_value("auth.username") or unescape(self.id.username)
        key = (username, self.saved_value("auth.password"))
        if self._credentials is None or self._credentials[0] != key:
            self._credentials = (key, Credentials(*key))
        return self._credentials[1]

    @property
    def uri(self) -> SIPURI:
        """The SIPURI with the id of the account (ACC-035); a new one each time, the caller's to change."""
        from sipsimple.core import SIPURI

        return SIPURI(self.id.domain, user=self.id.username)
