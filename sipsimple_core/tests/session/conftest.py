"""The memory network, which the tests of whole sessions have in common."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sipsimple.testing import MemoryNetwork


@pytest.fixture
def network() -> Iterator[MemoryNetwork]:
    network = MemoryNetwork()
    yield network
    network.close()
