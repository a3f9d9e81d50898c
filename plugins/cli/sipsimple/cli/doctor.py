"""`sipsimple doctor`: what would keep you from working, and what to do about it."""

from __future__ import annotations

import click

from sipsimple.cli.environment import CommandLine, json_option, pass_command_line
from sipsimple.cli.errors import ExitCode
from sipsimple.cli.examination import Check, Verdict, examine

__all__ = ["doctor"]


STYLES = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.FAILED: "bold red"}


@click.command()
@click.option("--offline", is_flag=True, help="Look nothing up and ask no server.")
@json_option
@pass_command_line
def doctor(command_line: CommandLine, offline: bool, as_json: bool) -> None:
    """Look for what would keep you from working: configuration, plugins, ports, TLS, DNS, and the servers of your
    accounts.

    Servers are looked up and asked for their capabilities (OPTIONS); nobody is registered or called. The exit code is 1
    if something does not work.
    """
    checks = []
    for check in examine(command_line, offline=offline):
        checks.append(check)
        if not as_json:
            _show(command_line, check)
    failed = sum(check.verdict is Verdict.FAILED for check in checks)
    if as_json:
        command_line.print_json([{**check._asdict(), "verdict": check.verdict.value} for check in checks])
    elif failed:
        command_line.print(f"\n{failed} of {len(checks)} checks failed.")
    else:
        command_line.print("\nNothing is in the way.")
    if failed:
        raise SystemExit(int(ExitCode.FAILED))


def _show(command_line: CommandLine, check: Check) -> None:
    from rich.text import Text

    line = Text.assemble(
        (f"{check.verdict.value:8}", STYLES[check.verdict]), (f"{check.subject}: ", "bold"), check.text
    )
    command_line.print(line)
    if check.hint:
        command_line.print(Text(f"        {check.hint}", style="dim"))
