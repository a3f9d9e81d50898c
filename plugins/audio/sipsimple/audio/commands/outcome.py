"""The exit codes of `sipsimple call` and `sipsimple answer`."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["EXIT_CODES", "CallExit"]


class CallExit(IntEnum):
    """How it ended. The codes below 10, and 130, are those of all commands."""

    OK = 0  # there was a call, and somebody hung up
    FAILED = 1
    BUSY = 10
    REFUSED = 11
    NO_ANSWER = 12
    NOT_FOUND = 13
    BROKEN_OFF = 14
    INTERRUPTED = 130

    @classmethod
    def of_failure(cls, code: int) -> CallExit:
        """Of a call that never was, by the code of SIPSessionDidFail (RFC 3261 21)."""
        return _BY_CODE.get(code, cls.FAILED)


_BY_CODE = {
    **dict.fromkeys((486, 600), CallExit.BUSY),
    **dict.fromkeys((403, 488, 493, 603, 606, 607, 608), CallExit.REFUSED),
    **dict.fromkeys((408, 480), CallExit.NO_ANSWER),
    **dict.fromkeys((404, 410, 416, 484, 485, 604), CallExit.NOT_FOUND),
}

EXIT_CODES = """\b
Exit codes: 0 there was a call, and it ended well; 10 busy; 11 refused; 12 no answer, or nobody called; 13 there is
no such address; 14 a call was broken off; 1 anything else that failed; 2 wrong arguments; 3 the configuration can't
be used; 130 interrupted before there was a call.
"""
