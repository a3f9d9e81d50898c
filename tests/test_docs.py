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


def test_every_setting_is_on_its_page() -> None:
    """Each setting of the core and of all plugins has a row, its type and its default, and says what it is for."""
    script = f"""
import sys
sys.path.insert(0, {str(ROOT / "docs")!r})
from settings_page import CORE, declared_settings, settings_classes
from sipsimple.configuration import SettingsObject, SettingsObjectExtension
page = open({str(ROOT / "docs" / "settings.md")!r}, encoding="utf-8").read()
sections = {{part.split("\\n")[0]: part for part in page.split("## ")[1:]}}
declared = list(declared_settings())
for owner, name, setting, distribution in declared:
    assert setting.doc.strip().endswith("."), f"{{owner}}.{{name}} does not say what it is for"
    rows = [line for line in sections[owner].splitlines() if line.startswith(f"| `{{name}}` |")]
    assert len(rows) == 1 and distribution in rows[0], (owner, name, rows)
assert sum(line.startswith("| `") for line in page.splitlines()) == len(declared)
# nothing that declares settings is overlooked: neither a class, nor an extension
known = {{(owner, name) for owner, name, *_ in declared}}
for cls in settings_classes():
    assert {{(cls.__name__, name) for name, _ in cls.iter_settings()}} <= known
names = {{name for _, name in known}}
for extension in SettingsObjectExtension.__subclasses__():
    assert {{name for name, _ in extension.iter_settings()}} <= names, extension
print(len(declared))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and int(done.stdout) > 25, done.stderr


def test_the_readme_shows_the_example_as_it_is() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    example = (ROOT / "examples" / "echo_bot.py").read_text(encoding="utf-8")
    assert f"```python\n{example}```" in readme


def test_links_of_the_readme_lead_somewhere() -> None:
    import re

    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
