"""The documentation says what the code does."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = runpy.run_path(str(ROOT / "docs" / "generate.py"))["PAGES"]


@pytest.mark.parametrize("name", PAGES)
def test_generated_pages_are_up_to_date(name: str) -> None:
    """A page that differs from the code is made anew by `python docs/generate.py`."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "generate.py"), name], capture_output=True, text=True, check=True
    )
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == done.stdout


def test_the_readme_shows_the_example_as_it_is() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    example = (ROOT / "examples" / "echo_bot.py").read_text(encoding="utf-8")
    assert f"```python\n{example}```" in readme


def test_links_of_the_readme_lead_somewhere() -> None:
    import re

    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
