"""The Configuration API: settings, groups, objects, extensions, the manager and the memory backend."""

from __future__ import annotations

import copy
import gc
import logging
import threading
from typing import Any

import pytest
from zope.interface import implementer
from zope.interface.verify import verifyObject

from sipsimple.configuration import (
    ConfigurationError,
    ConfigurationManager,
    CorrelatedSetting,
    DefaultValue,
    GeneratedSetting,
    IConfigurationBackend,
    MemoryBackend,
    ModifiedValue,
    ObjectNotFoundError,
    RuntimeSetting,
    Setting,
    SettingsGroup,
    SettingsObject,
    SettingsObjectExtension,
    SettingsObjectID,
)
from sipsimple.configuration.datatypes import Password, Port, SIPAddress, SIPProxyAddress, SIPTransportList
from sipsimple.notification import NotificationCenter
from sipsimple.plugins import PluginManager, hookimpl
from sipsimple.realm import Realm, current_realm


@pytest.fixture(autouse=True)
def realm(monkeypatch: pytest.MonkeyPatch) -> Realm:
    monkeypatch.setenv("SIPSIMPLE_LOAD_PLUGINS", "")
    return current_realm()


@pytest.fixture
def backend() -> CountingBackend:
    return CountingBackend()


@pytest.fixture
def manager(backend: CountingBackend) -> ConfigurationManager:
    manager = ConfigurationManager()
    manager.start(backend)
    return manager


@pytest.fixture
def posted() -> list[tuple[str, Any, Any]]:
    return observe()


def observe() -> list[tuple[str, Any, Any]]:
    posted: list[tuple[str, Any, Any]] = []

    class Observer:
        def handle_notification(self, notification: Any) -> None:
            posted.append((notification.name, notification.sender, notification.data))

    observer = Observer()
    NotificationCenter().add_observer(observer)
    return posted


def names(posted: list[tuple[str, Any, Any]]) -> list[str]:
    return [name for name, _, _ in posted]


@implementer(IConfigurationBackend)
class CountingBackend(MemoryBackend):
    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.error: Exception | None = None

    @property
    def data(self) -> dict[str, Any]:
        return self._data

    @data.setter
    def data(self, data: dict[str, Any]) -> None:
        self._data = data

    def load(self) -> dict[str, Any]:
        if self.error is not None:
            raise self.error
        return super().load()

    def save(self, data: dict[str, Any]) -> None:
        if self.error is not None:
            raise self.error
        self.writes += 1
        super().save(data)


def different(value: int, other: int) -> None:
    if value == other != 0:
        raise ValueError("the ports are the same")


class EchoSettings(SettingsGroup):
    """A group in a group."""

    enabled = Setting(bool, True, doc="Whether.")
    tail_length = Setting(int, 200, doc="Milliseconds.")


class SoundSettings(SettingsGroup):
    device = Setting(str, "system", nillable=True, doc="Which.")
    muted = RuntimeSetting(bool, False, doc="Now.")
    echo = EchoSettings()


class PhoneAuthSettings(SettingsGroup):
    password = Setting(Password, "", doc="Secret.")


class Phone(SettingsObject):
    __id__ = "Phone"

    name = Setting(str, "phone", doc="What it is called.")
    timeout = Setting(int, 90, nillable=True, doc="Seconds.")
    transports = Setting(SIPTransportList, "tls, tcp, udp", doc="Which.")
    proxy = Setting(SIPProxyAddress, None, nillable=True, doc="Through.")
    tcp_port = CorrelatedSetting(Port, "tls_port", 0, validator=different, doc="TCP.")
    tls_port = CorrelatedSetting(Port, "tcp_port", 0, validator=different, doc="TLS.")
    sound = SoundSettings()
    auth = PhoneAuthSettings()


class Buddy(SettingsObject):
    __group__ = "Buddies"
    __id__ = SettingsObjectID(type=SIPAddress)

    id: SettingsObjectID[SIPAddress] = __id__

    nick = Setting(str, "", doc="What we call them.")
    sound = SoundSettings


def test_defaults_and_assignment(manager: ConfigurationManager) -> None:
    phone = Phone()
    assert (phone.name, phone.timeout, phone.sound.device, phone.sound.echo.tail_length) == ("phone", 90, "system", 200)
    phone.timeout = "30"
    phone.sound.echo.enabled = "no"
    phone.transports = ["udp", "tls"]
    assert phone.timeout == 30
    assert phone.sound.echo.enabled is False
    assert phone.transports == ("udp", "tls")
    assert isinstance(phone.transports, SIPTransportList)
    phone.timeout = None
    assert phone.timeout is None
    phone.timeout = DefaultValue
    assert phone.timeout == 90


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name", None),
        ("name", 5),
        ("name", b"x"),
        ("name", "\ud800"),
        ("timeout", "soon"),
        ("timeout", 1.5),
        ("timeout", True),
        ("transports", None),
        ("transports", "sctp"),
        ("transports", 5),
        ("proxy", "a b"),
        ("proxy", []),
        ("tcp_port", 65536),
        ("sound.device", 1),
        ("sound.muted", "perhaps"),
        ("sound.echo.enabled", 2),
        ("sound.echo.enabled", None),
        ("auth.password", None),
    ],
)
def test_wrong_values_change_nothing(manager: ConfigurationManager, path: str, value: object) -> None:
    """A wrong value raises a ValueError that names the setting, and the value stays what it was."""
    *groups, name = path.split(".")
    state: Any = Phone()
    for group in groups:
        state = getattr(state, group)
    before = getattr(state, name)
    with pytest.raises(ValueError, match=f"Phone.{path}: "):
        setattr(state, name, value)
    assert getattr(state, name) == before


