"""ChatStream keeps what every stream owes a session."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from sipsimple.core import SIPURI
from sipsimple.streams.chat import ChatStream
from sipsimple.testing.contract import MediaStreamContract


class TestChatStream(MediaStreamContract):
    """STR-006 to STR-036, MSRP-001: over TCP without relay."""

    stream_class = ChatStream

    def make_account(self, name: str, uri: SIPURI) -> Any:
        account = super().make_account(name, uri)
        account.msrp = SimpleNamespace(transport="tcp", connection_model="relay")
        return account
