"""What is imported when."""

from __future__ import annotations

import subprocess
import sys

import sipsimple.audio


def modules_after(code: str) -> set[str]:
    """The modules that a fresh interpreter has imported."""
    command = [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_settings_need_no_numpy() -> None:
    """The hook for settings is called in each program, also in one that has nothing to do with audio."""
    found = modules_after("from sipsimple.audio import plugin\nplugin.sipsimple_settings()")
    assert "sipsimple.streams.rtp.settings" in found
    assert not found & {"numpy", "miniaudio", "twisted.internet.reactor", "sipsimple.audio.mixer", "pjsua2"}


def test_everything_is_found() -> None:
    """Each name is there, and a wrong one is an error."""
    for name in sipsimple.audio.__all__:
        assert getattr(sipsimple.audio, name).__name__ == name
        assert name in dir(sipsimple.audio)
    assert not hasattr(sipsimple.audio, "AudioMixr")
