"""The AccountManager: which accounts there are, which one is the default, and when they are active."""

from __future__ import annotations

import logging
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

import sipsimple.core.notifications  # noqa: F401  (declares SIPEngineDidStart and SIPEngineWillEnd)
from sipsimple.account import Account, AccountManager, BaseAccount
from sipsimple.account.services import SERVICE_STOP_TIMEOUT
from sipsimple.configuration import ConfigurationError, ConfigurationManager, DefaultValue, MemoryBackend
from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.core import SIPURI
from sipsimple.notification import NotificationCenter
from sipsimple.plugins import PluginManager, hookimpl
from sipsimple.realm import Realm, Singleton, current_realm
from sipsimple.session.errors import IllegalStateError


class Engine(metaclass=Singleton):
    """Stands for the engine: only whether it runs matters here."""

    def __init__(self) -> None:
        self.is_running = False

    def start(self) -> None:
        self.is_running = True
        NotificationCenter().post_notification("SIPEngineDidStart", sender=self)

    def stop(self) -> None:
        NotificationCenter().post_notification("SIPEngineWillEnd", sender=self)
        self.is_running = False


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
    return clock


@pytest.fixture
def backend() -> MemoryBackend:
    backend = MemoryBackend()
    backend.save(
        {
            "Accounts": {
                "alice@example.com": {"enabled": True, "display_name": "Alice"},
                "bob@example.com": {"enabled": True},
                "carol@example.com": {},
            },
            "SIPSimpleSettings": {"default_account": "bob@example.com"},
        }
    )
    return backend


@pytest.fixture
def configuration(backend: MemoryBackend) -> ConfigurationManager:
    configuration = ConfigurationManager()
    configuration.start(backend)
    return configuration


@pytest.fixture
def manager(configuration: ConfigurationManager) -> AccountManager:
    manager = AccountManager()
    manager.start()
    return manager


def observe(prefix: str = "SIPAccountManager") -> list[tuple[str, Any]]:
    posted: list[tuple[str, Any]] = []

    class Observer:
        def handle_notification(self, notification: Any) -> None:
            if notification.name.startswith(prefix):
                fields = {name: value for name, value in vars(notification.data).items() if name != "timestamp"}
                posted.append((notification.name.removeprefix(prefix), fields))

    observer = Observer()
    NotificationCenter().add_observer(observer)
    return posted


def set_enabled(id: str, enabled: bool) -> None:
    account = Account(id)
    account.enabled = enabled
    account.save()


class SlowService:
    def __init__(self) -> None:
        self.stopped = False
        self.ended: Deferred[None] = Deferred()

    def start(self) -> None:
        pass

    def stop(self) -> Deferred[None]:
        self.stopped = True
        return self.ended


class SlowPlugin:
    def __init__(self) -> None:
        self.services: dict[BaseAccount, SlowService] = {}

    @hookimpl
    def sipsimple_account_services(self, account: BaseAccount) -> list[SlowService]:
        self.services[account] = SlowService()
        return [self.services[account]]


@pytest.fixture
def slow() -> SlowPlugin:
    plugin = SlowPlugin()
    PluginManager().register(plugin, "slow")
    return plugin


def test_singleton() -> None:
    """ACC-001: one instance, also before it is started."""
    assert AccountManager() is AccountManager()
    assert Realm("other").run(AccountManager) is not AccountManager()


def test_before_the_start(configuration: ConfigurationManager) -> None:
    """ACC-002: of no use before start()."""
    manager = AccountManager()
    for use in (
        lambda: manager.has_account("alice@example.com"),
        lambda: manager.get_account("alice@example.com"),
        manager.get_accounts,
        manager.iter_accounts,
        lambda: manager.find_account(SIPURI("example.com", user="alice")),
        lambda: manager.default_account,
        lambda: setattr(manager, "default_account", None),
    ):
        with pytest.raises(IllegalStateError, match="not started"):
            use()


def test_start_needs_the_configuration() -> None:
    """ACC-003"""
    with pytest.raises(ConfigurationError):
        AccountManager().start()


