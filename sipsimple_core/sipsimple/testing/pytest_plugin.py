"""The pytest plugin: makes tests of anything that uses the SDK strict and independent of each other.

It is active wherever the core is installed, and imports nothing of it by itself. For each test, as far as the
SDK was imported:
- the default realm is a fresh one, so that singletons do not outlive their test;
- notifications are strict: posting one that doesn't keep to its declaration raises;
- the test fails if an observer raised, unless it uses the fixture `observer_errors`, the list of the log
  records of such errors, or is marked `observer_errors`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Generator
from typing import Any

import pytest

MARKER = "observer_errors"


class ErrorCollector(logging.Handler):
    """Keeps the log records that say that an observer raised."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


_collector = ErrorCollector()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{MARKER}: observers of notifications may raise in this test")


@pytest.fixture
def observer_errors() -> list[logging.LogRecord]:
    """The log records of observers that raised in this test; a test that uses it does not fail for them."""
    return _collector.records


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    logger = logging.getLogger("sipsimple.notification")
    realm_module: Any = sys.modules.get("sipsimple.realm")
    declaration_module: Any = sys.modules.get("sipsimple.notification.declaration")
    _collector.records.clear()
    logger.addHandler(_collector)
    previous_realm = None if realm_module is None else realm_module.replace_default_realm()
    previous_check = None if declaration_module is None else declaration_module.strictness.check
    if declaration_module is not None:
        declaration_module.strictness.set(True)
    try:
        return (yield)
    finally:
        if declaration_module is not None:
            declaration_module.strictness.check = previous_check
        if realm_module is not None:
            realm_module.replace_default_realm(previous_realm)
        logger.removeHandler(_collector)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    result = yield
    _fail_for_errors(item)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, Any]:
    result = yield
    _fail_for_errors(item)
    return result


def _fail_for_errors(item: pytest.Item) -> None:
    if item.get_closest_marker(MARKER) is not None or MARKER in getattr(item, "fixturenames", ()):
        return
    if _collector.records:
        formatter = logging.Formatter()
        text = "\n".join(formatter.format(record) for record in _collector.records)
        _collector.records.clear()
        pytest.fail(f"an observer raised:\n{text}", pytrace=False)
