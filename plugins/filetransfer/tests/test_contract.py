"""FileTransferStream keeps what every stream owes a session."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sipsimple.core import SIPURI
from sipsimple.streams.filetransfer import FileSelector, FileTransferStream, receiver
from sipsimple.testing.contract import MediaStreamContract


class TestFileTransferStream(MediaStreamContract):
    """STR-006, STR-007, STR-008, STR-009, STR-010, STR-011, STR-012, STR-013, STR-014, STR-015, STR-016, STR-017,
    STR-018, STR-019, STR-020, STR-021, STR-022, STR-023, STR-024, STR-025, STR-026, STR-027, STR-028, STR-029,
    STR-030, STR-031, STR-032, STR-033, STR-034, STR-035, STR-036, FT-001, FT-002: a file of alice's for bob."""

    stream_class = FileTransferStream

    @pytest.fixture(autouse=True)
    def _folders(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.source = tmp_path / "source.bin"
        # More than the sockets take at once: so it is under way when the contract ends the streams.
        self.source.write_bytes(bytes(8_000_000))
        monkeypatch.setattr(receiver, "received_files_folder", lambda: str(tmp_path / "in"))

    def make_account(self, name: str, uri: SIPURI) -> Any:
        account = super().make_account(name, uri)
        account.msrp = SimpleNamespace(transport="tcp", connection_model="relay")
        return account

    def make_stream(self, account: Any) -> Any:
        return FileTransferStream(account, FileSelector.for_file(self.source))
