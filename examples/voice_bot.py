"""A bot that speaks: it says a file, listens until you have finished a sentence, keeps it in a file, and says it back.

    python examples/voice_bot.py HELLO.wav SENTENCE.wav

It talks through the sound devices of this machine. All that it needs is a bridge to talk in, so it can as well talk in
the bridge of a call.
"""

import asyncio
import sys

from sipsimple.audio import (
    AudioBridge,
    AudioDevice,
    AudioMixer,
    SpeechDetector,
    StreamPort,
    WavePlayer,
    WaveRecorder,
)


class VoiceBot:
    """Talks in a bridge with whoever is in it."""

    def __init__(self, bridge: AudioBridge) -> None:
        self.bridge = bridge
        self.ear = StreamPort(bridge.mixer)
        bridge.add(self.ear)

    async def say(self, filename: str) -> None:
        """Play a file, to its end."""
        player = WavePlayer(self.bridge.mixer, filename)
        self.bridge.add(player)
        await player.play()

    async def listen(self, filename: str) -> float:
        """Record what is said, from now until a sentence is over. Returns its length in seconds."""
        recorder = WaveRecorder(self.bridge.mixer, filename)
        self.bridge.add(recorder)
        recorder.start()
        detector, spoken = SpeechDetector(), 0
        async for frame in self.ear:
            was_speech = detector.is_speech
            if detector.hear(frame):
                spoken += 1
            elif was_speech:
                break
        recorder.stop()
        return spoken / 50

    async def converse(self, greeting: str, recording: str) -> float:
        """Greet, listen, and repeat what was said."""
        await self.say(greeting)
        while self.ear.pending_frames:  # what it heard while it spoke: itself, or nobody
            await self.ear.receive()
        length = await self.listen(recording)
        await self.say(recording)
        return length


async def main(greeting: str, recording: str) -> None:
    mixer = AudioMixer("system_default", "system_default")
    device, bridge = AudioDevice(mixer), AudioBridge(mixer)
    bridge.add(device)
    length = await VoiceBot(bridge).converse(greeting, recording)
    print("You spoke for %.1f seconds; it is in %s" % (length, recording))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
