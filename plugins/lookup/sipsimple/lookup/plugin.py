"""The plugin of the distribution sipsimple-lookup."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sipsimple.plugins import hookimpl

sipsimple_plugin_api = 1


@hookimpl
def sipsimple_settings() -> Iterable[Any]:
    from sipsimple.lookup.settings import EXTENSIONS

    return EXTENSIONS


@hookimpl(trylast=True)  # whoever has a resolver of their own means it
def sipsimple_resolver() -> Any:
    from sipsimple.lookup.lookup import DNSLookup

    return DNSLookup()


class ManagerService:
    """Has DNSManager run as long as the application does. What it needs is imported in the thread pool meanwhile, as
    that takes a while, for which nothing else is to wait."""

    def __init__(self) -> None:
        self._running = False
        self._manager: Any = None

    def start(self) -> None:
        from sipsimple.threading import run_in_thread

        self._running = True
        run_in_thread(_imported)().addCallback(self._imported)

    def _imported(self, manager: Any) -> None:
        if self._running:
            self._manager = manager()
            self._manager.start()

    def stop(self) -> None:
        self._running = False
        if self._manager is not None:
            self._manager.stop()


def _imported() -> Any:
    import sipsimple.lookup.lookup  # noqa: F401  (for the lookups that follow)
    from sipsimple.lookup.manager import DNSManager

    return DNSManager


@hookimpl
def sipsimple_application_services(application: Any) -> Iterable[Any]:
    return (ManagerService(),)


@hookimpl
def sipsimple_commands() -> Iterable[Any]:
    from sipsimple.lookup.command import lookup

    return (lookup,)
