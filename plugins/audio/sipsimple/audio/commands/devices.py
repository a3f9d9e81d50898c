"""`sipsimple devices`: the sound devices that there are."""

from __future__ import annotations

import click

from sipsimple.cli import CommandLine, json_option, pass_command_line

__all__ = ["devices"]


@click.command(short_help="List the sound devices.")
@json_option
@pass_command_line
def devices(command_line: CommandLine, as_json: bool) -> None:
    """List the microphones and the loudspeakers, as --input-device, --output-device and the settings name them.

    \b
    sipsimple settings set audio.input_device="USB Headset"
    """
    from sipsimple.audio.sound_system import SoundSystem

    found = SoundSystem().driver.devices()
    kinds = (("input", found.inputs, found.default_input), ("output", found.outputs, found.default_output))
    if as_json:
        command_line.print_json(
            [{"kind": kind, "name": name, "default": name == default} for kind, names, default in kinds
             for name in names]
        )  # fmt: skip
        return
    for kind, names, default in kinds:
        for name in names:
            command_line.print(f"{kind:<7} {name}" + (" (default)" if name == default else ""))
    if not found.inputs and not found.outputs:
        command_line.print("There are no sound devices.")
