"""The settings of RTP streams: groups added to SIPSimpleSettings, Account and BonjourAccount."""

from __future__ import annotations

from sipsimple.configuration import Setting, SettingsGroup, SettingsObjectExtension
from sipsimple.configuration.datatypes import (
    AudioCodecList,
    BoundedInteger,
    Password,
    PortRange,
    STUNServerAddress,
    STUNServerAddressList,
)
from sipsimple.configuration.datatypes.text import Choice

__all__ = ["DEFAULT_CODECS", "EXTENSIONS", "SRTPEncryption"]

DEFAULT_CODECS = ("G722", "PCMU", "PCMA", "GSM", "speex")  # speex distorts what is loud, so it comes last


class SRTPEncryption(Choice):
    """disabled, optional or mandatory."""

    __slots__ = ()

    values = ("disabled", "optional", "mandatory")


class TURNTransport(Choice):
    """udp or tcp."""

    __slots__ = ()

    values = ("udp", "tcp")


class Timeout(BoundedInteger):
    """Seconds; 0 is never."""

    minimum, maximum = 0, 3600


class GeneralRTPSettings(SettingsGroup):
    """How RTP streams are made."""

    port_range = Setting(PortRange, PortRange(50000, 50500), doc="The UDP ports for RTP and RTCP.")
    timeout = Setting(
        Timeout, 30, doc="Seconds without anything received after which AudioStreamDidTimeout is posted; 0: never."
    )
    audio_codec_list = Setting(
        AudioCodecList,
        AudioCodecList(DEFAULT_CODECS),
        doc="The codecs to use, the preferred one first; those that the audio engine does not have are left out.",
    )


class RTPSettings(SettingsGroup):
    """How the RTP streams of this account are made."""

    audio_codec_list = Setting(
        AudioCodecList, None, nillable=True, doc="The codecs to use, the preferred one first; None: the global list."
    )
    srtp_encryption = Setting(
        SRTPEncryption,
        "optional",
        doc="disabled: never encrypt; optional: if the remote party does too; mandatory: no stream without (RFC 4568).",
    )


class NATTraversalSettings(SettingsGroup):
    """How the remote party's RTP reaches us."""

    use_ice = Setting(bool, False, doc="Offer ICE (RFC 8445).")
    stun_server_list = Setting(
        STUNServerAddressList,
        None,
        nillable=True,
        doc="STUN servers, host[:port]; the first that answers is used. None: none is.",
    )
    turn_server = Setting(
        STUNServerAddress,
        None,
        nillable=True,
        doc="A TURN server, host[:port] (RFC 8656), which relays RTP where ICE finds no other way.",
    )
    turn_transport = Setting(
        TURNTransport, "udp", doc="How the TURN server is reached: udp, or tcp where a firewall lets no UDP out."
    )
    turn_username = Setting(str, "", doc="The user name for the TURN server.")
    turn_password = Setting(Password, "", doc="The password for the TURN server. It is never shown.")
    relay_only = Setting(
        bool,
        False,
        doc="With ICE: RTP goes by the TURN server only, never from or to an address of ours.",
    )


class GeneralExtension(SettingsObjectExtension):
    rtp = GeneralRTPSettings()


class AccountExtension(SettingsObjectExtension):
    rtp = RTPSettings()
    nat_traversal = NATTraversalSettings()


class BonjourAccountExtension(SettingsObjectExtension):
    rtp = RTPSettings()


EXTENSIONS = (
    ("SIPSimpleSettings", GeneralExtension),
    ("Account", AccountExtension),
    ("BonjourAccount", BonjourAccountExtension),
)
