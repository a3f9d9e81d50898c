"""The settings of the core: their types, defaults and documentation, and what they refuse."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sipsimple.account import Account
from sipsimple.configuration import ConfigurationManager, DefaultValue, MemoryBackend, Setting, SettingsObject
from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.notification import NotificationCenter
from sipsimple.realm import Realm

SIPSIMPLE_SETTINGS = {
    "default_account": None,
    "user_agent": ...,
    "instance_id": ...,
    "logs.trace_sip": False,
    "logs.trace_notifications": False,
    "sip.transport_list": ("tls", "tcp", "udp"),
    "sip.udp_port": 0,
    "sip.tcp_port": 0,
    "sip.tls_port": 0,
    "sip.invite_timeout": 90,
    "tls.ca_list": None,
    "tls.certificate": None,
    "tls.verify_server": True,
}

ACCOUNT_SETTINGS = {
    "enabled": False,
    "display_name": None,
    "auth.username": None,
    "auth.password": "",
    "sip.outbound_proxy": None,
    "sip.always_use_my_proxy": False,
    "sip.subscribe_interval": 600,
    "sip.publish_interval": 600,
    "sip.tls_name": None,
    "registration.enabled": True,
    "registration.interval": 600,
    "message_summary.enabled": False,
    "message_summary.voicemail_uri": None,
}

NOT_TEXT = (5, b"x", ["x"], True)
NOT_A_FLAG = (None, "perhaps", 2, [], 1.0, b"true")
NOT_A_PORT = (None, -1, 65536, "x", True, 1.5)
NOT_SECONDS = (0, -1, 2**32, "soon", True, 1.5, "")

WRONG: dict[str, tuple[Any, ...]] = {
    "SIPSimpleSettings.default_account": ("alice", "", "alice@", *NOT_TEXT),
    "SIPSimpleSettings.user_agent": (None, "a\r\nVia: b", *NOT_TEXT),
    "SIPSimpleSettings.instance_id": (None, "", "urn:uuid:x", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", *NOT_TEXT),
    "SIPSimpleSettings.logs.trace_sip": NOT_A_FLAG,
    "SIPSimpleSettings.logs.trace_notifications": NOT_A_FLAG,
    "SIPSimpleSettings.sip.transport_list": (None, "", [], "sctp", ["udp", "udp"], 5, [1]),
    "SIPSimpleSettings.sip.udp_port": NOT_A_PORT,
    "SIPSimpleSettings.sip.tcp_port": NOT_A_PORT,
    "SIPSimpleSettings.sip.tls_port": NOT_A_PORT,
    "SIPSimpleSettings.sip.invite_timeout": NOT_SECONDS,
    "SIPSimpleSettings.tls.ca_list": ("", "a\0b", 5, b"x"),
    "SIPSimpleSettings.tls.certificate": ("", "a\0b", 5, b"x"),
    "SIPSimpleSettings.tls.verify_server": NOT_A_FLAG,
    "Account.enabled": NOT_A_FLAG,
    "Account.display_name": ("a\nb", "\ud800", *NOT_TEXT),
    "Account.auth.username": ("a\nb", *NOT_TEXT),
    "Account.auth.password": (None, "x\ud800", *NOT_TEXT),
    "Account.sip.outbound_proxy": ("", "a b", "a.com:0", "a.com;transport=sctp", "a.com;lr", 5, []),
    "Account.sip.always_use_my_proxy": NOT_A_FLAG,
    "Account.sip.subscribe_interval": (None, *NOT_SECONDS),
    "Account.sip.publish_interval": (None, *NOT_SECONDS),
    "Account.sip.tls_name": ("", "a b", "a..b", *NOT_TEXT),
    "Account.registration.enabled": NOT_A_FLAG,
    "Account.registration.interval": (None, *NOT_SECONDS),
    "Account.message_summary.enabled": NOT_A_FLAG,
    "Account.message_summary.voicemail_uri": ("", "voicemail", "a@b@c", *NOT_TEXT),
}


@pytest.fixture(autouse=True)
def manager(monkeypatch: pytest.MonkeyPatch) -> ConfigurationManager:
    monkeypatch.setenv("SIPSIMPLE_LOAD_PLUGINS", "")
    manager = ConfigurationManager()
    manager.start(MemoryBackend())
    return manager


def own_settings(cls: type[SettingsObject]) -> dict[str, Setting[Any]]:
    """Those that the core declares; other tests in this process may have plugins add more."""
    added = {name for extension in cls.extensions() for name, _ in extension.iter_settings()}
    return {name: setting for name, setting in cls.iter_settings() if name not in added}


def assign(settings: Any, path: str, value: object) -> None:
    *groups, name = path.split(".")
    for group in groups:
        settings = getattr(settings, group)
    setattr(settings, name, value)


@pytest.mark.parametrize(("cls", "expected"), [(SIPSimpleSettings, SIPSIMPLE_SETTINGS), (Account, ACCOUNT_SETTINGS)])
def test_settings_and_defaults(cls: type[SettingsObject], expected: dict[str, Any]) -> None:
    """APP-009, ACC-018: the core has the settings that it uses, each with its default, and none of the plugins'."""
    settings = own_settings(cls)
    assert list(settings) == list(expected)
    for name, default in expected.items():
        if default is not ...:
            assert settings[name].default == default, name
        assert settings[name].nillable is (default is None or name == "sip.invite_timeout"), name


