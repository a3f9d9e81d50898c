"""`MediaStreamContract`: what every stream class owes the sessions that use it (STR-006 to STR-036), as a test suite.

    class TestMyStream(MediaStreamContract):
        stream_class = MyStream

is all that a distribution with a stream needs. Two streams are driven as a session drives them, in two realms on a
memory network with a virtual clock; a failure names the requirement that is not kept.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from zope.interface import Invalid
from zope.interface.verify import verifyClass

from sipsimple.core import (
    SIPURI,
    FrozenFromHeader,
    FrozenSDPSession,
    FrozenToHeader,
    SDPConnection,
    SDPMediaStream,
    SDPSession,
)
from sipsimple.core.wire.sdp import BaseSDPMediaStream
from sipsimple.streams import IMediaStream
from sipsimple.testing.network import ConditionNotMet, MemoryNetwork
from sipsimple.testing.reactor import MemoryRealm
from sipsimple.testing.recorder import NotificationRecorder
from sipsimple.util import Route

__all__ = ["MediaStreamContract", "StreamParty"]

TIMEOUT = 60.0  # virtual seconds
ANSWERS = ("Initialize", "Start", "Fail", "End")


class StreamParty:
    """One end: a realm, an account, what stands for the session, and the stream."""

    def __init__(self, network: MemoryNetwork, name: str) -> None:
        self.name = name
        self.network = network
        self.realm = MemoryRealm(name, network)
        self.host = self.realm.host.ip
        self.uri = SIPURI(self.host, name)
        self.recorder: NotificationRecorder = self.realm.run(NotificationRecorder)
        self.account: Any = None
        self.session: Any = None
        self.stream: Any = None

    def meet(self, other: StreamParty) -> None:
        self.session = SimpleNamespace(
            account=self.account,
            local_identity=FrozenFromHeader(self.uri, self.name.capitalize()),
            remote_identity=FrozenToHeader(other.uri, other.name.capitalize()),
            route=Route(other.host, 5060, "udp"),
            transport="udp",
        )

    def do(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of the stream in its realm."""
        return self.realm.run(getattr(self.stream, method), *arguments, **options)

    def told(self) -> list[str]:
        """What the stream posted of the five notifications, without 'MediaStream'."""
        names = [name.removeprefix("MediaStream") for name in self.recorder.names(self.stream)]
        return [name for name in names if name in ("WillEnd", *("Did" + answer for answer in ANSWERS))]

    def wait(self, name: str, requirement: str) -> None:
        try:
            self.network.run_until(lambda: name in self.told() or "DidFail" in self.told(), TIMEOUT)
        except ConditionNotMet:
            pytest.fail(f"{requirement}: MediaStream{name} did not come, only {self.told()}")
        assert name in self.told(), f"{requirement}: MediaStreamDidFail came instead of MediaStream{name}"

    def describe(self, media: Any) -> FrozenSDPSession:
        return FrozenSDPSession.parse(
            SDPSession(self.host, name="test", connection=SDPConnection(self.host), media=[media]).encode()
        )


