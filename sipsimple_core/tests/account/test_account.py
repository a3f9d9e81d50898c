"""Accounts: identity, contact, credentials, and being active."""

from __future__ import annotations

import logging
import re
import string
import sys
import types
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

import sipsimple.core.notifications  # noqa: F401  (declares SIPEngineDidStart and SIPEngineWillEnd)
from sipsimple.account import Account, AccountManager, ContactURIFactory
from sipsimple.account.services import SERVICE_STOP_TIMEOUT
from sipsimple.account.switch import TRANSITIONS, Switch, SwitchEvent, SwitchState
from sipsimple.configuration import ConfigurationManager, MemoryBackend, SettingsGroup, SettingsObject
from sipsimple.configuration.datatypes import SIPAddress
from sipsimple.core import SIPURI, Credentials
from sipsimple.notification import NotificationCenter
from sipsimple.plugins import PluginManager, hookimpl
from sipsimple.realm import Singleton, current_realm
from sipsimple.util import Route


class Engine(metaclass=Singleton):
    """Stands for the engine: its state, its notifications, and the addresses that it listens on."""

    def __init__(self) -> None:
        self.is_running = False
        self.ports = {"udp": 53024, "tls": 54478}
        self.asked: list[tuple[str, str | None]] = []

    def start(self) -> None:
        self.is_running = True
        NotificationCenter().post_notification("SIPEngineDidStart", sender=self)

    def stop(self) -> None:
        NotificationCenter().post_notification("SIPEngineWillEnd", sender=self)
        self.is_running = False

    def local_address(self, transport: str, towards: str | None = None) -> tuple[str, int]:
        self.asked.append((transport, towards))
        if transport not in self.ports:
            raise RuntimeError(f"the transport {transport} is not running")
        return ("2001:db8::1" if towards and ":" in towards else "10.0.0.1"), self.ports[transport]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setenv("SIPSIMPLE_LOAD_PLUGINS", "")
    module = types.ModuleType("sipsimple.core.engine")
    module.Engine = Engine  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sipsimple.core.engine", module)
    # what an account does by itself needs a real engine: see test_account_registration.py
    monkeypatch.setattr(Account, "account_services", lambda account: ())
    clock = Clock()
    current_realm().reactor = clock
    ConfigurationManager().start(MemoryBackend())
    return clock


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def manager() -> AccountManager:
    manager = AccountManager()
    manager.start()
    return manager


def observe(*prefixes: str) -> list[tuple[str, Any]]:
    posted: list[tuple[str, Any]] = []

    class Observer:
        def handle_notification(self, notification: Any) -> None:
            if notification.name.startswith(prefixes or "SIPAccount"):
                posted.append((notification.name, notification.sender))

    observer = Observer()
    NotificationCenter().add_observer(observer)
    return posted


def new_account(id: str = "alice@example.com", enabled: bool = True) -> Account:
    account = Account(id)
    account.enabled = enabled
    account.save()
    return account


class Service:
    """A function of an account that does what a test tells it to."""

    def __init__(self, account: Account, enabled_setting: str | None = None) -> None:
        self.account = account
        self.events: list[str] = []
        if enabled_setting is not None:
            self.enabled_setting = enabled_setting
        self.ending: Deferred[None] | None = None
        self.slow = False
        self.start_error: BaseException | None = None
        self.stop_error: Exception | None = None

    def start(self) -> None:
        self.events.append("start")
        if self.start_error is not None:
            raise self.start_error

    def stop(self) -> Deferred[None] | None:
        self.events.append("stop")
        if self.stop_error is not None:
            raise self.stop_error
        if self.slow:
            self.ending = Deferred(lambda _: self.events.append("cancel"))
        return self.ending

    def end(self) -> None:
        assert self.ending is not None
        ending, self.ending = self.ending, None
        ending.callback(None)


class ServicePlugin:
    """A plugin that gives each account one service."""

    def __init__(self, enabled_setting: str | None = None, **attributes: Any) -> None:
        self.services: list[Service] = []
        self.enabled_setting = enabled_setting
        self.attributes = attributes

    @hookimpl
    def sipsimple_account_services(self, account: Account) -> Any:
        service = Service(account, self.enabled_setting)
        for name, value in self.attributes.items():
            setattr(service, name, value)
        self.services.append(service)
        return [service]

    @property
    def events(self) -> list[str]:
        return [event for service in self.services for event in service.events]


def register(enabled_setting: str | None = None, **attributes: Any) -> ServicePlugin:
    plugin = ServicePlugin(enabled_setting, **attributes)
    PluginManager().register(plugin, f"service plugin {id(plugin)}")
    return plugin


