"""Registration as a function of accounts, against scripted registrars on the memory network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from sipsimple.account.persistent import END_GUARD, LONGEST_RETRY_AFTER, MAX_REDIRECTIONS, REFUSED_WAIT, SERVICE_STATES
from sipsimple.account.registration import RegistrationService
from sipsimple.account.settings import RegistrationSettings
from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.core.protocol.dialog import new_tag
from sipsimple.core.wire.message import SIPRequest, make_response
from sipsimple.plugins import PluginManager, hookimpl
from sipsimple.testing import DigestGuard, MemoryNetwork, Registrar, SIPServer
from sipsimple.testing.account_server import (
    ADDRESS,
    DOMAIN,
    IP,
    AccountAgent,
    Answer,
    ScriptedRegistrar,
    accept,
    silence,
)
from sipsimple.util import Route


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryNetwork]:
    monkeypatch.setenv("SIPSIMPLE_LOAD_PLUGINS", "")
    network = MemoryNetwork()
    network.add_name(DOMAIN, IP)
    yield network
    network.close()


@pytest.fixture
def server(network: MemoryNetwork) -> SIPServer:
    return SIPServer(network.add_host("registrar", IP), tcp_port=5060)


@pytest.fixture
def alice(network: MemoryNetwork) -> Iterator[AccountAgent]:
    agent = AccountAgent(network, ("udp", "tcp"))
    yield agent
    agent.stop()


def routes_are(alice: AccountAgent, *routes: Route) -> None:
    """Have a plugin find these routes, whatever is looked up."""
    resolver = SimpleNamespace(lookup_sip_proxy=lambda uri, transports: list(routes))
    plugin = SimpleNamespace(sipsimple_resolver=hookimpl(lambda: resolver))
    alice.run(lambda: PluginManager().register(plugin, "resolver"))


# Its life


def test_from_activation_to_deactivation(network: MemoryNetwork, server: SIPServer, alice: AccountAgent) -> None:
    """ACC-023, ACC-024, ACC-038, ACC-040, ACC-042, ACC-044, ACC-046, ACC-048: each step is told, in its order."""
    registrar = Registrar(server.core, DigestGuard({"alice": "secret"}))
    alice.save(auth__password="secret")
    data = alice.wait("RegistrationDidSucceed")
    contact = alice.run(lambda: alice.account.contact["udp"])
    assert data.contact_header.uri.matches(contact) and data.contact_header_list == [data.contact_header]
    assert (data.expires, data.registrar) == (600, Route(IP, 5060, "udp"))
    assert [str(bound.uri) for bound in registrar.contacts(f"sip:{ADDRESS}")] == [str(contact)]
    alice.save(enabled=False)
    alice.wait("DidDeactivate")
    assert registrar.contacts(f"sip:{ADDRESS}") == []
    assert alice.names() == [
        "SIPAccountWillActivate",
        "SIPAccountDidActivate",
        "SIPAccountWillRegister",
        "SIPAccountRegistrationGotAnswer",
        "SIPAccountRegistrationGotAnswer",
        "SIPAccountRegistrationDidSucceed",
        "SIPAccountWillDeactivate",
        "SIPAccountRegistrationGotAnswer",
        "SIPAccountRegistrationDidEnd",
        "SIPAccountDidDeactivate",
    ]
    challenge, answer, _ = alice.posted("RegistrationGotAnswer")
    assert (challenge.code, challenge.registrar) == (401, answer.registrar)
    assert (answer.code, answer.reason, answer.registrar) == (200, "OK", Route(IP, 5060, "udp"))
    assert answer.registration is alice.posted("RegistrationDidEnd")[0].registration


def test_the_flag_of_the_registration(network: MemoryNetwork, server: SIPServer, alice: AccountAgent) -> None:
    """ACC-023, ACC-024, ACC-028: without `registration.enabled` nothing is registered; it counts once it is saved."""
    registrar = ScriptedRegistrar(server)
    alice.save(registration__enabled=False)
    alice.wait("DidActivate")
    network.advance(60)
    assert registrar.requests == []
    alice.run(lambda: setattr(alice.account.registration, "enabled", True))
    network.advance(60)
    assert registrar.requests == []
    alice.save()
    alice.wait("RegistrationDidSucceed")
    alice.save(registration__enabled=False)
    alice.wait("RegistrationDidEnd")
    assert registrar.requests[-1].expires == 0 and alice.run(lambda: alice.account.is_active)


def test_it_is_refreshed_before_it_expires(network: MemoryNetwork, server: SIPServer, alice: AccountAgent) -> None:
    """ACC-043, ACC-044: WillRefresh, then DidSucceed again, all within the time that was granted."""
    registrar = Registrar(server.core)
    alice.save(registration__interval=120)
    alice.wait("RegistrationDidSucceed")
    for count in (2, 3, 4):
        alice.wait("RegistrationDidSucceed", count, 120)
        assert registrar.contacts(f"sip:{ADDRESS}", network.now), "it had expired"
    assert len(alice.posted("RegistrationWillRefresh")) == 3 and len(alice.posted("WillRegister")) == 1


def test_the_interval_is_asked_for(network: MemoryNetwork, server: SIPServer, alice: AccountAgent) -> None:
    registrar = ScriptedRegistrar(server)
    alice.save(registration__interval=1234)
    alice.wait("RegistrationDidSucceed")
    assert registrar.requests[0].expires == 1234


def test_several_accounts_register_with_their_own_servers(network: MemoryNetwork, server: SIPServer) -> None:
    """Two accounts of one engine: each has its registrar, its credentials, and its contact."""
    from sipsimple.account import Account

    other = SIPServer(network.add_host("other.example"))
    registrars = Registrar(server.core, DigestGuard({"alice": "one"})), Registrar(other.core, DigestGuard({"a": "two"}))
    alice = AccountAgent(network)
    alice.save(auth__password="one")

    def add() -> Any:
        account = Account("alice@other.example")
        account.enabled, account.auth.username, account.auth.password = True, "a", "two"
        account.save()
        return account

    second = alice.run(add)
    alice.wait("RegistrationDidSucceed")
    network.run_until(lambda: alice.agent.recorder.count("SIPAccountRegistrationDidSucceed", second))
    contacts = [
        registrar.contacts(f"sip:alice@{domain}")[0].uri.user
        for registrar, domain in zip(registrars, (DOMAIN, "other.example"), strict=True)
    ]
    assert contacts == [alice.account.contact.username, second.contact.username] and contacts[0] != contacts[1]
    alice.stop()
    assert all(registrar.bindings == {} for registrar in registrars)


def test_a_changed_setting_registers_anew(network: MemoryNetwork, server: SIPServer, alice: AccountAgent) -> None:
    """Another password takes effect when it is saved: what was refused is tried again at once."""
    Registrar(server.core, DigestGuard({"alice": "secret"}))
    alice.save(auth__password="wrong")
    data = alice.wait("RegistrationDidFail")
    assert data.error.startswith("401") and data.timeout >= REFUSED_WAIT
    before = network.now
    alice.save(auth__password="secret")
    alice.wait("RegistrationDidSucceed")
    assert network.now - before < 1


def test_another_proxy_gets_the_registration(network: MemoryNetwork, server: SIPServer, alice: AccountAgent) -> None:
    """The old registrar is told of the end, the new one of us."""
    first = ScriptedRegistrar(server)
    second = ScriptedRegistrar(SIPServer(network.add_host("second", "10.0.0.201"), udp_port=5080))
    alice.save()
    alice.wait("RegistrationDidSucceed")
    alice.save(sip__outbound_proxy="10.0.0.201:5080")
    assert alice.wait("RegistrationDidSucceed", 2).registrar == Route("10.0.0.201", 5080, "udp")
    assert [request.expires for request in first.requests] == [600, 0] and len(second.requests) == 1


# What goes wrong


def test_failures_are_tried_again_later_and_later(
    network: MemoryNetwork, server: SIPServer, alice: AccountAgent
) -> None:
    """ACC-045: DidFail says in how many seconds the next try is; the waits double, with a part left to chance."""
    registrar = ScriptedRegistrar(server, [500] * 6)
    alice.save()
    waits = []
    for count in range(1, 7):
        data = alice.wait("RegistrationDidFail", count, 600)
        assert data.error.startswith("500 ") and isinstance(data.timeout, float)
        waits.append(data.timeout)
        before = network.now
        network.run_until(lambda: len(registrar.requests) > count, 600)  # noqa: B023
        assert network.now - before == pytest.approx(data.timeout, abs=0.1)
    for number, wait in enumerate(waits):
        assert 2.5 * 2**number <= wait <= 5 * 2**number
    alice.wait("RegistrationDidSucceed")
    assert len({round(wait / 2**number, 3) for number, wait in enumerate(waits)}) > 1, "there is no jitter"


def test_retry_after_is_heeded(network: MemoryNetwork, server: SIPServer, alice: AccountAgent) -> None:
    """RFC 3261 20.33: not before the time that the server asks for."""
    registrar = ScriptedRegistrar(server, [(503, [("Retry-After", "300 (busy);duration=20")])])
    alice.save()
    assert 300 <= alice.wait("RegistrationDidFail").timeout <= 330
    network.advance(299)
    assert len(registrar.requests) == 1
    alice.wait("RegistrationDidSucceed", timeout=60)


@pytest.mark.parametrize("value", ["4294967295", "99999999999999999999", "rubbish", "-1", ""])
def test_a_rubbish_retry_after_does_not_stop_us(
    network: MemoryNetwork, server: SIPServer, alice: AccountAgent, value: str
) -> None:
    ScriptedRegistrar(server, [(503, [("Retry-After", value)])])
    alice.save()
    alice.wait("RegistrationDidFail")
    alice.wait("RegistrationDidSucceed", timeout=LONGEST_RETRY_AFTER * 1.2)


def test_a_longer_interval_is_accepted(network: MemoryNetwork, server: SIPServer, alice: AccountAgent) -> None:
    """RFC 3261 10.2.8: 423 with Min-Expires; nobody hears of it as a failure."""
    Registrar(server.core, min_expires=900)
    alice.save(registration__interval=60)
    assert alice.wait("RegistrationDidSucceed").expires == 900
    assert alice.posted("RegistrationDidFail") == []


def test_a_refusal_is_not_repeated_soon(network: MemoryNetwork, server: SIPServer, alice: AccountAgent) -> None:
    """What only a person can mend is not asked for again and again."""
    registrar = ScriptedRegistrar(server, [403] * 100)
    alice.save()
    assert alice.wait("RegistrationDidFail").timeout >= REFUSED_WAIT
    network.advance(REFUSED_WAIT - 1)
    assert len(registrar.requests) == 1


def test_a_redirection_is_followed(network: MemoryNetwork, server: SIPServer, alice: AccountAgent) -> None:
    """RFC 3261 8.1.3.4: to the best contact of a 3xx, whose URI is the new Request-URI."""
    network.add_name("second.example.com", "10.0.0.201")
    second = ScriptedRegistrar(SIPServer(network.add_host("second", "10.0.0.201"), udp_port=5070))
    contacts = ("Contact", "<sip:10.0.0.99>;q=0.1, <sip:second.example.com:5070>;q=0.9, <mailto:a@b>")
    ScriptedRegistrar(server, [(302, [contacts])])
    alice.save()
    assert alice.wait("RegistrationDidSucceed").registrar == Route("10.0.0.201", 5070, "udp")
    assert second.requests[0].raw_uri == "sip:second.example.com:5070"
    alice.save(enabled=False)
    alice.wait("RegistrationDidEnd")
    assert second.requests[-1].expires == 0


@pytest.mark.parametrize("contact", ["<sip:example.com>", "<tel:+1>", "", "<sip:nowhere.example>"])
def test_redirections_have_an_end(network: MemoryNetwork, server: SIPServer, alice: AccountAgent, contact: str) -> None:
    registrar = ScriptedRegistrar(server, [(301, [("Contact", contact)] if contact else [])] * 100)
    alice.save()
    assert alice.wait("RegistrationDidFail").timeout > 0
    assert 1 <= len(registrar.requests) <= 1 + MAX_REDIRECTIONS


def test_the_next_route_is_tried_first(network: MemoryNetwork, server: SIPServer, alice: AccountAgent) -> None:
    """A host that does not answer and one that refuses the connection give way to the next route, with its contact."""
    registrar = ScriptedRegistrar(server)
    ScriptedRegistrar(SIPServer(network.add_host("broken", "10.0.0.202")), [500] * 100)
    network.add_host("mute", "10.0.0.201")
    routes_are(
        alice, Route("10.0.0.201"), Route("10.0.0.201", 5060, "tcp"), Route("10.0.0.202"), Route(IP, 5060, "tcp")
    )
    alice.save()
    data = alice.wait("RegistrationDidSucceed", timeout=60)
    assert data.registrar == Route(IP, 5060, "tcp") and alice.posted("RegistrationDidFail") == []
    assert "transport=tcp" in registrar.contacts()[0][0]


def test_a_silent_registrar(network: MemoryNetwork, server: SIPServer, alice: AccountAgent) -> None:
    """The failure is told after a bounded time, and it is tried again."""
    ScriptedRegistrar(server, [silence])
    alice.save()
    assert alice.wait("RegistrationDidFail", timeout=15).error.startswith("Request Timeout")
    alice.wait("RegistrationDidSucceed", timeout=15)


def test_a_domain_that_can_not_be_found(network: MemoryNetwork, alice: AccountAgent) -> None:
    """It is looked up again with each try, so that a server that comes up late is found."""
    network.names.pop(DOMAIN)
    alice.save()
    assert alice.wait("RegistrationDidFail").error == f"{DOMAIN} was not found"
    ScriptedRegistrar(SIPServer(network.add_host("late", "10.0.0.250")))
    network.add_name(DOMAIN, "10.0.0.250")
    alice.wait("RegistrationDidSucceed")


def test_a_refresh_that_fails_and_an_end_that_is_told(
    network: MemoryNetwork, server: SIPServer, alice: AccountAgent
) -> None:
    """ACC-046: a registration that could not be refreshed until its time was out has ended; then it is made anew."""
    ScriptedRegistrar(server)
    alice.save(registration__interval=60)
    alice.wait("RegistrationDidSucceed")
    network.partition("alice", "registrar")
    alice.wait("RegistrationDidFail", timeout=60)
    alice.wait("RegistrationDidEnd", timeout=60)
    network.heal("alice", "registrar")
    alice.wait("RegistrationDidSucceed", 2, timeout=700)


# Stopping


def test_unregistering_that_fails_is_told(network: MemoryNetwork, server: SIPServer, alice: AccountAgent) -> None:
    """ACC-047: code, reason and the registration; the account is inactive nevertheless."""
    ScriptedRegistrar(server, [accept, 500])
    alice.save()
    alice.wait("RegistrationDidSucceed")
    alice.save(enabled=False)
    data = alice.wait("RegistrationDidNotEnd")
    assert data.code == 500 and data.reason and data.registration is not None
    alice.wait("DidDeactivate")


@pytest.mark.parametrize("registered", [True, False])
def test_the_application_stops_without_a_network(
    network: MemoryNetwork, server: SIPServer, alice: AccountAgent, registered: bool
) -> None:
    """APP-030, APP-031: unregistering gets a reasonable time, and no more, also in the midst of a first try."""
    ScriptedRegistrar(server, [] if registered else [silence])
    alice.save()
    if registered:
        alice.wait("RegistrationDidSucceed")
        network.partition("alice", "registrar")
    else:
        alice.wait("WillRegister")
        network.advance(1)
    before = network.now
    alice.stop()
    assert network.now - before <= END_GUARD + 1
    assert len(alice.posted("RegistrationDidNotEnd")) == registered


def test_the_application_unregisters_when_it_stops(
    network: MemoryNetwork, server: SIPServer, alice: AccountAgent
) -> None:
    """APP-030, ACC-006: SIPApplicationDidEnd comes after the registrar was told."""
    registrar = Registrar(server.core)
    alice.save()
    alice.wait("RegistrationDidSucceed")
    alice.stop()
    assert registrar.bindings == {}
    alice.agent.recorder.assert_order("SIPAccountRegistrationDidEnd", "SIPAccountDidDeactivate", "SIPApplicationDidEnd")


@pytest.mark.parametrize("seconds", [0.0, 0.0005, 0.0015, 0.0035, 0.1])
def test_an_account_is_deleted_while_it_registers(
    network: MemoryNetwork, server: SIPServer, alice: AccountAgent, seconds: float
) -> None:
    """Whatever is under way, nothing stays at the registrar, and nothing raises."""
    registrar = Registrar(server.core, DigestGuard({"alice": "secret"}))
    alice.save(auth__password="secret")
    network.advance(seconds)
    alice.run(alice.account.delete)
    alice.wait("DidDeactivate")
    network.advance(60)
    assert registrar.bindings == {}
    assert alice.agent.recorder.count("SIPAccountManagerDidRemoveAccount") == 1


def test_it_is_enabled_again_while_it_ends(network: MemoryNetwork, server: SIPServer, alice: AccountAgent) -> None:
    registrar = Registrar(server.core)
    alice.save()
    alice.wait("RegistrationDidSucceed")
    alice.save(enabled=False)
    alice.save(enabled=True)
    alice.wait("RegistrationDidSucceed", 2)
    network.advance(5)
    assert len(registrar.contacts(f"sip:{ADDRESS}")) == 1


# Rubbish


def rubbish(request: SIPRequest) -> Any:
    return make_response(
        request, 200, None, new_tag(), [("Contact", "<<<"), ("Expires", "x"), ("Service-Route", ">"), ("Path", ";;")]
    )


def without_contact(request: SIPRequest) -> Any:
    return make_response(request, 200, None, new_tag(), [])


@pytest.mark.parametrize(
    ("answer", "succeeds"),
    [
        (without_contact, True),
        (lambda request: accept(request, expires=4294967295), True),
        (lambda request: accept(request, ("Flow-Timer", "0"), ("Require", "outbound")), True),
        (lambda request: accept(request, ("Service-Route", "<tel:+1>"), ("Path", "rubbish")), True),
        (lambda request: accept(request, expires=0), False),
        ((423, [("Min-Expires", "rubbish")]), False),
        ((423, [("Min-Expires", "4294967295")]), False),
        ((423, []), False),
        ((401, [("WWW-Authenticate", "rubbish")]), False),
        ((401, [("WWW-Authenticate", 'Digest realm="x", nonce="y", algorithm=ROT13')]), False),
        (699, False),
        (299, True),
    ],
)
def test_a_registrar_that_answers_rubbish(
    network: MemoryNetwork, server: SIPServer, alice: AccountAgent, answer: Answer, succeeds: bool
) -> None:
    """It is a success or a failure that is told, and the account goes on, to a clean end."""
    ScriptedRegistrar(server, [answer])
    alice.save(auth__password="secret")
    if succeeds:
        assert alice.wait("RegistrationDidSucceed").expires > 0
    else:
        alice.wait("RegistrationDidFail")
        alice.wait("RegistrationDidSucceed", timeout=REFUSED_WAIT * 1.2)
    alice.save(enabled=False)
    alice.wait("DidDeactivate")


def test_an_answer_that_can_not_be_read(network: MemoryNetwork, server: SIPServer, alice: AccountAgent) -> None:
    """It counts as none."""
    ScriptedRegistrar(server, [rubbish])
    alice.save()
    network.run_until(lambda: alice.posted("RegistrationDidFail") or alice.posted("RegistrationDidSucceed"), 20)
    alice.wait("RegistrationDidSucceed", timeout=60)


# NAT, addresses, flows


def test_the_contact_behind_a_nat(network: MemoryNetwork, server: SIPServer, alice: AccountAgent) -> None:
    """RFC 3581: the address that the registrar sees takes the place of ours, which is taken back; sessions by the same
    route have it in their Contact too."""
    registrar = Registrar(server.core)
    public = alice.agent.ip
    alice.agent.realm.local_ip_towards = lambda host: "192.168.1.5"  # type: ignore[method-assign]
    alice.save()
    alice.wait("RegistrationDidSucceed", 2)
    network.advance(60)
    contacts = registrar.contacts(f"sip:{ADDRESS}")
    assert [contact.uri.host for contact in contacts] == [public]
    assert len(alice.posted("RegistrationDidSucceed")) == 2, "it went on and on"
    assert alice.run(lambda: alice.account.contact[Route(IP)]).host == public
    assert alice.run(lambda: alice.account.contact[Route("10.0.0.66")]).host == "192.168.1.5"


def test_a_nat_that_changes_with_each_request(network: MemoryNetwork, server: SIPServer, alice: AccountAgent) -> None:
    """It can't be followed, and is not for ever."""
    port = iter(range(20000, 30000))

    def elsewhere(request: SIPRequest) -> Any:
        response = accept(request)
        via = response.headers.get("Via")
        response.headers.set("Via", re.sub(r"rport=\d+", f"rport={next(port)}", via))
        return response

    registrar = ScriptedRegistrar(server, [elsewhere] * 1000)
    alice.agent.realm.local_ip_towards = lambda host: "192.168.1.5"  # type: ignore[method-assign]
    alice.save()
    network.advance(10)
    assert 2 <= len(registrar.requests) <= 5