def test_nothing_takes_effect_before_save(manager: ConfigurationManager, backend: CountingBackend, posted: Any) -> None:
    """ACC-019, ACC-037: save() stores, and says what changed from what to what; assignment alone does neither."""
    phone = Phone()
    phone.timeout = 10
    phone.sound.echo.tail_length = 100
    assert phone.saved_value("timeout") == 90
    assert backend.data == {}
    assert posted == []
    phone.save()
    assert phone.saved_value("timeout") == 10
    assert phone.saved_value("sound.echo.tail_length") == 100
    assert backend.data == {"Phone": {"timeout": 10, "sound": {"echo": {"tail_length": 100}}}}
    assert names(posted) == [
        "CFGSettingsObjectWasCreated",
        "CFGSettingsObjectWasActivated",
        "CFGSettingsObjectDidChange",
    ]
    assert {sender for _, sender, _ in posted} == {phone}
    modified = posted[-1][2].modified
    assert modified == {"timeout": ModifiedValue(90, 10), "sound.echo.tail_length": ModifiedValue(200, 100)}
    assert (modified["timeout"].old, modified["timeout"].new) == (90, 10)
    assert posted[-1][2].timestamp.utcoffset() is not None


def test_save_tells_only_of_changes(manager: ConfigurationManager, backend: CountingBackend) -> None:
    """ACC-037: without a change nothing is posted and nothing written."""
    phone = Phone()
    phone.save()
    writes = backend.writes
    posted = observe()
    phone.save()
    phone.timeout = 5
    phone.timeout = DefaultValue
    phone.save()
    phone.timeout = 90
    assert (names(posted), backend.writes) == ([], writes)
    phone.save()
    assert names(posted) == [], "it is 90 as it was"
    assert backend.data["Phone"] == {"timeout": 90}, "but stays 90 if the default should change"
    phone.timeout = DefaultValue
    phone.save()
    assert backend.data["Phone"] == {}


def test_hundreds_of_changes_are_one_write(manager: ConfigurationManager, backend: CountingBackend) -> None:
    phone = Phone()
    for number in range(200):
        phone.timeout = number
        phone.sound.device = f"device {number}"
    phone.save()
    assert backend.writes == 1


def test_correlated_settings(manager: ConfigurationManager) -> None:
    phone = Phone()
    phone.tcp_port = 5060
    with pytest.raises(ValueError, match=r"Phone.tls_port: the ports are the same"):
        phone.tls_port = 5060
    phone.tls_port = 5061
    with pytest.raises(ValueError, match=r"Phone.tcp_port: the ports are the same"):
        phone.tcp_port = "5061"
    phone.tcp_port = DefaultValue
    phone.tls_port = 0
    assert (phone.tcp_port, phone.tls_port) == (0, 0)


def test_runtime_settings_are_never_stored(manager: ConfigurationManager, backend: CountingBackend) -> None:
    phone = Phone()
    phone.save()
    posted, writes = observe(), backend.writes
    phone.sound.muted = True
    phone.save()
    assert posted[0][2].modified == {"sound.muted": ModifiedValue(False, True)}
    assert backend.writes == writes
    assert backend.data == {"Phone": {}}
    manager.start(backend)
    assert phone.sound.muted is True


def test_unknown_names_in_a_group(manager: ConfigurationManager) -> None:
    with pytest.raises(AttributeError, match=r"Phone.sound.devise: there is no such setting"):
        Phone().sound.devise = "x"
    with pytest.raises(AttributeError, match="group of settings"):
        Phone().sound = SoundSettings()
    with pytest.raises(AttributeError):
        Phone.sound.device = "x"
    with pytest.raises(AttributeError):
        del Phone().name
    for path in ("nothing", "sound", "sound.nothing", "name.x", "sound.echo.enabled.x"):
        with pytest.raises(AttributeError, match="is not a setting"):
            Phone().saved_value(path)


def test_one_instance_for_each_id(manager: ConfigurationManager) -> None:
    """ACC-016: the same id gives the same object, however the id is written."""
    assert Phone() is Phone()
    assert Buddy("bob@example.com") is Buddy("sip:bob@EXAMPLE.com")
    assert Buddy("bob@example.com") is not Buddy("carol@example.com")
    assert Buddy("bob@example.com").id == "bob@example.com"
    assert Buddy("bob@example.com").id.domain == "example.com"
    with pytest.raises(ValueError, match="the id of Buddy"):
        Buddy("bob")
    with pytest.raises(TypeError):
        Buddy()  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        Buddy("bob@example.com").id = "x@y.z"  # type: ignore[assignment]
    with pytest.raises(AttributeError):
        Phone().id = "x"
    with pytest.raises(ValueError):
        Phone("other")


