"""PulseAudio as a child process: its loudspeaker is a null sink, its microphone gives what a test plays."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

__all__ = ["PulseAudio"]

TIMEOUT = 30
FORMAT = ["--raw", "--format=s16le", "--rate=16000", "--channels=1"]


class PulseAudio:
    """A server of its own in a folder of its own. `environment` is what its clients need to find it.

    The default output is `speaker`, the default input `microphone`, which hears what is played to the sink `cable`.
    """

    def __init__(self, folder: Path) -> None:
        socket = folder / "native"
        self.environment = {
            **os.environ,
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_SERVER": f"unix:{socket}",
        }
        self._log = open(folder / "pulseaudio.log", "w")  # noqa: SIM115
        self.process = subprocess.Popen(
            [
                "pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disable-shm=yes",
                "-L", f"module-native-protocol-unix socket={socket} auth-anonymous=1",
                "-L", "module-null-sink sink_name=speaker sink_properties=device.description=Speaker",
                "-L", "module-null-sink sink_name=cable sink_properties=device.description=Cable",
                "-L", "module-remap-source source_name=microphone master=cable.monitor "
                      "source_properties=device.description=Microphone",
            ],
            env=self.environment, stdout=self._log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._children: list[subprocess.Popen[bytes]] = []
        deadline = time.monotonic() + TIMEOUT
        while subprocess.run(["pactl", "info"], env=self.environment, capture_output=True, check=False).returncode:
            assert self.process.poll() is None, (folder / "pulseaudio.log").read_text()
            assert time.monotonic() < deadline, "PulseAudio does not answer"
        self.pactl("set-default-sink", "speaker")
        self.pactl("set-default-source", "microphone")

    def pactl(self, *arguments: str) -> str:
        """Control the server; returns what pactl prints."""
        return subprocess.run(
            ["pactl", *arguments], env=self.environment, capture_output=True, text=True, check=True, timeout=TIMEOUT
        ).stdout

    def play(self, audio: bytes, sink: str = "cable") -> None:
        """Play PCM (16 kHz, one channel), over and over, until the end."""
        player = subprocess.Popen(
            ["pacat", *FORMAT, "--latency-msec=50", f"--device={sink}"],
            env=self.environment, stdin=subprocess.PIPE,
        )  # fmt: skip
        feeder = subprocess.Popen(
            ["python3", "-c", "import sys\naudio = sys.stdin.buffer.read()\n"
             "while True: sys.stdout.buffer.write(audio)"],
            stdin=subprocess.PIPE, stdout=player.stdin, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert feeder.stdin is not None and player.stdin is not None
        feeder.stdin.write(audio)
        feeder.stdin.close()
        player.stdin.close()
        self._children += [feeder, player]

    def record(self, seconds: float, source: str = "speaker.monitor") -> bytes:
        """What a source gives in so many seconds from now."""
        recorder = subprocess.Popen(
            ["parec", *FORMAT, "--latency-msec=50", f"--device={source}"],
            env=self.environment, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert recorder.stdout is not None
        audio = recorder.stdout.read(round(seconds * 16000) * 2)
        recorder.kill()
        recorder.communicate(timeout=TIMEOUT)
        return audio

    def stop(self) -> None:
        for process in (*self._children, self.process):
            process.kill()
            process.wait(timeout=TIMEOUT)
        self._log.close()
