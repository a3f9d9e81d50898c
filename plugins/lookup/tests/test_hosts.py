"""The addresses of hosts that no nameserver knows: the file of hosts, localhost, .local, networks without DNS."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipsimple.lookup import DNSLookupError
from sipsimple.lookup.hosts_file import HostsFile

from .conftest import Lookups

HOSTS = """
# a comment
10.0.0.90   pbx pbx.example.org   # another one
2001:db8::90 PBX
nonsense    broken
fe80::1%lo0 localhost
10.0.0.91   b.example.com
"""


@pytest.fixture
def hosts(lookups: Lookups, tmp_path: Path) -> Path:
    path = tmp_path / "hosts"
    path.write_text(HOSTS)
    lookups.manager.resolver.hosts = HostsFile(str(path))
    return path


def test_the_file_of_hosts_comes_first(lookups: Lookups, hosts: Path) -> None:
    """As everywhere on the system; nobody is asked for addresses then."""
    assert lookups.proxies("sip:pbx:5060", ["udp"]) == ["udp:10.0.0.90:5060", "udp:[2001:db8::90]:5060"]
    assert lookups.proxies("sip:b.example.com:5060", ["udp"]) == ["udp:10.0.0.91:5060"]
    assert not lookups.server.questions
    assert lookups.proxies("sip:pbx.example.org", ["udp"]) == ["udp:10.0.0.90:5060"]
    with pytest.raises(DNSLookupError):
        lookups.proxies("sip:broken:5060", ["udp"])


def test_it_is_read_again_when_it_has_changed(lookups: Lookups, hosts: Path) -> None:
    assert lookups.proxies("sip:pbx:5060", ["udp"])[0] == "udp:10.0.0.90:5060"
    hosts.write_text("10.0.0.99 pbx new-name\n")
    assert lookups.proxies("sip:pbx:5060", ["udp"]) == ["udp:10.0.0.99:5060"]
    hosts.unlink()
    with pytest.raises(DNSLookupError):
        lookups.proxies("sip:pbx:5060", ["udp"])


@pytest.mark.parametrize("host", ["localhost", "app.localhost", "LOCALHOST."])
def test_localhost(lookups: Lookups, hosts: Path, host: str) -> None:
    """RFC 6761 6.3"""
    assert set(lookups.proxies(f"sip:{host}:5060", ["udp"])) == {"udp:127.0.0.1:5060", "udp:[::1]:5060"}
    assert not lookups.server.questions


def test_names_that_only_the_system_knows(lookups: Lookups) -> None:
    """RFC 6762: .local is for multicast; what the system does not know either is asked of the nameservers."""
    lookups.network.add_host("printer.local", "10.0.0.92")
    assert lookups.proxies("sip:printer.local:5060", ["udp"]) == ["udp:10.0.0.92:5060"]
    assert not lookups.server.questions
    lookups.zone("phone 60 IN A 10.0.0.93", "local")
    assert lookups.proxies("sip:phone.local:5060", ["udp"]) == ["udp:10.0.0.93:5060"]


def test_without_nameservers(lookups: Lookups) -> None:
    """The system is asked for addresses; there are no other records then."""
    lookups.network.add_host("server.example", "10.0.0.94")
    lookups.realm.nameservers = []
    assert lookups.proxies("sip:server.example", ["tls", "udp"]) == ["udp:10.0.0.94:5060"]
    with pytest.raises(DNSLookupError, match="there is no nameserver"):
        lookups.proxies("sip:nobody.example", ["udp"])


def test_a_system_that_does_not_answer(lookups: Lookups) -> None:
    """DNS-031: it has no longer than the lookup."""

    class Silent:
        def resolveHostName(self, receiver: object, *_: object) -> None:
            pass

    lookups.realm.reactor.nameResolver = Silent()  # type: ignore[assignment]
    begin = lookups.network.now
    with pytest.raises(DNSLookupError, match="nothing was found within 5 s"):
        lookups.proxies("sip:printer.local:5060", ["udp"], lifetime=5.0)
    assert lookups.network.now - begin == pytest.approx(5.0, abs=0.1)
