"""The settings of the lookup: a group added to SIPSimpleSettings."""

from __future__ import annotations

from typing import Any, NamedTuple

from sipsimple.configuration import Setting, SettingsGroup, SettingsObjectExtension
from sipsimple.configuration.datatypes import Hostname, ValueTuple
from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.lookup.nameserver import Nameserver

__all__ = ["EXTENSIONS", "Configuration", "NameserverList"]


class NameserverList(ValueTuple):
    """Nameservers, each an IP address with or without a port; the first is asked first."""

    @classmethod
    def parse_item(cls, value: Any) -> Nameserver:
        return value if isinstance(value, Nameserver) else Nameserver.parse(str(value))


class DNSSettings(SettingsGroup):
    """How servers are looked up."""

    nameservers = Setting(
        NameserverList,
        None,
        nillable=True,
        doc="The nameservers to ask, as IP addresses with or without a port (`192.0.2.1:5353`); None: the system's.",
    )
    use_authoritative = Setting(
        bool, True, doc="Ask the authoritative nameservers of a domain before those that are configured."
    )
    probe_domain = Setting(
        Hostname,
        "sip2sip.info",
        nillable=True,
        doc="A domain with NAPTR or SRV records, by which nameservers are probed; None: they are not.",
    )
    fallback_nameservers = Setting(
        NameserverList,
        ("8.8.8.8", "8.8.4.4"),
        doc="The nameservers to ask as long as the system's fail the probe.",
    )


class SIPSimpleSettingsExtension(SettingsObjectExtension):
    dns = DNSSettings()


EXTENSIONS = (("SIPSimpleSettings", SIPSimpleSettingsExtension),)


class Configuration(NamedTuple):
    """The settings in effect."""

    nameservers: tuple[Nameserver, ...] | None
    use_authoritative: bool
    probe_domain: str | None
    fallback_nameservers: tuple[Nameserver, ...]

    @classmethod
    def current(cls) -> Configuration:
        """What is saved; the defaults where the plugin was not loaded."""
        settings = SIPSimpleSettings()
        if not hasattr(settings, "dns"):
            return cls(*(getattr(DNSSettings, name).default for name in cls._fields))
        return cls(*(settings.saved_value(f"dns.{name}") for name in cls._fields))