def test_start_loads_the_accounts(configuration: ConfigurationManager) -> None:
    """ACC-003, ACC-005, ACC-007, ACC-008, ACC-009, ACC-010, ACC-013"""
    posted = observe()
    manager = AccountManager()
    manager.start()
    ids = ["alice@example.com", "bob@example.com", "carol@example.com"]
    assert [(name, fields["account"].id) for name, fields in posted] == [("DidAddAccount", id) for id in ids]
    assert [account.id for account in manager.get_accounts()] == ids
    assert list(manager.iter_accounts()) == manager.get_accounts()
    assert manager.has_account("alice@example.com") is True
    assert manager.has_account("nobody@example.com") is False
    alice = manager.get_account("alice@example.com")
    assert alice is Account("alice@example.com")
    assert alice.display_name == "Alice"
    with pytest.raises(KeyError):
        manager.get_account("nobody@example.com")
    manager.get_accounts().clear()
    assert len(manager.get_accounts()) == 3
    manager.start()
    assert len(posted) == 3


def test_start_from_within_an_observer(configuration: ConfigurationManager) -> None:
    """ACC-003, ACC-015: also when what it posts is delivered only later, the default account stays what it is."""
    manager = AccountManager()

    class Observer:
        def handle_notification(self, notification: Any) -> None:
            manager.start()

    observer = Observer()
    NotificationCenter().add_observer(observer, name="SIPEngineDidStart")
    posted = observe()
    Engine().start()
    assert [name for name, _ in posted] == ["DidAddAccount"] * 3
    assert manager.default_account is Account("bob@example.com")
    assert [account.is_active for account in manager.get_accounts()] == [True, True, False]


def test_start_activates_if_the_engine_runs(configuration: ConfigurationManager) -> None:
    """ACC-004, ACC-021, ACC-039"""
    Engine().start()
    manager = AccountManager()
    manager.start()
    assert [account.is_active for account in manager.get_accounts()] == [True, True, False]


def test_engine_starts_and_stops_later(manager: AccountManager) -> None:
    """ACC-022, ACC-039, ACC-041"""
    assert not any(account.is_active for account in manager.get_accounts())
    Engine().start()
    assert [account.is_active for account in manager.get_accounts()] == [True, True, False]
    Engine().stop()
    assert not any(account.is_active for account in manager.get_accounts())


def test_stop_deactivates(manager: AccountManager) -> None:
    """ACC-006"""
    Engine().start()
    posted = observe("SIPAccountDidDeactivate")
    stopped: list[object] = []
    manager.stop().addCallback(stopped.append)
    assert stopped == [None]
    assert len(posted) == 2
    Engine().stop()
    Engine().start()
    set_enabled("carol@example.com", True)
    assert not any(account.is_active for account in manager.get_accounts())
    manager.stop().addCallback(stopped.append)
    assert stopped == [None, None]


def test_stop_without_start() -> None:
    stopped: list[object] = []
    AccountManager().stop().addCallback(stopped.append)
    assert stopped == [None]


def test_stop_waits_for_services(manager: AccountManager, slow: SlowPlugin) -> None:
    """ACC-006, APP-030: the Deferred fires when the functions of all accounts have ended."""
    Engine().start()
    stopped: list[object] = []
    manager.stop().addCallback(stopped.append)
    services = list(slow.services.values())
    assert [service.stopped for service in services] == [True, True]
    services[0].ended.callback(None)
    assert stopped == []
    services[1].ended.callback(None)
    assert stopped == [None]


def test_stop_does_not_wait_for_ever(manager: AccountManager, slow: SlowPlugin, clock: Clock) -> None:
    """APP-031: it fires in bounded time whatever the functions do, those of deleted accounts included."""
    Engine().start()
    Account("alice@example.com").delete()
    clock.advance(1)
    stopped: list[object] = []
    manager.stop().addCallback(stopped.append)
    clock.advance(SERVICE_STOP_TIMEOUT - 1)
    assert stopped == []
    clock.advance(1)
    assert stopped == [None]
    assert clock.getDelayedCalls() == []


def test_start_again(manager: AccountManager) -> None:
    """ACC-003: after stop() it can be started again, and finds what there is then."""
    Engine().start()
    manager.stop()
    Account("carol@example.com").delete()
    posted = observe()
    manager.start()
    assert [name for name, _ in posted] == ["DidAddAccount"] * 2
    assert [account.is_active for account in manager.get_accounts()] == [True, True]


def test_accounts_come_with_their_first_save(manager: AccountManager) -> None:
    """ACC-013, ACC-017, ACC-021"""
    Engine().start()
    posted = observe()
    dave = Account("dave@example.com")
    dave.enabled = True
    assert not manager.has_account("dave@example.com")
    dave.save()
    assert posted == [("DidAddAccount", {"account": dave})]
    assert manager.get_account("dave@example.com") is dave
    assert dave.is_active
    dave.display_name = "Dave"
    dave.save()
    assert len(posted) == 1


