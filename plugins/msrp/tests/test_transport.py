"""One port for all streams of an application, traces, and the log of the library."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from sipsimple.notification import NotificationCenter, NotificationData
from sipsimple.streams.msrp import LogLevel, MSRPStreamBase, MSRPTransport, MSRPTransportError
from sipsimple.streams.msrp.plugin import sipsimple_application_services
from sipsimple.streams.msrp.testing import Side, StreamPair
from sipsimple.streams.msrp.transport import IDLE_TIMEOUT
from sipsimple.testing.network import MemoryNetwork


class _Stream(MSRPStreamBase):
    media_type = "message"
    accept_types = ["text/plain"]

    @classmethod
    def new_from_sdp(cls, account: Any, remote_sdp: Any, stream_index: int) -> Any:
        return cls(account)


def listening(side: Side) -> set[int]:
    return {port for _, port in side.realm.host._bound["tcp"]}


def test_streams_share_a_port() -> None:
    """MSRP-002: a second stream is offered at the port of the first, with a session id of its own."""
    first = StreamPair(_Stream)
    first.propose()
    alice = first.alice
    second = alice.run(_Stream, alice.account)
    alice.run(second.initialize, alice.session, "outgoing")
    media = alice.run(second.get_local_media, for_offer=True)
    assert media.port == first.offer.media[0].port
    assert media.attributes.getfirst("path") != first.offer.media[0].attributes.getfirst("path")
    assert len(listening(alice)) == 1


def test_port_closes_when_nobody_uses_it() -> None:
    """MSRP-002: it stays open for a while, then it is given back; the next stream gets a new one."""
    pair = StreamPair(_Stream)
    pair.start()
    pair.network.advance(2 * IDLE_TIMEOUT)
    assert listening(pair.alice)
    pair.end()
    pair.network.advance(IDLE_TIMEOUT / 2)
    assert listening(pair.alice)
    again = pair.alice.run(_Stream, pair.alice.account)
    pair.alice.run(again.initialize, pair.alice.session, "outgoing")
    pair.network.advance(2 * IDLE_TIMEOUT)
    assert listening(pair.alice)
    pair.alice.run(again.end)
    pair.network.advance(IDLE_TIMEOUT + 1)
    assert not listening(pair.alice)
    pair.alice.run(pair.alice.run(_Stream, pair.alice.account).initialize, pair.alice.session, "outgoing")
    assert listening(pair.alice)


def test_port_closes_with_the_application() -> None:
    """MSRP-002: the service of the plugin closes it when the application stops, whoever uses it."""
    pair = StreamPair(_Stream)
    pair.start()
    (service,) = pair.alice.run(sipsimple_application_services, None)
    pair.alice.run(service.start)
    pair.alice.run(service.stop)
    pair.network.run_idle()
    assert not listening(pair.alice)
    pair.end()


def test_port_in_use() -> None:
    """STR-011: no free port is an MSRPTransportError."""
    side = Side(MemoryNetwork(), "alice")
    side.realm.host._free_port = lambda transport: 7  # type: ignore[method-assign]
    side.realm.host.listenTCP = _in_use  # type: ignore[method-assign]
    with pytest.raises(MSRPTransportError):
        side.run(MSRPTransport).port(False, False)


def _in_use(*arguments: Any, **options: Any) -> Any:
    from twisted.internet.error import CannotListenError

    raise CannotListenError("", 7, OSError("in use"))


def traced(side: Side) -> list[tuple[str, str]]:
    return [(found.data.direction, found.data.data) for found in side.all("MSRPTransportTrace")]


def test_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """MSRP-010: chunks in both directions, as text, only while it is asked for."""
    pair = StreamPair(_Stream)
    pair.start()
    pair.end()
    assert not traced(pair.alice)
    transport = pair.alice.run(MSRPTransport)
    monkeypatch.setattr(transport, "_settings", SimpleNamespace(logs=SimpleNamespace(trace_msrp=True)))
    pair.alice.run(
        transport.handle_notification,
        SimpleNamespace(name="CFGSettingsObjectDidChange", data=SimpleNamespace(modified={"logs.trace_msrp": 1})),
    )
    again = StreamPair.__new__(StreamPair)
    again.__dict__.update(vars(pair))
    again.start()
    pair.alice.run(again.alice.stream.msrp_session.send_message, b"h\xffi", "text/plain")
    pair.network.run_until(lambda: any("h\\xffi" in text for _, text in traced(pair.alice)))
    directions = {direction for direction, _ in traced(pair.alice)}
    assert directions == {"incoming", "outgoing"}
    assert all(found.sender is transport for found in pair.alice.all("MSRPTransportTrace"))


def test_library_log() -> None:
    """MSRP-011: a line of the library's log is posted without a sender, with its level."""
    side = Side(MemoryNetwork(), "alice")
    side.run(MSRPTransport)
    side.run(MSRPTransport)
    side.run(logging.getLogger("msrplib").error, "gone %d", 3)
    (found,) = side.all("MSRPLibraryLog")
    assert (found.sender, found.data.message, found.data.level) == (None, "gone 3", LogLevel.ERROR)
    assert str(found.data.level) == "ERROR"
    assert LogLevel.of(1) is LogLevel.DEBUG and LogLevel.of(45) is LogLevel.ERROR


def test_failing_observer_does_not_matter(observer_errors: list[Any]) -> None:
    """MSRP-011: an observer of the log that raises does not reach the library."""

    class Bad:
        def handle_notification(self, notification: Any) -> None:
            raise RuntimeError("bad")

    side = Side(MemoryNetwork(), "alice")
    side.run(MSRPTransport)
    side.run(lambda: NotificationCenter().add_observer(Bad(), name="MSRPLibraryLog"))
    side.run(logging.getLogger("msrplib").warning, "x")
    assert len(observer_errors) == 1
    assert NotificationData
