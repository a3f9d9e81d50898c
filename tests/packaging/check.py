"""Shows that each distribution stands alone: builds all of them, and runs each suite where nothing else is installed.

For each distribution: a fresh environment, its wheel, what the wheel declares (our other wheels come from the same
build), a test runner, and a copy of its tests and README without the source tree. Then the meta-package with its
extras, a plugin of somebody else in a session of two processes, and the suites on other versions of Python, where
the machine has them. `check.py NAME...` takes the suites of some only.
"""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from distributions import Distribution, listed, meta_package, third_party
from environment import RUNNER, Environment, interpreter, run
from third_party import check_sessions

#: What `pip install sipsimple-core` must not bring.
FOREIGN = {"lxml", "numpy", "dnspython", "pjsua2-python", "httpx", "zeroconf", "click", "prompt-toolkit", "rich"}

OTHER_PYTHONS = tuple(version for version in ("3.11", "3.12", "3.13") if version != f"3.{sys.version_info.minor}")

PLUGINS = """
from sipsimple.plugins import PluginManager
PluginManager().load()
print(*[f"{plugin.name}={plugin.state.value}" for plugin in PluginManager().plugins])
"""


def in_parallel(function: Callable[..., Any], items: Iterable[Any]) -> list[Any]:
    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        return list(pool.map(function, items))


def build(distribution: Distribution, folder: Path) -> Path:
    """An sdist, and the wheel that is made of it."""
    requires = distribution.settings["build-system"]["requires"]
    if requires != ["hatchling>=1.22"]:  # the build is without isolation, so it must be true of all
        raise SystemExit(f"{distribution.name} is built by {requires}")
    before = folder / distribution.name
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", before, distribution.folder)
    (sdist,), (wheel,) = before.glob("*.tar.gz"), before.glob("*.whl")
    check_contents(distribution, sdist, wheel)
    return wheel


def check_contents(distribution: Distribution, sdist: Path, wheel: Path) -> None:
    """Both have licence and README; the wheel its types, and no `sipsimple/__init__.py`; the sdist no other's files."""
    name, wheel_file = distribution.name, zipfile.ZipFile(wheel)
    in_wheel = wheel_file.namelist()
    with tarfile.open(sdist) as archive:
        in_sdist = [file.partition("/")[2] for file in archive.getnames()]
    licence = (distribution.folder / "LICENSE").read_text(encoding="utf-8")
    readme = (distribution.folder / "README.md").read_text(encoding="utf-8")
    (metadata,) = (file for file in in_wheel if file.endswith(".dist-info/METADATA"))
    (licence_file,) = [file for file in in_wheel if file.endswith("LICENSE")] or [metadata]
    problems = {
        "the wheel has not the licence": wheel_file.read(licence_file).decode() != licence,
        "the wheel has not the README": readme not in wheel_file.read(metadata).decode(),
        "the wheel has no py.typed": not any(file.endswith("py.typed") for file in in_wheel) and name != "sipsimple",
        "the wheel has a file sipsimple/__init__.py": "sipsimple/__init__.py" in in_wheel,
        "the wheel has tests": any(file.startswith("tests/") for file in in_wheel),
        "the sdist lacks a file": not {"LICENSE", "README.md", "pyproject.toml"} <= set(in_sdist),
        "the sdist lacks the tests": name != "sipsimple" and not any(file.startswith("tests/") for file in in_sdist),
        "the sdist has more than it should": name == "sipsimple" and any("/" in file for file in in_sdist),
    }
    for problem, is_true in problems.items():
        if is_true:
            raise SystemExit(f"{name}: {problem}")


def run_suite(distribution: Distribution, environment: Environment) -> str:
    """The distribution's own suite, from a copy of its tests and README; returns what pytest says at the end."""
    suite = environment.home / "suite" / distribution.name
    shutil.copytree(distribution.folder / "tests", suite / "tests")
    shutil.copy(distribution.folder / "README.md", suite)
    (suite / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\ntimeout = 60\n")
    output = run(environment.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", cwd=suite)
    return output.splitlines()[-1]


def check_alone(distribution: Distribution, work: Path, wheels: dict[str, Path]) -> None:
    """The suite with nothing but what the distribution declares (and, where its tests need it, its extra `cli`)."""
    environment = Environment(work / distribution.name, wheels)
    extra = "[cli]" if "cli" in distribution.extras else ""
    environment.install(distribution.name + extra)
    if distribution.name == "sipsimple-core" and environment.installed() & FOREIGN:
        raise SystemExit(f"{distribution.name} brings {environment.installed() & FOREIGN}")
    environment.install(distribution.name + extra, *RUNNER)
    print(f"{distribution.name}: {run_suite(distribution, environment)}", flush=True)


def check_extras(meta: Distribution, work: Path, wheels: dict[str, Path]) -> None:
    """Each extra of the meta-package installs, and `all` brings every plugin, which loads."""
    for extra in meta.extras:
        if extra == "dev":
            continue
        environment = Environment(work / f"extra-{extra}", wheels)
        environment.install(f"sipsimple[{extra}]")
        run(environment.python, "-c", "import sipsimple.application")
        states = run(environment.python, "-c", PLUGINS).split()
        if any(not state.endswith("=loaded") for state in states):
            raise SystemExit(f"sipsimple[{extra}]: {states}")
        lacking = {each.name for each in listed()} - environment.installed()
        if extra == "all" and lacking:
            raise SystemExit(f"sipsimple[all] does not bring {lacking}")
    print(f"sipsimple: the extras {', '.join(extra for extra in meta.extras if extra != 'dev')} work", flush=True)


def check_python(version: str, work: Path, wheels: dict[str, Path]) -> None:
    """All suites on another version of Python, in one environment."""
    base = interpreter(version)
    if base is None:
        print(f"CPython {version}: not on this machine, skipped", flush=True)
        return
    environment = Environment(work / f"python{version}", wheels, base)
    environment.install("sipsimple[all]", *RUNNER)
    for distribution in listed():
        print(f"CPython {version}: {distribution.name}: {run_suite(distribution, environment)}", flush=True)


def main() -> int:
    began = time.monotonic()
    everything, meta, stranger = listed(), meta_package(), third_party()
    wanted = [each for each in [*everything, stranger] if not sys.argv[1:] or each.name in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        built = [*everything, meta, stranger]
        made = in_parallel(lambda each: build(each, work / "built"), built)
        wheels = {each.name: wheel for each, wheel in zip(built, made, strict=True)}
        print(f"{len(wheels)} sdists and wheels in {time.monotonic() - began:.0f} s", flush=True)
        checks: list[Callable[[], None]] = [lambda each=each: check_alone(each, work, wheels) for each in wanted]
        if not sys.argv[1:]:  # the longest first
            pythons = [lambda version=version: check_python(version, work, wheels) for version in OTHER_PYTHONS]
            others = [lambda: check_sessions(work, wheels), lambda: check_extras(meta, work, wheels)]
            checks = [*pythons, *checks, *others]
        in_parallel(lambda check: check(), checks)
    print(f"packaging: {time.monotonic() - began:.0f} s in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