def test_accounts_go_with_delete(manager: AccountManager, configuration: ConfigurationManager) -> None:
    """ACC-014"""
    Engine().start()
    alice = manager.get_account("alice@example.com")
    posted = observe()
    alice.delete()
    assert posted == [("DidRemoveAccount", {"account": alice})]
    assert not manager.has_account("alice@example.com")
    assert not alice.is_active
    assert manager.find_account(SIPURI("10.0.0.1", user=alice.contact.username)) is None
    assert configuration.get_names("Accounts") == ["bob@example.com", "carol@example.com"]


def test_accounts_of_other_threads(manager: AccountManager) -> None:
    """ACC-013, ACC-039: saved in any thread, an account is known at once; it is managed in the reactor's."""
    Engine().start()
    calls: list[Any] = []
    realm = current_realm()
    realm.set_reactor(types.SimpleNamespace(callFromThread=lambda *call: calls.append(call)), threading.get_ident())
    posted = observe()
    thread = threading.Thread(target=realm.run, args=(set_enabled, "dave@example.com", True))
    thread.start()
    thread.join(10)
    dave = manager.get_account("dave@example.com")
    assert (posted, dave.is_active) == ([], False)
    for function, *args in calls:
        function(*args)
    assert posted == [("DidAddAccount", {"account": dave})]
    assert dave.is_active


def within_an_observer(function: Callable[[], object]) -> None:
    """Call a function where what it posts is delivered only after it has returned."""

    class Observer:
        def handle_notification(self, notification: Any) -> None:
            function()

    observer = Observer()
    NotificationCenter().add_observer(observer, name="SIPEngineDidStart")
    Engine().start()
    NotificationCenter().remove_observer(observer, name="SIPEngineDidStart")


def test_an_account_is_known_when_save_returns(manager: AccountManager) -> None:
    """ACC-007, ACC-008, ACC-009, ACC-010, ACC-011, ACC-013: also inside an observer, where notifications come later;
    as default account too."""
    posted = observe()
    found: list[object] = []

    def save() -> None:
        set_enabled("dave@example.com", True)
        dave = manager.get_account("dave@example.com")
        assert manager.has_account("dave@example.com") and dave in manager.get_accounts()
        assert manager.find_account(SIPURI("10.0.0.1", user=dave.contact.username)) is dave
        manager.default_account = dave
        found.extend((dave, manager.default_account, len(posted)))

    within_an_observer(save)
    dave = Account("dave@example.com")
    assert found == [dave, dave, 0]
    assert [(name, fields["account"]) for name, fields in posted] == [
        ("DidAddAccount", dave),
        ("DidChangeDefaultAccount", dave),
    ]
    assert dave.is_active


def test_the_first_account_is_the_default_when_save_returns(configuration: ConfigurationManager) -> None:
    """ACC-015: and it is none any more when save() has disabled it, or delete() returned."""
    configuration.start(MemoryBackend())
    manager = AccountManager()
    manager.start()
    seen: list[object] = []

    def change() -> None:
        for id, enabled in (("eve@example.com", True), ("dave@example.com", True), ("eve@example.com", False)):
            set_enabled(id, enabled)
            seen.append(manager.default_account)
        Account("dave@example.com").delete()
        seen.append(manager.default_account)

    within_an_observer(change)
    eve = Account("eve@example.com")
    assert (seen[0], seen[1], seen[3]) == (eve, eve, None)
    assert getattr(seen[2], "id", None) == "dave@example.com"
    assert manager.default_account is None


def test_an_account_is_unknown_when_delete_returns(manager: AccountManager) -> None:
    """ACC-014: also inside an observer; one that takes its id at once is another account."""
    alice = manager.get_account("alice@example.com")
    posted = observe()
    seen: list[object] = []

    def replace() -> None:
        alice.delete()
        seen.append(manager.has_account("alice@example.com"))
        seen.append(manager.find_account(SIPURI("10.0.0.1", user=alice.contact.username)))
        set_enabled("alice@example.com", True)
        seen.append(manager.get_account("alice@example.com") is alice)

    within_an_observer(replace)
    assert seen == [False, None, False]
    successor = manager.get_account("alice@example.com")
    assert posted == [("DidRemoveAccount", {"account": alice}), ("DidAddAccount", {"account": successor})]
    assert (alice.is_active, successor.is_active) == (False, True)


