"""The command as a whole: help, exit codes, the configuration, the commands of plugins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from sipsimple.cli.main import COMMANDS, main
from sipsimple.plugins import PluginManager, hookimpl
from sipsimple.storage import FileStorage

ALICE = "alice@example.com"


def command(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run it as a process of its own."""
    script = "import sys; from sipsimple.cli.main import main; sys.exit(main())"
    return subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, **options)


def test_help(run: Any) -> None:
    """Each command is in the help, and each has its own."""
    text = run("--help").output
    for name, (_, short) in COMMANDS.items():
        assert name in text and short in text
        assert "Usage: " in run(name, "--help").output
    assert "Exit codes: " in text


def test_help_imports_no_stack() -> None:
    """Looking around does not load Twisted."""
    script = (
        "import sys; from sipsimple.cli.main import main; main(['--help']); main(['account', '--help']); "
        "print([name for name in sys.modules if name in ('twisted', 'rich', 'sipsimple.core.engine')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


def test_version(run: Any) -> None:
    """It says its version."""
    from importlib.metadata import version

    assert run("--version").output.strip() == version("sipsimple-cli")


def test_exit_codes(folder: Path) -> None:
    """Of the process: usage, configuration, and no traceback anywhere."""
    assert command("account", "list").returncode == 0
    for arguments in (("nonsense",), ("account", "show"), ("account", "show", ALICE)):
        done = command(*arguments)
        assert done.returncode == 2 and "Error: " in done.stderr and not done.stdout
    folder.mkdir()
    (folder / "config.toml").write_text("[Accounts\n")
    for arguments in (("account", "list"), ("settings",), ("account", "add", ALICE, "--no-password")):
        done = command(*arguments)
        assert done.returncode == 3 and "line 1: " in done.stderr and "Traceback" not in done.stderr
    assert (folder / "config.toml").read_text() == "[Accounts\n"


def test_main_returns_the_exit_code(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also for who calls it as a function."""
    assert main(["account", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert main(["account", "show", "nobody@example.com"]) == 2
    assert "there is no account" in capsys.readouterr().err


def test_the_configuration_of_the_option(folder: Path, run: Any, tmp_path: Path) -> None:
    """--config comes before the environment."""
    other = tmp_path / "other"
    run("--config", str(other), "account", "add", ALICE, "--no-password")
    assert (other / "config.toml").exists() and not folder.exists()


def test_looking_makes_nothing(folder: Path, run: Any) -> None:
    """Not even the folder."""
    for arguments in (("account", "list"), ("settings", "list"), ("plugins",)):
        run(*arguments)
    assert not folder.exists()


def test_a_configuration_in_use(folder: Path, run: Any) -> None:
    """It can be looked at, not changed; it is said who uses it."""
    run("account", "add", ALICE, "--no-password")
    holder = (
        "import sys; from sipsimple.storage import FileStorage; "
        "FileStorage(sys.argv[1]).configuration_backend.load(); s = FileStorage(sys.argv[1]); "
        "s.configuration_backend.load(); print('in', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "in\n"
        assert ALICE in run("account", "list").output
        result = run("account", "disable", ALICE, code=3)
        assert f"in use by process {process.pid}" in result.output
        process.communicate()
    run("account", "disable", ALICE)


def test_a_save_that_fails(folder: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is an error of the command."""
    from sipsimple.configuration import file_backend

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(file_backend, "write_whole", full)
    assert "No space left" in run("account", "add", ALICE, "--no-password", code=3).output
    assert FileStorage(folder).configuration_backend.read() == {}


class Greeter:
    """A plugin with commands."""

    def __init__(self, *commands: Any) -> None:
        self.commands = commands

    @hookimpl
    def sipsimple_commands(self) -> Any:
        return self.commands


@click.command()
def greet() -> None:
    """Say hello."""
    click.echo("hello")


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Registers plugins in each realm that a command gets."""
    registered: list[Any] = []
    load = PluginManager.load

    def loading(self: PluginManager) -> None:
        for plugin in registered:
            if self.get(plugin[1]) is None:
                self.register(*plugin)
        load(self)

    monkeypatch.setattr(PluginManager, "load", loading)
    return registered


def test_commands_of_plugins(run: Any, plugins: Any) -> None:
    """The hook `sipsimple_commands` adds subcommands."""
    plugins.append((Greeter(greet), "greeter"))
    assert "greet     Say hello." in run("--help").output
    assert run("greet").output == "hello\n"


def test_the_example_of_the_readme(run: Any, plugins: Any) -> None:
    """It is run as it stands there."""
    readme = Path(__file__).parent.parent / "README.md"
    if not readme.exists():
        pytest.skip("the tests were copied away from the README")
    names: dict[str, Any] = {}
    exec(readme.read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0], names)
    plugins.append((SimpleNamespace(sipsimple_commands=names["sipsimple_commands"]), "whoami"))
    assert run("whoami").output == "nobody\n"
    run("account", "add", ALICE, "--no-password")
    assert run("whoami").output == f"{ALICE}\n"


def test_plugins_whose_hooks_fail_are_listed(run: Any, run_json: Any, plugins: Any) -> None:
    """Also two that offer one type of stream: what is wrong stands with the plugin, and the exit code is 1."""

    def fail() -> Any:
        raise LookupError("broken")

    def stream(name: str) -> Any:
        return hookimpl(lambda: [type(name, (), {"type": "rival", "priority": 0})])

    plugins.append((SimpleNamespace(sipsimple_settings=hookimpl(fail)), "broken"))
    plugins.append((SimpleNamespace(sipsimple_media_streams=stream("One")), "one"))
    plugins.append((SimpleNamespace(sipsimple_media_streams=stream("Two")), "two"))
    found = {plugin["name"]: plugin["failures"] for plugin in run_json("plugins", code=1)}
    assert found["broken"] == ["its hook sipsimple_settings raised LookupError: broken"]
    assert any("rival" in failure for failure in found["one"] + found["two"])
    assert "raised LookupError: broken" in run("plugins", code=1).output


def test_commands_that_are_wrong(run: Any, plugins: Any, caplog: pytest.LogCaptureFixture) -> None:
    """What is no command, or has a name that is taken, is left out and reported; the others work."""
    plugins.append((Greeter(click.command(name="account")(lambda: None), "nonsense", greet), "greeter"))
    plugins.append((Greeter(click.command(name="greet")(lambda: None)), "other"))
    run("account", "list")
    assert "account is there already" not in run("account", "list").output
    run("--help")
    for told in ("account is there already", "which is no command", "greet is there already"):
        assert told in caplog.text
    assert "nonsense" not in run("--help").output


def test_what_is_printed_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """No markup and no names of emoji in the texts of others."""
    from sipsimple.cli.environment import CommandLine

    CommandLine().print("[bold]x[/bold] :smile:")
    assert capsys.readouterr().out == "[bold]x[/bold] :smile:\n"


def test_a_terminal_without_unicode(folder: Path) -> None:
    """What it has no characters for is replaced."""
    script = (
        "import sys; from sipsimple.cli import main, environment; "
        "environment.CommandLine.reading = lambda self: self.print('\\u2713 done') or exit(0); "
        "sys.exit(main.main(['account', 'list']))"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert done.stdout == "? done\n", done.stderr
