"""Calls of the user's handler: what it raises is logged and harms neither session nor connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msrplib.drops import faults
from msrplib.handler import MessageSink, Refusal

if TYPE_CHECKING:
    from msrplib.incoming import IncomingMessage
    from msrplib.protocol import MSRPData
    from msrplib.session import MSRPSession

__all__ = ["ask_about_message", "hand_over_message", "tell"]

_NOT_HANDLED = Refusal(403, "The message cannot be handled")


def tell(session: MSRPSession, method: Callable[..., Any], *arguments: Any) -> None:
    """Call a method of the handler that answers nothing."""
    try:
        method(session, *arguments)
    except Exception:
        faults.dropped("%s: the handler raised", session, exc_info=True)


def ask_about_message(session: MSRPSession, chunk: MSRPData) -> Refusal | MessageSink | None:
    """`message_started`."""
    try:
        return session.handler.message_started(session, chunk)
    except Exception:
        faults.dropped("%s: the handler raised", session, exc_info=True)
        return _NOT_HANDLED


def hand_over_message(session: MSRPSession, message: IncomingMessage) -> Refusal | None:
    """`message_received`. A message that nobody took must not be confirmed, so an exception is a refusal."""
    try:
        return session.handler.message_received(session, message)
    except Exception:
        faults.dropped("%s: the handler raised", session, exc_info=True)
        return _NOT_HANDLED