def test_an_account_that_is_gone_before_it_was_announced(manager: AccountManager) -> None:
    """ACC-013, ACC-014: saved and deleted before anybody could be told: nobody is, and it never runs."""
    posted = observe()
    activated = observe("SIPAccountWillActivate")

    def save_and_delete() -> None:
        set_enabled("dave@example.com", True)
        Account("dave@example.com").delete()

    within_an_observer(save_and_delete)
    assert posted == []
    assert len(activated) == 2
    assert not manager.has_account("dave@example.com")


def test_find_account(manager: AccountManager) -> None:
    """ACC-011: by the user part of the contact, or else by the id."""
    alice, bob = manager.get_account("alice@example.com"), manager.get_account("bob@example.com")
    assert manager.find_account(SIPURI("10.0.0.1", user=alice.contact.username, port=5070)) is alice
    assert manager.find_account(SIPURI.parse(f"sip:{bob.contact.username}@10.0.0.1;transport=tls")) is bob
    assert manager.find_account(SIPURI.parse("sip:bob@Example.COM:5070;transport=tcp")) is bob
    assert manager.find_account(SIPURI.parse("sip:%62ob@example.com")) is bob
    for text in ("sip:bob@example.org", "sip:Bob@example.com", "sip:example.com", "sip:nobody@[::1]"):
        assert manager.find_account(SIPURI.parse(text)) is None
    set_enabled("dave@[2001:db8::1]", True)
    assert manager.find_account(SIPURI.parse("sip:dave@[2001:DB8:0::1]")) is Account("dave@[2001:db8::1]")


def test_find_account_takes_enabled_ones_only(manager: AccountManager) -> None:
    """ACC-012: `enabled` counts as it was saved."""
    carol = Account("carol@example.com")
    uris = [SIPURI("example.com", user="carol"), SIPURI("10.0.0.1", user=carol.contact.username)]
    carol.enabled = True
    assert [manager.find_account(uri) for uri in uris] == [None, None]
    carol.save()
    assert [manager.find_account(uri) for uri in uris] == [carol, carol]
    carol.enabled = False
    assert [manager.find_account(uri) for uri in uris] == [carol, carol]
    carol.save()
    assert [manager.find_account(uri) for uri in uris] == [None, None]


def test_account_for_a_request(manager: AccountManager) -> None:
    """SES: the Request-URI decides, then To, then the default account takes it."""
    alice, bob = Account("alice@example.com"), Account("bob@example.com")
    here = SIPURI("10.0.0.1", user="whoever")
    assert manager.find_account_for_request(alice.uri, bob.uri) is alice
    assert manager.find_account_for_request(here, alice.uri) is alice
    assert manager.find_account_for_request(here, SIPURI("example.com", user="carol")) is bob
    assert manager.find_account_for_request(here) is bob
    set_enabled("alice@example.com", False)
    set_enabled("bob@example.com", False)
    assert manager.find_account_for_request(here, alice.uri) is None


def test_default_account_is_loaded(configuration: ConfigurationManager) -> None:
    """ACC-015: the stored one is the default; loading it changes nothing."""
    posted = observe("SIPAccountManagerDidChangeDefaultAccount")
    manager = AccountManager()
    manager.start()
    assert manager.default_account is Account("bob@example.com")
    assert posted == []


def test_default_account_is_set(manager: AccountManager, backend: MemoryBackend) -> None:
    """ACC-015: it is kept in SIPSimpleSettings.default_account, and the change is announced."""
    alice, bob = Account("alice@example.com"), Account("bob@example.com")
    settings = SIPSimpleSettings()
    settings.sip.udp_port = 5060
    posted = observe()
    manager.default_account = alice
    assert manager.default_account is alice
    assert posted == [("DidChangeDefaultAccount", {"old_account": bob, "account": alice})]
    assert backend.load()["SIPSimpleSettings"]["default_account"] == "alice@example.com"
    assert settings.saved_value("sip.udp_port") == 0, "other changes are left alone"
    manager.default_account = alice
    assert len(posted) == 1
    settings.default_account = "bob@example.com"
    assert manager.default_account is alice
    settings.save()
    assert manager.default_account is bob
    assert posted[1:] == [("DidChangeDefaultAccount", {"old_account": alice, "account": bob})]


