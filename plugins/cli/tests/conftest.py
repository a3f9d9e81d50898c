"""Running the command in a test: in this process, with a configuration of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click.testing
import pytest

from sipsimple.cli.main import sipsimple
from sipsimple.realm import replace_default_realm

Run = Callable[..., click.testing.Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the configuration; it is not made yet."""
    folder = tmp_path / "configuration"
    monkeypatch.setenv("SIPSIMPLE_CONFIG", str(folder))
    monkeypatch.setenv("COLUMNS", "200")
    return folder


@pytest.fixture
def run(folder: Path) -> Run:
    """Runs the command as a new process would, whose exit code has to be `code` (None: any)."""

    def run(*arguments: str, code: int | None = 0, input: str | None = None, **options: Any) -> click.testing.Result:
        replace_default_realm()
        result = click.testing.CliRunner().invoke(sipsimple, arguments, input=input, **options)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert code is None or result.exit_code == code, result.output
        return result

    return run


@pytest.fixture
def run_json(run: Run) -> Callable[..., Any]:
    """Runs the command with --json and returns what it printed."""

    def run_json(*arguments: str, code: int = 0) -> Any:
        return json.loads(run(*arguments, "--json", code=code).stdout)

    return run_json
