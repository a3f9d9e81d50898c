"""Audio calls through Kamailio over TLS, whose certificate both parties verify; the audio itself is encrypted too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .baresip_phone import BaresipPhone
from .hearing import until
from .kamailio_server import ADDRESS, REALM, USERS, Kamailio

pytest.importorskip("pjsua2", reason="pip install 'sipsimple-audio[pjsua2]'", exc_type=ImportError)

from sipsimple.core import SIPURI, ToHeader
from sipsimple.session import Session
from sipsimple.streams import AudioStream
from sipsimple.util import Route

from .calls import TIMEOUT, Talk, incoming, wait_until_connected


@pytest.fixture
def alice(application: Any, kamailio_server: Kamailio) -> Iterator[Any]:
    """An account that is registered over TLS."""
    from sipsimple.account import Account
    from sipsimple.configuration.settings import SIPSimpleSettings

    settings = SIPSimpleSettings()
    settings.tls.ca_list = str(kamailio_server.authority.ca_list)
    settings.sip.transport_list = ["tls"]
    settings.save()
    account = Account(f"alice@{REALM}")
    account.auth.password = USERS["alice"]
    account.sip.outbound_proxy = f"{ADDRESS}:{kamailio_server.tls_port};transport=tls"
    account.sip.tls_name = REALM
    account.rtp.srtp_encryption = "mandatory"
    account.enabled = True
    account.save()
    registered = application.recorder.wait_for("SIPAccountRegistrationDidSucceed", account, TIMEOUT)
    assert registered.data.registrar.transport == "tls"
    yield account


@pytest.fixture
def bob(alice: Any, phone: Any, kamailio_server: Kamailio) -> BaresipPhone:
    bob: BaresipPhone = phone(";audio_codecs=PCMA/8000/1;mediaenc=srtp-mand", server=kamailio_server)
    until(lambda: "[1 binding]" in bob.log, "bob is not registered")
    return bob


def test_a_call_to_a_phone(
    application: Any, alice: Any, bob: BaresipPhone, kamailio_server: Kamailio, tmp_path: Path
) -> None:
    """AUD-001, AUD-024: by its address at the domain."""
    session, stream = Session(alice), AudioStream(alice)
    route = Route(ADDRESS, kamailio_server.tls_port, "tls")
    session.connect(ToHeader(SIPURI(user="bob", host=REALM)), [route], [stream])
    wait_until_connected(application, session)
    talk = Talk(application, session, stream, tmp_path)
    talk.wait_until_heard(bob)
    assert session.transport == "tls" and stream.srtp_active
    talk.end()


def test_a_call_from_a_phone(application: Any, alice: Any, bob: BaresipPhone, tmp_path: Path) -> None:
    """AUD-001, AUD-024: the same when the phone calls."""
    bob.command("dial", f"sip:alice@{REALM}")
    talk = incoming(application, tmp_path)
    talk.wait_until_heard(bob)
    assert talk.session.transport == "tls" and talk.stream.srtp_active
    talk.end()