def test_objects_belong_to_a_realm(manager: ConfigurationManager) -> None:
    other = Realm("other")
    here, there = Phone(), other.run(Phone)
    assert here is not there
    other.run(ConfigurationManager).start(MemoryBackend())
    there.name = "there"
    there.save()
    assert here.name == "phone"


def test_unsaved_objects_are_not_forgotten(manager: ConfigurationManager) -> None:
    Buddy("bob@example.com").nick = "Bob"
    gc.collect()
    assert Buddy("bob@example.com").nick == "Bob"


def test_id_of_another_class(manager: ConfigurationManager) -> None:
    class SpecialBuddy(SettingsObject):
        __group__ = "Buddies"
        __id__ = SettingsObjectID(type=SIPAddress)

    Buddy("bob@example.com")
    with pytest.raises(ValueError, match="is a Buddy"):
        SpecialBuddy("bob@example.com")


def test_delete(manager: ConfigurationManager, backend: CountingBackend) -> None:
    bob = Buddy("bob@example.com")
    bob.nick = "Bob"
    bob.save()
    posted = observe()
    bob.delete()
    bob.delete()
    assert backend.data == {}
    assert [(name, sender) for name, sender, _ in posted] == [("CFGSettingsObjectWasDeleted", bob)]
    assert bob.nick == "Bob", "who still uses it can read it"
    with pytest.raises(ConfigurationError, match="was deleted"):
        bob.save()
    assert Buddy("bob@example.com") is not bob
    assert Buddy("bob@example.com").nick == ""
    with pytest.raises(ConfigurationError):
        Phone().delete()


def test_deleting_what_was_never_saved(manager: ConfigurationManager, backend: CountingBackend, posted: Any) -> None:
    Buddy("bob@example.com").delete()
    assert (posted, backend.writes) == ([], 0)


def test_memory_backend_survives_a_restart(manager: ConfigurationManager, backend: CountingBackend) -> None:
    """STO-002, STO-006: what was saved is there when the manager is started again with the same backend."""
    bob = Buddy("bob@example.com")
    bob.nick, bob.sound.device, bob.sound.echo.enabled = "Bob", None, False
    bob.save()
    Phone().proxy = "proxy.example.com;transport=tls"
    Phone().save()

    def after_restart() -> None:
        ConfigurationManager().start(backend)
        posted = observe()
        bob = Buddy("bob@example.com")
        assert (bob.nick, bob.sound.device, bob.sound.echo.enabled) == ("Bob", None, False)
        assert Phone().proxy == SIPProxyAddress("proxy.example.com", transport="tls")
        assert names(posted) == ["CFGSettingsObjectWasActivated"] * 2
        assert ConfigurationManager().get_names("Buddies") == ["bob@example.com"]

    Realm("restarted").run(after_restart)


def test_objects_made_before_the_start(backend: CountingBackend) -> None:
    """Objects that exist take over what is loaded; what was assigned to them and not saved yet stays."""
    backend.data = {"Phone": {"name": "stored", "timeout": 1}}
    phone = Phone()
    phone.name = "mine"
    with pytest.raises(ConfigurationError, match="not loaded"):
        phone.save()
    posted = observe()
    ConfigurationManager().start(backend)
    assert names(posted) == ["CFGSettingsObjectWasActivated"]
    assert (phone.name, phone.timeout) == ("mine", 1)
    assert phone.saved_value("name") == "stored"
    phone.save()
    assert posted[-1][2].modified == {"name": ModifiedValue("stored", "mine")}


def test_restart_with_another_backend(manager: ConfigurationManager) -> None:
    phone = Phone()
    phone.timeout = 1
    phone.save()
    manager.start(MemoryBackend())
    assert phone.timeout == 90
    assert Phone() is phone


def test_load_errors_propagate(backend: CountingBackend, posted: Any) -> None:
    """APP-010, APP-011: the error of the backend comes out of start(), which can be called again."""
    manager = ConfigurationManager()
    backend.error = ConfigurationError("line 3: rubbish")
    with pytest.raises(ConfigurationError) as raised:
        manager.start(backend)
    assert raised.value is backend.error
    assert names(posted) == ["CFGManagerLoadFailed"]
    assert posted[0][2].error is backend.error
    assert not manager.started
    backend.error = OSError("disk on fire")
    with pytest.raises(ConfigurationError, match="disk on fire") as raised:
        manager.start(backend)
    assert raised.value.__cause__ is backend.error
    backend.error = None
    manager.start(backend)
    assert manager.started
    Phone().save()


