"""The plugin of the distribution sipsimple-audio."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sipsimple.plugins import hookimpl

sipsimple_plugin_api = 1


@hookimpl
def sipsimple_settings() -> Iterable[Any]:
    from sipsimple.audio.settings import EXTENSIONS

    return EXTENSIONS


@hookimpl
def sipsimple_application_services(application: Any) -> Iterable[Any]:
    from sipsimple.audio.service import AudioService

    return (AudioService(application),)