def test_default_account_that_can_not_be(manager: AccountManager) -> None:
    with pytest.raises(ValueError, match="not enabled"):
        manager.default_account = Account("carol@example.com")
    with pytest.raises(ValueError, match="not known"):
        manager.default_account = Account("unsaved@example.com")
    assert manager.default_account is Account("bob@example.com")


@pytest.mark.parametrize("how", ["disable", "delete", "unset", "reset", "unknown", "disabled one"])
def test_another_default_account_is_chosen(manager: AccountManager, how: str) -> None:
    """ACC-015: when the default account goes, another enabled one takes its place."""
    alice, bob, settings = Account("alice@example.com"), Account("bob@example.com"), SIPSimpleSettings()
    posted = observe("SIPAccountManagerDidChangeDefaultAccount")
    if how == "disable":
        set_enabled("bob@example.com", False)
    elif how == "delete":
        bob.delete()
    elif how == "unset":
        manager.default_account = None
    else:
        values = {"reset": DefaultValue, "unknown": "nobody@example.com", "disabled one": "carol@example.com"}
        settings.default_account = values[how]
        settings.save()
    assert manager.default_account is alice
    assert settings.saved_value("default_account") == "alice@example.com"
    assert posted == [("", {"old_account": bob, "account": alice})]


def test_no_enabled_account_is_left(manager: AccountManager) -> None:
    """ACC-015"""
    alice = Account("alice@example.com")
    set_enabled("bob@example.com", False)
    posted = observe("SIPAccountManagerDidChangeDefaultAccount")
    alice.delete()
    assert manager.default_account is None
    assert SIPSimpleSettings().saved_value("default_account") is None
    assert posted == [("", {"old_account": alice, "account": None})]
    set_enabled("carol@example.com", True)
    assert manager.default_account is Account("carol@example.com")
    assert posted[1:] == [("", {"old_account": None, "account": Account("carol@example.com")})]


def test_first_account_becomes_the_default() -> None:
    """ACC-015"""
    ConfigurationManager().start(MemoryBackend())
    manager = AccountManager()
    manager.start()
    assert manager.default_account is None
    posted = observe()
    set_enabled("alice@example.com", True)
    alice = Account("alice@example.com")
    assert posted == [
        ("DidAddAccount", {"account": alice}),
        ("DidChangeDefaultAccount", {"old_account": None, "account": alice}),
    ]
    manager.stop()
    assert manager.default_account is alice, "stopping changes no settings"


def test_stored_accounts_with_wrong_ids(caplog: pytest.LogCaptureFixture) -> None:
    """ACC-003: what can't be loaded is named in the log, the others are there."""
    backend = MemoryBackend()
    backend.save({"Accounts": {"rubbish": {}, "Alice@EXAMPLE.com": {}, "bob@example.com": {"enabled": "x"}, "x@y": 5}})
    caplog.set_level(logging.WARNING)
    ConfigurationManager().start(backend)
    manager = AccountManager()
    manager.start()
    assert "bob@example.com" in [account.id for account in manager.get_accounts()]
    assert not manager.has_account("rubbish")
    for text in ("rubbish", "Alice@example.com", "Account.enabled"):
        assert text in caplog.text


def test_other_kinds_of_accounts(configuration: ConfigurationManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """ACC-008, BON-001, BON-005: a plugin adds a kind of account of which there is one."""

    class LocalAccount(BaseAccount):
        __id__ = "local@local"

    monkeypatch.setattr(AccountManager, "account_types", list(AccountManager.account_types))
    AccountManager.register_account_type(LocalAccount)
    AccountManager.register_account_type(LocalAccount)
    manager = AccountManager()
    manager.start()
    Engine().start()
    local = manager.get_account("local@local")
    assert local is LocalAccount()
    assert not local.is_active
    local.enabled = True
    local.save()
    assert local.is_active
    assert len(manager.get_accounts()) == 4


def test_account_that_changes_in_many_ways_at_once(manager: AccountManager) -> None:
    """ACC-039: enabling, disabling, deleting and creating in a row end where the last of them says."""
    Engine().start()
    for _ in range(3):
        set_enabled("dave@example.com", True)
        set_enabled("dave@example.com", False)
        Account("dave@example.com").delete()
    set_enabled("dave@example.com", True)
    assert manager.get_account("dave@example.com").is_active
    assert len(manager.get_accounts()) == 4