@pytest.mark.parametrize(
    "data", [None, [], "x", {1: {}}, {"Phone": {1: 2}}, {"Phone": {"name": object()}}, {"x": [{"y": 1}]}]
)
def test_backends_that_load_rubbish(backend: CountingBackend, data: Any) -> None:
    backend.data = data
    with pytest.raises(ConfigurationError):
        ConfigurationManager().start(backend)


def test_start_needs_a_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TypeError, match="IConfigurationBackend"):
        ConfigurationManager().start(object())


def test_start_takes_the_backend_of_the_application(monkeypatch: pytest.MonkeyPatch, backend: CountingBackend) -> None:
    """APP-008, STO-006: by default the backend is that of the storage that the application was started with."""
    import sys
    import types

    class Application:
        storage: Any = None

    module = types.ModuleType("sipsimple.application")
    module.SIPApplication = Application  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sipsimple.application", module)
    with pytest.raises(ConfigurationError, match="no storage"):
        ConfigurationManager().start()
    Application.storage = types.SimpleNamespace(configuration_backend=backend)
    ConfigurationManager().start()
    Phone().save()
    assert backend.data == {"Phone": {}}


def test_before_the_start_nothing_can_be_used() -> None:
    manager = ConfigurationManager()
    for call in (
        lambda: manager.get("Phone"),
        lambda: manager.get_names("Phone"),
        lambda: manager.update("Phone", {}),
        lambda: manager.delete("Phone"),
        manager.save,
        Phone().save,
        Buddy("a@b.c").delete,
    ):
        with pytest.raises(ConfigurationError, match="not loaded"):
            call()


def test_manager_tree(manager: ConfigurationManager, backend: CountingBackend) -> None:
    """update, get, get_names, delete, save work on a tree of names."""
    assert manager.get_names(("Accounts",)) == []
    with pytest.raises(ObjectNotFoundError, match=r"Accounts.a@b"):
        manager.get(("Accounts", "a@b"))
    data = {"enabled": True, "nested": {"list": ["x", 1, None]}}
    manager.update(("Accounts", "a@b"), data)
    manager.update(("Accounts", "c@d"), {})
    data["nested"]["list"].append("later")  # type: ignore[index]
    assert manager.get(("Accounts", "a@b")) == {"enabled": True, "nested": {"list": ["x", 1, None]}}
    manager.get(("Accounts", "a@b"))["enabled"] = False
    assert manager.get(("Accounts", "a@b", "enabled")) is True
    assert manager.get_names(("Accounts",)) == ["a@b", "c@d"]
    assert backend.data == {}
    manager.save()
    assert backend.writes == 1
    manager.save()
    assert backend.writes == 1, "nothing changed"
    manager.delete(("Accounts", "a@b"))
    manager.delete(("Accounts", "c@d"))
    manager.save()
    assert backend.data == {}, "a table that became empty goes too"
    with pytest.raises(ObjectNotFoundError):
        manager.delete(("Accounts", "a@b"))
    for key in ((), ("",), (1,), ("a", None)):
        with pytest.raises(ValueError):
            manager.get(key)  # type: ignore[arg-type]
    for rubbish in (5, [1], {"x": object()}, {"x": {2: 3}}):
        with pytest.raises(ConfigurationError):
            manager.update("Phone", rubbish)  # type: ignore[arg-type]


def test_backend_that_can_not_save(manager: ConfigurationManager, backend: CountingBackend) -> None:
    """The changes are in effect, the failure is posted, and the next save() writes what this one could not."""
    phone = Phone()
    phone.timeout = 5
    phone.auth.password = "s3cret"
    posted = observe()
    backend.error = OSError("disk full")
    phone.save()
    assert names(posted)[-2:] == ["CFGSettingsObjectDidChange", "CFGManagerSaveFailed"]
    failure = posted[-1][2]
    assert posted[-1][1] is manager
    assert (failure.object, failure.operation) == (phone, "save")
    assert failure.modified["timeout"] == ModifiedValue(90, 5)
    assert isinstance(failure.exception, ConfigurationError)
    assert "s3cret" not in repr(failure)
    assert phone.saved_value("timeout") == 5
    with pytest.raises(ConfigurationError, match="disk full"):
        manager.save()
    backend.error = None
    phone.save()
    assert backend.data == {"Phone": {"timeout": 5, "auth": {"password": "s3cret"}}}
    backend.error = OSError("disk full")
    bob = Buddy("bob@example.com")
    bob.save()
    bob.delete()
    assert (posted[-1][0], posted[-1][2].operation) == ("CFGManagerSaveFailed", "delete")