def test_a_port_of_a_connection_is_no_nat(network: MemoryNetwork, server: SIPServer, alice: AccountAgent) -> None:
    """Over TCP the registrar sees the port of the connection: the one that is listened on stays in the Contact."""
    registrar = Registrar(server.core)
    alice.save(sip__outbound_proxy=f"{IP};transport=tcp")
    alice.wait("RegistrationDidSucceed")
    network.advance(30)
    (contact,) = registrar.contacts(f"sip:{ADDRESS}")
    assert (contact.uri.port, contact.uri.transport) == (5060, "tcp")
    assert len(alice.posted("RegistrationDidSucceed")) == 1


def without_received(request: SIPRequest) -> Any:
    """Accepts without telling where the request came from."""
    response = accept(request)
    response.headers.set("Via", re.sub(r";(received|rport)[^;]*", "", response.headers.get("Via")))
    return response


def test_a_changed_address_is_registered(network: MemoryNetwork, server: SIPServer, alice: AccountAgent) -> None:
    """Our host gets another address: without waiting for the refresh the registrar hears of it, and forgets the old."""
    registrar = ScriptedRegistrar(server, [without_received] * 100)
    alice.save()
    alice.wait("RegistrationDidSucceed")
    alice.agent.realm.local_ip_towards = lambda host: "10.0.0.77"  # type: ignore[method-assign]
    alice.wait("RegistrationDidSucceed", 2, timeout=60)
    network.advance(60)
    assert len(registrar.requests) == 2
    new, old = registrar.contacts()[1]
    assert "@10.0.0.77:5060>" in new and "expires=600" in new
    assert f"@{alice.agent.ip}:5060>" in old and old.endswith(";expires=0")
    assert alice.posted("RegistrationDidEnd") == []


