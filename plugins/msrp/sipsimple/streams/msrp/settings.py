"""The settings of MSRP streams: groups added to Account, BonjourAccount and SIPSimpleSettings."""

from __future__ import annotations

from sipsimple.configuration import Setting, SettingsGroup, SettingsObjectExtension
from sipsimple.configuration.datatypes import MSRPRelayAddress, MSRPTransport
from sipsimple.configuration.datatypes.text import Choice

__all__ = ["EXTENSIONS", "MSRPConnectionModel"]


class MSRPConnectionModel(Choice):
    """relay or acm."""

    __slots__ = ()

    values = ("relay", "acm")


class MSRPSettings(SettingsGroup):
    """How MSRP streams are offered."""

    transport = Setting(MSRPTransport, "tls", doc="The transport that is offered; one that is offered is taken.")
    connection_model = Setting(
        MSRPConnectionModel,
        "relay",
        doc="relay: through msrp_relay where it is to be used (RFC 4976); acm: always directly (RFC 6135).",
    )


class BonjourMSRPSettings(SettingsGroup):
    """How MSRP streams are offered to neighbours, who have no common certificate authority."""

    transport = Setting(MSRPTransport, "tcp", doc="The transport that is offered; one that is offered is taken.")


class NATTraversalSettings(SettingsGroup):
    """How the remote party's MSRP connection reaches us."""

    msrp_relay = Setting(
        MSRPRelayAddress, None, nillable=True, doc="The MSRP relay, found by DNS (SRV) if no port is given; None: none."
    )
    use_msrp_relay_for_inbound = Setting(bool, True, doc="Use it for streams that are proposed to us.")
    use_msrp_relay_for_outbound = Setting(bool, False, doc="Use it for streams that we propose.")


class MSRPLogsSettings(SettingsGroup):
    """What is traced."""

    trace_msrp = Setting(bool, False, doc="Post each MSRP chunk sent or received as `MSRPTransportTrace`.")


class AccountExtension(SettingsObjectExtension):
    msrp = MSRPSettings()
    nat_traversal = NATTraversalSettings()


class BonjourAccountExtension(SettingsObjectExtension):
    msrp = BonjourMSRPSettings()


class SIPSimpleSettingsExtension(SettingsObjectExtension):
    logs = MSRPLogsSettings()


EXTENSIONS = (
    ("Account", AccountExtension),
    ("BonjourAccount", BonjourAccountExtension),
    ("SIPSimpleSettings", SIPSimpleSettingsExtension),
)
