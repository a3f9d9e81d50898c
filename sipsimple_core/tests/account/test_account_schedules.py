"""Accounts in random circumstances: whatever comes in whatever order, they end well, and register when they can."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from sipsimple.account.persistent import END_GUARD
from sipsimple.testing import DigestGuard, MemoryNetwork, Registrar, SIPServer
from sipsimple.testing.account_server import ADDRESS, DOMAIN, IP, AccountAgent, ScriptedRegistrar, accept, silence

SCHEDULES = 60
STEPS = 25


def answers(rng: random.Random) -> list[Any]:
    """What a registrar may answer."""
    targets = ["<sip:example.com>", "<sip:10.0.0.201:5070>", "<sip:nowhere.example>", "<tel:1>"]
    return [
        accept,
        silence,
        500,
        403,
        404,
        439,
        604,
        (302, [("Contact", rng.choice(targets))]),
        (423, [("Min-Expires", str(rng.choice([0, 60, 900, 4294967295])))]),
        (503, [("Retry-After", str(rng.choice([0, 5, 120])))]),
        (401, [("WWW-Authenticate", 'Digest realm="example.com", nonce="abc", qop="auth"')]),
        lambda request: accept(request, expires=rng.choice([0, 1, 7, 60, 3600, 4294967295])),
        lambda request: accept(request, ("Service-Route", "<sip:10.0.0.9;lr>")),
        lambda request: accept(request, ("Require", "outbound"), ("Flow-Timer", "20")),
    ]


def steps(alice: AccountAgent, network: MemoryNetwork, rng: random.Random) -> list[Callable[[], object]]:
    """What may happen to an account."""
    proxies = [None, f"{IP};transport=tcp", f"{IP}:5060", "10.0.0.201:5070", "nowhere.example", "10.0.0.99"]

    def address() -> None:
        ip = rng.choice([alice.agent.ip, alice.agent.ip, "192.168.1.5"])
        alice.agent.realm.local_ip_towards = lambda host: ip  # type: ignore[method-assign]

    return [
        lambda: alice.save(enabled=rng.random() < 0.6),
        lambda: alice.save(registration__enabled=rng.random() < 0.7),
        lambda: alice.save(message_summary__enabled=rng.random() < 0.5),
        lambda: alice.save(auth__password=rng.choice(["secret", "wrong"])),
        lambda: alice.save(sip__outbound_proxy=rng.choice(proxies)),
        lambda: alice.save(registration__interval=rng.choice([20, 60, 600])),
        lambda: network.partition("alice", "registrar"),
        lambda: network.heal("alice", "registrar"),
        lambda: network.kill_connections("alice", "registrar"),
        address,
    ]


@pytest.mark.parametrize("seed", range(SCHEDULES))
def test_a_schedule(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """ACC-020, ACC-023, APP-031: nothing raises; what is switched off ends in bounded time and leaves nothing at the
    registrar that it could have taken back; in the end, with a good server and a good network, it is registered."""
    monkeypatch.setenv("SIPSIMPLE_LOAD_PLUGINS", "")
    rng = random.Random(seed)
    network = MemoryNetwork(seed=seed, loss=rng.choice([0.0, 0.0, 0.2]), jitter=0.002)
    network.add_name(DOMAIN, IP)
    server = SIPServer(network.add_host("registrar", IP), tcp_port=5060)
    other = SIPServer(network.add_host("other", "10.0.0.201"), udp_port=5070)
    scripted = ScriptedRegistrar(server), ScriptedRegistrar(other)
    alice = AccountAgent(network, ("udp", "tcp"))
    alice.save(auth__password="secret")
    possible = steps(alice, network, rng)
    for _ in range(STEPS):
        for registrar in scripted:
            registrar.script = [rng.choice(answers(rng)) for _ in range(3)]
        rng.choice(possible)()
        network.advance(rng.choice([0.0, 0.001, 0.01, 1.0, 10.0, 60.0]))

    alice.save(enabled=False)
    network.run_until(lambda: not alice.run(lambda: alice.account.is_active), END_GUARD + 1)
    network.run_until(lambda: alice.names()[-1] == "SIPAccountDidDeactivate", END_GUARD + 1)

    network.heal()
    network.loss = 0.0
    network.advance(120)
    alice.agent.realm.local_ip_towards = lambda host: alice.agent.ip  # type: ignore[method-assign]
    good = Registrar(server.core, DigestGuard({"alice": "secret"}))
    alice.save(
        enabled=True, registration__enabled=True, auth__password="secret", sip__outbound_proxy=None,
        message_summary__enabled=False,
    )  # fmt: skip
    registered = len(alice.posted("RegistrationDidSucceed"))
    alice.wait("RegistrationDidSucceed", registered + 1, 60)
    network.advance(30)
    assert [contact.uri.host for contact in good.contacts(f"sip:{ADDRESS}")] == [alice.agent.ip]
    alice.stop()
    assert good.bindings == {}
    assert alice.agent.reactor.getDelayedCalls() == []
    network.close()
