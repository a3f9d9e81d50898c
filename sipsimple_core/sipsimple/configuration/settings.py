"""SIPSimpleSettings: the settings of the whole application that the core uses. Plugins add theirs by extensions."""

from __future__ import annotations

from sipsimple.configuration.datatypes import (
    UUIDURN,
    HeaderText,
    Path,
    Port,
    Seconds,
    SIPAddress,
    SIPTransportList,
)
from sipsimple.configuration.group import SettingsGroup
from sipsimple.configuration.setting import CorrelatedSetting, GeneratedSetting, Setting
from sipsimple.configuration.settings_object import SettingsObject

__all__ = ["LogsSettings", "SIPSettings", "SIPSimpleSettings", "TLSSettings"]


def _default_user_agent() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"sipsimple {version('sipsimple-core')}"
    except PackageNotFoundError:
        return "sipsimple"


def _different_ports(port: int, sibling: int) -> None:
    if port == sibling != 0:
        raise ValueError(f"TCP and TLS can't both have port {port}")


class LogsSettings(SettingsGroup):
    """What is traced."""

    trace_sip = Setting(bool, False, doc="Post each SIP message sent or received as `SIPEngineSIPTrace`.")
    trace_notifications = Setting(bool, False, doc="Log each notification.")


class SIPSettings(SettingsGroup):
    """The SIP transports."""

    transport_list = Setting(
        SIPTransportList, ("tls", "tcp", "udp"), doc="The SIP transports to use, the preferred one first."
    )
    udp_port = Setting(Port, 0, doc="The UDP port to listen on; 0: any free one.")
    tcp_port = CorrelatedSetting(
        Port,
        sibling="tls_port",
        default=0,
        validator=_different_ports,
        doc="The TCP port to listen on, not that of TLS; 0: any free one.",
    )
    tls_port = CorrelatedSetting(
        Port,
        sibling="tcp_port",
        default=0,
        validator=_different_ports,
        doc="The TLS port to listen on, not that of TCP; 0: any free one.",
    )
    invite_timeout = Setting(
        Seconds,
        90,
        nillable=True,
        doc="Seconds after which an outgoing call that nobody answered is given up; None: never.",
    )


class TLSSettings(SettingsGroup):
    """TLS, for all accounts."""

    ca_list = Setting(
        Path,
        None,
        nillable=True,
        doc="File with the certificates of trusted authorities (PEM); None: the system's.",
    )
    certificate = Setting(Path, None, nillable=True, doc="File with our own certificate and its private key (PEM).")
    verify_server = Setting(bool, True, doc="Refuse a server whose certificate is not valid for its name.")


class SIPSimpleSettings(SettingsObject):
    """The settings of the application: a singleton, `SIPSimpleSettings()`."""

    __id__ = "SIPSimpleSettings"

    default_account = Setting(SIPAddress, None, nillable=True, doc="The id of the account used where none is chosen.")
    user_agent = Setting(
        HeaderText,
        default_factory=_default_user_agent,
        doc="What the User-Agent and Server headers say; by default `sipsimple` and the version.",
    )
    instance_id = GeneratedSetting(
        UUIDURN,
        default_factory=UUIDURN.random,
        doc="What tells this installation from all others (RFC 5626 4.1): made once, then kept.",
    )

    logs = LogsSettings()
    sip = SIPSettings()
    tls = TLSSettings()
