"""Typed header values, one module for each family. Fields of a name that is in no module are kept as text."""
# ruff: noqa: F403

from __future__ import annotations

from sipsimple.core.wire.headers import (
    addresses,
    auth,
    base,
    content,
    date,
    dialogs,
    events,
    info,
    numbers,
    reason,
    security,
    text,
    timers,
    tokens,
    values,
    via,
)
from sipsimple.core.wire.headers.addresses import *
from sipsimple.core.wire.headers.auth import *
from sipsimple.core.wire.headers.base import *
from sipsimple.core.wire.headers.content import *
from sipsimple.core.wire.headers.date import *
from sipsimple.core.wire.headers.dialogs import *
from sipsimple.core.wire.headers.events import *
from sipsimple.core.wire.headers.info import *
from sipsimple.core.wire.headers.numbers import *
from sipsimple.core.wire.headers.reason import *
from sipsimple.core.wire.headers.security import *
from sipsimple.core.wire.headers.text import *
from sipsimple.core.wire.headers.timers import *
from sipsimple.core.wire.headers.tokens import *
from sipsimple.core.wire.headers.values import *
from sipsimple.core.wire.headers.via import *

__all__ = [
    *addresses.__all__,
    *auth.__all__,
    *base.__all__,
    *content.__all__,
    *date.__all__,
    *dialogs.__all__,
    *events.__all__,
    *info.__all__,
    *numbers.__all__,
    *reason.__all__,
    *security.__all__,
    *text.__all__,
    *timers.__all__,
    *tokens.__all__,
    *values.__all__,
    *via.__all__,
]