class MediaStreamContract:
    """See the module. `stream_class` is what is tested; `make_account` and `make_stream` may be overridden."""

    stream_class: ClassVar[Any]

    def make_account(self, name: str, uri: SIPURI) -> Any:
        """What stands for the account; a stream that needs more settings adds them."""
        return SimpleNamespace(id=f"{uri.user}@{uri.host}", uri=uri, display_name=name.capitalize(), credentials=None)

    def make_stream(self, account: Any) -> Any:
        """The stream that is offered."""
        return self.stream_class(account)

    @pytest.fixture(autouse=True)
    def _parties(self) -> Any:
        network = MemoryNetwork()
        self.alice, self.bob = StreamParty(network, "alice"), StreamParty(network, "bob")
        for party, other in ((self.alice, self.bob), (self.bob, self.alice)):
            party.account = self.make_account(party.name, party.uri)
            party.meet(other)
        yield
        network.close()

    # How a session drives streams

    def offered(self) -> None:
        """Alice's stream is initialized and described, Bob's is made of that."""
        alice, bob = self.alice, self.bob
        alice.stream = alice.realm.run(self.make_stream, alice.account)
        alice.do("initialize", alice.session, "outgoing")
        alice.wait("DidInitialize", "STR-011")
        self.offer = alice.describe(self.media(alice, for_offer=True))
        bob.stream = bob.realm.run(self.stream_class.new_from_sdp, bob.account, self.offer, 0)
        assert bob.stream is not None, "STR-007: new_from_sdp() does not accept what a stream of the class offers"
        bob.do("initialize", bob.session, "incoming")
        bob.wait("DidInitialize", "STR-011")

    def started(self) -> None:
        """Both streams have started."""
        self.offered()
        alice, bob = self.alice, self.bob
        self.answer = bob.describe(self.media(bob, for_offer=False, remote_sdp=self.offer, stream_index=0))
        bob.do("start", self.answer, self.offer, 0)
        alice.do("start", self.offer, self.answer, 0)
        for party in (alice, bob):
            party.wait("DidStart", "STR-014")

    def media(self, party: StreamParty, **arguments: Any) -> Any:
        media = party.do("get_local_media", **arguments)
        assert isinstance(media, BaseSDPMediaStream), f"STR-009: get_local_media() gave {media!r}, no SDPMediaStream"
        return media

    def ended(self, party: StreamParty) -> None:
        """end() keeps its requirements."""
        before = party.told()
        party.do("end")
        after = party.told()[len(before) :]
        assert after[:1] == ["WillEnd"], f"STR-035: MediaStreamWillEnd was not posted inside end(), but {after}"
        try:
            party.network.run_until(lambda: "DidEnd" in party.told(), TIMEOUT)
        except ConditionNotMet:
            pytest.fail(f"STR-036: MediaStreamDidEnd did not come after end(), only {party.told()}")
        party.network.advance(TIMEOUT)
        after = party.told()[len(before) :]
        assert after == ["WillEnd", "DidEnd"], f"STR-024: end() is told by MediaStreamWillEnd, DidEnd; not by {after}"

    # What is owed

    def test_interface(self) -> None:
        """STR-004, STR-006 to STR-025: the class implements IMediaStream."""
        assert IMediaStream.implementedBy(self.stream_class), "STR-004: the class does not implement IMediaStream"
        try:
            verifyClass(IMediaStream, self.stream_class, tentative=True)
        except Invalid as error:
            pytest.fail(f"STR-004: {error}")

    def test_attributes(self) -> None:
        """STR-006, STR-026 to STR-030: the attributes of the class and of a new stream."""
        stream = self.alice.realm.run(self.make_stream, self.alice.account)
        assert isinstance(self.stream_class.type, str), "STR-026: `type` of the class is no str"
        assert isinstance(self.stream_class.priority, int), "STR-027: `priority` of the class is no int"
        assert isinstance(stream.hold_supported, bool), "STR-028: `hold_supported` is no bool"
        for name in ("on_hold_by_local", "on_hold_by_remote", "on_hold"):
            assert getattr(stream, name) is False, f"STR-029: `{name}` of a new stream is not False"

    def test_media_of_others_is_not_accepted(self) -> None:
        """STR-007, STR-008: None for a line that is not the stream's, whatever is in it."""
        for line in (SDPMediaStream("hologram", 9, "X/Y", formats=["0"]), SDPMediaStream("x-none", 1, "TCP")):
            try:
                found = self.bob.realm.run(self.stream_class.new_from_sdp, self.bob.account, self.bob.describe(line), 0)
            except Exception as error:
                pytest.fail(f"STR-007: new_from_sdp() raised {error!r}")
            assert found is None, f"STR-007: new_from_sdp() accepted {line.media}"

    def test_initialize(self) -> None:
        """STR-009 to STR-012, STR-031, STR-032: told once, and the stream can be described any number of times."""
        self.offered()
        for party in (self.alice, self.bob):
            assert party.told() == ["DidInitialize"], f"STR-032: {party.told()} instead of one MediaStreamDidInitialize"
        first, second = self.media(self.alice, for_offer=True), self.media(self.alice, for_offer=True)
        assert first == second, "STR-009: get_local_media() of a stream that has not changed differs"
        answer = self.media(self.bob, for_offer=False, remote_sdp=self.offer, stream_index=0)
        assert answer.media == self.offer.media[0].media, "STR-009: the answer is of another media type than the offer"

    def test_start(self) -> None:
        """STR-013 to STR-015, STR-033: told once."""
        self.started()
        for party in (self.alice, self.bob):
            found = party.told()
            assert found == ["DidInitialize", "DidStart"], f"STR-033: {found} instead of one MediaStreamDidStart"

    def test_validate_update_changes_nothing(self) -> None:
        """STR-016, STR-018: what was agreed is acceptable again; the stream is as before, also after a refused line."""
        self.started()
        before = self.media(self.alice, for_offer=True)
        valid = self.alice.do("validate_update", self.answer, 0)
        assert valid is True, f"STR-016: validate_update() of an unchanged description returned {valid!r}"
        other = SDPMediaStream.new(self.answer.media[0])
        other.port = 9
        assert isinstance(self.alice.do("validate_update", self.alice.describe(other), 0), bool), (
            "STR-016: validate_update() returns no bool"
        )
        assert self.media(self.alice, for_offer=True) == before, "STR-018: validate_update() changed the stream"

    def test_update(self) -> None:
        """STR-015, STR-019: a stream goes on with the description that it has."""
        self.started()
        self.alice.do("update", self.offer, self.answer, 0)
        self.bob.do("update", self.answer, self.offer, 0)
        self.alice.network.advance(1.0)
        for party in (self.alice, self.bob):
            assert party.told()[2:] == [], f"STR-019: update() led to {party.told()[2:]}"

    def test_hold(self) -> None:
        """STR-020, STR-021, STR-028 to STR-030: hold and unhold show in the attributes and in the description."""
        self.started()
        stream = self.alice.stream
        self.alice.do("hold")
        assert stream.on_hold_by_local is stream.hold_supported, "STR-029: on_hold_by_local after hold()"
        assert stream.on_hold is (stream.on_hold_by_local or stream.on_hold_by_remote), "STR-030: on_hold after hold()"
        if stream.hold_supported:
            direction = self.media(self.alice, for_offer=True).direction
            assert direction in ("sendonly", "inactive"), f"STR-020: a held stream offers {direction}"
        self.alice.do("unhold")
        assert stream.on_hold is False, "STR-021: on_hold after unhold()"
        if stream.hold_supported:
            direction = self.media(self.alice, for_offer=True).direction
            assert direction in ("sendrecv", "recvonly"), f"STR-021: a stream that is not held offers {direction}"

    def test_deactivate(self) -> None:
        """STR-022: after it the end of the other side is no failure."""
        self.started()
        for party in (self.alice, self.bob):
            party.do("deactivate")
        self.ended(self.alice)
        assert "DidFail" not in self.bob.told(), "STR-022: a deactivated stream failed as the other side closed"
        self.ended(self.bob)

    def test_end_after_start(self) -> None:
        """STR-023 to STR-025, STR-034 to STR-036: WillEnd, then DidEnd, and nothing after that."""
        self.started()
        self.ended(self.alice)

    def test_end_before_start(self) -> None:
        """STR-025: also for streams that were only offered."""
        self.offered()
        self.ended(self.alice)
        self.ended(self.bob)

    def test_end_at_once(self) -> None:
        """STR-025: also for a stream that may not be ready yet."""
        alice = self.alice
        alice.stream = alice.realm.run(self.make_stream, alice.account)
        alice.do("initialize", alice.session, "outgoing")
        self.ended(alice)
