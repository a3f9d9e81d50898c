"""`sipsimple lookup URI`: what is found for a URI, and by which queries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from sipsimple.cli import CommandError, CommandLine, ExitCode, json_option, pass_command_line, seconds_option

if TYPE_CHECKING:
    from rich.tree import Tree

    from sipsimple.core import SIPURI

__all__ = ["lookup"]

#: What is waited longer than the lookup may take, in seconds.
GRACE = 5.0
#: More records of one answer are only counted.
MAX_RECORDS_SHOWN = 20

SERVICES = ("sip", "msrprelay", "stun", "xcap")


@click.command()
@click.argument("uri", metavar="URI")
@click.option(
    "--service",
    type=click.Choice(SERVICES),
    default="sip",
    show_default=True,
    help="What to look for: SIP servers, MSRP relays, STUN servers or the roots of XCAP servers.",
)
@click.option(
    "--transport",
    "transports",
    multiple=True,
    type=click.Choice(("udp", "tcp", "tls"), case_sensitive=False),
    help="A SIP transport to use, the preferred one first; by default those of the setting sip.transport_list.",
)
@click.option(
    "--nameserver",
    "nameservers",
    multiple=True,
    metavar="ADDRESS[:PORT]",
    help="Ask this nameserver alone, in place of the authoritative and the system's ones; may be given several times.",
)
@seconds_option("--timeout", 3.0, "How long one nameserver is waited for.", maximum=3600)
@seconds_option("--lifetime", 15.0, "How long all of them are.", maximum=3600)
@json_option
@pass_command_line
def lookup(
    command_line: CommandLine,
    uri: str,
    service: str,
    transports: tuple[str, ...],
    nameservers: tuple[str, ...],
    timeout: float,
    lifetime: float,
    as_json: bool,
) -> None:
    """Look up the servers for a URI by DNS: show each query with its answer, and what comes of them.

    URI is a SIP URI, an address or a domain. With --json it is one object: {"uri", "service", "queries": [{"type",
    "name", "records", "error", "nameservers"}], "result"} or, where nothing was found, "error" in place of "result".

    The exit code is 0 if something was found, else 1.

    \b
    sipsimple lookup alice@example.com
    sipsimple lookup example.com --service stun --nameserver 192.0.2.1
    """
    target = _parse(uri)
    with command_line.reading():
        supported = _configure(nameservers, transports)
    queries, found, error = _look(target, service, supported, timeout, lifetime)
    shown = [_shown(each) for each in found]
    if as_json:
        outcome = {"result": shown} if error is None else {"error": error}
        records = [_as_json(query) for query in queries]
        command_line.print_json({"uri": str(target), "service": service, "queries": records, **outcome})
    else:
        command_line.print(_tree(str(target), queries))
        for number, text in enumerate(shown, 1):
            command_line.print(f"{number:3}. {text}")
    if error is not None:
        if as_json:
            raise SystemExit(int(ExitCode.FAILED))
        raise CommandError(error)


def _parse(text: str) -> SIPURI:
    from sipsimple.core import SIPURI

    with_scheme = text if text.lower().startswith(("sip:", "sips:")) else f"sip:{text}"
    try:
        return SIPURI.parse(with_scheme)
    except ValueError as error:
        raise CommandError(f"{text!r} is no SIP URI, address or domain: {error}", ExitCode.USAGE) from None


def _configure(nameservers: tuple[str, ...], transports: tuple[str, ...]) -> list[str]:
    """Have the nameservers asked that were given, and return the transports to use. Inside `reading`."""
    from sipsimple.configuration.settings import SIPSimpleSettings

    settings: Any = SIPSimpleSettings()
    if nameservers:
        try:
            settings.dns.nameservers = nameservers
        except ValueError as error:
            raise CommandError(str(error), ExitCode.USAGE) from None
        settings.dns.use_authoritative = False
        settings.save()
    return list(dict.fromkeys(transports)) or [str(each) for each in settings.saved_value("sip.transport_list")]


def _look(
    uri: SIPURI, service: str, transports: list[str], timeout: float, lifetime: float
) -> tuple[list[Any], list[Any], str | None]:
    """The data of the traces, the result, and the error if there is none."""
    from sipsimple.lookup import DNSLookup, DNSLookupError
    from sipsimple.notification import NotificationCenter

    queries: list[Any] = []

    class Observer:
        def handle_notification(self, notification: Any) -> None:
            queries.append(notification.data)

    lookup, observer = DNSLookup(), Observer()
    NotificationCenter().add_observer(observer, "DNSLookupTrace", lookup)
    times = {"timeout": timeout, "lifetime": lifetime}
    result: Any
    if service == "sip":
        result = lookup.lookup_sip_proxy(uri, transports, **times)
    elif service == "xcap":
        result = lookup.lookup_xcap_server(uri, **times)
    else:
        result = lookup.lookup_service(uri, service, **times)
    try:
        return queries, result.wait(lifetime + GRACE), None
    except DNSLookupError as error:
        return queries, [], str(error)
    finally:
        result.cancel()
        NotificationCenter().discard_observer(observer, "DNSLookupTrace", lookup)


def _shown(found: Any) -> str:
    """A route, an address with its port or a URI as text."""
    if isinstance(found, tuple):
        host, port = found
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return str(found)


def _records(query: Any) -> list[str]:
    """The records of an answer as text, an alias before them."""
    if query.answer is None:
        return []
    aliases = [f"CNAME {alias[0].target}" for alias in query.answer.chaining_result.cnames]
    return aliases + [record.to_text() for record in query.answer]


def _as_json(query: Any) -> dict[str, Any]:
    return {
        "type": query.query_type,
        "name": query.query_name,
        "records": _records(query),
        "error": None if query.error is None else _reason(query),
        "nameservers": query.nameservers,
    }


def _reason(query: Any) -> str:
    """Why there is no answer, in short."""
    kind = type(query.error).__name__
    return {"NXDOMAIN": "no such name", "NoAnswer": "no such record"}.get(kind) or str(query.error)


def _tree(root: str, queries: Iterable[Any]) -> Tree:
    """Each query under the one whose answer led to it."""
    from rich.text import Text
    from rich.tree import Tree

    tree = Tree(Text(root, style="bold"))
    led_to: dict[str, Tree] = {}
    for query in queries:
        label = Text.assemble((query.query_type, "cyan"), " ", query.query_name)
        origin = ", ".join(query.nameservers)
        label.append(f"  {origin or 'known already'}", style="dim")
        if query.error is not None:
            label.append(f"  {_reason(query)}", style="yellow")
        branch = led_to.get(query.query_name, tree).add(label)
        records = _records(query)
        for record in records[:MAX_RECORDS_SHOWN]:
            branch.add(Text(record, style="green"))
        if len(records) > MAX_RECORDS_SHOWN:
            branch.add(Text(f"... {len(records) - MAX_RECORDS_SHOWN} more", style="dim"))
        for name in _names_in(query):
            led_to.setdefault(name, branch)
    return tree


def _names_in(query: Any) -> list[str]:
    """The names that the records of an answer lead to."""
    from sipsimple.lookup.message import name_of

    if query.answer is None:
        return []
    named = [getattr(record, "target", None) or getattr(record, "replacement", None) for record in query.answer]
    return [name_of(name) for name in (*named, query.answer.canonical_name) if name is not None]
