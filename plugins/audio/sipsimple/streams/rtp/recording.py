"""Where the recordings of calls go."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from sipsimple.configuration.settings import SIPSimpleSettings

__all__ = ["default_filename"]


def default_filename(account: Any, session: Any) -> str:
    """A new name in `audio.recordings_directory`, of the participants and the time (AUD-019)."""
    identity = getattr(session, "remote_identity", None)
    remote = f"{identity.uri.user}@{identity.uri.host}" if identity is not None else "unknown"
    directory = Path(str(SIPSimpleSettings().audio.recordings_directory)) / _safe(str(account.id))
    stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{_safe(remote)}"
    path, number = directory / f"{stem}.wav", 1
    while path.exists():
        path, number = directory / f"{stem}-{number}.wav", number + 1
    return str(path)


def _safe(name: str) -> str:
    return re.sub(r"[^\w.@+-]", "_", name).lstrip(".")[:80] or "_"
