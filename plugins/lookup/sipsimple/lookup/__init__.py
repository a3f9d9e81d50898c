"""Finding servers by DNS: DNSLookup, DNSManager and DNSLookupError. Nothing is imported before it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sipsimple.lookup.errors import DNSLookupError
    from sipsimple.lookup.lookup import DNSLookup
    from sipsimple.lookup.manager import DNSManager

__all__ = ["DNSLookup", "DNSLookupError", "DNSManager"]

_MODULES = {"DNSLookup": "lookup", "DNSLookupError": "errors", "DNSManager": "manager"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return value
