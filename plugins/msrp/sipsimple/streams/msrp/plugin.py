"""The plugin of the distribution sipsimple-msrp."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from sipsimple.plugins import hookimpl

sipsimple_plugin_api = 1


@hookimpl
def sipsimple_settings() -> Iterable[Any]:
    from sipsimple.streams.msrp.settings import EXTENSIONS

    return EXTENSIONS


class PortService:
    """Closes the MSRP ports when the application stops. Streams open them when they need them."""

    def start(self) -> None:
        pass

    def stop(self) -> Any:
        """A Deferred that fires when they are closed; None when no stream ever was."""
        module = sys.modules.get("sipsimple.streams.msrp.transport")
        return None if module is None else module.MSRPTransport().stop()


@hookimpl
def sipsimple_application_services(application: Any) -> Iterable[Any]:
    return (PortService(),)
