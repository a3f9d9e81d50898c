"""`sipsimple plugins new NAME`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sipsimple.cli.new_plugin import FILES


@pytest.mark.parametrize("name", ["answering-machine", "fax"])
def test_the_tests_of_a_new_plugin_pass(run: Any, tmp_path: Path, name: str) -> None:
    """As it was made, installed as far as metadata go."""
    assert f"sipsimple-{name}" in run("plugins", "new", name, "--in", str(tmp_path)).output
    folder = tmp_path / f"sipsimple-{name}"
    assert len([path for path in folder.rglob("*") if path.is_file()]) == len(FILES)
    metadata = folder / f"sipsimple_{name.replace('-', '_')}-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: sipsimple-{name}\nVersion: 0.1.0\n")
    package = f"sipsimple_{name.replace('-', '_')}"
    assert f'[project.entry-points.sipsimple]\n{name} = "{package}.plugin"\n' in (folder / "pyproject.toml").read_text()
    (metadata / "entry_points.txt").write_text(f"[sipsimple]\n{name} = {package}.plugin\n")
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": path, "SIPSIMPLE_CONFIG": str(tmp_path / "configuration")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "3 passed" in done.stdout, done.stdout


@pytest.mark.parametrize("name", ["Chat", "a b", "../x", "account", "class", "default-account", "-x", "", "1a", "a--b"])
def test_names_that_will_not_do(run: Any, tmp_path: Path, name: str) -> None:
    run("plugins", "new", "--in", str(tmp_path), "--", name, code=2)
    assert not list(tmp_path.glob("sipsimple-*"))


def test_nothing_is_overwritten(run: Any, tmp_path: Path) -> None:
    (tmp_path / "sipsimple-mine").mkdir()
    assert "File exists" in run("plugins", "new", "mine", "--in", str(tmp_path), code=1).output
    assert not list((tmp_path / "sipsimple-mine").iterdir())