def test_a_changed_port_is_registered(network: MemoryNetwork, server: SIPServer, alice: AccountAgent) -> None:
    """Another UDP port in the settings: the contact with the old one is replaced at once."""
    registrar = Registrar(server.core)
    alice.save()
    alice.wait("RegistrationDidSucceed")

    def change() -> None:
        settings = SIPSimpleSettings()
        settings.sip.udp_port = 5090
        settings.save()

    alice.run(change)
    alice.wait("RegistrationDidSucceed", 2, timeout=5)
    assert [contact.uri.port for contact in registrar.contacts(f"sip:{ADDRESS}")] == [5090]


def test_a_transport_that_is_given_up(network: MemoryNetwork, server: SIPServer, alice: AccountAgent) -> None:
    """Without UDP in the settings the account registers over TCP from then on; with it again, it stays reachable."""
    registrar = Registrar(server.core)
    alice.save()
    assert alice.wait("RegistrationDidSucceed").registrar.transport == "udp"

    def use(*transports: str) -> None:
        settings = SIPSimpleSettings()
        settings.sip.transport_list = transports
        settings.save()

    alice.run(use, "tcp")
    network.run_until(lambda: alice.posted("RegistrationDidSucceed")[-1].registrar.transport == "tcp", 30)
    (contact,) = registrar.contacts(f"sip:{ADDRESS}")
    assert contact.uri.transport == "tcp"
    alice.run(use, "udp", "tcp")
    network.advance(60)
    assert len(registrar.contacts(f"sip:{ADDRESS}", network.now)) == 1