def test_identity() -> None:
    """ACC-016, ACC-017, ACC-018, ACC-029, ACC-035"""
    account = Account("alice@example.com")
    assert Account("sip:alice@EXAMPLE.com") is account
    assert isinstance(account, SettingsObject)
    assert isinstance(account.id, SIPAddress)
    assert account.id == "alice@example.com"
    assert (account.id.username, account.id.domain) == ("alice", "example.com")
    assert isinstance(account.uri, SIPURI)
    assert str(account.uri) == "sip:alice@example.com"
    account.uri.parameters["x"] = "y"
    assert str(account.uri) == "sip:alice@example.com", "what a caller does to it is its own business"
    assert str(Account("bob@[2001:db8::1]").uri) == "sip:bob@[2001:db8::1]"
    assert repr(account) == "<Account alice@example.com>"


@pytest.mark.parametrize("id", ["alice", "", "alice@", "a b@example.com", None, 5])
def test_wrong_ids(id: Any) -> None:
    """ACC-017"""
    with pytest.raises((ValueError, TypeError)):
        Account(id)


def test_read_only_attributes() -> None:
    """ACC-036"""
    account = Account("alice@example.com")
    for name in ("id", "contact", "credentials", "uri"):
        with pytest.raises(AttributeError):
            setattr(account, name, "x")


def test_contact_username() -> None:
    """ACC-030, ACC-031"""
    contact = Account("alice@example.com").contact
    assert isinstance(contact, ContactURIFactory)
    assert re.fullmatch("[a-z]{8}", contact.username)
    assert str(contact) == repr(contact) == f"ContactURIFactory(username={contact.username})"
    assert Account("bob@example.com").contact.username != contact.username
    assert Account("alice@example.com").contact is contact
    assert ContactURIFactory("hnfkybrt").username == "hnfkybrt"
    assert ContactURIFactory(username="alice+1").username == "alice+1"
    assert len({ContactURIFactory().username for _ in range(50)}) == 50
    assert set("".join(ContactURIFactory().username for _ in range(500))) == set(string.ascii_lowercase)
    for wrong in ("", "a b", "a@b", "a:b", "ä", 5, b"x", "a\r\n"):
        with pytest.raises(ValueError):
            ContactURIFactory(wrong)  # type: ignore[arg-type]


def test_contact_uris(engine: Engine) -> None:
    """ACC-032, ACC-033: udp has no transport parameter, the others have."""
    contact = ContactURIFactory("hnfkybrt")
    assert str(contact["udp"]) == "sip:hnfkybrt@10.0.0.1:53024"
    assert str(contact["TLS"]) == "sip:hnfkybrt@10.0.0.1:54478;transport=tls"
    assert isinstance(contact["udp"], SIPURI)
    assert str(contact[Route("192.0.2.7", 5060, "udp")]) == "sip:hnfkybrt@10.0.0.1:53024"
    assert str(contact[Route("2001:db8::7", transport="tls")]) == "sip:hnfkybrt@[2001:db8::1]:54478;transport=tls"
    assert engine.asked[-2:] == [("udp", "192.0.2.7"), ("tls", "2001:db8::7")]
    engine.ports["tcp"] = 5060
    assert str(contact["tcp"]) == "sip:hnfkybrt@10.0.0.1:5060;transport=tcp"


def test_contact_of_a_transport_that_does_not_run(engine: Engine) -> None:
    """ACC-032: the error says that the transport is not running."""
    with pytest.raises(RuntimeError, match="tcp is not running"):
        ContactURIFactory()["tcp"]
    with pytest.raises(ValueError, match="tls, tcp, udp"):
        ContactURIFactory()["sctp"]
    for key in (None, 5, b"udp", ("udp",)):
        with pytest.raises(TypeError):
            ContactURIFactory()[key]  # type: ignore[index]


def test_credentials_follow_the_saved_settings() -> None:
    """ACC-034: from id.username, or auth.username when set, and auth.password; after save()."""
    account = Account("alice@example.com")
    first = account.credentials
    assert isinstance(first, Credentials)
    assert (first.username, first.password) == ("alice", "")
    account.auth.password = "s3cret"
    account.auth.username = "login"
    assert account.credentials is first
    account.save()
    assert (account.credentials.username, account.credentials.password) == ("login", "s3cret")
    assert account.credentials is account.credentials
    account.auth.username = None
    account.save()
    assert (account.credentials.username, account.credentials.password) == ("alice", "s3cret")
    assert Account("al%40ice@example.com").credentials.username == "al@ice"