def test_password_is_nowhere(
    manager: ConfigurationManager, backend: CountingBackend, posted: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A password shows in no repr, no log, no exception and no notification."""
    caplog.set_level(logging.DEBUG)
    phone = Phone()
    phone.auth.password = "s3cret"
    phone.save()
    phone.auth.password = "other s3cret"
    phone.save()
    assert posted[-1][2].modified["auth.password"].new == "other s3cret"
    shown = [repr(data) + repr(data.modified) for name, _, data in posted if hasattr(data, "modified")]
    shown += [repr(phone), repr(phone.auth), repr(manager), repr(backend), repr(phone.auth.password), repr(posted)]
    for wrong in (b"s3cret", ["s3cret"], "s3cret\ud800"):
        with pytest.raises(ValueError) as raised:
            phone.auth.password = wrong
        shown.append(str(raised.value) + repr(raised.value) + repr(raised.value.__cause__))
    with pytest.raises(ConfigurationError) as raised_:
        manager.update("x", {"password": object(), "s": 1})
    shown.append(str(raised_.value))
    backend.data = {"Phone": {"auth": {"password": ["s3cret"]}}}
    manager.start(backend)
    shown.append(caplog.text)
    assert "Phone.auth.password" in caplog.text
    assert not [text for text in shown if "s3cret" in text]
    assert [name for name, setting in Phone.iter_settings() if setting.secret] == ["auth.password"]


def test_stored_values_of_others_are_kept(backend: CountingBackend) -> None:
    """What a plugin stored that is not installed now is there when it is installed again."""
    stranger = {"Phone": {"vnc": {"view": "only"}, "sound": {"gain": 3}, "theme": "dark"}, "Strange": {"x": {"y": 1}}}
    backend.data = copy.deepcopy(stranger)
    ConfigurationManager().start(backend)
    phone = Phone()
    phone.timeout = 5
    phone.sound.device = None
    phone.save()
    stranger["Phone"]["timeout"] = 5
    stranger["Phone"]["sound"]["device"] = None  # type: ignore[index]
    assert backend.data == stranger
    phone.sound.device = DefaultValue
    phone.timeout = DefaultValue
    phone.save()
    del stranger["Phone"]["timeout"], stranger["Phone"]["sound"]["device"]  # type: ignore[attr-defined]
    assert backend.data == stranger


def test_stored_values_that_are_wrong(backend: CountingBackend, caplog: pytest.LogCaptureFixture) -> None:
    """A stored value that its type refuses is ignored with a word in the log, and not thrown away."""
    stored = {"timeout": "soon", "name": "kept", "sound": "loud", "tcp_port": 5, "tls_port": 5, "transports": []}
    backend.data = {"Phone": copy.deepcopy(stored)}
    ConfigurationManager().start(backend)
    phone = Phone()
    assert (phone.timeout, phone.name, phone.sound.device, phone.transports[0]) == (90, "kept", "system", "tls")
    assert sorted((phone.tcp_port, phone.tls_port)) == [0, 5]
    for name in ("timeout", "sound", "transports", "tcp_port"):
        assert f"Phone.{name}: " in caplog.text
    phone.name = "new"
    phone.save()
    assert backend.data["Phone"] == stored | {"name": "new"}
    phone.timeout = 5
    phone.sound.device = "x"
    phone.save()
    assert backend.data["Phone"] == stored | {"name": "new", "timeout": 5, "sound": {"device": "x"}}


def test_stored_group_where_a_value_should_be(backend: CountingBackend) -> None:
    backend.data = {"Phone": {"name": {"first": "x"}, "timeout": {}}, "Buddies": 5}
    ConfigurationManager().start(backend)
    assert (Phone().name, Phone().timeout) == ("phone", 90)
    Buddy("bob@example.com").save()
    assert backend.data["Buddies"] == {"bob@example.com": {}}


def test_generated_settings_are_made_once(backend: CountingBackend) -> None:
    made: list[str] = []

    def make() -> str:
        made.append(f"made {len(made)}")
        return made[-1]

    class Installation(SettingsObject):
        __id__ = "Installation"
        serial = GeneratedSetting(str, default_factory=make, doc="Made once.")
        other = Setting(int, 0, doc="Something else.")

    before = Installation()
    assert before.serial == before.serial == "made 0"
    backend.data = {"Installation": {"serial": "stored"}}
    ConfigurationManager().start(backend)
    assert before.serial == "stored"
    fresh = MemoryBackend()
    ConfigurationManager().start(fresh)
    assert before.serial == "made 1"
    assert fresh.load() == {"Installation": {"serial": "made 1"}}
    assert Realm("next run").run(lambda: (ConfigurationManager().start(fresh), Installation().serial)[1]) == "made 1"
    before.other = 1
    posted = observe()
    before.save()
    assert posted[0][2].modified == {"other": ModifiedValue(0, 1)}
    assert len(made) == 2


def test_save_setting_leaves_other_changes_pending(manager: ConfigurationManager, backend: CountingBackend) -> None:
    phone = Phone()
    phone.save()
    phone.timeout = 5
    posted = observe()
    phone.save_setting("sound.device", "x")
    assert posted[0][2].modified == {"sound.device": ModifiedValue("system", "x")}
    assert backend.data == {"Phone": {"sound": {"device": "x"}}}
    assert (phone.timeout, phone.saved_value("timeout")) == (5, 90)
    with pytest.raises(ValueError):
        phone.save_setting("timeout", "x")
    with pytest.raises(AttributeError):
        phone.save_setting("nothing", 1)


def test_declarations_are_checked() -> None:
    with pytest.raises(TypeError, match="default"):
        Setting(int, "x")
    with pytest.raises(TypeError, match="default"):
        Setting(int)
    with pytest.raises(TypeError, match="callable"):
        Setting("int", 1)  # type: ignore[call-overload]
    with pytest.raises((TypeError, RuntimeError)):
        type("Bad", (SettingsGroup,), {"_x": Setting(int, 1)})
    with pytest.raises(TypeError, match="taken"):
        type("Bad", (SettingsGroup,), {"save": Setting(int, 1)})
    with pytest.raises(TypeError, match="__group__"):
        type("Bad", (SettingsObject,), {"__id__": SettingsObjectID(type=SIPAddress)})
    with pytest.raises(TypeError, match="derived"):
        SettingsObject()
    shared = Setting(int, 1)
    type("Good", (SettingsGroup,), {"one": shared})
    with pytest.raises((TypeError, RuntimeError)):
        type("Bad", (SettingsGroup,), {"two": shared})


def test_settings_can_be_listed() -> None:
    """Each setting tells its dotted name, type, default and documentation."""
    listed = dict(Phone.iter_settings())
    assert list(listed) == [
        'name', 'timeout', 'transports', 'proxy', 'tcp_port', 'tls_port',
        'sound.device', 'sound.muted', 'sound.echo.enabled', 'sound.echo.tail_length', 'auth.password',
    ]  # fmt: skip
    timeout = listed["timeout"]
    assert (timeout.type_name, timeout.default, timeout.nillable, timeout.doc) == ("int", 90, True, "Seconds.")
    assert not listed["sound.muted"].stored
    assert Phone.timeout is timeout
    assert repr(timeout) == "<Setting timeout: int or None>"
    assert [name for name, _ in Buddy.iter_settings()][:2] == ["nick", "sound.device"]


# Extensions


def make_class(name: str) -> Any:
    class NatSettings(SettingsGroup):
        use_ice = Setting(bool, False, doc="ICE.")
        method = Setting(str, "none", doc="Which.")

    return type(name, (SettingsObject,), {"__id__": name, "nat": NatSettings(), "size": Setting(Port, 1, doc="Size.")})


class RelaySettings(SettingsGroup):
    relay = Setting(SIPProxyAddress, None, nillable=True, doc="Relay.")


class ChatSettings(SettingsGroup):
    color = Setting(str, "blue", doc="Which.")


def test_extension_adds_settings_and_groups(manager: ConfigurationManager, backend: CountingBackend) -> None:
    """Plugins and applications add settings to existing classes; objects that exist get them with what is stored."""
    cls = make_class("Extended1")
    backend.data = {"Extended1": {"chat": {"color": "red"}, "nat": {"relay": "r.com", "use_ice": True}}}
    manager.start(backend)
    instance = cls()
    held = instance.nat
    instance.nat.method = "pending"

    class Extension(SettingsObjectExtension):
        order = Setting(int, 0, doc="Place in the list.")
        chat = ChatSettings()
        nat = RelaySettings

        @property
        def summary(self) -> str:
            return f"{self.order} {self.chat.color}"

    cls.register_extension(Extension)
    cls.register_extension(Extension)
    assert instance.chat.color == "red"
    assert instance.nat.relay == SIPProxyAddress("r.com")
    assert (instance.nat.use_ice, instance.nat.method) == (True, "pending")
    assert held.use_ice is True
    assert instance.summary == "0 red"
    assert Extension.of(instance) is instance
    instance.order = 3
    instance.nat.relay = "s.com"
    instance.save()
    assert backend.data["Extended1"] == {
        "chat": {"color": "red"},
        "nat": {"relay": "s.com", "use_ice": True, "method": "pending"},
        "order": 3,
    }
    assert [name for name, _ in cls.iter_settings()] == [
        'nat.use_ice', 'nat.method', 'nat.relay', 'size', 'order', 'chat.color',
    ]  # fmt: skip
    assert cls.extensions() == (Extension,)
    assert [name for name, _ in Extension.iter_settings()] == ["order", "chat.color", "nat.relay"]
    with pytest.raises(TypeError):
        Extension()


def test_two_extensions_of_one_group(manager: ConfigurationManager) -> None:
    cls = make_class("Extended2")

    class Stun(SettingsGroup):
        stun = Setting(str, "stun", doc="STUN.")

    class One(SettingsObjectExtension):
        nat = RelaySettings()

    class Two(SettingsObjectExtension):
        nat = Stun()

    for extension in (One, Two):
        cls.register_extension(extension)
    assert (cls().nat.use_ice, cls().nat.relay, cls().nat.stun) == (False, None, "stun")


def test_nested_groups_are_merged(manager: ConfigurationManager) -> None:
    class Inner(SettingsGroup):
        one = Setting(int, 1, doc="One.")

    class InnerToo(SettingsGroup):
        two = Setting(int, 2, doc="Two.")

    class Outer(SettingsGroup):
        inner = Inner()

    class OuterToo(SettingsGroup):
        inner = InnerToo()

    class Nested(SettingsObject):
        __id__ = "Nested"
        outer = Outer()

    class Extension(SettingsObjectExtension):
        outer = OuterToo()

    nested = Nested()
    nested.outer.inner.one = 11
    Nested.register_extension(Extension)
    assert (nested.outer.inner.one, nested.outer.inner.two) == (11, 2)
    nested.outer.inner.two = 22
    nested.save()
    assert ConfigurationManager().get("Nested") == {"outer": {"inner": {"one": 11, "two": 22}}}


def test_extension_may_change_a_default(manager: ConfigurationManager) -> None:
    cls = make_class("Extended3")

    class SmallPort(Port):
        maximum = 1023

    class OtherDefaults(SettingsGroup):
        method = Setting(str, "upnp", doc="Another default.")

    class Extension(SettingsObjectExtension):
        size = Setting(SmallPort, 80, doc="Narrower.")
        nat = OtherDefaults()

    cls.register_extension(Extension)
    assert (cls().size, cls().nat.method, cls().nat.use_ice) == (80, "upnp", False)
    with pytest.raises(ValueError):
        cls().size = 5060


@pytest.mark.parametrize(
    "contents",
    [
        {"size": Setting(str, "", doc="")},
        {"size": Setting(Port, 1, nillable=True)},
        {"size": RuntimeSetting(Port, 1)},
        {"size": ChatSettings},
        {"nat": Setting(int, 1)},
        {"save": lambda self: None},
        {"nat": type("Bad", (SettingsGroup,), {"use_ice": Setting(int, 1)})},
    ],
)
def test_extension_that_contradicts_changes_nothing(manager: ConfigurationManager, contents: dict[str, Any]) -> None:
    cls = make_class("Extended4")
    extension = type("Extension", (SettingsObjectExtension,), {"fine": Setting(int, 1)} | contents)
    before = dict(cls.iter_settings())
    with pytest.raises(ValueError, match="Extended4"):
        cls.register_extension(extension)
    assert dict(cls.iter_settings()) == before
    assert cls().size == 1


def test_extensions_of_plugins(manager: ConfigurationManager, backend: CountingBackend, posted: Any) -> None:
    """The hook sipsimple_settings is applied before the configuration is loaded; who errs is left out."""
    cls = make_class("Extended5")

    class ByClass(SettingsObjectExtension, extends=cls):
        one = Setting(int, 1, doc="One.")

    class ByName(SettingsObjectExtension, extends=("Extended5", "Extended6")):
        two = Setting(int, 2, doc="Two.")

    class InAPair(SettingsObjectExtension):
        three = Setting(int, 3, doc="Three.")

    class Wrong(SettingsObjectExtension, extends=cls):
        nat = Setting(int, 3, doc="It is a group.")

    class Plugin:
        def __init__(self, *settings: Any) -> None:
            self.settings = settings

        @hookimpl
        def sipsimple_settings(self) -> Any:
            return self.settings

    for number, settings in enumerate([(ByClass,), (ByName, ("Extended5", InAPair)), (Wrong,), (InAPair,), (5,)]):
        PluginManager().register(Plugin(*settings), f"plugin {number}")
    manager.start(backend)
    assert (cls().one, cls().two, cls().three) == (1, 2, 3)
    assert make_class("Extended6")().two == 2, "it came after its extension"
    failed = sorted(data.plugin for name, _, data in posted if name == "SIPApplicationPluginDidFail")
    assert failed == ["plugin 2", "plugin 3", "plugin 4"]


def test_extension_that_waits_for_a_class_that_it_contradicts(caplog: pytest.LogCaptureFixture) -> None:
    class Extension(SettingsObjectExtension, extends="Extended7"):
        nat = Setting(int, 3, doc="It is a group.")

    class Plugin:
        @hookimpl
        def sipsimple_settings(self) -> Any:
            return [Extension]

    PluginManager().register(Plugin(), "early")
    ConfigurationManager().start(MemoryBackend())
    assert make_class("Extended7")().nat.use_ice is False
    assert "Extended7.nat is a NatSettings, it can't become a Setting" in caplog.text


def test_what_is_no_extension() -> None:
    for wrong in (int, ChatSettings, None):
        with pytest.raises(TypeError, match="not a SettingsObjectExtension"):
            Phone.register_extension(wrong)  # type: ignore[arg-type]


def test_values_of_an_application_s_own_type(manager: ConfigurationManager, backend: CountingBackend) -> None:
    """Any type will do that makes an equal value of the text of another; a float is kept as it is."""

    class Color:
        def __init__(self, name: str) -> None:
            if name not in ("red", "green"):
                raise ValueError(f"{name} is no color")
            self.name = name

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Color) and other.name == self.name

        def __hash__(self) -> int:
            return hash(self.name)

        def __str__(self) -> str:
            return self.name

    class Lamp(SettingsObject):
        __id__ = "Lamp"
        color = Setting(Color, "red", doc="Which.")
        brightness = Setting(float, 0.5, doc="From 0 to 1.")

    lamp = Lamp()
    lamp.color, lamp.brightness = "green", 1
    with pytest.raises(ValueError, match=r"Lamp.color: blue is no color"):
        lamp.color = "blue"
    with pytest.raises(ValueError, match=r"Lamp.color: "):
        lamp.color = []
    lamp.save()
    assert backend.data == {"Lamp": {"color": "green", "brightness": 1.0}}
    manager.start(backend)
    assert (lamp.color, lamp.brightness) == (Color("green"), 1.0)


# Threads


def in_threads(*functions: Any) -> None:
    errors: list[BaseException] = []
    barrier = threading.Barrier(len(functions))

    def run(function: Any) -> None:
        try:
            barrier.wait(5)
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert errors == []


def test_two_threads_save_one_object(manager: ConfigurationManager, backend: CountingBackend) -> None:
    """Each change is told once, old and new values form a chain, and the last one is what is stored."""
    phone = Phone()
    posted = observe()

    def save(start: int) -> None:
        for number in range(start, start + 200):
            phone.timeout = number
            phone.name = f"name {number}"
            phone.save()

    in_threads(lambda: save(1000), lambda: save(2000))
    changes = [data.modified for name, _, data in posted if name == "CFGSettingsObjectDidChange"]
    for setting, first in (("timeout", 90), ("name", "phone")):
        value: Any = first
        for modified in changes:
            if setting in modified:
                assert modified[setting].old == value
                value = modified[setting].new
        assert value == phone.saved_value(setting) == backend.data["Phone"][setting]
    assert names(posted).count("CFGSettingsObjectWasCreated") == 1


def test_two_threads_save_different_objects(manager: ConfigurationManager, backend: CountingBackend) -> None:
    def save(user: str) -> None:
        for number in range(50):
            buddy = Buddy(f"{user}{number}@example.com")
            buddy.nick = f"{user} {number}"
            buddy.save()

    in_threads(lambda: save("a"), lambda: save("b"))
    assert len(backend.data["Buddies"]) == 100
    assert backend.data["Buddies"]["b7@example.com"] == {"nick": "b 7"}


def test_threads_get_the_same_object(manager: ConfigurationManager) -> None:
    found: list[Buddy] = []
    in_threads(*[lambda: found.append(Buddy("bob@example.com"))] * 8)
    assert len({id(buddy) for buddy in found}) == 1


def test_waiting_threads_are_served_by_one_write(manager: ConfigurationManager) -> None:
    """While one write runs, all who come are served by the next one."""
    entered, proceed = threading.Event(), threading.Event()

    class SlowBackend(CountingBackend):
        def save(self, data: dict[str, Any]) -> None:
            entered.set()
            assert proceed.wait(10)
            super().save(data)

    backend = SlowBackend()
    manager.start(backend)
    writers = [threading.Thread(target=Buddy(f"a{number}@example.com").save) for number in range(6)]
    writers[0].start()
    assert entered.wait(10)
    for writer in writers[1:]:
        writer.start()
    while len(manager.get_names("Buddies")) < 6:
        pass
    proceed.set()
    for writer in writers:
        writer.join(10)
    assert len(backend.data["Buddies"]) == 6
    assert backend.writes == 2


def test_notifications_are_posted_in_the_reactor_thread(realm: Realm, manager: ConfigurationManager) -> None:
    """Once a reactor runs, what happened in another thread is told in the reactor's, in the order of the saves."""
    calls: list[Any] = []

    class Reactor:
        def callFromThread(self, function: Any, *args: Any) -> None:
            calls.append((function, args))

    realm.set_reactor(Reactor(), threading.get_ident())
    phone = Phone()
    phone.save()
    posted = observe()

    def save() -> None:
        phone.timeout = 1
        phone.save()

    in_threads(save)
    assert posted == []
    phone.timeout = 2
    phone.save()
    assert [data.modified["timeout"] for _, _, data in posted] == [ModifiedValue(90, 1), ModifiedValue(1, 2)]
    for function, args in calls:
        function(*args)
    assert len(posted) == 2


def test_observer_that_saves(manager: ConfigurationManager) -> None:
    """An observer of a change may save; its change is told after."""
    phone, buddy = Phone(), Buddy("bob@example.com")

    class Observer:
        def handle_notification(self, notification: Any) -> None:
            if notification.sender is phone:
                buddy.nick = f"called {phone.name}"
                buddy.save()

    observer = Observer()
    NotificationCenter().add_observer(observer, name="CFGSettingsObjectDidChange")
    posted = observe()
    phone.name = "x"
    phone.save()
    assert [sender for name, sender, _ in posted if name == "CFGSettingsObjectDidChange"] == [phone, buddy]


def test_memory_backend_is_a_backend() -> None:
    """STO-002, STO-005"""
    backend = MemoryBackend()
    assert verifyObject(IConfigurationBackend, backend)
    data = {"a": {"b": [1]}}
    backend.save(data)
    data["a"]["b"].append(2)
    assert backend.load() == {"a": {"b": [1]}}
    backend.load()["a"]["b"].append(3)
    assert backend.load() == {"a": {"b": [1]}}
