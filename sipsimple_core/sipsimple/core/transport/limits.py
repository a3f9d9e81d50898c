"""The bounds of the transports: what a peer may take of us before it is refused or given up.

All times are in seconds. The bounds on messages are in `sipsimple.core.wire.parser` and `sipsimple.core.wire.framer`.
"""

from __future__ import annotations

__all__ = [
    "ATTEMPT_DELAY", "CHECK_INTERVAL", "CLOSE_TIMEOUT", "CONNECT_TIMEOUT", "EVICTION_IDLE", "EVICTION_INTERVAL",
    "HALF_MESSAGE_TIMEOUT", "HANDSHAKE_TIMEOUT", "IDLE_TIMEOUT", "MAX_BACKLOG", "MAX_CONNECTIONS",
    "MAX_CONNECTIONS_PER_HOST", "MAX_UNREACHABLE", "PONG_TIMEOUT", "STALLED_TIMEOUT", "UNREACHABLE_LIFETIME",
]  # fmt: skip

#: Connections of one transport, in both directions together.
MAX_CONNECTIONS = 20_000
#: Connections of one transport that one address has opened.
MAX_CONNECTIONS_PER_HOST = 1_000
#: Where there are too many, the oldest that was silent for so long gives way to a new one; otherwise that is refused.
EVICTION_IDLE = 60.0
#: How often at most all connections are looked through for such a one.
EVICTION_INTERVAL = 1.0
#: Octets that wait for a connection to open, or for a peer that reads slowly; with more it is closed.
MAX_BACKLOG = 1_048_576
#: From one attempt to reach a server to that at its next address (RFC 8305 8, Connection Attempt Delay).
ATTEMPT_DELAY = 0.25
#: To open a connection: time for three attempts of TCP (RFC 6298 2), and less than timers B and F leave for other hops.
CONNECT_TIMEOUT = 6.0
#: From the connection to the end of the TLS handshake.
HANDSHAKE_TIMEOUT = 10.0
#: Without anything sent or received.
IDLE_TIMEOUT = 900.0
#: From the first octet of a message to its last.
HALF_MESSAGE_TIMEOUT = 30.0
#: For which a peer may keep us from writing what waits.
STALLED_TIMEOUT = 30.0
#: From a keep-alive to whatever the peer says next (RFC 5626 4.4.1).
PONG_TIMEOUT = 10.0
#: How often all connections are looked through for those whose time is out.
CHECK_INTERVAL = 5.0
#: How long a connection may take to send the rest when it is closed.
CLOSE_TIMEOUT = 2.0
#: For how long, and for how many peers, it is remembered that they take no connection.
UNREACHABLE_LIFETIME = 300.0
MAX_UNREACHABLE = 1_000
