"""Import time, start-up time and memory of an application that does nothing yet, beside Twisted alone."""

from __future__ import annotations

import compileall
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from harness import Figures, measure_in_child, median, rss

RUNS = 7
PLUGINS = 20
PAIRS = 15

#: A plugin as plugins should be: its module is small, and what is heavy is imported within its hooks.
PLUGIN = """
from sipsimple.plugins import hookimpl

sipsimple_plugin_api = 1


@hookimpl
def sipsimple_media_streams():
    from asyncio import subprocess  # not imported before streams are used

    return []


@hookimpl
def sipsimple_settings():
    from sipsimple.configuration import Setting, SettingsGroup, SettingsObjectExtension

    class Group(SettingsGroup):
        enabled = Setting(bool, True, doc="Nothing.")

    return [type("Extension", (SettingsObjectExtension,), {{"dummy{number}": Group()}}, extends="SIPSimpleSettings")]


@hookimpl
def sipsimple_application_services(application):
    return []
"""


def install_plugins(folder: Path, count: int) -> None:
    """Distributions as pip leaves them, with a plugin each."""
    for number in range(count):
        (folder / f"dummy_plugin_{number}.py").write_text(PLUGIN.format(number=number))
        metadata = folder / f"dummy_plugin_{number}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: dummy-plugin-{number}\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[sipsimple]\ndummy{number} = dummy_plugin_{number}\n")


def cost_of_plugins() -> float:
    """Milliseconds that installed plugins add to start(): the median of pairs of runs, with and without them."""
    with tempfile.TemporaryDirectory() as folder:
        install_plugins(Path(folder), PLUGINS)
        compileall.compile_dir(folder, quiet=1)  # as pip does
        path = os.environ.get("PYTHONPATH", "")
        differences = []
        for _ in range(PAIRS):
            without = measure_in_child("bench_start.py", "start", "audio")
            os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [folder, path]))
            try:
                having = measure_in_child("bench_start.py", "start", "audio")
            finally:
                os.environ["PYTHONPATH"] = path
            if having["plugins"] - without["plugins"] != PLUGINS:
                raise SystemExit("the plugins were not loaded")
            differences.append(1000 * (having["seconds"] - without["seconds"]))
    return median(differences)


def import_module(name: str) -> None:
    since = time.perf_counter()
    __import__(name)
    print(json.dumps({"seconds": time.perf_counter() - since, "rss": rss()}))


def leave_out(plugin: str) -> None:
    """As if it were not installed."""
    import importlib.metadata

    found = importlib.metadata.entry_points
    importlib.metadata.entry_points = lambda **of: [entry for entry in found(**of) if entry.name != plugin]  # type: ignore


def start_application() -> None:
    import threading

    from sipsimple.application import SIPApplication
    from sipsimple.notification import NotificationCenter
    from sipsimple.storage import MemoryStorage

    started, ended = threading.Event(), threading.Event()

    class Observer:
        def handle_notification(self, notification: object) -> None:
            name = notification.name  # type: ignore[attr-defined]
            if name == "SIPApplicationDidStart":
                started.set()
            elif name == "SIPApplicationDidEnd":
                ended.set()

    NotificationCenter().add_observer(Observer())  # type: ignore[arg-type]
    since = time.perf_counter()
    SIPApplication().start(MemoryStorage())
    if not started.wait(20):
        raise SystemExit("the application did not start")
    seconds = time.perf_counter() - since
    memory = rss()
    from sipsimple.plugins import PluginManager, PluginState

    plugins = sum(plugin.state is PluginState.LOADED for plugin in PluginManager().plugins)
    SIPApplication().stop()
    ended.wait(20)
    print(json.dumps({"seconds": seconds, "rss": memory, "plugins": plugins}))


def main() -> int:
    ours = [measure_in_child("bench_start.py", "import", "sipsimple.application") for _ in range(RUNS)]
    twisted = [measure_in_child("bench_start.py", "import", "twisted.internet.ssl") for _ in range(RUNS)]
    starts = [measure_in_child("bench_start.py", "start", "audio") for _ in range(RUNS)]
    with_audio = [measure_in_child("bench_start.py", "start") for _ in range(RUNS)]

    def middle(results: list[dict[str, float]], key: str, factor: float = 1.0) -> float:
        return factor * median(result[key] for result in results)

    figures = Figures("Start of an application")
    figures.add(
        "import sipsimple.application", middle(ours, "seconds"), "s", at_most=0.45,
        limit=("Twisted with TLS", middle(twisted, "seconds")),
    )  # fmt: skip
    figures.add("start() to SIPApplicationDidStart, no audio", middle(starts, "seconds", 1000), "ms", at_most=50)
    figures.add(
        "memory after start, no audio",
        middle(starts, "rss"),
        "MB",
        at_most=60,
        limit=("Twisted with TLS", middle(twisted, "rss")),
    )
    figures.add("start() with audio: numpy, mixers, an engine's process", middle(with_audio, "seconds", 1000), "ms")
    figures.add("memory after start with audio", middle(with_audio, "rss"), "MB")
    figures.add(f"{PLUGINS} installed plugins add to start()", cost_of_plugins(), "ms", at_most=10)
    figures.show()
    return 1 if figures.missed else 0


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["import", name]:
            import_module(name)
        case ["start", *without]:
            for plugin in without:
                leave_out(plugin)
            start_application()
        case _:
            sys.exit(main())
