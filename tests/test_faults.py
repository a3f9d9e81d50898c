"""What the network may do to a session: rubbish on every port, broken messages, and peers that die."""

from __future__ import annotations

import logging
import random
import re
import resource
import socket

import pytest

TIMEOUT = 20
DATAGRAMS = 10_000


def memory() -> int:
    """The peak of this process's resident memory, in kB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def sent_sip(application) -> str:
    """All SIP messages that were traced."""
    return "".join(trace.data.data for trace in application.recorder.find_all("SIPEngineSIPTrace"))


def msrp_port(application) -> int:
    """Our MSRP port, as our offer says it."""
    offer = next(
        trace.data.data
        for trace in application.recorder.find_all("SIPEngineSIPTrace", received=False)
        if trace.data.data.startswith("INVITE")
    )
    found = re.search(r"a=path:msrps?://127\.0\.0\.1:(\d+)/", offer)
    assert found is not None, offer
    return int(found[1])


def test_random_datagrams_leave_a_session_alone(application, echo_bot, caplog) -> None:
    """10,000 random datagrams to the SIP port of each side: dropped with a line in the log, at bounded memory."""
    _, stream = application.call(echo_bot.port)
    application.chat(stream, "before")
    caplog.set_level(logging.INFO)
    rng = random.Random(4475)
    templates = [
        b"",
        b"OPTIONS sip:x SIP/2.0\r\n",
        b"INVITE sip:alice@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK",
        b"SIP/2.0 200 OK\r\nVia: ",
        b"ACK sip:x SIP/2.0\r\nCall-ID: ",
    ]
    before = memory()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rubbish:
        for number in range(DATAGRAMS):
            data = rng.choice(templates) + rng.randbytes(rng.randrange(1, 400))
            rubbish.sendto(data, ("127.0.0.1", application.sip_port if number % 2 else echo_bot.port))
    application.chat(stream, "after")
    assert memory() - before < 30_000
    dropped = [record for record in caplog.records if record.name.startswith("sipsimple")]
    assert dropped, "nothing in the log says that something was dropped"
    assert len(dropped) < DATAGRAMS / 10, "the log grows with the flood"
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info]
    assert "Traceback" not in echo_bot.kill()


def test_rubbish_on_the_msrp_port_leaves_a_session_alone(application, echo_bot, caplog) -> None:
    """Random octets, half a message and connections that say nothing: closed or waited out, nothing else happens."""
    caplog.set_level(logging.INFO)
    _, stream = application.call(echo_bot.port)
    address = "127.0.0.1", msrp_port(application)
    rng = random.Random(4975)
    openings = [rng.randbytes(2000) for _ in range(50)]
    openings += [
        b"MSRP abc SEND\r\nTo-Path: msrp://127.0.0.1:1/x;tcp\r\nByte-Range: 1-*/4294967296\r\n",
        b"",
        b"\r\n" * 5000,
    ]
    openings += [
        b"MSRP abcd SEND\r\nTo-Path: msrp://nobody:1/none;tcp\r\nFrom-Path: msrp://a:1/b;tcp\r\n-------abcd$\r\n"
    ]
    connections = []
    for data in openings:
        connection = socket.create_connection(address, TIMEOUT)
        connection.sendall(data)
        connections.append(connection)
    application.chat(stream, "after")
    for connection in connections:
        connection.close()
    application.chat(stream, "after all")
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info]


def header(name: str, message: str) -> str:
    found = re.search(rf"(?im)^{name}:\s*(.*?)\r?$", message)
    assert found is not None, message
    return found[1]


@pytest.mark.parametrize("in_dialog", [True, False])
def test_an_invite_with_a_broken_body_is_refused(application, echo_bot, in_dialog: bool) -> None:
    """A second INVITE, inside or outside the dialog, with a broken body gets 400; the session goes on."""
    session, stream = application.call(echo_bot.port)
    ours = next(
        trace.data.data
        for trace in application.recorder.find_all("SIPEngineSIPTrace", received=False)
        if trace.data.data.startswith("ACK")
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(TIMEOUT)
        body = "v=0\r\no=broken\r\nm=?"
        lines = [
            f"INVITE sip:alice@127.0.0.1:{application.sip_port} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{peer.getsockname()[1]};branch=z9hG4bKbroken{in_dialog}",
            "Max-Forwards: 70",
            f"From: {header('To', ours)}" if in_dialog else "From: <sip:mallory@127.0.0.1>;tag=m",
            f"To: {header('From', ours)}" if in_dialog else "To: <sip:alice@127.0.0.1>",
            f"Call-ID: {header('Call-ID', ours) if in_dialog else 'another'}",
            "CSeq: 4000 INVITE",
            f"Contact: <sip:mallory@127.0.0.1:{peer.getsockname()[1]}>",
            "Content-Type: application/sdp",
            f"Content-Length: {len(body)}",
            "",
            body,
        ]
        peer.sendto("\r\n".join(lines).encode(), ("127.0.0.1", application.sip_port))
        assert peer.recv(65536).startswith(b"SIP/2.0 400 ")
    application.chat(stream, "after")
    assert session.state == "connected"


def test_a_peer_that_dies_ends_the_session(application, echo_bot) -> None:
    """A peer that dies without BYE: its stream fails, the session ends with the right notification, in bounded time."""
    session, stream = application.call(echo_bot.port)
    application.chat(stream, "before")
    echo_bot.kill()
    application.recorder.wait_for("MediaStreamDidFail", stream, TIMEOUT)
    application.recorder.wait_for("SIPSessionDidEnd", session, TIMEOUT)
    assert session.state == "terminated"
    application.recorder.assert_names(
        ["SIPSessionWillEnd", "SIPSessionDidEnd"],
        session,
        only=["SIPSessionWillEnd", "SIPSessionDidEnd", "SIPSessionDidFail"],
    )
    application.stop()


def test_messages_to_a_dead_peer_are_told_as_not_delivered(application, echo_bot) -> None:
    """CHAT-027: what was not confirmed when the connection broke is told as not delivered."""
    _, stream = application.call(echo_bot.port)
    echo_bot.process.send_signal(19)  # SIGSTOP: it reads and confirms no more
    message_id = stream.send_message("lost")
    application.recorder.wait_for("ChatStreamDidSendMessage", stream, TIMEOUT)
    echo_bot.kill()
    application.recorder.wait_for("ChatStreamDidNotDeliverMessage", stream, TIMEOUT, message_id=message_id)
    application.recorder.assert_none("ChatStreamDidDeliverMessage", stream, message_id=message_id)


def test_a_call_to_a_dead_port_fails(application) -> None:
    """SES-016: nobody there: SIPSessionDidFail with 408, and the application goes on."""
    from sipsimple.configuration.settings import SIPSimpleSettings
    from sipsimple.core import SIPURI, ToHeader
    from sipsimple.session import Session
    from sipsimple.streams import ChatStream
    from sipsimple.util import Route

    settings = SIPSimpleSettings()
    settings.sip.invite_timeout = 1
    settings.save()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        session = Session(application.account)
        session.connect(
            ToHeader(SIPURI(user="x", host="127.0.0.1", port=port)),
            [Route("127.0.0.1", port)],
            [ChatStream(application.account)],
        )
        data = application.recorder.wait_for("SIPSessionDidFail", session, TIMEOUT).data
    assert (data.code, data.originator) == (408, "local")
    application.recorder.assert_none("SIPSessionDidEnd", session)
