"""The example of the README runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sipsimple.streams import MediaStreamRegistry


def test_example() -> None:
    """MSRP-001, MSRP-003, MSRP-004, MSRP-005, MSRP-006, MSRP-007: a stream of a third party, as the README has it,
    and its test."""
    text = (Path(__file__).parent.parent / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 2
    namespace: dict[str, Any] = {"__name__": "readme"}
    try:
        for block in blocks:
            exec(block, namespace)
        assert namespace["pair"].alice.stream.result == 5
    finally:
        MediaStreamRegistry().unregister(namespace["CounterStream"])
