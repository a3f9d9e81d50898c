"""What `sipsimple doctor` looks at, one thing after the other."""

from __future__ import annotations

import os
import platform
import stat
from collections.abc import Iterator
from enum import StrEnum
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

from sipsimple.cli.environment import CommandLine
from sipsimple.cli.errors import CommandError

if TYPE_CHECKING:
    from sipsimple.account import Account

__all__ = ["Check", "Verdict", "examine"]

LOOKUP_TIMEOUT = 20.0
ANSWER_TIMEOUT = 6.0
ENGINE_TIMEOUT = 15.0


class Verdict(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


class Check(NamedTuple):
    """One thing that was looked at. `hint` is what can be done about it."""

    subject: str
    verdict: Verdict
    text: str
    hint: str = ""


OK, WARNING, FAILED = Verdict.OK, Verdict.WARNING, Verdict.FAILED


def examine(command_line: CommandLine, *, offline: bool = False) -> Iterator[Check]:
    """All checks, each when it is done."""
    yield Check("version", OK, f"sipsimple-core {version('sipsimple-core')}, Python {platform.python_version()}")
    yield from _plugins()
    readable = True
    for check in _configuration(command_line):
        readable = readable and check.verdict is not FAILED
        yield check
    if not readable:
        return
    with command_line.reading():
        from sipsimple.account import Account

        accounts = [Account(address) for address in command_line.account_ids()]
        yield from _accounts(accounts)
        engine = _Engine()
        try:
            yield from engine.checks()
            for account in accounts:
                if account.enabled:
                    yield from _server(account, engine, offline)
        finally:
            engine.stop()


def _plugins() -> Iterator[Check]:
    from sipsimple.plugins import PluginManager, PluginState

    manager = PluginManager()
    manager.load()
    loaded = [plugin for plugin in manager.plugins if plugin.state is PluginState.LOADED]
    names = ", ".join(sorted(plugin.name for plugin in loaded))
    yield Check("plugins", OK, names or "none is installed", "" if loaded else "pip install sipsimple-msrp-chat, say.")
    for plugin in manager.plugins:
        if plugin.state is PluginState.FAILED:
            hint = f"Upgrade or remove {plugin.distribution}." if plugin.distribution else ""
            yield Check(f"plugin {plugin.name}", FAILED, plugin.reason or "it could not be loaded", hint)


def _configuration(command_line: CommandLine) -> Iterator[Check]:
    folder = command_line.directory
    path = folder / "config.toml"
    try:
        with command_line.reading():
            pass
    except CommandError as error:
        hint = "The file may be edited; nothing is overwritten." if path.exists() else error.hint or ""
        yield Check("configuration", FAILED, str(error), hint)
        return
    if not path.exists():
        yield Check("configuration", OK, f"{folder} has none yet")
        return
    yield Check("configuration", OK, str(path))
    if os.name == "posix":
        exposed = [place for place in (folder, path) if stat.S_IMODE(place.stat().st_mode) & 0o077]
        for place in exposed:
            hint = f"chmod go= {place}"
            yield Check("configuration", WARNING, f"others may read {place}, where passwords are", hint)


def _accounts(accounts: list[Account]) -> Iterator[Check]:
    enabled = [account for account in accounts if account.enabled]
    if not enabled:
        hint = "sipsimple account enable ADDRESS" if accounts else "sipsimple account add ADDRESS"
        yield Check("accounts", WARNING, "none is enabled" if accounts else "there is none", hint)
        return
    yield Check("accounts", OK, ", ".join(str(account.id) for account in enabled))
    for account in enabled:
        if account.registration.enabled and not account.auth.password:
            hint = f"sipsimple account password {account.id}"
            yield Check(str(account.id), WARNING, "it registers and has no password", hint)


class _Engine:
    """The engine with the settings that are stored: what it can listen on, and what it hears from servers."""

    def __init__(self) -> None:
        from sipsimple.core import Engine
        from sipsimple.realm import current_realm
        from sipsimple.threading import start_reactor_thread

        start_reactor_thread(current_realm())
        self._engine: Any = Engine()

    def _do(self, function: Any, *arguments: Any, timeout: float = ENGINE_TIMEOUT, **options: Any) -> Any:
        from sipsimple.result import Result

        return Result.of(function, *arguments, **options).wait(timeout)

    def checks(self) -> Iterator[Check]:
        """Ports, addresses and TLS."""
        from sipsimple.configuration.settings import SIPSimpleSettings
        from sipsimple.core.engine import EngineError

        value = SIPSimpleSettings().saved_value
        wanted = [str(transport) for transport in value("sip.transport_list")]
        yield Check("transports", OK, ", ".join(wanted))
        self._do(self._engine.start, udp_port=None, tcp_port=None)
        for transport, listen in (("udp", self._engine.set_udp_port), ("tcp", self._engine.set_tcp_port)):
            if transport not in wanted:
                continue
            port = int(value(f"sip.{transport}_port"))
            try:
                self._do(listen, port)
            except EngineError as error:
                hint = f"sipsimple settings set sip.{transport}_port=0 takes any port that is free."
                yield Check(f"{transport} port", FAILED, str(error), hint)
                self._do(listen, 0)
            else:
                address, port = self._do(self._engine.local_address, transport)
                chosen = "" if value(f"sip.{transport}_port") else ", a new one with each start"
                yield Check(f"{transport} port", OK, f"{address} port {port}{chosen}")
        if "tls" in wanted:
            yield from self._tls(value)

    def _tls(self, value: Any) -> Iterator[Check]:
        from sipsimple.core.engine import EngineError

        files = {"certificate": value("tls.certificate"), "ca_list": value("tls.ca_list")}
        options = {name: file for name, file in files.items() if file is not None}
        verify = value("tls.verify_server")
        try:
            self._do(self._engine.set_tls_options, int(value("sip.tls_port")), verify_server=verify, **options)
        except EngineError as error:
            hint = "sipsimple settings has tls.certificate, tls.ca_list and sip.tls_port."
            yield Check("TLS", FAILED, str(error), hint)
            return
        trusted = f"trusts {files['ca_list']}" if files["ca_list"] is not None else "trusts the system's authorities"
        yield Check("TLS", OK, trusted)
        if not verify:
            hint = "sipsimple settings set tls.verify_server=yes"
            yield Check("TLS", WARNING, "servers need not prove who they are: anybody may read and change it all", hint)

    def ask(self, account: Account, routes: list[Any]) -> tuple[bool, str]:
        """Whether the account's server answers OPTIONS, and what was heard."""
        from sipsimple.result import Result

        result: Result[tuple[bool, str]] = Result()
        self._do(_Asking, account, routes, result)
        return result.wait(ANSWER_TIMEOUT * len(routes) + ENGINE_TIMEOUT)

    def stop(self) -> None:
        self._do(self._engine.stop)


class _Asking:
    """An OPTIONS to an account's server (RFC 3261 11). Any answer will do: the server is there."""

    def __init__(self, account: Account, routes: list[Any], result: Any) -> None:
        from sipsimple.account.server_name import server_name
        from sipsimple.core import SIPURI, FromHeader, Request, ToHeader
        from sipsimple.core.destinations import route_header_to
        from sipsimple.notification import NotificationCenter

        self._result = result
        server = SIPURI(account.uri.host)
        headers = [route_header_to(route, server_name(account, route)) for route in routes]
        request = Request("OPTIONS", server, FromHeader(account.uri), ToHeader(server), headers)
        NotificationCenter().add_observer(self, sender=request)
        request.send(ANSWER_TIMEOUT * len(routes))

    def handle_notification(self, notification: Any) -> None:
        data = notification.data
        if notification.name == "SIPRequestDidSucceed":
            self._result.succeed((True, f"{data.code} {data.reason}"))
        elif notification.name == "SIPRequestDidFail":
            remote = data.originator == "remote"
            self._result.succeed((remote, f"{data.code} {data.reason}" if remote else data.reason))


def _server(account: Account, engine: _Engine, offline: bool) -> Iterator[Check]:
    from sipsimple.account import RouteLookupError, lookup_routes
    from sipsimple.account.routes import next_server

    if not account.registration.enabled and account.sip.outbound_proxy is None:
        return
    subject = str(account.id)
    server = next_server(account)
    if offline:
        yield Check(subject, OK, f"its server is {server.host}")
        return
    try:
        routes = lookup_routes(account).wait(LOOKUP_TIMEOUT)
    except (RouteLookupError, TimeoutError) as error:
        hint = f"Is it spelled right? sipsimple account set {account.id} sip.outbound_proxy=HOST names another server."
        yield Check(subject, FAILED, str(error), hint)
        return
    found = ", ".join(str(route) for route in routes)
    yield Check(subject, OK, f"{server.host} is at {found}")
    try:
        answered, text = engine.ask(account, routes)
    except (ValueError, TimeoutError) as error:
        answered, text = False, str(error)
    if answered:
        yield Check(subject, OK, f"the server answers ({text})")
    else:
        hint = "Is the network up, and no firewall between? Another transport may work: sip.outbound_proxy."
        yield Check(subject, FAILED, f"the server does not answer: {text}", hint)
