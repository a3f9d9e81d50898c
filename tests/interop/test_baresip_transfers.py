"""Calls that are transferred, with baresip in each part: who transfers, who is, and whom to (RFC 5589)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pjsua2", reason="pip install 'sipsimple-audio[pjsua2]'", exc_type=ImportError)

from .baresip_phone import TONE, BaresipPhone
from .calls import TIMEOUT, Talk, call, incoming, wait_until_connected

OTHER = 1100.0  # Hz, what the second phone says
CODEC = ";audio_codecs=PCMA/8000/1"


def uri(phone: BaresipPhone) -> str:
    return f"sip:phone@127.0.0.1:{phone.sip_port}"


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_we_transfer_a_phone(application: Any, phone: Any, tmp_path: Path) -> None:
    """SES-056, SES-100, SES-101: the phone calls the other one and tells how that goes, and our call ends."""
    one, two = phone(CODEC), phone(CODEC, tone=OTHER)
    talk = call(application, one, tmp_path)
    talk.wait_until_heard(one)
    one.ear.forget()
    talk.session.transfer(uri(two))
    for name in ("NewOutgoing", "DidStart", "DidEnd"):
        application.recorder.wait_for(f"SIPSessionTransfer{name}", talk.session, TIMEOUT)
    talk.wait_for_end()
    one.ear.wait_for(OTHER)
    two.ear.wait_for(TONE)


def test_a_phone_transfers_us(application: Any, phone: Any, tmp_path: Path) -> None:
    """SES-057: we call the other phone, and the call with the first one ends."""
    one, two = phone(CODEC), phone(CODEC, tone=OTHER)
    talk = call(application, one, tmp_path)
    talk.wait_until_heard(one)
    recorder = application.recorder
    one.command("transfer", uri(two))
    asked = recorder.wait_for("SIPSessionTransferNewIncoming", talk.session, TIMEOUT)
    assert (asked.data.transfer_destination.port, asked.data.transfer_destination.user) == (two.sip_port, "phone")
    talk.session.accept_transfer()
    new = recorder.wait_until(
        lambda: next((found.sender for found in recorder.find_all("SIPSessionNewOutgoing")
                      if found.sender is not talk.session), None), TIMEOUT, "no new session",
    )  # fmt: skip
    wait_until_connected(application, new)
    second = Talk(application, new, new.streams[0], folder(tmp_path / "second"))
    recorder.wait_for("SIPSessionTransferDidEnd", talk.session, TIMEOUT)
    talk.wait_for_end()
    second.wait_until_heard(two, OTHER)
    second.end()


def test_we_do_not_want_to_be_transferred(application: Any, phone: Any, tmp_path: Path) -> None:
    """SES-058: the phone is told (and hangs up), and we call nobody."""
    one = phone(CODEC)
    talk = call(application, one, tmp_path)
    talk.wait_until_heard(one)
    one.command("transfer", "sip:nobody@127.0.0.1")
    application.recorder.wait_for("SIPSessionTransferNewIncoming", talk.session, TIMEOUT)
    talk.session.reject_transfer(603)
    application.recorder.wait_for("SIPSessionTransferDidFail", talk.session, TIMEOUT, code=603)
    talk.wait_for_end()
    assert application.recorder.last("SIPSessionDidEnd", talk.session).data.originator == "remote"
    assert application.recorder.count("SIPSessionNewOutgoing") == 1


def test_a_phone_is_transferred_to_us(application: Any, phone: Any, tmp_path: Path) -> None:
    """RFC 5589 6.1: one phone has the other call us."""
    one, two = phone(CODEC), phone(CODEC, tone=OTHER)
    one.command("dial", uri(two))
    two.ear.wait_for(TONE)
    one.command("transfer", f"sip:alice@127.0.0.1:{application.sip_port}")
    talk = incoming(application, tmp_path)
    two.ear.forget()
    talk.wait_until_heard(two, OTHER)
    talk.end()
