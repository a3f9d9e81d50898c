"""The plugin adds a command to `sipsimple`, and its setting."""

import click.testing

from sipsimple.cli.main import sipsimple


def run(*arguments, **options):
    return click.testing.CliRunner().invoke(sipsimple, arguments, **options)


def test_a_drawing_becomes_a_picture():
    result = run("whiteboard", "-", input="#d33 2 10,10 40,25\n\n#33d 1 0,0\n")
    assert result.exit_code == 0
    assert result.output.count("<polyline") == 2


def test_what_is_no_drawing_is_said():
    result = run("whiteboard", "-", input="hello\n")
    assert result.exit_code == 1
    assert "a stroke is COLOUR WIDTH X,Y..., not 'hello'" in result.output


def test_the_setting_is_shown_and_the_plugin_listed(tmp_path):
    result = run("--config", str(tmp_path), "settings", "get", "whiteboard.max_strokes")
    assert (result.exit_code, result.output.strip()) == (0, "10000")
    assert "sipsimple-whiteboard" in run("plugins", "--json").output
