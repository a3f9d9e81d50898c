"""Early media: sipp describes it in a 183, somebody speaks there, and it is heard before the call is accepted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sipsimple.core import SIPURI, ToHeader
from sipsimple.session import Session
from sipsimple.streams import AudioStream
from sipsimple.streams.rtp.engine_bench import RTPPeer
from sipsimple.util import Route

from .conftest import Sipp
from .hearing import until
from .scenarios import SDP, expect, pause, reply, scenario
from .voices import BridgeEar

pytest.importorskip("pjsua2", reason="pip install 'sipsimple-audio[pjsua2]'", exc_type=ImportError)

TIMEOUT = 20
ANNOUNCEMENT, ANSWER = 500.0, 800.0  # Hz

CANCELLED = [expect("CANCEL"), reply(200, "OK", tag=None, contact=False)]
CANCELLED += [reply(487, "Request Terminated", to_saved=True, contact=False), expect("ACK")]


@pytest.fixture
def voices() -> Iterator[tuple[RTPPeer, RTPPeer]]:
    voices = RTPPeer(ANNOUNCEMENT), RTPPeer(ANSWER)
    yield voices
    for voice in voices:
        voice.stop()


def described(voice: RTPPeer) -> str:
    return SDP.replace("audio 6000 RTP/AVP 8", f"audio {voice.port} RTP/AVP 0").replace("8 PCMA", "0 PCMU")


class Call:
    """A call to sipp, in which we listen."""

    def __init__(self, application: Any, port: int) -> None:
        self.recorder = application.recorder
        self.session, self.stream = Session(application.account), AudioStream(application.account)
        self.hear = BridgeEar(self.stream).wait_for
        uri = SIPURI(user="bob", host="127.0.0.1", port=port)
        self.session.connect(ToHeader(uri), [Route("127.0.0.1", port, "udp")], [self.stream])

    def follow(self, old: RTPPeer, new: RTPPeer) -> None:
        """Until the second description is ours to hear: then the first party is silent, and the second speaks."""
        stream = self.stream
        until(lambda: stream.remote_rtp_port_sdp == new.port, "there is no new description")
        old.quiet = True
        new.source = ("127.0.0.1", stream.local_rtp_port)

    def end(self) -> None:
        self.session.end()
        self.recorder.wait_until(lambda: self.session.state == "terminated", TIMEOUT, "the call did not end")


def test_the_announcement_is_heard(application: Any, sipp: Sipp, voices: tuple[RTPPeer, RTPPeer]) -> None:
    """RFC 3960 3.1: the media of a 183 are heard while the call is not accepted; who speaks there hears silence."""
    steps = [expect("INVITE", save=True), reply(183, "Progress", body=described(voices[0]), to_saved=True), *CANCELLED]
    run = sipp.start(scenario(*steps))
    call = Call(application, run.port)
    call.hear(ANNOUNCEMENT)
    assert call.session.state != "connected"
    assert call.stream.consumer_slot is None
    call.end()
    run.finish()
    assert call.stream not in call.stream.bridge


def test_the_answer_takes_the_place_of_the_announcement(
    application: Any, sipp: Sipp, voices: tuple[RTPPeer, RTPPeer]
) -> None:
    """RFC 3960 3.1: what the 2xx describes is what is heard from then on."""
    steps = [expect("INVITE", save=True), reply(183, "Progress", body=described(voices[0]), to_saved=True), pause(500)]
    steps += [reply(200, "OK", body=described(voices[1]), to_saved=True), expect("ACK")]
    run = sipp.start(scenario(*steps, expect("BYE"), reply(200, "OK", tag=None, contact=False)))
    call = Call(application, run.port)
    call.recorder.wait_for("SIPSessionDidStart", call.session, TIMEOUT)
    call.follow(*voices)
    call.hear(ANSWER)
    assert call.stream.consumer_slot is not None
    call.end()
    run.finish()


def test_the_last_branch_of_a_fork_is_heard(application: Any, sipp: Sipp, voices: tuple[RTPPeer, RTPPeer]) -> None:
    """RFC 3960 3.1: of two branches with early media, the one that described it last."""
    steps = [expect("INVITE", save=True)]
    for voice, tag in zip(voices, ("one", "two"), strict=True):
        steps.append(reply(183, "Progress", body=described(voice), tag=tag, to_saved=True))
    run = sipp.start(scenario(*steps, *CANCELLED))
    call = Call(application, run.port)
    call.follow(*voices)
    call.hear(ANSWER)
    assert call.session.state != "connected"
    call.end()
    run.finish()