def test_outbound_parameters(network: MemoryNetwork, server: SIPServer, alice: AccountAgent) -> None:
    """RFC 5626 4.1, 4.2.1: the instance that the settings keep, a reg-id, and what we support."""
    registrar = ScriptedRegistrar(server)
    alice.save()
    alice.wait("RegistrationDidSucceed")
    instance = alice.run(lambda: SIPSimpleSettings().instance_id)
    assert f'+sip.instance="<{instance}>"' in registrar.contacts()[0][0] and ";reg-id=1" in registrar.contacts()[0][0]
    assert {"path", "outbound", "gruu"} <= set(registrar.requests[0].headers.elements("Supported"))


def test_a_first_hop_without_outbound(network: MemoryNetwork, server: SIPServer, alice: AccountAgent) -> None:
    """RFC 5626 11.6: after 439 it is done without a reg-id."""
    registrar = ScriptedRegistrar(server, [439])
    alice.save()
    alice.wait("RegistrationDidSucceed")
    assert ["reg-id" in contacts[0] for contacts in registrar.contacts()] == [True, False]
    assert alice.posted("RegistrationDidFail") == []


def test_a_lost_connection_registers_anew(network: MemoryNetwork, server: SIPServer, alice: AccountAgent) -> None:
    """RFC 5626 4.5: the flow is gone, so that nobody can reach us; it is not left until the refresh."""
    ScriptedRegistrar(server)
    alice.save(sip__outbound_proxy=f"{IP};transport=tcp")
    alice.wait("RegistrationDidSucceed")
    network.kill_connections("alice", "registrar")
    assert 0 < alice.wait("RegistrationDidFail", timeout=120).timeout <= 5
    alice.wait("RegistrationDidSucceed", 2, timeout=10)


