"""The plugin of the distribution sipsimple-audio."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sipsimple.plugins import hookimpl

sipsimple_plugin_api = 1


@hookimpl
def sipsimple_settings() -> Iterable[Any]:
    from sipsimple.audio.settings import EXTENSIONS
    from sipsimple.streams.rtp.settings import EXTENSIONS as RTP_EXTENSIONS

    return (*EXTENSIONS, *RTP_EXTENSIONS)


@hookimpl
def sipsimple_application_services(application: Any) -> Iterable[Any]:
    from sipsimple.audio.service import AudioService
    from sipsimple.streams.rtp.engine import EngineService
    from sipsimple.streams.rtp.nat_type import NATTypeService

    return (AudioService(application), EngineService(), NATTypeService(application))


@hookimpl
def sipsimple_media_streams() -> Iterable[type[Any]]:
    from sipsimple.streams.rtp.stream import AudioStream

    return (AudioStream,)


@hookimpl
def sipsimple_audio_engines() -> Mapping[str, Callable[[], Any]]:
    from sipsimple.pjsua2.engine import PJSUA2Engine

    return {"pjsua2": PJSUA2Engine}


@hookimpl
def sipsimple_commands() -> Iterable[Any]:
    from sipsimple.audio.commands.answer import answer
    from sipsimple.audio.commands.call import call
    from sipsimple.audio.commands.devices import devices

    return (call, answer, devices)
