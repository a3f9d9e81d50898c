"""What an audio stream offers, answers and agrees on (RFC 3264), of what its account wants and its engine has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.streams.rtp.description import AudioMedia, Codec, combine, reverse
from sipsimple.streams.rtp.engine import AudioEngines, EngineError

__all__ = ["AudioNegotiation"]


class AudioNegotiation:
    """That of one stream.

    :ivar local: this end, with all that the engine has; None before the engine has described itself
    :ivar remote: what the remote party described last
    """

    def __init__(self, account: Any) -> None:
        self.local: AudioMedia | None = None
        self.remote: AudioMedia | None = None
        self._account = account
        self._ice_with: str | None = None  # the remote ufrag that the engine does ICE with; "": with nobody

    @property
    def srtp(self) -> str:
        """disabled, optional or mandatory."""
        return str(self._account.rtp.srtp_encryption)

    @property
    def codecs(self) -> tuple[str, ...]:
        """Those that the account wants, the preferred one first."""
        return tuple(self._account.rtp.audio_codec_list or SIPSimpleSettings().rtp.audio_codec_list)

    def is_acceptable(self, remote: AudioMedia) -> bool:
        """Whether an offer can be answered: a codec of ours, and encrypted as we want it or not (RFC 4568)."""
        try:
            engine_codecs = AudioEngines().engine.codecs
        except EngineError:
            return False
        if not remote.restrict(self.codecs).restrict(engine_codecs).codecs:
            return False
        if self.srtp == "disabled":
            return not remote.secure
        return bool(remote.cryptos) or not (remote.secure or self.srtp == "mandatory")

    def usable(self, remote: AudioMedia) -> AudioMedia:
        """An offer with what we don't use left out."""
        remote = remote.restrict(self.codecs).restrict(AudioEngines().engine.codecs)
        cryptos = () if self.srtp == "disabled" else remote.cryptos[:1]
        return replace(remote, cryptos=cryptos)

    def offer(self, direction: str) -> AudioMedia:
        """What we offer."""
        assert self.local is not None
        local = self.local.restrict(self.codecs).sort(self.codecs)
        cryptos = tuple(replace(line, tag=tag) for tag, line in enumerate(local.cryptos, 1))
        ice = () if self._ice_with == "" else local.ice
        return replace(local, cryptos=cryptos, ice=ice, direction=direction)

    def answer(self, remote: AudioMedia, allowed: str) -> AudioMedia:
        """The first codec of a usable offer, with its payload types, and our key for its suite."""
        assert self.local is not None
        codec = remote.codecs[0]
        keys = {line.suite: line.key for line in self.local.cryptos}
        cryptos = tuple(replace(line, key=keys[line.suite]) for line in remote.cryptos if line.suite in keys)
        return replace(
            self.local,
            codecs=(Codec(codec.payload_type, codec.name, codec.rate),),
            events=_events_for(codec, remote),
            secure=remote.secure,
            cryptos=cryptos[:1],
            ice=self.local.ice if self._does_ice_with(remote) else (),
            direction=combine(allowed, reverse(remote.direction)),
        )

    def agree(self, local: AudioMedia | None, remote: AudioMedia | None) -> AudioMedia:
        """What was agreed on, as a description of the remote party for the engine.

        Raises ValueError for an answer to which there is no such offer, or that is not as secure as it must be.
        """
        if local is None or remote is None:
            raise ValueError("the remote party has no audio that can be used")
        if remote.secure is not local.secure:
            raise ValueError("the remote party answered with another profile than the offered one")
        common = {codec.key for codec in local.codecs} & {codec.key for codec in remote.codecs}
        answer = min(remote, local, key=lambda media: len(media.codecs))
        first = next((codec.key for codec in answer.codecs if codec.key in common), None)
        if first is None:
            raise ValueError("the remote party has none of our codecs")
        keys = {line.suite: line for line in local.cryptos}
        cryptos = tuple(line for line in remote.cryptos if line.suite in keys and keys[line.suite].tag == line.tag)[:1]
        if not cryptos and (self.srtp == "mandatory" or local.secure):
            raise ValueError("the remote party does not encrypt as was offered")
        codec = next(codec for codec in remote.codecs if codec.key == first)
        self.remote = remote
        return replace(
            remote,
            codecs=(codec,),
            events=_events_for(codec, remote),
            cryptos=cryptos,
            ice=remote.ice if local.ice and self._does_ice_with(remote) else (),
            direction=combine(remote.direction, reverse(local.direction)),
        )

    # ICE: the engine has one ufrag and password, for as long as the remote party's are the same. With another branch of
    # a fork, or a remote party that restarts ICE (RFC 8445 9), there is none: RTP goes to the address in the
    # description, which RFC 8839 4.2.5 has as the way out.

    def _does_ice_with(self, remote: AudioMedia) -> bool:
        return bool(remote.ice) and self._ice_with in (None, remote.ice_ufrag)

    def given(self, remote: AudioMedia) -> None:
        """The engine was given this description."""
        if not remote.ice:
            self._ice_with = ""
        elif self._ice_with is None:
            self._ice_with = remote.ice_ufrag

    def with_engine_tags(self, agreed: AudioMedia) -> AudioMedia:
        """As an answer to the engine's offer; it offered more suites than we did, so its lines have other tags."""
        assert self.local is not None
        tags = {line.suite: line.tag for line in self.local.cryptos}
        return replace(agreed, cryptos=tuple(replace(line, tag=tags[line.suite]) for line in agreed.cryptos))


def _events_for(codec: Codec, media: AudioMedia) -> tuple[Codec, ...]:
    """The telephone-event of the clock rate of a codec, else any."""
    same = tuple(event for event in media.events if event.rate == codec.rate)
    events: Iterable[Codec] = same or media.events
    return tuple(events)[:1]
