"""A user of DNSLookup on a memory network, and the nameserver that it is configured with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from inspect import cleandoc
from typing import Any

import pytest
from twisted.python.failure import Failure

from sipsimple.core import SIPURI
from sipsimple.lookup.testing import FakeNameserver
from sipsimple.testing.network import MemoryNetwork
from sipsimple.testing.reactor import MemoryRealm
from sipsimple.testing.recorder import NotificationRecorder

ZONE = """
@ 3600 IN SOA ns.example.com. admin.example.com. 1 7200 3600 86400 300
@ 3600 IN NS ns
@ 3600 IN A 10.0.0.50
ns 3600 IN A 10.0.0.1

@ 3600 IN NAPTR 10 20 "s" "SIP+D2T" "" _sip._tcp
@ 3600 IN NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp
@ 3600 IN NAPTR 20 10 "S" "sip+d2u" "" _sip._udp
_sip._udp 3600 IN SRV 20 0 5062 b
_sip._udp 3600 IN SRV 10 0 5060 a
_sip._tcp 3600 IN SRV 10 0 5060 a
_sips._tcp 3600 IN SRV 10 0 5061 a
a 3600 IN A 10.0.0.10
a 3600 IN AAAA 2001:db8::10
b 3600 IN A 10.0.0.11
"""


class Lookups:
    """Runs lookups in a realm whose nameserver is `server`, and keeps what they post."""

    def __init__(self) -> None:
        self.network = MemoryNetwork(seed=1)
        self.server = FakeNameserver(self.network.add_host("dns"), ZONE, "example.com")
        self.realm = MemoryRealm("user", self.network)
        self.realm.nameservers = [self.server.address]
        self.recorder: NotificationRecorder = self.realm.run(NotificationRecorder)
        self.lookup: Any = self.run(self._make)

    def _make(self) -> Any:
        from sipsimple.lookup import DNSLookup

        return DNSLookup()

    def run(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        return self.realm.run(function, *arguments, **options)

    @property
    def manager(self) -> Any:
        from sipsimple.lookup import DNSManager

        return self.run(DNSManager)

    def start(self, method: str, uri: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of the DNSLookup; returns its Result."""
        return self.run(getattr(self.lookup, method), SIPURI.parse(uri), *arguments, **options)

    def finish(self, result: Any, timeout: float = 60.0) -> Any:
        """What a Result gives, or raises."""
        outcome: list[Any] = []
        self.run(result.addBoth, outcome.append)
        self.network.run_until(lambda: outcome, timeout)
        if isinstance(outcome[0], Failure):
            raise outcome[0].value
        return outcome[0]

    def proxies(self, uri: str, transports: Any = ("udp", "tcp", "tls"), **options: Any) -> list[str]:
        """The routes to the servers of a URI, as text."""
        return [str(route) for route in self.finish(self.start("lookup_sip_proxy", uri, transports, **options))]

    def zone(self, records: str, origin: str = "other.example") -> None:
        """Give the nameserver a zone."""
        begin = f"@ 3600 IN SOA ns.{origin}. admin.{origin}. 1 7200 3600 86400 300\n"
        self.server.add_zone(begin + cleandoc(records), origin)

    def without_authorities(self) -> None:
        """From now on only the configured nameservers are asked."""
        self.set(use_authoritative=False)

    def set(self, **settings: Any) -> None:
        """Change settings of the group dns."""

        def change() -> None:
            from sipsimple.configuration import ConfigurationManager, MemoryBackend
            from sipsimple.configuration.settings import SIPSimpleSettings

            if not ConfigurationManager().started:
                ConfigurationManager().start(MemoryBackend())
            all_settings: Any = SIPSimpleSettings()
            for name, value in settings.items():
                setattr(all_settings.dns, name, value)
            all_settings.save()

        self.run(change)

    def traces(self) -> list[Any]:
        return [found.data for found in self.recorder.find_all("DNSLookupTrace", self.lookup)]

    def traced(self) -> list[str]:
        """The queries of all lookups so far, such as 'SRV _sip._udp.example.com'."""
        return [f"{trace.query_type} {trace.query_name}" for trace in self.traces()]

    def stop(self) -> None:
        self.run(self.manager.stop)
        self.network.close()


@pytest.fixture
def lookups() -> Iterator[Lookups]:
    lookups = Lookups()
    yield lookups
    lookups.stop()
