"""The plugin in an application: accounts and others find their servers by it."""

from __future__ import annotations

from typing import Any

from sipsimple.lookup import DNSLookup
from sipsimple.plugins import PluginManager, PluginState
from sipsimple.testing import MemoryNetwork, Registrar, UserAgent
from sipsimple.util import Route

from .conftest import Lookups


def test_it_is_loaded(lookups: Lookups) -> None:
    manager = lookups.run(PluginManager)
    lookups.run(manager.load)
    plugin = manager.get("lookup")
    assert plugin.state is PluginState.LOADED, plugin.reason


def test_the_hook(lookups: Lookups) -> None:
    """Each time another DNSLookup, so that its notifications are of one lookup."""
    first, second = (lookups.run(lambda: PluginManager().hook.sipsimple_resolver()) for _ in range(2))
    assert isinstance(first, DNSLookup) and first is not second


def test_an_account_finds_its_registrar(lookups: Lookups) -> None:
    """Also where the first server does not answer: the next route is tried."""
    from sipsimple.testing.account_server import AccountAgent
    from sipsimple.testing.sip_server import SIPServer

    network = lookups.network
    server = SIPServer(network.add_host("registrar", "10.0.0.11"), udp_port=5062)
    registrar = Registrar(server.core)
    user = AccountAgent(network, start=False)
    user.agent.realm.nameservers = [lookups.server.address]
    user.agent.start()
    user.save()
    data: Any = user.wait("RegistrationDidSucceed")
    assert data.registrar == Route("10.0.0.11", 5062, "udp")
    assert registrar.requests == 1
    user.stop()


def test_a_network_without_nameservers() -> None:
    """The system is asked, as without the plugin."""
    from sipsimple.account import lookup_routes

    network = MemoryNetwork()
    network.add_host("server.example", ip="10.0.0.77")
    agent = UserAgent(network, "alice")
    result = agent.run(lambda: lookup_routes(agent.account, agent.run(_uri)))
    network.run_until(lambda: result.done, 20)
    assert result.deferred().result == [Route("10.0.0.77")]
    agent.stop()


def _uri() -> Any:
    from sipsimple.core import SIPURI

    return SIPURI.parse("sip:bob@server.example")
