"""Session descriptions (RFC 4566, RFC 8866): read, changed and printed; lines that nobody knows are kept."""
# ruff: noqa: F403

from __future__ import annotations

from sipsimple.core.wire.sdp import lines, media, session
from sipsimple.core.wire.sdp.lines import *
from sipsimple.core.wire.sdp.media import *
from sipsimple.core.wire.sdp.session import *

__all__ = [*lines.__all__, *media.__all__, *session.__all__]
