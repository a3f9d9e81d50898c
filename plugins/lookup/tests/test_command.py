"""`sipsimple lookup`, with a nameserver in this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click.testing
import pytest

from sipsimple.cli.main import sipsimple
from sipsimple.lookup.testing import FakeNameserver
from sipsimple.realm import current_realm, replace_default_realm
from sipsimple.threading import start_reactor_thread

from .conftest import ZONE

Run = Callable[..., click.testing.Result]


@pytest.fixture
def server() -> Iterator[FakeNameserver]:
    """On 127.0.0.1, at a free port."""
    from twisted.internet import reactor
    from twisted.internet.threads import blockingCallFromThread

    start_reactor_thread(current_realm())
    zone = ZONE + 'xcap 60 IN TXT "https://xcap.example.com/root"\n_stun._udp 60 IN SRV 1 1 3479 a\n'
    zone += "alias 60 IN CNAME a\n"
    zone += "".join(f"_sip._udp.many 60 IN SRV {n} 1 5060 b\n" for n in range(30))
    server = blockingCallFromThread(
        reactor, lambda: FakeNameserver(reactor, zone, "example.com", port=0, interface="127.0.0.1")
    )
    yield server
    blockingCallFromThread(reactor, server.stop)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: FakeNameserver) -> Run:
    """Runs the command as a new process would."""
    monkeypatch.setenv("SIPSIMPLE_CONFIG", str(tmp_path / "configuration"))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str, code: int = 0, ours: bool = True) -> click.testing.Result:
        replace_default_realm()
        at = ("--nameserver", server.address) if ours else ()
        result = click.testing.CliRunner().invoke(sipsimple, ["lookup", *at, *arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result

    return run


def test_the_tree_and_the_routes(run: Run) -> None:
    """Each query under the one that led to it, then the routes in their order."""
    output = run("alice@example.com", "--transport", "udp").stdout
    lines = [line.rstrip() for line in output.splitlines()]
    assert lines[0] == "sip:alice@example.com"
    indent = {
        word: next(line.index(word) for line in lines if word in line)
        for word in ("NAPTR example.com", "SRV _sip._udp.example.com", "AAAA a.example.com", "A b.example.com")
    }
    naptr, srv, aaaa, a = indent.values()
    assert naptr < srv < aaaa and srv < a
    assert any("no such record" in line and "AAAA b.example.com" in line for line in lines)
    routes = [line.split(". ")[1] for line in lines if line.lstrip()[:1].isdigit()]
    assert {"udp:10.0.0.10:5060", "udp:[2001:db8::10]:5060"} == set(routes[:2])
    assert routes[2:] == ["udp:10.0.0.11:5062"]


def test_json(run: Run, server: FakeNameserver) -> None:
    found = json.loads(run("sip:example.com;transport=tcp", "--json").stdout)
    assert found["uri"] == "sip:example.com;transport=tcp" and found["service"] == "sip"
    assert set(found["result"]) == {"tcp:10.0.0.10:5060", "tcp:[2001:db8::10]:5060"}
    assert found["queries"][0] == {
        "type": "SRV",
        "name": "_sip._tcp.example.com",
        "records": ["10 0 5060 a.example.com."],
        "error": None,
        "nameservers": [server.address],
    }


@pytest.mark.parametrize(
    ("service", "results"),
    [
        ("stun", {"10.0.0.10:3479", "[2001:db8::10]:3479"}),
        ("msrprelay", {"10.0.0.50:2855"}),
        ("xcap", {"https://xcap.example.com/root"}),
    ],
)
def test_services(run: Run, service: str, results: set[str]) -> None:
    found = json.loads(run("example.com", "--service", service, "--json").stdout)
    assert set(found["result"]) == results


def test_what_is_not_found(run: Run) -> None:
    """The exit code is 1; the queries are shown nevertheless."""
    result = run("nowhere.example.com", code=1)
    assert "no such name" in result.stdout
    assert "nowhere.example.com was not found" in result.stderr
    found = json.loads(run("nowhere.example.com", "--json", code=1).stdout)
    assert "was not found" in found["error"] and "result" not in found
    assert {query["error"] for query in found["queries"]} == {"no such name"}


def test_a_server_that_is_silent(run: Run, server: FakeNameserver) -> None:
    server.silent = True
    result = run("example.com:5060", "--timeout", "0.3", "--lifetime", "1", code=1)
    assert "has not answered within 0.3 s" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [("a b",), ("sip:",), ("example.com", "--nameserver", "dns.example"), ("example.com", "--service", "http"), ()],
)
def test_wrong_arguments(run: Run, arguments: tuple[str, ...]) -> None:
    run(*arguments, code=2, ours=False)


def test_aliases_and_many_records(run: Run) -> None:
    assert "CNAME a.example.com." in run("alias.example.com:5060").stdout
    assert "... 10 more" in run("many.example.com;transport=udp").stdout


def test_the_setting_of_transports(run: Run, tmp_path: Path) -> None:
    """By default those of sip.transport_list count; nothing is written."""
    replace_default_realm()
    click.testing.CliRunner().invoke(sipsimple, ["settings", "set", "sip.transport_list=tcp"])
    file = tmp_path / "configuration" / "config.toml"
    before = file.read_bytes()
    found: Any = json.loads(run("example.com", "--json").stdout)
    assert {route.partition(":")[0] for route in found["result"]} == {"tcp"}
    assert file.read_bytes() == before
