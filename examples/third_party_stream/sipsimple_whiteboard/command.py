"""`sipsimple whiteboard`: checks a drawing, and makes a picture of it."""

import click

from sipsimple.cli import CommandError, CommandLine, pass_command_line
from sipsimple_whiteboard.board import Stroke, to_svg


@click.command()
@click.argument("drawing", type=click.File())
@pass_command_line
def whiteboard(command_line: CommandLine, drawing) -> None:
    """Print the DRAWING, a stroke a line (`#d33 2 10,10 40,25`), as SVG; - is the standard input."""
    try:
        strokes = [Stroke.parse(line.strip()) for line in drawing if line.strip()]
    except ValueError as error:
        raise CommandError(str(error)) from None
    click.echo(to_svg(strokes), nl=False)
