"""The documentation says what the code does."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = [ROOT / "sipsimple_core" / "sipsimple", *ROOT.glob("plugins/*/sipsimple")]
PAGES = runpy.run_path(str(ROOT / "docs" / "generate.py"))["PAGES"]


@pytest.mark.parametrize("name", PAGES)
def test_generated_pages_are_up_to_date(name: str) -> None:
    """A page that differs from the code is made anew by `make docs`."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "generate.py"), name], capture_output=True, text=True, check=True
    )
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == done.stdout


def test_every_hook_is_on_its_page() -> None:
    """Each hook that there is has its part of the page, says what it is for, and what it may return."""
    from sipsimple.plugins import PluginManager, hookspecs

    page = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")
    sections = {part.partition("\n")[0]: part for part in page.split("## ")[1:]}
    assert set(sections) == PluginManager().hook_names
    for name, section in sections.items():
        function = getattr(hookspecs, name)
        assert len((function.__doc__ or "").split()) > 5, f"the hook {name} does not say what it is for"
        assert "return" in function.__annotations__, f"the hook {name} does not say what it returns"
        assert " ".join(function.__doc__.split()) in " ".join(section.split())


def test_every_notification_is_declared_and_on_its_page() -> None:
    """Each name that the code posts is declared; each that is declared says what it tells, as do its data."""
    page = (ROOT / "docs" / "notifications.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^### (\w+)$", page, re.MULTILINE))
    names = r"[A-Z][A-Za-z]+(?:Did|Will|Got|New|Was|Has|Changed|Trace|Log|Failure)\w*"
    posted = {
        name
        for folder in SOURCES
        for path in folder.rglob("*.py")
        for name in re.findall(rf'post\w*\(\s*"({names})"', path.read_text(encoding="utf-8"))
    }
    assert len(posted) > 60
    assert posted <= documented, f"posted, but not declared: {sorted(posted - documented)}"
    for part in page.split("### ")[1:]:
        name, _, text = part.partition("\n")
        assert len(text.partition("Sender:")[0].split()) >= 2, f"{name} does not say what it tells"
        for row in re.findall(r"^\| `(\w+)` \|(.*)\|$", text, re.MULTILINE):
            assert row[1].rpartition("|")[2].strip(), f"{name}: {row[0]} is not described"


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


def test_the_plugin_guide_shows_every_file_of_the_example() -> None:
    """The guide is made from the example (so it is run, by `make packages`); nothing of it is left out."""
    guide = (ROOT / "docs" / "plugin_guide.md").read_text(encoding="utf-8")
    example = ROOT / "examples" / "third_party_stream"
    shown = [*example.glob("sipsimple_whiteboard/*.py"), example / "pyproject.toml", *example.glob("tests/*.py")]
    assert len(shown) > 8
    for path in shown:
        assert path.read_text(encoding="utf-8") in guide, f"the guide does not show {path.name}"
    assert not re.search(r"^\{\{\S+\}\}$", guide, re.MULTILINE)


def test_the_readme_shows_the_example_as_it_is() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("echo_bot.py", "say_file.py"):
        example = (ROOT / "examples" / name).read_text(encoding="utf-8")
        assert f"```python\n{example}```" in readme


def test_links_of_the_readme_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_programs_of_the_audio_page_print_what_it_says() -> None:
    """Audio in and out of Python: a callback, an asyncio stream, numpy arrays; each is a whole program."""
    page = (ROOT / "docs" / "audio.md").read_text(encoding="utf-8")
    programs = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", page, re.DOTALL)
    assert len(programs) == 3 == page.count("```python")
    script = "import sys\nfor program in sys.stdin.read().split('\\0'):\n    exec(program, {'__name__': '__main__'})\n"
    done = subprocess.run(
        [sys.executable, "-c", script], input="\0".join(program for program, _ in programs),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout == "".join(output for _, output in programs), done.stderr
