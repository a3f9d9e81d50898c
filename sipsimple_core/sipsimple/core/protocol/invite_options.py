"""Which extensions of INVITE a user agent uses, and with which figures (RFC 3262, RFC 4028)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MIN_SE", "SESSION_EXPIRES", "InviteOptions"]

#: The session interval that we ask for, in seconds (RFC 4028 4 recommends 1800).
SESSION_EXPIRES = 1800
#: The shortest session interval that we take, in seconds (RFC 4028 5: 90 is the least that may be asked for).
MIN_SE = 90


@dataclass(frozen=True, slots=True)
class InviteOptions:
    """See the module.

    Attributes: `reliable_provisionals` (whether 100rel is known at all), `session_expires` (the session interval to
    ask for, in seconds; 0 is for no session timers), `min_se` (the shortest session interval to take, in seconds).
    """

    reliable_provisionals: bool = True
    session_expires: int = SESSION_EXPIRES
    min_se: int = MIN_SE

    def __post_init__(self) -> None:
        if self.session_expires and not 0 < self.min_se <= self.session_expires:
            raise ValueError(f"a session interval of {self.session_expires} seconds with a minimum of {self.min_se}")

    @property
    def extensions(self) -> tuple[str, ...]:
        """The option tags of what is switched on."""
        tags = ["replaces"]
        if self.reliable_provisionals:
            tags.append("100rel")
        if self.session_expires:
            tags.append("timer")
        return tuple(tags)
