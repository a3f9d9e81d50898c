"""Fresh environments with nothing but what is asked for, and commands that are run in them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

#: What runs the suites; no distribution needs it to work.
RUNNER = ["pytest>=8.0", "pytest-timeout>=2.3", "hypothesis>=6.100"]


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """What the command printed; the end of this program if it fails."""
    hidden = ("PYTHONPATH", "SIPSIMPLE_LOAD_PLUGINS")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, text=True, capture_output=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout


class Environment:
    """A virtual environment at `home`, made by the interpreter `base`.

    :param wheels: wheels by the names of their distributions: of those it takes these versions
    """

    def __init__(self, home: Path, wheels: dict[str, Path], base: str | Path = sys.executable) -> None:
        self.home = home
        self.python = home / "bin" / "python"
        run(base, "-m", "venv", "--without-pip", home)
        self._constraints = home / "constraints.txt"
        # Not by URL, as pip does not apply such constraints to requirements with extras.
        lines = [f"{name} == {wheel.name.split('-')[1]}\n" for name, wheel in wheels.items()]
        self._constraints.write_text("".join(lines), encoding="utf-8")
        self._links = [f"--find-links={folder}" for folder in sorted({wheel.parent for wheel in wheels.values()})]

    def install(self, *requirements: str) -> None:
        """Install, and check that what is installed fits together."""
        self._pip("install", "--quiet", *self._links, "--constraint", self._constraints, *requirements)
        self._pip("check")

    def installed(self) -> set[str]:
        """The names of all distributions in it."""
        return {str(item["name"]).lower() for item in json.loads(self._pip("list", "--format=json"))}

    def _pip(self, *arguments: str | Path) -> str:
        # The pip of this environment works on the other one: none needs its own.
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
        return run(*pip, "--python", self.python, *arguments)


def interpreter(version: str) -> Path | None:
    """A CPython of that version on this machine, None if there is none."""
    candidates = [Path(folder) / f"python{version}" for folder in os.get_exec_path()]
    candidates += sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    for candidate in candidates:
        if os.access(candidate, os.X_OK):
            asked = [str(candidate), "-c", "import sys, venv; print(*sys.version_info[:2], sep='.')"]
            done = subprocess.run(asked, capture_output=True, text=True, check=False)
            if done.returncode == 0 and done.stdout.strip() == version:
                return candidate
    return None
