"""The distributions of this repository: those that the Makefile lists, the only list that there is."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Distribution:
    """One of them: its folder, and what its pyproject.toml says."""

    folder: Path
    settings: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.settings["project"]["name"])

    @property
    def extras(self) -> list[str]:
        return list(self.settings["project"].get("optional-dependencies", {}))

    @property
    def has_plugin(self) -> bool:
        return "sipsimple" in self.settings["project"].get("entry-points", {})


def read(folder: Path) -> Distribution:
    return Distribution(folder, tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8")))


def listed() -> list[Distribution]:
    """Those of `DISTRIBUTIONS` in the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    folders = re.search(r"^DISTRIBUTIONS *:?= *(.+)$", makefile, re.MULTILINE)
    assert folders is not None
    return [read(ROOT / folder) for folder in folders[1].split()]


def meta_package() -> Distribution:
    """`sipsimple`, whose extras are the plugins."""
    return read(ROOT)


def third_party() -> Distribution:
    """A plugin as somebody else would ship it."""
    return read(ROOT / "examples" / "third_party_stream")
