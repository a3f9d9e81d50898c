"""Whiteboards in sessions: two whole user agents on a memory network."""

from types import SimpleNamespace

import pytest
from sipsimple_whiteboard import Stroke
from sipsimple_whiteboard.wire import MAX_CONNECTIONS
from twisted.internet.protocol import ClientFactory, Protocol

from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.notification import NotificationCenter
from sipsimple.streams import WhiteboardStream
from sipsimple.testing.agent import UserAgent
from sipsimple.testing.network import MemoryNetwork

RED, BLUE = Stroke.parse("#d33 2 10,10 40,25"), Stroke.parse("#33d 1 0,0 1,1 2,0.5")


@pytest.fixture
def parties():
    network = MemoryNetwork()
    alice, bob = UserAgent(network, "alice"), UserAgent(network, "bob")
    bob.answer_with()
    yield alice, bob
    network.close()


def drawing(alice, bob, before=()):
    """A session with a whiteboard; returns it and the two boards once both have started."""
    board = alice.run(WhiteboardStream, alice.account)
    for stroke in before:
        alice.run(board.draw, stroke)
    session = alice.call(bob, [board])
    alice.network.run_until(lambda: all(agent.recorder.find_all("MediaStreamDidStart") for agent in (alice, bob)))
    return session, board, bob.incoming[0].streams[0]


def names(agent):
    return [found.name for found in agent.recorder if found.name.startswith(("MediaStream", "Whiteboard"))]


def test_both_draw(parties):
    """The registry knows the stream from its entry point; incoming sessions offer it."""
    alice, bob = parties
    session, mine, theirs = drawing(alice, bob, before=[RED])
    bob.run(theirs.draw, BLUE)
    alice.network.run_until(lambda: len(mine.strokes) == len(theirs.strokes) == 2)
    assert mine.strokes == [RED, BLUE] and set(theirs.strokes) == {RED, BLUE}
    assert bob.recorder.find("WhiteboardStreamGotStroke").data.stroke == RED
    alice.run(session.end)
    alice.network.run_until(lambda: session.state == "terminated")
    alice.network.advance(10)
    for agent in (alice, bob):
        assert names(agent) == [
            "MediaStreamDidInitialize", "MediaStreamDidStart", "WhiteboardStreamGotStroke",
            "MediaStreamWillEnd", "MediaStreamDidEnd",
        ]  # fmt: skip


def test_the_board_has_a_bound(parties):
    """The setting of the plugin is that of the application; who sends more has failed."""
    alice, bob = parties
    _, mine, theirs = drawing(alice, bob)
    bob.run(lambda: setattr(SIPSimpleSettings().whiteboard, "max_strokes", 1))
    alice.run(mine.draw, RED)
    alice.run(mine.draw, BLUE)
    alice.network.run_until(lambda: bob.recorder.find_all("MediaStreamDidFail"))
    failed = bob.recorder.find("MediaStreamDidFail").data
    assert (failed.context, failed.reason) == ("reading", "there are 1 strokes on the whiteboard")
    with pytest.raises(ValueError, match="there are 1 strokes"):
        bob.run(theirs.draw, BLUE)


@pytest.mark.parametrize("line", [b"nonsense", b"\xff\xfe", b"#d33 2 1,1" + b" 1,1" * 20000])
def test_what_is_no_stroke_ends_the_whiteboard(parties, line):
    alice, bob = parties
    _, mine, _ = drawing(alice, bob)
    alice.run(mine.connection.transport.write, line + b"\n")
    alice.network.run_until(lambda: bob.recorder.find_all("MediaStreamDidFail"))
    assert bob.recorder.find("MediaStreamDidFail").data.context == "reading"


def test_strangers_are_turned_away(parties):
    """Who connects without the key, or does not say anything, is dropped; the peer is waited for."""
    alice, bob = parties
    network = alice.network
    account = bob.account
    board = bob.run(WhiteboardStream, account)
    bob.run(board.initialize, SimpleNamespace(route=None), "outgoing")
    port = bob.run(board.get_local_media, True).port
    strangers = []

    class Stranger(Protocol):
        def connectionMade(self):
            strangers.append(self)

        def connectionLost(self, reason):
            strangers.remove(self)

    factory = ClientFactory.forProtocol(Stranger)
    for _ in range(MAX_CONNECTIONS + 3):
        alice.run(alice.realm.reactor.connectTCP, bob.ip, port, factory)
    network.advance(1)
    assert len(strangers) == len(board.connections) == MAX_CONNECTIONS
    strangers[0].transport.write(b"a guess\n")
    network.advance(1)
    assert len(strangers) == MAX_CONNECTIONS - 1
    network.advance(15)
    assert strangers == [] and board.connections == []
    assert board.connection is None
    bob.run(board.end)


def test_who_does_not_read_is_given_up(parties):
    alice, bob = parties
    _, mine, theirs = drawing(alice, bob)
    bob.run(theirs.connection.pauseProducing)
    long = Stroke("#d33", 2, ((1.0, 1.0),) * 2000)
    for _ in range(400):
        if "MediaStreamDidFail" in names(alice):
            break
        alice.run(mine.draw, long)
        alice.network.advance(0.01)
    failed = alice.recorder.find("MediaStreamDidFail").data
    assert (failed.context, failed.reason) == ("sending", "the remote party does not read")


def test_a_lost_connection_without_bye_is_a_failure(parties):
    alice, bob = parties
    _, mine, _ = drawing(alice, bob)
    alice.run(mine.connection.transport.abortConnection)
    alice.network.run_until(lambda: bob.recorder.find_all("MediaStreamDidFail"))
    assert bob.recorder.find("MediaStreamDidFail").data.context == "reading"


def test_what_is_drawn_as_it_starts_travels_once(parties):
    """An observer of the start may draw."""
    alice, bob = parties
    board = alice.run(WhiteboardStream, alice.account)

    class Eager:
        def handle_notification(self, notification):
            notification.sender.draw(BLUE)

    eager = Eager()
    alice.run(board.draw, RED)
    alice.run(lambda: NotificationCenter().add_observer(eager, "MediaStreamDidStart", board))
    alice.call(bob, [board])
    alice.network.run_until(lambda: len(bob.recorder.find_all("WhiteboardStreamGotStroke")) >= 2)
    alice.network.advance(5)
    assert bob.incoming[0].streams[0].strokes == [RED, BLUE]
