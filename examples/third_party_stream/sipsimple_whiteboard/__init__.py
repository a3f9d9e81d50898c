"""A whiteboard that the two parties of a SIP session draw on: a stream of the SIP SIMPLE SDK."""

from sipsimple_whiteboard.board import Stroke
from sipsimple_whiteboard.stream import WhiteboardStream

__all__ = ["Stroke", "WhiteboardStream"]
