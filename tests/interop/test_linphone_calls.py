"""Audio calls with Linphone: speex, and attended transfers, where it knows more than baresip."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pjsua2", reason="pip install 'sipsimple-audio[pjsua2]'", exc_type=ImportError)

from .baresip_phone import TONE
from .calls import OURS, TIMEOUT, Talk, dial, incoming, wait_until_connected
from .conftest import free_port, require, two_ports
from .hearing import NOTHING
from .linphone_phone import LinphonePhone

OTHER = 1100.0  # Hz, what the second phone says


@pytest.fixture
def linphone(tmp_path: Path) -> Iterator[Callable[..., LinphonePhone]]:
    phones: list[LinphonePhone] = []

    def start(*codecs: str, tone: float = TONE) -> LinphonePhone:
        ports = (two_ports(), 20000 + 2 * (free_port() % 10000))
        phones.append(
            LinphonePhone(require("linphonec"), folder(tmp_path / f"linphone{len(phones)}"), ports, codecs, tone)
        )
        return phones[-1]

    yield start
    for phone in phones:
        phone.stop()


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def talk_to(application: Any, phone: LinphonePhone, place: Path, codec: str) -> Talk:
    session, stream = dial(application, "phone", phone.sip_port, audio_codec_list=(codec,))
    wait_until_connected(application, session)
    return Talk(application, session, stream, place)


@pytest.mark.parametrize("codec", ["speex/16000", "speex/8000"])
def test_speex(application: Any, linphone: Any, tmp_path: Path, codec: str) -> None:
    """AUD-001, AUD-023: each hears the other's tone."""
    other = linphone(codec)
    talk = talk_to(application, other, tmp_path, codec)
    talk.wait_until_heard(other)
    assert (talk.stream.codec, talk.stream.sample_rate) == ("speex", int(codec.partition("/")[2]))
    talk.end()
    assert talk.ear.hears(OURS) < NOTHING


def uri(phone: LinphonePhone) -> str:
    return f"sip:phone@127.0.0.1:{phone.sip_port}"


def test_we_transfer_one_phone_to_the_other(application: Any, linphone: Any, tmp_path: Path) -> None:
    """SES-056: attended: both our calls end, and the phones hear each other."""
    one, two = linphone("PCMA/8000"), linphone("PCMA/8000", tone=OTHER)
    first = talk_to(application, one, folder(tmp_path / "first"), "PCMA")
    first.wait_until_heard(one)
    first.session.hold()
    second = talk_to(application, two, folder(tmp_path / "second"), "PCMA")
    second.wait_until_heard(two, OTHER)
    first.session.transfer(uri(two), replaced_session=second.session)
    application.recorder.wait_for("SIPSessionTransferDidEnd", first.session, TIMEOUT)
    first.wait_for_end()
    second.wait_for_end()
    one.ear.wait_for(OTHER)
    two.ear.wait_for(TONE)


def test_a_phone_transfers_us_to_another(application: Any, linphone: Any, tmp_path: Path) -> None:
    """SES-057: attended: our new call takes the place of the one that the phones had."""
    one, two = linphone("PCMA/8000"), linphone("PCMA/8000", tone=OTHER)
    recorder = application.recorder
    one.command(f"call sip:alice@127.0.0.1:{application.sip_port}")
    talk = incoming(application, folder(tmp_path / "first"))
    talk.wait_until_heard(one)
    one.command("pause")
    recorder.wait_until(lambda: talk.stream.on_hold_by_remote, TIMEOUT, "not on hold")
    one.command(f"call {uri(two)}")
    two.ear.wait_for(TONE)
    one.command("transfer 1 --to-call 2")
    recorder.wait_for("SIPSessionTransferNewIncoming", talk.session, TIMEOUT)
    application.account.sip.outbound_proxy = f"127.0.0.1:{two.sip_port}"  # Linphone leaves the port out
    application.account.save()
    talk.session.accept_transfer()
    new = recorder.wait_for("SIPSessionNewOutgoing", timeout=TIMEOUT).sender
    wait_until_connected(application, new)
    second = Talk(application, new, new.streams[0], folder(tmp_path / "second"))
    second.wait_until_heard(two, OTHER)
    talk.wait_for_end()
    second.end()
