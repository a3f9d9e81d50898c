"""The example of a bot that speaks, with somebody who speaks to it."""

from __future__ import annotations

import asyncio
import importlib.util
import wave
from pathlib import Path
from typing import Any

import numpy as np

from sipsimple.audio import AudioBridge, AudioMixer, StreamPort, WaveFile
from sipsimple.audio.tones import tone, tone_strength

EXAMPLE = Path(__file__).parent.parent / "examples" / "voice_bot.py"
RATE = 16000


def load() -> Any:
    spec = importlib.util.spec_from_file_location("voice_bot", EXAMPLE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def strongest(audio: np.ndarray, frequency: float) -> float:
    """How clear a tone is where it is clearest."""
    return max(tone_strength(part, frequency, RATE) for part in np.array_split(audio, max(1, len(audio) // 1600)))


def test_it_greets_listens_and_repeats(tmp_path: Path) -> None:
    """The caller hears 500 Hz, says 900 Hz, and hears that again; the recording has it too, and not the greeting."""
    greeting, recording = tmp_path / "hello.wav", tmp_path / "sentence.wav"
    with wave.open(str(greeting), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", "not compressed"))
        file.writeframes(tone(500, 0.5, RATE).tobytes())

    async def converse() -> tuple[float, list[np.ndarray]]:
        mixer = AudioMixer(sample_rate=RATE)
        bridge, caller = AudioBridge(mixer), StreamPort(mixer, receive_limit=60)
        bridge.add(caller)
        task = asyncio.create_task(load().VoiceBot(bridge).converse(str(greeting), str(recording)))
        heard: list[np.ndarray] = []

        async def hear(frequency: float) -> None:
            """Until that tone was there and is over."""
            before = False
            while True:
                frame = await caller.receive()
                heard.append(frame)
                there = tone_strength(frame, frequency, RATE) > 0.8
                if before and not there:
                    return
                before = there

        await hear(500)
        while not recording.exists():
            heard.append(await caller.receive())
        await caller.send(tone(900, 0.6, RATE))
        await hear(900)
        return await task, heard

    length, heard = asyncio.run(asyncio.wait_for(converse(), 40))
    assert 0.4 < length < 1.5
    assert strongest(np.concatenate(heard), 500) > 0.95
    with WaveFile(recording) as file:
        recorded = file.read(RATE)
    assert strongest(recorded, 900) > 0.95
    assert strongest(recorded, 500) < 0.5
