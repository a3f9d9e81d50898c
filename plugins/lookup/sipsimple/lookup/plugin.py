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


@hookimpl
def sipsimple_application_services(application: Any) -> Iterable[Any]:
    from sipsimple.lookup.manager import DNSManager

    return (DNSManager(),)


@hookimpl
def sipsimple_commands() -> Iterable[Any]:
    from sipsimple.lookup.command import lookup

    return (lookup,)