def test_password_does_not_show(caplog: pytest.LogCaptureFixture) -> None:
    """ACC-034: `<Credentials for 'alice'>`, and nothing of the password anywhere."""
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []

    class Observer:
        def handle_notification(self, notification: Any) -> None:
            shown.append(repr(notification) + repr(notification.data) + repr(vars(notification.data)))

    observer = Observer()
    NotificationCenter().add_observer(observer)
    account = Account("alice@example.com")
    account.auth.password = "s3cret"
    account.save()
    assert repr(account.credentials) == "<Credentials for 'alice'>"
    shown += [repr(account), repr(account.auth), repr(account.credentials), caplog.text, repr(account.auth.password)]
    assert len(shown) > 6
    assert not [text for text in shown if "s3cret" in text]


def test_activation_follows_engine_and_flag(manager: AccountManager, engine: Engine) -> None:
    """ACC-019, ACC-020, ACC-021, ACC-022, ACC-038, ACC-039, ACC-040, ACC-041: active while the engine runs and the
    account was saved enabled."""
    posted = observe("SIPAccountWill", "SIPAccountDid")
    account = Account("alice@example.com")
    account.enabled = True
    engine.start()
    assert not account.is_active
    account.save()
    assert account.is_active
    assert posted == [("SIPAccountWillActivate", account), ("SIPAccountDidActivate", account)]
    posted.clear()
    account.enabled = False
    assert account.is_active
    account.save()
    assert not account.is_active
    assert posted == [("SIPAccountWillDeactivate", account), ("SIPAccountDidDeactivate", account)]
    posted.clear()
    account.enabled = True
    account.save()
    engine.stop()
    assert not account.is_active
    engine.start()
    assert account.is_active
    assert [name for name, _ in posted] == [
        "SIPAccountWillActivate",
        "SIPAccountDidActivate",
        "SIPAccountWillDeactivate",
        "SIPAccountDidDeactivate",
        "SIPAccountWillActivate",
        "SIPAccountDidActivate",
    ]


def test_disabled_account_does_nothing(manager: AccountManager, engine: Engine) -> None:
    """ACC-020"""
    plugin, posted = register(), observe("SIPAccountWill", "SIPAccountDid")
    engine.start()
    account = new_account(enabled=False)
    account.display_name = "Alice"
    account.save()
    assert (account.is_active, plugin.services, posted) == (False, [], [])


def test_services_run_while_the_account_is_active(manager: AccountManager, engine: Engine) -> None:
    """ACC-038, ACC-040: the functions start after WillActivate, and have ended at DidDeactivate."""
    plugin = register(slow=True)
    posted = observe("SIPAccountWill", "SIPAccountDid")
    engine.start()
    account = new_account()
    (service,) = plugin.services
    assert service.account is account
    assert service.events == ["start"]
    account.enabled = False
    account.save()
    assert service.events == ["start", "stop"]
    assert posted[-1][0] == "SIPAccountWillDeactivate"
    service.end()
    assert posted[-1][0] == "SIPAccountDidDeactivate"


def test_service_with_a_flag_of_its_own(manager: AccountManager, engine: Engine) -> None:
    """ACC-023, ACC-024, ACC-027, ACC-028: it runs while both flags are set, from save() on."""
    plugin = register("message_summary.enabled")
    engine.start()
    account = new_account()
    (service,) = plugin.services
    assert service.events == []
    account.message_summary.enabled = True
    assert service.events == []
    account.save()
    assert service.events == ["start"]
    account.registration.interval = 60
    account.save()
    assert service.events == ["start"]
    account.message_summary.enabled = False
    account.save()
    assert service.events == ["start", "stop"]
    account.message_summary.enabled = True
    account.enabled = False
    account.save()
    assert service.events == ["start", "stop"], "there is no use in starting what ends at once"
    account.enabled = True
    account.save()
    assert plugin.services[-1].events == ["start"]


def test_service_that_does_not_end(manager: AccountManager, engine: Engine, clock: Clock) -> None:
    """APP-030, APP-031: the account does not wait for ever; the function is told to give up."""
    plugin = register(slow=True)
    posted = observe("SIPAccountWill", "SIPAccountDid")
    engine.start()
    account = new_account()
    account.enabled = False
    account.save()
    clock.advance(SERVICE_STOP_TIMEOUT - 0.1)
    assert posted[-1][0] == "SIPAccountWillDeactivate"
    clock.advance(0.2)
    assert posted[-1][0] == "SIPAccountDidDeactivate"
    assert plugin.events == ["start", "stop", "cancel"]
    assert clock.getDelayedCalls() == []


