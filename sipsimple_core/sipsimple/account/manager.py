"""The AccountManager: which accounts there are, which one is the default, and when they are active (ACC-001..015)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from threading import RLock
from typing import TYPE_CHECKING, Any, ClassVar

from zope.interface import implementer

from sipsimple.account.account import Account, BaseAccount
from sipsimple.configuration.datatypes import SIPAddress
from sipsimple.configuration.manager import ConfigurationManager
from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.notification import (
    IObserver,
    Notification,
    NotificationCenter,
    NotificationData,
    NotificationDispatcher,
)
from sipsimple.realm import Singleton

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from sipsimple.core import SIPURI

__all__ = ["AccountManager"]

log = logging.getLogger("sipsimple.account")

OBSERVED = (
    "CFGSettingsObjectWasActivated",
    "CFGSettingsObjectWasDeleted",
    "CFGSettingsObjectDidChange",
    "SIPEngineDidStart",
    "SIPEngineWillEnd",
)


@implementer(IObserver)
class AccountManager(NotificationDispatcher, metaclass=Singleton):
    """Loads the accounts and keeps track of them: a singleton, of no use before `start()` (ACC-001, ACC-002).

    Accounts come by `Account(id).save()` and go by `account.delete()`: they are known, or no longer, when these
    return; the notifications, and what an active account does, follow in the reactor's thread. `start` and `stop`
    are called in that thread, the rest may be from any. Notifications: `SIPAccountManagerDidAddAccount`,
    `DidRemoveAccount`, `DidChangeDefaultAccount`.
    """

    #: The kinds of accounts: of a singleton there is one, of the others those that are stored.
    account_types: ClassVar[list[type[BaseAccount]]] = [Account]

    def __init__(self) -> None:
        self._started = False
        self._running = False
        self._engine_runs = False
        self._lock = RLock()
        self._accounts: dict[str, BaseAccount] = {}
        self._by_contact: dict[str, BaseAccount] = {}
        self._announced: dict[str, BaseAccount] = {}  # those whose SIPAccountManagerDidAddAccount was posted
        self._leaving: list[BaseAccount] = []
        self._known_default: BaseAccount | None = None

    @classmethod
    def register_account_type(cls, account_type: type[BaseAccount]) -> None:
        """Have accounts of another kind loaded too, from the next `start()` on."""
        if account_type not in cls.account_types:
            cls.account_types.append(account_type)

    # Starting and stopping

    def start(self) -> None:
        """Load the accounts, and activate those that are enabled if the Engine runs (ACC-003..005).

        Posts `SIPAccountManagerDidAddAccount` for each. Raises ConfigurationError if the configuration was
        not loaded before.
        """
        ConfigurationManager().check_started()
        if self._running:
            return
        from sipsimple.core.engine import Engine

        self._engine_runs = Engine().is_running
        with self._lock:
            self._started = self._running = True
            self._accounts.clear()
            self._by_contact.clear()
            self._announced.clear()
        # All are loaded before the first is looked at: one alone would become the default account.
        accounts = list(self._stored_accounts())
        center = NotificationCenter()
        for name in OBSERVED:
            center.add_observer(self, name=name)
        for account in accounts:
            self.enter(account)
            self._announce(account)
        self._known_default = self._configured_default()
        self._choose_default()

    def stop(self) -> Deferred[None]:
        """Deactivate all accounts (ACC-006). The Deferred fires when their functions have ended.

        It does so in bounded time: a function has `SERVICE_STOP_TIMEOUT` seconds to end.
        """
        from twisted.internet.defer import DeferredList

        if self._running:
            with self._lock:
                self._running = False
            center = NotificationCenter()
            for name in OBSERVED:
                center.remove_observer(self, name=name)
        accounts = [*self._announced.values(), *self._leaving]
        ended: Deferred[Any] = DeferredList([account.deactivated() for account in accounts])
        return ended.addCallback(lambda _: None)

    def _stored_accounts(self) -> Iterator[BaseAccount]:
        configuration = ConfigurationManager()
        for account_type in self.account_types:
            if account_type.is_singleton():
                yield account_type()
                continue
            assert account_type.__group__ is not None
            for name in configuration.get_names(account_type.__group__):
                try:
                    account = account_type(name)
                except ValueError as error:
                    log.warning("A stored account is ignored: %s", error)
                    continue
                if account.id != name:
                    log.warning("The stored account %s is ignored: its id has to be written %s", name, account.id)
                    continue
                yield account

    # What there is

    def _check_started(self, action: str) -> None:
        if not self._started:
            from sipsimple.session.errors import IllegalStateError

            raise IllegalStateError("not started", ("started",), f"AccountManager.{action}")

    def has_account(self, id: str) -> bool:
        """Whether there is an account with that id (ACC-007)."""
        self._check_started("has_account")
        return id in self._accounts

    def get_account(self, id: str) -> BaseAccount:
        """The account with that id (ACC-008). Raises KeyError if there is none."""
        self._check_started("get_account")
        return self._accounts[id]

    def get_accounts(self) -> list[BaseAccount]:
        """All accounts, enabled or not (ACC-009)."""
        self._check_started("get_accounts")
        return list(self._accounts.values())

    def iter_accounts(self) -> Iterator[BaseAccount]:
        """Goes over all accounts (ACC-010)."""
        return iter(self.get_accounts())

    def find_account(self, contact_uri: SIPURI) -> BaseAccount | None:
        """The enabled account that a SIPURI means, None if there is none (ACC-011, ACC-012).

        That is the one whose contact has that user part, or else the one whose id the URI names.
        """
        self._check_started("find_account")
        user = getattr(contact_uri, "user", None)
        if not user:
            return None
        account = self._by_contact.get(user) or self._accounts.get(_address(user, contact_uri.host))
        return account if account is not None and account.saved_value("enabled") else None

    def find_account_for_request(self, request_uri: SIPURI, to_uri: SIPURI | None = None) -> BaseAccount | None:
        """The account that an incoming request is for, None if there is none: it deserves a 404.

        The Request-URI decides, then the URI of the To header; otherwise it is for the default account.
        """
        account = self.find_account(request_uri)
        if account is None and to_uri is not None:
            account = self.find_account(to_uri)
        return account or self.default_account

    # The default account

    @property
    def default_account(self) -> BaseAccount | None:
        """The account to use where none is chosen, None if no account is enabled.

        It is kept in `SIPSimpleSettings.default_account`. When it is disabled or deleted, another enabled
        account takes its place. Setting it raises ValueError if the account is not enabled, or not one of
        ours: both as of its last save().
        """
        self._check_started("default_account")
        chosen = self._configured_default()
        if chosen is None:
            chosen = next((account for account in self.get_accounts() if account.saved_value("enabled")), None)
        return chosen

    @default_account.setter
    def default_account(self, account: BaseAccount | None) -> None:
        self._check_started("default_account")
        if account is not None:
            if self._accounts.get(account.id) is not account:
                raise ValueError(f"{account!r} is not known to the AccountManager")
            if not account.saved_value("enabled"):
                raise ValueError(f"{account!r} is not enabled, so it can not be the default account")
        SIPSimpleSettings().save_setting("default_account", None if account is None else account.id)

    def _configured_default(self) -> BaseAccount | None:
        """The account that the settings name, None if it is not enabled."""
        account = self._accounts.get(SIPSimpleSettings().saved_value("default_account") or "")
        return account if account is not None and account.saved_value("enabled") else None

    def _choose_default(self) -> None:
        """See that the default account is an enabled one, if there is any, and tell if it is another one."""
        settings = SIPSimpleSettings()
        chosen = self.default_account
        chosen_id = None if chosen is None else chosen.id
        if settings.saved_value("default_account") != chosen_id:
            settings.save_setting("default_account", chosen_id)
        former = self._known_default
        if chosen is not former:
            self._known_default = chosen
            self._post("SIPAccountManagerDidChangeDefaultAccount", old_account=former, account=chosen)

    # Accounts that come, change and go

    def enter(self, account: BaseAccount) -> None:
        """Know an account from now on. For the account, as it is saved for the first time."""
        with self._lock:
            if self._running:
                self._accounts[account.id] = account
                self._by_contact[account.contact.username] = account

    def forget(self, account: BaseAccount) -> None:
        """Know an account no more. For the account, as it is deleted."""
        with self._lock:
            if self._accounts.get(account.id) is account:
                del self._accounts[account.id]
                del self._by_contact[account.contact.username]

    def _announce(self, account: BaseAccount) -> None:
        # It may be gone again, and even another one be there with that id: that one is announced in its turn.
        if self._accounts.get(account.id) is not account:
            return
        if self._announced.get(account.id) is not account:
            self._announced[account.id] = account
            self._post("SIPAccountManagerDidAddAccount", account=account)
        self._update_activation(account)

    def _remove(self, account: BaseAccount) -> None:
        del self._announced[account.id]
        self._leaving.append(account)
        account.deactivated().addCallback(lambda _: self._leaving.remove(account))
        self._post("SIPAccountManagerDidRemoveAccount", account=account)

    def _update_activation(self, account: BaseAccount) -> None:
        account.set_active(self._engine_runs and account.saved_value("enabled"))

    def _post(self, name: str, **fields: Any) -> None:
        NotificationCenter().post_notification(name, sender=self, data=NotificationData(**fields))

    def _NH_CFGSettingsObjectWasActivated(self, notification: Notification) -> None:
        account = notification.sender
        if isinstance(account, BaseAccount):
            self._announce(account)
            self._choose_default()

    def _NH_CFGSettingsObjectWasDeleted(self, notification: Notification) -> None:
        account = notification.sender
        if isinstance(account, BaseAccount) and self._announced.get(account.id) is account:
            self._remove(account)
            self._choose_default()

    def _NH_CFGSettingsObjectDidChange(self, notification: Notification) -> None:
        sender, modified = notification.sender, notification.data.modified
        if isinstance(sender, BaseAccount):
            if self._announced.get(sender.id) is sender:
                if "enabled" in modified:
                    self._update_activation(sender)
                    self._choose_default()
                sender.settings_changed(modified)
        elif isinstance(sender, SIPSimpleSettings) and "default_account" in modified:
            self._choose_default()

    def _NH_SIPEngineDidStart(self, notification: Notification) -> None:
        self._engine_runs = True
        for account in list(self._announced.values()):
            self._update_activation(account)

    def _NH_SIPEngineWillEnd(self, notification: Notification) -> None:
        self._engine_runs = False
        for account in list(self._announced.values()):
            self._update_activation(account)


def _address(user: str, host: str) -> str:
    """The id of the account that a URI with that user and host names, '' if none can be."""
    try:
        return SIPAddress(f"{user}@[{host}]" if ":" in host else f"{user}@{host}")
    except ValueError:
        return ""
