"""ICE (RFC 8445) with coturn: directly, by the relay only, and with servers that are dead; both ends are ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from sipsimple.streams.rtp.description import AudioMedia
from sipsimple.streams.rtp.negotiation import AudioNegotiation

from .conftest import free_port, require
from .coturn_server import Coturn
from .own_call import OwnCall

pytest.importorskip("pjsua2", reason="pip install 'sipsimple-audio[pjsua2]'", exc_type=ImportError)

TIMEOUT = 30


@pytest.fixture
def coturn(address: str, tmp_path: Any) -> Iterator[Coturn]:
    server = Coturn(require("turnserver"), tmp_path, address, free_port())
    yield server
    server.stop()


def ice_call(application: Any, address: str, **settings: Any) -> OwnCall:
    for name, value in {"use_ice": True, **settings}.items():
        setattr(application.account.nat_traversal, name, value)
    application.account.save()
    return OwnCall(application, address)


def negotiated(call: OwnCall) -> list[Any]:
    """What both sides told when ICE had succeeded."""
    streams = call.stream, call.other_stream
    return [call.recorder.wait_for("AudioStreamICENegotiationDidSucceed", stream, TIMEOUT).data for stream in streams]


def test_stun(application: Any, address: str, coturn: Coturn) -> None:
    """AUD-007, AUD-025, AUD-028, AUD-029, AUD-039, AUD-040: the direct way is found, and is used, also after a hold."""
    call = ice_call(application, address, stun_server_list=[f"192.0.2.99:{coturn.port}", f"{address}:{coturn.port}"])
    for stream, data in zip((call.stream, call.other_stream), negotiated(call), strict=True):
        assert stream.ice_active
        assert (stream.local_rtp_candidate_type, stream.remote_rtp_candidate_type) == ("host", "host")
        assert (data.local_candidate.address, data.local_candidate.port) == (address, stream.local_rtp_port)
        changes = call.recorder.find_all("AudioStreamICENegotiationStateDidChange", stream)
        states = [change.data.state for change in changes]
        assert states == ["Negotiation In Progress", "Negotiation Success"]
    call.talk()
    assert call.stream.remote_rtp_port_received == call.other_stream.local_rtp_port
    call.session.hold()
    call.recorder.wait_for("AudioStreamDidChangeHoldState", call.other_stream, TIMEOUT, on_hold=True)
    call.session.unhold()
    call.recorder.wait_for("AudioStreamDidChangeHoldState", call.other_stream, TIMEOUT, on_hold=False)
    call.talk()
    assert call.stream.ice_active
    call.end()


@pytest.mark.parametrize(("encryption", "transport"), [("disabled", "udp"), ("mandatory", "tcp")])
def test_relay_only(application: Any, address: str, coturn: Coturn, encryption: str, transport: str) -> None:
    """AUD-008, AUD-025, AUD-029, AUD-040: with `nat_traversal.relay_only` RTP goes by the TURN server."""
    application.account.rtp.srtp_encryption = encryption
    call = ice_call(
        application, address, turn_server=f"{address}:{coturn.port}", turn_username=coturn.user,
        turn_password=coturn.password, turn_transport=transport, relay_only=True,
    )  # fmt: skip
    for data in negotiated(call):
        for candidate in (data.local_candidate, data.remote_candidate):
            assert (candidate.type, candidate.port in coturn.relayed) == ("relay", True)
    call.talk()
    assert call.stream.remote_rtp_port_received in coturn.relayed
    assert call.stream.srtp_active is (encryption == "mandatory")
    traces = [trace.data.data for trace in call.recorder.find_all("SIPEngineSIPTrace")]
    offer = next(trace for trace in traces if trace.startswith("INVITE "))
    assert " typ relay " in offer and " typ host" not in offer
    assert not any(coturn.password in trace for trace in traces)
    call.end()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_servers_that_are_dead(application: Any, address: str, transport: str) -> None:
    """AUD-007, AUD-040: servers that do not answer keep nobody waiting; the candidates of the host are left."""
    dead = f"{address}:{free_port()}"
    call = ice_call(application, address, stun_server_list=[dead], turn_server=dead, turn_transport=transport)
    assert call.seconds < 8  # pjsua2 alone waits 8 seconds on each side
    assert {data.local_candidate.type for data in negotiated(call)} == {"host"}
    call.end()


def test_a_password_that_is_wrong(application: Any, address: str, coturn: Coturn, caplog: Any) -> None:
    """AUD-007, AUD-040: without the relay there are the candidates of the host; the password is nowhere."""
    call = ice_call(
        application, address, turn_server=f"{address}:{coturn.port}", turn_username="alice", turn_password="not-this"
    )
    assert {data.local_candidate.type for data in negotiated(call)} == {"host"}
    call.end()
    assert "not-this" not in caplog.text
    assert "not-this" not in repr(application.account.nat_traversal.turn_password)


def test_ice_that_fails(application: Any, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """AUD-025, AUD-029, AUD-041: a wrong password lets no check through; RTP goes to the address that is described."""
    answer = AudioNegotiation.answer

    def spoiled(self: AudioNegotiation, *arguments: Any) -> AudioMedia:
        media = answer(self, *arguments)
        return replace(media, ice=tuple((name, 22 * "x" if name == "ice-pwd" else text) for name, text in media.ice))

    monkeypatch.setattr(AudioNegotiation, "answer", spoiled)
    call = ice_call(application, address)
    for stream in (call.stream, call.other_stream):
        call.recorder.wait_for("AudioStreamICENegotiationDidFail", stream, TIMEOUT)
        assert not stream.ice_active
        assert (stream.local_rtp_candidate_type, stream.remote_rtp_candidate_type) == (None, None)
    call.talk()
    call.end()