def test_services_that_fail(manager: AccountManager, engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    """A function that can't start or stop is logged, and the others go on."""
    good = register()
    no_start = register(start_error=RuntimeError("no start"))
    register(start_error=SystemExit("gone"))
    no_stop = register(stop_error=RuntimeError("no stop"))
    wrong_flag = register("registration.nothing")
    posted = observe("SIPAccountWill", "SIPAccountDid")
    engine.start()
    account = new_account()
    account.enabled = False
    account.save()
    assert good.events == no_stop.events == ["start", "stop"]
    assert no_start.events == ["start"]
    assert wrong_flag.events == []
    assert posted[-1][0] == "SIPAccountDidDeactivate"
    for text in ("no start", "gone", "no stop", "registration.nothing"):
        assert text in caplog.text


def test_enabled_again_while_it_deactivates(manager: AccountManager, engine: Engine) -> None:
    """ACC-038, ACC-040: the account activates again when its functions have ended, not before."""
    plugin = register(slow=True)
    posted = observe("SIPAccountWill", "SIPAccountDid")
    engine.start()
    account = new_account()
    for enabled in (False, True, False, True):
        account.enabled = enabled
        account.save()
    assert plugin.events == ["start", "stop"]
    plugin.services[0].end()
    assert plugin.events == ["start", "stop", "start"]
    assert account.is_active
    assert [name for name, _ in posted] == [
        "SIPAccountWillActivate",
        "SIPAccountDidActivate",
        "SIPAccountWillDeactivate",
        "SIPAccountDidDeactivate",
        "SIPAccountWillActivate",
        "SIPAccountDidActivate",
    ]


def test_flag_toggled_while_the_function_ends(manager: AccountManager, engine: Engine) -> None:
    plugin = register("registration.enabled", slow=True)
    engine.start()
    account = new_account()
    (service,) = plugin.services
    for enabled in (False, True):
        account.registration.enabled = enabled
        account.save()
    assert service.events == ["start", "stop"]
    service.end()
    assert service.events == ["start", "stop", "start"]


def test_account_deleted_while_a_function_ends(manager: AccountManager, engine: Engine) -> None:
    """ACC-014, ACC-041: it is gone at once, and its functions end in their time."""
    plugin = register(slow=True)
    engine.start()
    account = new_account()
    account.auth.password = "s3cret"
    account.save()
    account.delete()
    assert plugin.events == ["start", "stop"]
    assert not manager.has_account("alice@example.com")
    assert account.credentials.password == "s3cret", "unregistering still needs it"
    again = new_account()
    assert again is not account
    assert [service.account for service in plugin.services] == [account, again]
    plugin.services[0].end()
    assert again.is_active


def test_switch_table_is_whole() -> None:
    """Each state knows what to do with each event that can come in it."""
    for state, transitions in TRANSITIONS.items():
        assert {SwitchEvent.WANTED, SwitchEvent.UNWANTED} <= set(transitions)
        assert (SwitchEvent.ENDED in transitions) == (state in (SwitchState.ENDING, SwitchState.RESTARTING))


def test_switch_tells_when_it_is_off() -> None:
    ending: Deferred[object] = Deferred()
    events: list[str] = []
    switch = Switch(lambda: events.append("on"), lambda: ending)
    switch.off().addCallback(lambda _: events.append("was off"))
    switch.set(True)
    for number in range(2):
        switch.off().addCallback(lambda _, number=number: events.append(f"off {number}"))
    assert events == ["was off", "on"]
    ending.callback(None)
    assert events == ["was off", "on", "off 0", "off 1"]
    assert switch.state is SwitchState.OFF


def test_extension_of_account(manager: AccountManager) -> None:
    """An application adds its own settings with `Account.register_extension`."""
    from sipsimple.configuration import Setting, SettingsObjectExtension

    class ListSettings(SettingsGroup):
        order = Setting(int, 0, doc="Place in the list.")

    class AccountExtension(SettingsObjectExtension):
        test_list = ListSettings()

    account = new_account()
    before = dict(Account.iter_settings())
    try:
        Account.register_extension(AccountExtension)
        AccountExtension.of(account).test_list.order = 3
        account.save()
        assert ConfigurationManager().get(("Accounts", account.id)) == {"enabled": True, "test_list": {"order": 3}}
    finally:
        # The class is shared by all tests.
        from sipsimple.configuration import extension, group

        del Account.test_list  # type: ignore[attr-defined]
        extension._registered[Account].remove(AccountExtension)
        group.forget_declarations()
    assert dict(Account.iter_settings()) == before
