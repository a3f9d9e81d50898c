"""The wire layer: values in, octets out. URIs, headers, messages, SDP, digest. No clock, no socket."""
# ruff: noqa: F403

from __future__ import annotations

from sipsimple.core.wire import (
    absolute_uri,
    digest,
    errors,
    framer,
    header_fields,
    headers,
    message,
    multipart,
    parser,
    reasons,
    sdp,
    sipfrag,
    tel,
    uri,
    validation,
)
from sipsimple.core.wire.absolute_uri import *
from sipsimple.core.wire.digest import *
from sipsimple.core.wire.errors import *
from sipsimple.core.wire.framer import *
from sipsimple.core.wire.header_fields import *
from sipsimple.core.wire.headers import *
from sipsimple.core.wire.message import *
from sipsimple.core.wire.multipart import *
from sipsimple.core.wire.parser import *
from sipsimple.core.wire.reasons import *
from sipsimple.core.wire.sdp import *
from sipsimple.core.wire.sipfrag import *
from sipsimple.core.wire.tel import *
from sipsimple.core.wire.uri import *
from sipsimple.core.wire.validation import *

__all__ = [
    *absolute_uri.__all__,
    *digest.__all__,
    *errors.__all__,
    *framer.__all__,
    *header_fields.__all__,
    *headers.__all__,
    *message.__all__,
    *multipart.__all__,
    *parser.__all__,
    *reasons.__all__,
    *sdp.__all__,
    *sipfrag.__all__,
    *tel.__all__,
    *uri.__all__,
    *validation.__all__,
]
