"""`sipsimple plugins new`: a distribution with a plugin that works, and whose tests pass, to begin with."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

import click

from sipsimple.cli.environment import CommandLine, pass_command_line
from sipsimple.cli.errors import CommandError, ExitCode

__all__ = ["new_plugin"]

#: What is in the folder, by path; `$name` is the plugin's name, `$package` that of its package.
FILES = {
    "pyproject.toml": """\
[build-system]
requires = ["hatchling>=1.22"]
build-backend = "hatchling.build"

[project]
name = "sipsimple-$name"
version = "0.1.0"
description = "The plugin $name of the SIP SIMPLE SDK."
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["sipsimple-core>=0.1"]

[project.optional-dependencies]
test = ["pytest>=8.0", "pytest-timeout>=2.3", "sipsimple-cli>=0.1"]

[project.entry-points.sipsimple]
$name = "$package.plugin"

[tool.hatch.build.targets.wheel]
packages = ["$package"]
""",
    "README.md": """\
# sipsimple-$name

A plugin of the SIP SIMPLE SDK.

    pip install --editable '.[test]'
    pytest
    sipsimple plugins
    sipsimple $name
""",
    "$package/__init__.py": '''\
"""The plugin $name of the SIP SIMPLE SDK."""
''',
    "$package/py.typed": "",
    "$package/plugin.py": '''\
"""What the plugin contributes. Every application imports this module: the hooks import what they need themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sipsimple.plugins import hookimpl

sipsimple_plugin_api = 1


@hookimpl
def sipsimple_settings() -> Iterable[Any]:
    from $package.settings import Extension

    return [Extension]


@hookimpl
def sipsimple_application_services(application: Any) -> Iterable[Any]:
    from $package.service import Service

    return [Service(application)]


@hookimpl
def sipsimple_commands() -> Iterable[Any]:
    from $package.command import command

    return [command]
''',
    "$package/settings.py": '''\
"""Settings of the application that the plugin adds: `SIPSimpleSettings().$group.enabled`."""

from sipsimple.configuration import Setting, SettingsGroup, SettingsObjectExtension


class Settings(SettingsGroup):
    """The settings of $name."""

    enabled = Setting(bool, True, doc="Whether $name counts calls.")


class Extension(SettingsObjectExtension, extends="SIPSimpleSettings"):
    $group = Settings()
''',
    "$package/service.py": '''\
"""A service: it runs as long as the application does, and counts the calls that come in."""

from __future__ import annotations

from typing import Any

from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.notification import NotificationCenter, NotificationDispatcher


class Service(NotificationDispatcher):
    """Started and stopped in the reactor's thread."""

    def __init__(self, application: Any) -> None:
        self.calls = 0

    def start(self) -> None:
        NotificationCenter().add_observer(self, name="SIPSessionNewIncoming")

    def stop(self) -> None:
        NotificationCenter().remove_observer(self, name="SIPSessionNewIncoming")

    def _NH_SIPSessionNewIncoming(self, notification: Any) -> None:
        settings: Any = SIPSimpleSettings()
        if settings.$group.enabled:
            self.calls += 1
''',
    "$package/command.py": '''\
"""`sipsimple $name`."""

import click

from sipsimple.cli import CommandLine, pass_command_line


@click.command("$name")
@pass_command_line
def command(command_line: CommandLine) -> None:
    """Tell that $name is there."""
    command_line.print("$name is there.")
''',
    "tests/test_plugin.py": '''\
"""The plugin within an application, on a network in memory."""

import click.testing

from sipsimple.cli.main import sipsimple
from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.notification import NotificationCenter, NotificationData
from sipsimple.plugins import PluginManager, PluginState
from sipsimple.testing.agent import UserAgent
from sipsimple.testing.network import MemoryNetwork

from $package.service import Service


def test_it_is_loaded():
    network = MemoryNetwork()
    alice = UserAgent(network, "alice")
    plugin = alice.run(lambda: PluginManager().get("$name"))
    assert plugin.state is PluginState.LOADED, plugin.reason
    assert alice.run(lambda: SIPSimpleSettings().$group.enabled) is True
    alice.stop()
    network.close()


def test_it_counts_calls():
    network = MemoryNetwork()
    alice = UserAgent(network, "alice")
    service = alice.run(Service, alice.application)

    def call():
        NotificationCenter().post_notification("SIPSessionNewIncoming", service, NotificationData(streams=[]))

    alice.run(service.start)
    alice.run(call)
    alice.run(service.stop)
    alice.run(call)
    assert service.calls == 1
    alice.stop()
    network.close()


def test_its_command():
    result = click.testing.CliRunner().invoke(sipsimple, ["$name"])
    assert (result.exit_code, result.output) == (0, "$name is there.\\n")
''',
}


@click.command("new")
@click.argument("name")
@click.option(
    "--in",
    "parent",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=".",
    metavar="DIR",
    help="Where to make its folder; by default here.",
)
@pass_command_line
def new_plugin(command_line: CommandLine, name: str, parent: Path) -> None:
    """Make the folder sipsimple-NAME with a plugin: a setting, a service, a command, and tests that pass.

    NAME has small letters, digits and hyphens.
    """
    from sipsimple.cli.main import COMMANDS
    from sipsimple.configuration.settings import SIPSimpleSettings

    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or len(name) > 60:
        raise CommandError(f"{name!r} is no name for a plugin", ExitCode.USAGE, "Small letters, digits and hyphens.")
    if name in COMMANDS or keyword.iskeyword(name) or hasattr(SIPSimpleSettings, name.replace("-", "_")):
        raise CommandError(f"{name} is the name of a command, of settings or of Python already", ExitCode.USAGE)
    folder = parent / f"sipsimple-{name}"
    try:
        folder.mkdir()
        for path, text in FILES.items():
            file = folder / filled(path, name)
            file.parent.mkdir(exist_ok=True)
            file.write_text(filled(text, name), encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{error.filename}: {error.strerror}") from None
    command_line.print(f"Made {folder}. To try it:\n")
    command_line.print(f"cd {folder}\npip install --editable '.[test]'\npytest")


def filled(text: str, name: str) -> str:
    """The text with the names that it has places for."""
    group = name.replace("-", "_")
    return text.replace("$name", name).replace("$package", f"sipsimple_{group}").replace("$group", group)
