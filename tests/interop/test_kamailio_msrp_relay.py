"""MSRP streams through Kamailio as a relay (RFC 4976): TCP and TLS, one leg and two, and what goes wrong."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from .kamailio_server import ADDRESS, REALM, USERS, Kamailio

TIMEOUT = 30


class Ends:
    """Two chat streams in this process, negotiated without SIP; each behind the relay or not."""

    def __init__(self, server: Kamailio) -> None:
        from sipsimple.application import SIPApplication
        from sipsimple.configuration.settings import SIPSimpleSettings
        from sipsimple.storage import MemoryStorage
        from sipsimple.testing import NotificationRecorder

        self.server = server
        self.recorder = NotificationRecorder()
        self.application = SIPApplication()
        self.application.start(MemoryStorage())
        self.recorder.wait_for("SIPApplicationDidStart", timeout=TIMEOUT)
        settings = SIPSimpleSettings()
        settings.tls.ca_list = str(server.authority.ca_list)
        settings.save()

    def stop(self) -> None:
        self.application.stop()
        self.recorder.wait_for("SIPApplicationDidEnd", timeout=TIMEOUT)

    def run(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        from twisted.internet import reactor
        from twisted.internet.threads import blockingCallFromThread

        return blockingCallFromThread(reactor, function, *args, **kwargs)

    def account(self, name: str, transport: str, relayed: bool, password: str | None = None) -> Any:
        from sipsimple.configuration.datatypes import MSRPRelayAddress
        from sipsimple.core import SIPURI, Credentials

        port = self.server.tls_port if transport == "tls" else self.server.port
        address = MSRPRelayAddress(f"{ADDRESS}:{port};transport={transport}") if relayed else None
        return SimpleNamespace(
            id=f"{name}@{ADDRESS}",
            uri=SIPURI(ADDRESS, user=name),
            display_name=name,
            credentials=Credentials(name, password or USERS[name]),
            msrp=SimpleNamespace(transport=transport, connection_model="relay"),
            nat_traversal=SimpleNamespace(
                msrp_relay=address, use_msrp_relay_for_outbound=True, use_msrp_relay_for_inbound=True
            ),
        )

    def initialize(self, stream: Any, direction: str) -> None:
        from sipsimple.util import Route

        identity = SimpleNamespace(uri=stream.account.uri, display_name="x")
        session = SimpleNamespace(account=stream.account, remote_identity=identity, route=Route(ADDRESS))
        self.run(stream.initialize, session, direction)

    def describe(self, *media: Any) -> Any:
        from sipsimple.core import FrozenSDPSession, SDPSession

        return FrozenSDPSession.parse(SDPSession(ADDRESS, name="test", media=list(media)).encode())

    def wait(self, name: str, stream: Any, **fields: Any) -> Any:
        return self.recorder.wait_for(name, stream, TIMEOUT, **fields).data

    def connect(
        self,
        transport: str,
        relayed: tuple[bool, bool],
        setup: str | None = None,
        make: Any = None,
        prepare: Any = None,
    ) -> tuple[Any, Any]:
        """Alice offers, bob answers; both have started.

        :param make: makes alice's stream of her account; by default a chat
        :param prepare: gets bob's stream before it is initialized
        """
        from sipsimple.core import SDPAttribute
        from sipsimple.streams import ChatStream

        alice = self.run(make or ChatStream, self.account("alice", transport, relayed[0]))
        self.initialize(alice, "outgoing")
        self.wait("MediaStreamDidInitialize", alice)
        media = self.run(alice.get_local_media, for_offer=True)
        if setup is not None:
            media.attributes[:] = [a for a in media.attributes if a.name != "setup"] + [SDPAttribute("setup", setup)]
        offer = self.describe(media)
        bob = self.run(type(alice).new_from_sdp, self.account("bob", transport, relayed[1]), offer, 0)
        if prepare is not None:
            prepare(bob)
        self.initialize(bob, "incoming")
        self.wait("MediaStreamDidInitialize", bob)
        answer = self.describe(self.run(bob.get_local_media, for_offer=False, remote_sdp=offer, stream_index=0))
        self.run(bob.start, answer, offer, 0)
        self.run(alice.start, offer, answer, 0)
        for stream in (alice, bob):
            self.wait("MediaStreamDidStart", stream)
        return alice, bob

    def exchange(self, sender: Any, receiver: Any, text: str) -> None:
        message_id = sender.send_message(text)
        self.wait("ChatStreamDidDeliverMessage", sender, message_id=message_id)
        got = self.recorder.find_all("ChatStreamGotMessage", receiver)
        assert got[-1].data.message.content == text

    def end(self, *streams: Any) -> None:
        for stream in streams:
            self.run(stream.deactivate)
        for stream in streams:
            self.run(stream.end)
            self.wait("MediaStreamDidEnd", stream)


@pytest.fixture
def ends(kamailio_server: Kamailio) -> Iterator[Ends]:
    # two legs share one connection of Kamailio with itself, on which it may wait for the rest of another test's rubbish
    kamailio_server.restart()
    ends = Ends(kamailio_server)
    yield ends
    ends.stop()


@pytest.mark.parametrize("transport", ["tcp", "tls"])
@pytest.mark.parametrize("relayed", [(True, False), (False, True), (True, True)], ids=["offerer", "answerer", "both"])
def test_a_chat_through_the_relay(ends: Ends, transport: str, relayed: tuple[bool, bool]) -> None:
    """RFC 4976 5, 6: one leg and two; messages and reports both ways, and one of many chunks."""
    alice, bob = ends.connect(transport, relayed)
    for stream, is_relayed in zip((alice, bob), relayed, strict=True):
        assert len(stream.msrp_session.local_path) == (2 if is_relayed else 1)
    ends.exchange(alice, bob, "hello")
    ends.exchange(bob, alice, "Grüße")
    ends.exchange(alice, bob, "x" * 100_000)
    ends.end(alice, bob)


@pytest.mark.parametrize("setup", ["active", "passive"])
def test_either_side_begins(ends: Ends, setup: str) -> None:
    """RFC 6135 4: with both behind the relay, whoever is active sends first."""
    alice, bob = ends.connect("tcp", (True, True), setup)
    ends.exchange(alice, bob, "hello")
    ends.exchange(bob, alice, "hi")
    ends.end(alice, bob)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_wrong_password(ends: Ends, transport: str) -> None:
    """RFC 4976 9.1: the stream fails before it is described, and says why."""
    from sipsimple.streams import ChatStream

    stream = ends.run(ChatStream, ends.account("alice", transport, True, "wrong"))
    ends.initialize(stream, "outgoing")
    failed = ends.wait("MediaStreamDidFail", stream)
    assert failed.context == "initialize" and "credentials" in failed.reason
    ends.run(stream.end)


def test_a_relay_whose_name_is_not_proven(ends: Ends) -> None:
    """RFC 4976 9.2: the certificate of the relay is verified."""
    from sipsimple.configuration.settings import SIPSimpleSettings
    from sipsimple.streams import ChatStream

    settings = SIPSimpleSettings()
    settings.tls.ca_list = None
    settings.save()
    stream = ends.run(ChatStream, ends.account("alice", "tls", True))
    ends.initialize(stream, "outgoing")
    assert "certificate" in ends.wait("MediaStreamDidFail", stream).reason.lower()
    ends.run(stream.end)


def test_a_relay_that_is_found_by_its_domain(ends: Ends) -> None:
    """RFC 4976 5.2, 9.2, DNS-017: a name without a port is looked up as a service; where nobody answers the next
    address is tried; the relay proves the name of the settings, and is asked by it."""
    from sipsimple.configuration.datatypes import MSRPRelayAddress
    from sipsimple.plugins import PluginManager, hookimpl
    from sipsimple.streams import ChatStream

    asked: list[tuple[str, str]] = []

    def lookup_service(uri: Any, service: str) -> list[tuple[str, int]]:
        asked.append((uri.host, service))
        return [(ADDRESS, 9), (ADDRESS, ends.server.tls_port)]

    resolver = SimpleNamespace(lookup_service=lookup_service)
    plugin = SimpleNamespace(sipsimple_resolver=hookimpl(lambda: resolver))
    PluginManager().register(plugin, "resolver of the test")
    try:
        account = ends.account("alice", "tls", True)
        account.nat_traversal.msrp_relay = MSRPRelayAddress(REALM)
        stream = ends.run(ChatStream, account)
        ends.initialize(stream, "outgoing")
        ends.wait("MediaStreamDidInitialize", stream)
        assert asked == [(REALM, "msrprelay")]
        assert len(stream._leg.path) == 2
        ends.run(stream.end)
        account.nat_traversal.msrp_relay = MSRPRelayAddress("other.example")
        stream = ends.run(ChatStream, account)
        ends.initialize(stream, "outgoing")
        assert "certificate" in ends.wait("MediaStreamDidFail", stream).reason.lower()
        ends.run(stream.end)
    finally:
        PluginManager().unregister("resolver of the test")


def test_no_relay_there(ends: Ends) -> None:
    from sipsimple.streams import ChatStream

    account = ends.account("alice", "tcp", True)
    account.nat_traversal.msrp_relay = type(account.nat_traversal.msrp_relay)(f"{ADDRESS}:9;transport=tcp")
    stream = ends.run(ChatStream, account)
    ends.initialize(stream, "outgoing")
    assert "refused" in ends.wait("MediaStreamDidFail", stream).reason
    ends.run(stream.end)


def test_a_relay_that_restarts(ends: Ends) -> None:
    """The streams fail, and what is under way is told; new ones work."""
    alice, bob = ends.connect("tcp", (True, True))
    ends.exchange(alice, bob, "hello")
    ends.server.restart()
    for stream in (alice, bob):
        ends.wait("MediaStreamDidFail", stream)
        ends.run(stream.end)
    again, other = ends.connect("tcp", (True, True))
    ends.exchange(again, other, "hello again")
    ends.end(again, other)


def test_the_authorization_is_renewed(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 4976 5.1: again before it expires; Kamailio gives another path each time, and the first one lasts."""
    from msrplib import relay

    monkeypatch.setattr(relay, "RENEWAL", 0.001)
    alice, bob = ends.connect("tcp", (True, True))
    leg = alice._leg
    path = leg.path
    ends.exchange(alice, bob, "hello")
    ends.recorder.wait_until(lambda: leg._attempts == 0 and leg._uses != 1, TIMEOUT)
    assert leg.path == path
    ends.exchange(bob, alice, "still here")
    ends.end(alice, bob)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