def test_a_dead_flow_is_noticed(network: MemoryNetwork, server: SIPServer, alice: AccountAgent) -> None:
    """RFC 5626 4.4.1: where outbound is in use, a keep-alive that nobody answers ends the flow."""
    Registrar(server.core, flow_timer=30)
    alice.save(sip__outbound_proxy=f"{IP};transport=tcp", registration__interval=3600)
    alice.wait("RegistrationDidSucceed")
    network.partition("alice", "registrar")
    alice.wait("RegistrationDidFail", timeout=60)


# What the registrar says


def test_gruus_are_kept(network: MemoryNetwork, server: SIPServer, alice: AccountAgent) -> None:
    """RFC 5627: the account's contact factory has the public and the temporary GRUU while it is registered."""
    Registrar(server.core, gruu=True)
    alice.save()
    alice.wait("RegistrationDidSucceed")
    contact = alice.account.contact
    assert contact.public_gruu.user == "alice" and "gr" in contact.public_gruu.parameters
    assert contact.temporary_gruu.host == DOMAIN and contact.temporary_gruu.user != "alice"
    alice.save(enabled=False)
    alice.wait("DidDeactivate")
    assert contact.public_gruu is None and contact.temporary_gruu is None


def test_the_service_route_is_used(network: MemoryNetwork, server: SIPServer, alice: AccountAgent) -> None:
    """RFC 3608: requests of the account begin with the routes that the registrar told, REGISTERs do not."""
    network.add_name("edge.example.com", "10.0.0.205")
    service = "<sip:edge.example.com;lr>", "<sip:orig@core.example.com:5080;lr>"
    registrar = ScriptedRegistrar(server, [lambda request: accept(request, ("Service-Route", ", ".join(service)))] * 9)
    alice.save()
    alice.wait("RegistrationDidSucceed")
    network.advance(1)
    from sipsimple.account import lookup_routes
    from sipsimple.core import SIPURI

    result = alice.run(lambda: lookup_routes(alice.account, SIPURI.parse("sip:bob@elsewhere.example")))
    network.run_until(lambda: result.done)
    (edge,) = result._get()
    assert edge == Route("10.0.0.205")
    assert [header.body for header in alice.account.service_route(edge)] == list(service)
    assert alice.account.service_route(Route("10.0.0.99")) == [], "a route elsewhere does not come by there"
    alice.save(registration__interval=900)
    alice.wait("RegistrationDidSucceed", 2)
    assert "edge" not in (registrar.requests[-1].headers.get("Route") or "")
    alice.save(enabled=False)
    alice.wait("DidDeactivate")
    assert alice.account.service_route(edge) == []


