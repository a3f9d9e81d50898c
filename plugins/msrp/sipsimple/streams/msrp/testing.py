"""For tests of streams over MSRP: two streams on a memory network, with a negotiation but without SIP.

pair = StreamPair(ChatStream)
pair.start()
pair.alice.run(pair.alice.stream.send_message, 'hello')
pair.bob.wait('ChatStreamGotMessage')
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ParamSpec, TypeVar

from sipsimple.core import SIPURI, FrozenSDPSession, SDPAttribute, SDPSession
from sipsimple.notification import Notification
from sipsimple.testing.network import MemoryNetwork
from sipsimple.testing.reactor import MemoryRealm
from sipsimple.testing.recorder import NotificationRecorder
from sipsimple.util import Route

__all__ = ["Side", "StreamPair", "accepting", "edit"]

P = ParamSpec("P")
T = TypeVar("T")


class Side:
    """One end: a realm at an address of its own, an account, what stands for the session, and the stream.

    :ivar recorder: all notifications of this side
    :ivar stream: None until there is one
    """

    def __init__(self, network: MemoryNetwork, name: str, transport: str = "tcp") -> None:
        self.network = network
        self.realm = MemoryRealm(name, network)
        self.uri = SIPURI(self.realm.host.ip, name)
        self.account = SimpleNamespace(
            id=f"{name}@{self.realm.host.ip}",
            uri=self.uri,
            display_name=name.capitalize(),
            msrp=SimpleNamespace(transport=transport, connection_model="relay"),
        )
        self.session: Any = None
        self.stream: Any = None
        self.recorder: NotificationRecorder = self.run(NotificationRecorder)

    def meet(self, other: Side) -> None:
        """Have a session with the other side."""
        self.session = SimpleNamespace(
            account=self.account,
            remote_identity=SimpleNamespace(uri=other.uri, display_name=other.account.display_name),
            route=Route(other.realm.host.ip, 5060, "udp"),
        )

    def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call in the realm of this side."""
        return self.realm.run(function, *args, **kwargs)

    def names(self) -> list[str]:
        """The names of all notifications of the stream so far."""
        return [found.name for found in self.recorder if found.sender is self.stream]

    def all(self, name: str) -> list[Notification]:
        """All notifications of that name so far."""
        return [found for found in self.recorder if found.name == name]

    def wait(self, name: str, number: int = 1, timeout: float = 30.0) -> Any:
        """Run the network until that many notifications of that name have come; returns the data of the last."""
        self.network.run_until(lambda: len(self.all(name)) >= number, timeout)
        return self.all(name)[number - 1].data

    def describe(self, *media: Any) -> FrozenSDPSession:
        """An SDP session with these media lines, as it comes off the wire."""
        sdp = SDPSession(self.realm.host.ip, name="test", media=list(media))
        return FrozenSDPSession.parse(sdp.encode())


def edit(*attributes: tuple[str, str], without: tuple[str, ...] = ()) -> Callable[[Any], None]:
    """For `edit_offer` and `edit_answer`: these attributes are added to the media line, and those are taken away."""

    def change(media: Any) -> None:
        media.attributes[:] = [attribute for attribute in media.attributes if attribute.name not in without]
        media.attributes += [SDPAttribute(*attribute) for attribute in attributes]

    return change


def accepting(types: str, wrapped: str | None = None) -> Callable[[Any], None]:
    """An edit after which the media line accepts these types, and in envelopes those."""
    more = [("accept-wrapped-types", wrapped)] if wrapped is not None else []
    return edit(("accept-types", types), *more, without=("accept-types", "accept-wrapped-types"))


class StreamPair:
    """Alice offers a stream, bob answers.

    :param stream_class: the class of alice's stream, and of bob's, by its `new_from_sdp`
    :param make_offered: makes alice's stream of the account, when the class alone does not
    :param transport: 'tcp' or 'tls'
    :param edit_offer, edit_answer: get the media line and may change it before it is sent
    """

    def __init__(
        self,
        stream_class: Any,
        *,
        make_offered: Callable[[Any], Any] | None = None,
        network: MemoryNetwork | None = None,
        transport: str = "tcp",
        edit_offer: Callable[[Any], None] | None = None,
        edit_answer: Callable[[Any], None] | None = None,
    ) -> None:
        self.network = network or MemoryNetwork()
        self.alice = Side(self.network, "alice", transport)
        self.bob = Side(self.network, "bob", transport)
        self.alice.meet(self.bob)
        self.bob.meet(self.alice)
        self._class = stream_class
        self._make = make_offered or stream_class
        self._edit_offer = edit_offer
        self._edit_answer = edit_answer
        self.offer: Any = None
        self.answer: Any = None

    def propose(self) -> None:
        """Alice makes the offer, bob's stream is made of it and initialized."""
        alice, bob = self.alice, self.bob
        alice.stream = alice.run(self._make, alice.account)
        alice.run(alice.stream.initialize, alice.session, "outgoing")
        media = alice.run(alice.stream.get_local_media, for_offer=True)
        if self._edit_offer is not None:
            self._edit_offer(media)
        self.offer = alice.describe(media)
        bob.stream = bob.run(self._class.new_from_sdp, bob.account, self.offer, 0)
        if bob.stream is not None:
            bob.run(bob.stream.initialize, bob.session, "incoming")

    def accept(self) -> None:
        """Bob answers and starts; the answer is not under way yet."""
        bob = self.bob
        media = bob.run(bob.stream.get_local_media, for_offer=False, remote_sdp=self.offer, stream_index=0)
        if self._edit_answer is not None:
            self._edit_answer(media)
        self.answer = bob.describe(media)
        bob.run(bob.stream.start, self.answer, self.offer, 0)

    def deliver_answer(self) -> None:
        """The answer arrives at alice, who starts."""
        self.alice.run(self.alice.stream.start, self.offer, self.answer, 0)

    def start(self) -> None:
        """All of it, until both streams have started."""
        self.propose()
        self.accept()
        self.deliver_answer()
        self.alice.wait("MediaStreamDidStart")
        self.bob.wait("MediaStreamDidStart")

    def end(self) -> None:
        """Both streams end, as at the end of a session."""
        for side in (self.alice, self.bob):
            if side.stream is not None:
                side.run(side.stream.deactivate)
        for side in (self.alice, self.bob):
            if side.stream is not None:
                side.run(side.stream.end)
