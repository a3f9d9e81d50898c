"""The Makefile's list of distributions is the only one: what goes by it has all of them."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FUNCTIONS = runpy.run_path(str(ROOT / "tests" / "packaging" / "distributions.py"))
DISTRIBUTIONS = {each.name: each for each in FUNCTIONS["listed"]()}


def test_every_folder_with_a_distribution_is_listed() -> None:
    folders = {path.parent for path in [*ROOT.glob("*/pyproject.toml"), *ROOT.glob("plugins/*/pyproject.toml")]}
    assert {each.folder for each in DISTRIBUTIONS.values()} == folders


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_readme_has_it(name: str) -> None:
    folder = DISTRIBUTIONS[name].folder.relative_to(ROOT)
    assert f"| [`{name}`]({folder}/README.md) |" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_plugin_is_an_extra_of_the_meta_package() -> None:
    """And `all` brings all extras but those for development and `pjsua2`, which is GPL: who wants it says so."""
    extras = FUNCTIONS["meta_package"]().settings["project"]["optional-dependencies"]
    brought = {requirement.partition(">")[0] for name in extras if name != "dev" for requirement in extras[name]}
    libraries = {"msrplib", "sipsimple-core", "sipsimple-msrp"}  # others need them
    assert set(DISTRIBUTIONS) - libraries <= brought
    assert extras["all"] == [f"sipsimple[{','.join(sorted(set(extras) - {'all', 'dev', 'pjsua2'}))}]"]


def test_the_core_needs_nothing_that_only_a_plugin_needs() -> None:
    """What of the core's requirements is for plugins is checked where it is installed alone, by `make packages`;
    that importing it imports none is checked here."""
    code = "import sys, sipsimple.application; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    of_plugins = {"lxml", "numpy", "dns", "pjsua2", "httpx", "zeroconf", "click", "prompt_toolkit", "rich"}
    assert not of_plugins & set(done.stdout.split())
