"""What `sipsimple call` and `sipsimple answer` can be told alike."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import click

from sipsimple.audio.commands.keys import DIGITS
from sipsimple.cli import CommandError, ExitCode, json_option
from sipsimple.cli.calling import account_option

__all__ = ["CallOptions", "call_options"]

F = TypeVar("F", bound=Callable[..., Any])

PAUSE = ","


@dataclass(frozen=True, slots=True)
class CallOptions:
    """How calls go. Times are in seconds, None for no limit."""

    play: Path | None = None
    loop: bool = False
    end_after_play: bool = False
    record: Path | None = None
    dtmf: str = ""
    null: bool = False
    input_device: str | None = None
    output_device: str | None = None
    duration: float | None = None
    wait: float | None = None
    account: str | None = None  # see sipsimple.cli.calling
    port: int | None = None
    as_json: bool = False

    @classmethod
    def checked(cls, given: dict[str, Any]) -> CallOptions:
        """Take what is known out of the arguments of a command. Raises CommandError for files that can't be used."""
        options = cls(**{field.name: given.pop(field.name) for field in fields(cls) if field.name in given})
        if options.play is not None:
            _check_playable(options.play)
        elif options.loop or options.end_after_play:
            raise CommandError("--loop and --end-after-play are about what --play plays", ExitCode.USAGE)
        if options.record is not None:
            _check_recordable(options.record)
        for digit in options.dtmf:
            if digit not in DIGITS + PAUSE:
                raise CommandError(f"{digit!r} is no DTMF digit: --dtmf takes {DIGITS} and commas", ExitCode.USAGE)
        if options.null and (options.input_device or options.output_device):
            raise CommandError("--null is about no devices at all", ExitCode.USAGE)
        return options

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that it wants to have."""
        settings: dict[str, Any] = {}
        if self.null:
            settings = dict.fromkeys(("audio.input_device", "audio.output_device", "audio.alert_device"))
        if self.input_device is not None:
            settings["audio.input_device"] = self.input_device
        if self.output_device is not None:
            settings["audio.output_device"] = self.output_device
        if self.port is not None:
            settings["sip.udp_port"] = settings["sip.tcp_port"] = self.port
        return settings


def _check_playable(path: Path) -> None:
    from sipsimple.audio import WaveFile, WaveFileError

    try:
        WaveFile(path).close()
    except WaveFileError as error:
        raise CommandError(f"{path} can't be played: {error.reason}", ExitCode.USAGE) from None


def _check_recordable(path: Path) -> None:
    """A call is no time to learn that nothing can be recorded."""
    folder = path if path.is_dir() else next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise CommandError(f"nothing can be recorded to {path}: {folder} is no folder", ExitCode.USAGE)
    place = path if path.is_file() else folder
    if not os.access(place, os.W_OK):
        raise CommandError(f"nothing can be recorded to {path}: {place} can't be written", ExitCode.USAGE)


_FILE = click.Path(path_type=Path, dir_okay=False)
_SECONDS = click.FloatRange(min=0, min_open=True)
_OPTIONS = (
    click.option("--play", type=_FILE, metavar="FILE", help="Say this .wav file, beside the microphone."),
    click.option("--loop", is_flag=True, help="Say it over and over."),
    click.option("--end-after-play", is_flag=True, help="Hang up when it was said."),
    click.option(
        "--record",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Record both parties to this .wav file, or to one in this folder.",
    ),
    click.option("--dtmf", default="", metavar="DIGITS", help="Send these digits first; a comma is a pause."),
    click.option("--null", is_flag=True, help="No microphone and no loudspeaker."),
    click.option("--input-device", metavar="NAME", help="The microphone; sipsimple devices lists them."),
    click.option("--output-device", metavar="NAME", help="The loudspeaker."),
    click.option("--duration", type=_SECONDS, metavar="SECONDS", help="Hang up after so long."),
    account_option,
    click.option("--port", type=click.IntRange(0, 65535), metavar="PORT", help="The UDP and TCP port of SIP."),
    json_option,
)


def call_options(function: F) -> F:
    """Adds the options that both commands have."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function
