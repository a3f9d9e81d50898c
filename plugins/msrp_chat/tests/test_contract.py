"""ChatStream keeps what every stream owes a session."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from sipsimple.core import SIPURI
from sipsimple.streams.chat import ChatStream
from sipsimple.testing.contract import MediaStreamContract


class TestChatStream(MediaStreamContract):
    """STR-006, STR-007, STR-008, STR-009, STR-010, STR-011, STR-012, STR-013, STR-014, STR-015, STR-016, STR-017,
    STR-018, STR-019, STR-020, STR-021, STR-022, STR-023, STR-024, STR-025, STR-026, STR-027, STR-028, STR-029,
    STR-030, STR-031, STR-032, STR-033, STR-034, STR-035, STR-036, MSRP-001: over TCP without relay."""

    stream_class = ChatStream

    def make_account(self, name: str, uri: SIPURI) -> Any:
        account = super().make_account(name, uri)
        account.msrp = SimpleNamespace(transport="tcp", connection_model="relay")
        return account
