"""What `make fuzz` begins with: each target takes the inputs that it is seeded with, and those cut short or changed."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SPEC = importlib.util.spec_from_file_location("fuzz_targets", ROOT / "fuzz" / "targets.py")
assert SPEC is not None and SPEC.loader is not None
targets = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(targets)


@pytest.mark.parametrize("name", targets.TARGETS)
def test_target(name: str) -> None:
    target, folders = targets.TARGETS[name]
    seeds = [path.read_bytes() for folder in folders for path in sorted((ROOT / folder).iterdir()) if path.is_file()]
    assert seeds
    rng = random.Random(name)
    target(b"")
    for seed in seeds:
        target(seed)
        target(seed[: rng.randrange(len(seed))])
        changed = bytearray(seed)
        for _ in range(3):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        target(bytes(changed))
