"""What MSRP streams post beside what every stream posts, and how the log of msrplib becomes notifications."""

from __future__ import annotations

import logging
from enum import IntEnum

from sipsimple.notification import NotificationCenter, NotificationData, declare_notification, field

__all__ = ["LogLevel", "forward_library_log"]

declare_notification(
    "MSRPTransportTrace",
    "MSRPTransport",
    "A chunk, or of a very long one a piece, was received or sent (only while logs.trace_msrp is set).",
    direction=field(str, "'incoming' or 'outgoing'"),
    data=field(str, "the chunk as text; octets that are no UTF-8 are shown as \\xNN"),
)

declare_notification(
    "MSRPLibraryLog",
    None,
    "msrplib wrote a line to its log.",
    message=field(str, "the line"),
    level=field("LogLevel", "DEBUG, INFO, WARNING, ERROR or CRITICAL"),
)


class LogLevel(IntEnum):
    """The levels of a log; `str()` of one is its name, and they compare with those of the module logging."""

    DEBUG = logging.DEBUG
    INFO = logging.INFO
    WARNING = logging.WARNING
    ERROR = logging.ERROR
    CRITICAL = logging.CRITICAL

    def __str__(self) -> str:
        return self.name

    @classmethod
    def of(cls, number: int) -> LogLevel:
        """The highest level that is not above the number."""
        return max((level for level in cls if level <= number), default=cls.DEBUG)


class _Forwarder(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            data = NotificationData(message=record.getMessage(), level=LogLevel.of(record.levelno))
            NotificationCenter().post_notification("MSRPLibraryLog", data=data)
        except Exception:
            self.handleError(record)


_forwarder = _Forwarder()


def forward_library_log() -> None:
    """Post MSRPLibraryLog for what msrplib logs from now on; calling it again changes nothing (MSRP-011).

    Which records there are is up to the level of the logger 'msrplib'.
    """
    logging.getLogger("msrplib").addHandler(_forwarder)
