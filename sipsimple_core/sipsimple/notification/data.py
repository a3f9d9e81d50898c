"""What a notification carries."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["NotificationData"]

SHOWN_LENGTH = 200
SECRET_FIELD = re.compile(r"password|passphrase|secret|credential|private_key|^auth$|^token$", re.IGNORECASE)
SECRET_TEXT = re.compile(
    r'((?:(?:proxy-)?authorization|password)[\'"]?\s*[:=,]\s*|a=crypto:\s*|a=key-mgmt:\s*)'
    r".*?(?=\\r|\\n|\r|\n|$)",
    re.IGNORECASE,
)


class NotificationData:
    """The fields of a notification as attributes, `timestamp` (an aware datetime in UTC) among them.

    Its repr is fit for logs: secrets are masked and long values cut.
    """

    timestamp: Any

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    def __getattr__(self, name: str) -> Any:
        known = ", ".join(sorted(self.__dict__)) or "none"
        message = f"this notification has no field {name!r} (its fields: {known})"
        raise AttributeError(message, name=name, obj=self)

    def __repr__(self) -> str:
        fields = (f"{name}={shown(name, value)}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({', '.join(fields)})"


def shown(name: str, value: object) -> str:
    """The repr of a field's value, without secrets and of bounded length."""
    if SECRET_FIELD.search(name) and value is not None:
        return "***"
    try:
        text = repr(value)
    except Exception as error:
        text = f"<{type(value).__name__}, whose repr raises {type(error).__name__}>"
    text = SECRET_TEXT.sub(r"\1***", text)
    return text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}... ({len(text)} characters)"