@pytest.mark.parametrize("relayed", [(True, False), (True, True)], ids=["one leg", "two legs"])
def test_a_file_through_the_relay(ends: Ends, transport: str, relayed: tuple[bool, bool], tmp_path: Path) -> None:
    """FT-001, RFC 4976 6: in chunks of at most 10 kB, which is what the relay passes; interrupted and gone on with, so
    that only what is missing is sent."""
    from sipsimple.streams import FileTransferStream
    from sipsimple.streams.filetransfer import FileSelector

    path, content = tmp_path / "file.bin", os.urandom(3_000_000)
    path.write_bytes(content)

    def transfer() -> tuple[Any, Any]:
        return ends.connect(
            transport,
            relayed,
            make=lambda account: FileTransferStream(account, FileSelector.for_file(path)),
            prepare=lambda stream: setattr(stream, "directory", tmp_path / "in"),
        )

    alice, bob = transfer()
    assert alice.msrp_session.max_chunk_size <= 10_000
    ends.recorder.wait_until(lambda: ends.recorder.find("FileTransferStreamGotChunk", bob), TIMEOUT)
    bob.cancel()
    for stream in (alice, bob):
        ends.wait("MediaStreamDidFail", stream)
    ends.end(alice, bob)
    there = sum(part.stat().st_size for part in (tmp_path / "in").glob("*.part"))
    alice, bob = transfer()
    for stream in (alice, bob):
        ends.wait("FileTransferStreamDidFinish", stream)
    assert (tmp_path / "in" / "file.bin").read_bytes() == content
    got = ends.recorder.find_all("FileTransferStreamGotChunk", bob)
    assert sum(len(found.data.content) for found in got) == len(content) - there
    ends.end(alice, bob)
