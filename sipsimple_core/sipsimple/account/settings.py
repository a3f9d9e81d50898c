"""The settings of an account that the core uses. Plugins add theirs by extensions of `Account`."""

from __future__ import annotations

from sipsimple.configuration.datatypes import (
    HeaderText,
    Hostname,
    Password,
    Seconds,
    SIPAddress,
    SIPProxyAddress,
)
from sipsimple.configuration.group import SettingsGroup
from sipsimple.configuration.setting import Setting

__all__ = ["AuthSettings", "MessageSummarySettings", "RegistrationSettings", "SIPSettings"]


class AuthSettings(SettingsGroup):
    """Who we are to servers that ask (RFC 3261 22)."""

    username = Setting(
        HeaderText,
        None,
        nillable=True,
        doc="The name to authenticate with; None: the part of the id before the @.",
    )
    password = Setting(Password, "", doc="The password. It is never shown.")


class SIPSettings(SettingsGroup):
    """How the account's requests are sent."""

    outbound_proxy = Setting(
        SIPProxyAddress,
        None,
        nillable=True,
        doc="The proxy that requests are sent through, host[:port][;transport=]; None: that of the domain.",
    )
    always_use_my_proxy = Setting(
        bool, False, doc="Send all requests through the own proxy, also those to other domains."
    )
    subscribe_interval = Setting(Seconds, 600, doc="Seconds for which a subscription is asked for (RFC 6665 4.1.2.1).")
    publish_interval = Setting(Seconds, 600, doc="Seconds for which a publication is asked for (RFC 3903 4.2).")
    tls_name = Setting(
        Hostname,
        None,
        nillable=True,
        doc="The name that the certificate of the server has to have; None: the domain of the account.",
    )


class RegistrationSettings(SettingsGroup):
    """Registration at the account's registrar (RFC 3261 10)."""

    enabled = Setting(bool, True, doc="Register while the account is active.")
    interval = Setting(Seconds, 600, doc="Seconds for which a registration is asked for; refreshed before.")


class MessageSummarySettings(SettingsGroup):
    """Waiting messages (RFC 3842)."""

    enabled = Setting(bool, False, doc="Subscribe to the state of the mailbox while the account is active.")
    voicemail_uri = Setting(
        SIPAddress, None, nillable=True, doc="The address of the mailbox; None: that of the account."
    )
