"""A bot that answers calls: it says a file, then repeats each sentence that it hears; it hears digits, and records.

    python examples/voice_bot.py HELLO.wav FOLDER

The sentences are kept in FOLDER. The digit 1 has it greet again, # hangs up. It prints its address, which any SIP
phone can call, such as `sipsimple call`.
"""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

from sipsimple.account import Account
from sipsimple.application import SIPApplication
from sipsimple.audio import AudioBridge, SpeechDetector, StreamPort, WaveFile, WavePlayer, WaveRecorder
from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.core import Engine
from sipsimple.notification import NotificationCenter
from sipsimple.notification.waiting import WaitFailedError
from sipsimple.storage import MemoryStorage


class VoiceBot:
    """Talks with whoever is at the other end of an audio stream."""

    def __init__(self, stream):
        self.stream = stream
        # Who is in a bridge with the stream alone hears the caller, and not the bot itself
        self.hearing = AudioBridge(stream.mixer)
        self.hearing.add(stream)

    async def say(self, filename):
        """Play a file, to its end."""
        player = WavePlayer(self.stream.mixer, filename)
        self.stream.bridge.add(player)
        await player.play()

    async def listen(self, filename):
        """Record what the caller says, until a sentence is over. Returns its length in seconds."""
        recorder, ear = WaveRecorder(self.stream.mixer, filename), StreamPort(self.stream.mixer, sample_rate=16000)
        self.hearing.add(recorder)
        self.hearing.add(ear)
        recorder.start()
        detector, spoken = SpeechDetector(), 0
        async for frame in ear:  # a numpy array each 20 ms
            was_speech = detector.is_speech
            if detector.hear(frame):
                spoken += 1
            elif was_speech:
                break
        recorder.stop()
        return spoken / 50

    async def converse(self, greeting, folder):
        """Greet, and repeat sentence after sentence."""
        await self.say(greeting)
        number = 0
        while True:
            number += 1
            sentence = str(folder / f"sentence{number}.wav")
            print("I listen", flush=True)
            seconds = await self.listen(sentence)
            print("You spoke for %.1f seconds: %s" % (seconds, sentence), flush=True)
            await self.say(sentence)


async def take(session, streams, greeting, folder):
    """One call, from its answer to its end."""
    audio = [stream for stream in streams if stream.type == "audio"]
    if not audio:
        session.reject(488)
        return
    stream, center = audio[0], NotificationCenter()
    ends = session.wait_for("SIPSessionDidEnd", timeout=None)
    starts = session.wait_for("SIPSessionDidStart")
    digits = center.events("AudioStreamGotDTMF", sender=stream)
    session.accept([stream])
    try:
        await starts
    except (WaitFailedError, TimeoutError):
        return
    bot = VoiceBot(stream)
    tasks = [
        asyncio.create_task(bot.converse(greeting, folder)),
        asyncio.create_task(obey(digits, session, bot, greeting)),
    ]
    ended = await ends
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    print("The call is over, ended by %s" % ended.data.originator, flush=True)


async def obey(digits, session, bot, greeting):
    """Do what the caller asks for by a digit."""
    async for pressed in digits:
        print("You pressed %s" % pressed.data.digit, flush=True)
        if pressed.data.digit == "1":
            await bot.say(greeting)
        elif pressed.data.digit == "#":
            session.end()


async def main(greeting, folder):
    center = NotificationCenter()
    started = center.wait_for("SIPApplicationDidStart")
    SIPApplication().start(MemoryStorage())
    await started
    settings = SIPSimpleSettings()
    settings.audio.input_device = settings.audio.output_device = None  # it talks in calls, not in this room
    settings.save()
    account = Account("bot@127.0.0.1")
    account.registration.enabled = False  # no server: we are called by our address
    account.enabled = True
    account.save()
    calls = center.events("SIPSessionNewIncoming")
    print("Call me: sip:bot@%s:%d" % Engine().local_address("udp", "127.0.0.1"), flush=True)
    tasks = set()
    async for call in calls:  # and several at once, if they come
        task = asyncio.create_task(take(call.sender, call.data.streams, greeting, folder))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


if __name__ == "__main__":
    WaveFile(sys.argv[1]).close()  # so that it is known now if it can't be said
    with suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
    SIPApplication().stop()
