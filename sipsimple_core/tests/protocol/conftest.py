"""Parties that talk over a link without a network: what the tests of the protocol layer have in common."""

from __future__ import annotations

import pytest

from sipsimple.testing.parties import Link, Party


@pytest.fixture
def link() -> Link:
    return Link()


@pytest.fixture
def alice(link: Link) -> Party:
    return Party(link, "alice", "10.0.0.1")


@pytest.fixture
def bob(link: Link) -> Party:
    return Party(link, "bob", "10.0.0.2")


@pytest.fixture
def carol(link: Link) -> Party:
    return Party(link, "carol", "10.0.0.3")