@pytest.mark.parametrize("cls", [SIPSimpleSettings, Account])
def test_every_setting_is_documented(cls: type[SettingsObject]) -> None:
    for name, setting in own_settings(cls).items():
        assert re.fullmatch(r"[A-Z].+\.", setting.doc), name
        assert setting.type_name


def test_wrong_values_are_tried_for_every_setting() -> None:
    known = [f"{cls.__name__}.{name}" for cls in (SIPSimpleSettings, Account) for name in own_settings(cls)]
    assert list(WRONG) == known


@pytest.mark.parametrize(("path", "value"), [(path, value) for path, values in WRONG.items() for value in values])
def test_wrong_values(path: str, value: object) -> None:
    """Every setting refuses wrong values with a ValueError that names it."""
    cls, _, name = path.partition(".")
    settings = SIPSimpleSettings() if cls == "SIPSimpleSettings" else Account("alice@example.com")
    with pytest.raises(ValueError, match=f"^{re.escape(path)}: ."):
        assign(settings, name, value)
    settings.save()
    assert settings.saved_value(name) == own_settings(type(settings))[name].default or name == "instance_id"


def test_tcp_and_tls_ports_differ() -> None:
    """TCP and TLS can't have the same port, unless it is 0: any."""
    settings = SIPSimpleSettings()
    settings.sip.tcp_port = settings.sip.tls_port = 0
    settings.sip.tls_port = 5061
    with pytest.raises(ValueError, match=r"SIPSimpleSettings.sip.tcp_port: .*5061"):
        settings.sip.tcp_port = 5061
    settings.sip.tcp_port = settings.sip.udp_port = 5060
    with pytest.raises(ValueError, match=r"SIPSimpleSettings.sip.tls_port: .*5060"):
        settings.sip.tls_port = 5060


def test_instance_id_is_made_once_and_kept() -> None:
    """The instance id survives restarts; two installations have different ones."""
    backend = MemoryBackend()

    def run() -> str:
        ConfigurationManager().start(backend)
        return SIPSimpleSettings().instance_id

    first = Realm("first").run(run)
    assert Realm("second").run(run) == first
    assert first.startswith("urn:uuid:")
    assert SIPSimpleSettings().instance_id != first


def test_user_agent_names_the_version() -> None:
    from importlib.metadata import version

    assert SIPSimpleSettings().user_agent == f"sipsimple {version('sipsimple-core')}"
    SIPSimpleSettings().user_agent = "Phone 1.0"
    SIPSimpleSettings().user_agent = DefaultValue
    assert SIPSimpleSettings().user_agent.startswith("sipsimple")


def test_changes_are_announced_by_dotted_name() -> None:
    """ACC-037, BON-021: `modified` maps the dotted name to the old and the new value."""
    settings = SIPSimpleSettings()
    posted: list[Any] = []

    class Observer:
        def handle_notification(self, notification: Any) -> None:
            posted.append(notification)

    observer = Observer()
    NotificationCenter().add_observer(observer, name="CFGSettingsObjectDidChange", sender=settings)
    settings.sip.invite_timeout = None
    settings.logs.trace_sip = True
    settings.save()
    (notification,) = posted
    assert set(notification.data.modified) == {"sip.invite_timeout", "logs.trace_sip"}
    assert notification.data.modified["sip.invite_timeout"].old == 90
    assert notification.data.modified["sip.invite_timeout"].new is None
