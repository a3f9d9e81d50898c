"""Two user agents, each a process of its own, chat over SIP and MSRP, then one plays to the other; drawn as it happens.

Run by `make demo`. Exits 0 only if every message arrived, once, in order, and its delivery was confirmed, and if the
melody that alice played is in bob's recording. Where there is no audio engine it says so and does the rest.
`--svg FILE` also writes what was shown as a picture.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

from ladder import Event, make_console, make_ladder, save_picture
from rich.console import Console
from verdict import Verdict

TALK = {
    "alice": [
        "Hi Bob, can you hear me?",
        "No server, no patched C stack: just pip install.",
        "Any Unicode, of course: žluťoučký kůň, 你好, 🎉",
        "Bye!",
    ],
    "bob": [
        "Loud and clear, Alice.",
        "And every line has its delivery report.",
        "Even those: ✓",
        "Bye, Alice.",
    ],
}

#: The whole demo is given up after so many seconds.
TIMEOUT = 60

#: Events of two processes are shown in the order of their time stamps: each waits so long for earlier ones, in seconds.
REORDERING_WINDOW = 0.03


class Agent:
    """A user agent in a child process, which reports in JSON lines and is told what to do in the same way."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.process = process

    @classmethod
    async def spawn(cls, name: str, folder: str, *arguments: str) -> Agent:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(Path(__file__).with_name("agent.py")), name, json.dumps(TALK[name]), folder, *arguments,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            process_group=0,  # Ctrl-C is for us; it is told of it by the end of its input
        )  # fmt: skip
        return cls(name, process)

    async def events(self) -> AsyncIterator[Event]:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            yield Event(who=self.name, **json.loads(line))

    async def stop(self) -> int:
        """Closes the agent's standard input, which tells it to stop, and waits for its end."""
        assert self.process.stdin is not None
        with suppress(ConnectionError):
            self.process.stdin.close()
        try:
            return await asyncio.wait_for(self.process.wait(), 10)
        except TimeoutError:
            self.process.kill()
            return await self.process.wait()


async def run(verdict: Verdict, queue: asyncio.Queue[Event], folder: str) -> None:
    """Starts both agents, lets alice call bob, and ends both when the session has."""
    agents: list[Agent] = []
    readers: list[asyncio.Task[None]] = []
    ready: dict[str, asyncio.Future[str]] = {}
    ended = asyncio.get_running_loop().create_future()

    async def read(agent: Agent) -> None:
        async for event in agent.events():
            verdict.note(event)
            queue.put_nowait(event)
            if event.kind == "ready":
                ready[agent.name].set_result(event.text)
            elif event.kind in ("ended", "failed") and agent.name == "alice" and not ended.done():
                ended.set_result(None)
        if not ready[agent.name].done():
            ready[agent.name].set_exception(RuntimeError(f"{agent.name} did not start"))
        if not ended.done():
            ended.set_result(None)

    async def start(name: str, *arguments: str) -> str:
        ready[name] = asyncio.get_running_loop().create_future()
        agent = await Agent.spawn(name, folder, *arguments)
        agents.append(agent)
        readers.append(asyncio.create_task(read(agent)))
        return await ready[name]

    try:
        address = await start("bob")
        await start("alice", address)
        await ended
    finally:
        codes = await asyncio.gather(*(agent.stop() for agent in agents))
        await asyncio.gather(*readers)
        verdict.exit_codes = dict(zip((agent.name for agent in agents), codes, strict=True))


async def draw(queue: asyncio.Queue[Event], finished: asyncio.Event, console: Console) -> None:
    """Draws the events of both agents in the order of their time."""
    ladder = make_ladder(console)
    ladder.begin()
    held: list[Event] = []
    while not (finished.is_set() and queue.empty() and not held):
        with suppress(TimeoutError):
            held.append(await asyncio.wait_for(queue.get(), REORDERING_WINDOW))
        held.sort(key=lambda event: event.time)
        due = time.time() - REORDERING_WINDOW
        while held and (held[0].time <= due or finished.is_set()):
            ladder.show(held.pop(0))
    ladder.end()


async def main(picture: str | None = None) -> int:
    console = make_console(picture is not None)
    verdict = Verdict(TALK)
    queue: asyncio.Queue[Event] = asyncio.Queue()
    finished = asyncio.Event()
    drawing = asyncio.create_task(draw(queue, finished, console))
    try:
        with tempfile.TemporaryDirectory() as folder:
            await asyncio.wait_for(run(verdict, queue, folder), TIMEOUT)
    except (TimeoutError, RuntimeError) as error:
        verdict.problems.append(str(error) or f"not finished within {TIMEOUT} seconds")
    finished.set()
    await drawing
    code = verdict.tell(console)
    if picture is not None:
        save_picture(console, picture)
    return code


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Two user agents chat, and one plays to the other.")
    parser.add_argument("--svg", metavar="FILE", help="also write what was shown as a picture")
    try:
        sys.exit(asyncio.run(main(parser.parse_args().svg)))
    except KeyboardInterrupt:
        sys.exit(130)  # as who is ended by Ctrl-C
