"""The SIP engine under the name that the specification uses."""

from sipsimple.core.engine import Engine

__all__ = ["Engine"]
