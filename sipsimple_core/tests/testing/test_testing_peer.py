"""Scripted peers."""

import pytest
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost, ConnectionRefusedError

from sipsimple.testing.network import MemoryNetwork
from sipsimple.testing.peer import DatagramPeer, StreamListener, StreamPeer
from sipsimple.testing.reactor import MemoryReactor


@pytest.fixture
def network() -> MemoryNetwork:
    return MemoryNetwork()


@pytest.fixture
def hosts(network: MemoryNetwork) -> tuple[MemoryReactor, MemoryReactor]:
    return network.add_host("a"), network.add_host("b")


def test_datagram_peers(network: MemoryNetwork, hosts: tuple[MemoryReactor, MemoryReactor]) -> None:
    a, b = DatagramPeer(hosts[0]), DatagramPeer(hosts[1], 5060)
    for to in ("b", "10.0.0.2", hosts[1]):
        a.send(b"x" * 60000, to)
    a.send(b"to nobody", "10.9.9.9")
    network.run_idle()
    assert b.received == [(b"x" * 60000, ("10.0.0.1", a.port))] * 3
    with pytest.raises(LookupError):
        a.send(b"x", "c")


def test_stream_peers(network: MemoryNetwork, hosts: tuple[MemoryReactor, MemoryReactor]) -> None:
    listener = StreamListener(hosts[1], 2855)
    peer = StreamPeer.connect(hosts[0], "b", 2855)
    peer.send(b"early ")
    network.run_idle()
    listener.peers[0].send(b"answer")
    network.run_idle()
    peer.send(b"late")
    network.run_idle()
    listener.peers[0].close()
    network.run_idle()
    assert (listener.peers[0].received, peer.received) == (b"early late", b"answer")
    assert isinstance(listener.peers[0].reason, ConnectionDone)
    assert isinstance(peer.reason, ConnectionDone)


def test_a_stream_peer_that_closes_before_it_is_connected(
    network: MemoryNetwork, hosts: tuple[MemoryReactor, MemoryReactor]
) -> None:
    listener = StreamListener(hosts[1])
    peer = StreamPeer.connect(hosts[0], hosts[1], listener.port)
    peer.send(b"all there is")
    peer.close()
    network.run_idle()
    assert listener.peers[0].received == b"all there is"
    assert isinstance(listener.peers[0].reason, ConnectionDone)


def test_a_stream_peer_resets_and_is_refused(
    network: MemoryNetwork, hosts: tuple[MemoryReactor, MemoryReactor]
) -> None:
    listener = StreamListener(hosts[1])
    peer, refused = (StreamPeer.connect(hosts[0], "b", port) for port in (listener.port, 1))
    network.run_idle()
    assert isinstance(refused.reason, ConnectionRefusedError)
    peer.reset()
    network.run_idle()
    assert isinstance(peer.reason, ConnectionAborted)
    assert isinstance(listener.peers[0].reason, ConnectionLost)
    refused.send(b"nothing happens")
    refused.reset()
