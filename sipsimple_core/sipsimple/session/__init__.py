"""Sessions: calls with their streams, and the manager that takes incoming ones.

`session` is what applications use and `manager` makes incoming ones; `states` is the table of a session's states,
and the phases that work through it are `outgoing`, `incoming`, `starting`, `connected`, `proposing`, `proposed` and
`ending`. `renegotiation` keeps what is agreed in SDP while a session runs.
"""

from sipsimple.session.errors import IllegalStateError
from sipsimple.session.manager import SessionManager
from sipsimple.session.session import Session

__all__ = ["IllegalStateError", "Session", "SessionManager"]
