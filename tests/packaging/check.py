"""Shows that each distribution stands alone: builds all wheels, and runs each suite where nothing else is installed.

For each distribution: a fresh environment, its wheel, what the wheel declares (the other wheels come from the same
build), a test runner, and a copy of its tests and README without the source tree. `check.py NAME...` takes some only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

DISTRIBUTIONS = {
    "msrplib": "msrplib",
    "sipsimple-core": "sipsimple_core",
    "sipsimple-msrp": "plugins/msrp",
    "sipsimple-chat": "plugins/msrp_chat",
    "sipsimple-cli": "plugins/cli",
}

#: What runs the suites; no distribution needs it to work.
RUNNER = ["pytest>=8.0", "pytest-timeout>=2.3", "hypothesis>=6.100"]

#: What `pip install sipsimple-core` must not bring.
FOREIGN = {"lxml", "numpy", "dnspython", "pjsua2-python", "httpx", "zeroconf", "click", "rich"}


def run(*command: str | Path, cwd: Path | None = None) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, text=True, capture_output=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def build(folder: Path, wheels: Path) -> Path:
    before = set(wheels.glob("*.whl"))
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", wheels, folder)
    (wheel,) = set(wheels.glob("*.whl")) - before
    return wheel


def check_contents(name: str, wheel: Path) -> None:
    """A wheel has its licence and its types, and owns no `sipsimple/__init__.py`."""
    files = zipfile.ZipFile(wheel).namelist()
    for wanted in ("LICENSE", "py.typed"):
        if not any(file.endswith(wanted) for file in files):
            raise SystemExit(f"the wheel of {name} has no {wanted}")
    if "sipsimple/__init__.py" in files:
        raise SystemExit(f"the wheel of {name} has a file sipsimple/__init__.py")


def check_suite(name: str, folder: Path, wheels: Path, work: Path) -> None:
    """The distribution's own suite, with nothing but what it declares."""
    home = work / name
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--find-links", wheels, name)
    installed = {line.partition("=")[0].lower() for line in run(python, "-m", "pip", "freeze").splitlines()}
    if name == "sipsimple-core" and installed & FOREIGN:
        raise SystemExit(f"{name} brings {installed & FOREIGN}")
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *RUNNER)
    run(python, "-m", "pip", "check")
    tests = home / "suite" / "tests"
    shutil.copytree(folder / "tests", tests)
    shutil.copy(folder / "README.md", tests.parent)
    (home / "suite" / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\ntimeout = 60\n")
    output = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", cwd=tests.parent)
    print(f"{name}: {output.splitlines()[-1]}", flush=True)


def main() -> int:
    wanted = sys.argv[1:] or list(DISTRIBUTIONS)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        wheels = work / "wheels"
        wheels.mkdir()
        for name, path in DISTRIBUTIONS.items():
            check_contents(name, build(ROOT / path, wheels))
        for name in wanted:
            check_suite(name, ROOT / DISTRIBUTIONS[name], wheels, work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