def test_a_service_route_that_begins_where_we_send(
    network: MemoryNetwork, server: SIPServer, alice: AccountAgent
) -> None:
    """The first hop is named once."""
    routes = f"<sip:{IP};lr>, <sip:10.0.0.9;lr>"
    ScriptedRegistrar(server, [lambda request: accept(request, ("Service-Route", routes))])
    alice.save()
    alice.wait("RegistrationDidSucceed")
    assert [header.body for header in alice.account.service_route(Route(IP))] == ["<sip:10.0.0.9;lr>"]


def test_path_is_supported(network: MemoryNetwork, server: SIPServer, alice: AccountAgent) -> None:
    """RFC 3327: a path that a proxy put in does no harm and is told by the registration."""
    ScriptedRegistrar(server, [lambda request: accept(request, ("Path", "<sip:edge.example.com;lr>"))])
    alice.save()
    alice.wait("RegistrationDidSucceed")
    told = alice.agent.recorder.find_all("SIPRegistrationDidSucceed")[0].data
    assert [str(path.uri) for path in told.path_list] == ["sip:edge.example.com;lr"]


# The table


def test_every_state_ends() -> None:
    """From each state `stop()` leads to OFF, and the timer or the answer that it waits for has a row."""
    from sipsimple.account.persistent import ServiceEvent, ServiceState

    for state in ServiceState:
        if state not in (ServiceState.OFF, ServiceState.ENDING):
            assert SERVICE_STATES[state][ServiceEvent.STOP] is ServiceState.ENDING
    assert SERVICE_STATES[ServiceState.ENDING] == {ServiceEvent.ENDED: ServiceState.OFF}
    assert RegistrationService.enabled_setting == "registration.enabled" and RegistrationSettings.enabled.default


def test_a_session_takes_the_service_route(network: MemoryNetwork, server: SIPServer, alice: AccountAgent) -> None:
    """RFC 3608: an INVITE of a registered account goes by the routes that the registrar told."""
    from sipsimple.core import SIPURI, ToHeader
    from sipsimple.session import Session
    from sipsimple.testing.scripted import ScriptedStream

    routes = f"<sip:{IP};lr>, <sip:orig@10.0.0.9:5080;lr>"
    ScriptedRegistrar(server, [lambda request: accept(request, ("Service-Route", routes))])
    invites: list[Any] = []
    network.filter(lambda packet: invites.append(packet.data) if packet.data.startswith(b"INVITE") else None)
    alice.save()
    alice.wait("RegistrationDidSucceed")

    def call() -> Any:
        session = Session(alice.account)
        session.connect(ToHeader(SIPURI.parse("sip:bob@bob.example")), [Route(IP)], [ScriptedStream(alice.account)])
        return session

    alice.run(call)
    network.run_until(lambda: invites)
    assert re.findall(r"^Route: (.*)\r$", invites[0].decode(), re.M) == [
        f"<sip:{IP}:5060;transport=udp;lr>",
        "<sip:orig@10.0.0.9:5080;lr>",
    ]
