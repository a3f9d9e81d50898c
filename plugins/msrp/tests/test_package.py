"""The package: names that are found in it, its plugin, its settings."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sipsimple.configuration import SettingsObject
from sipsimple.streams import MediaStreamRegistry
from sipsimple.streams.msrp import plugin
from sipsimple.streams.msrp.settings import AccountExtension, BonjourAccountExtension, SIPSimpleSettingsExtension


def test_names() -> None:
    """MSRP-001, STR-001: the base is here; a stream class of an installed plugin too, as well as what it exports."""
    import sipsimple.streams.msrp as package
    from sipsimple.streams.msrp import MSRPStreamBase

    class OddError(Exception):
        pass

    class Odd(MSRPStreamBase):
        type = "odd"
        priority = 0
        media_type = "odd"

    try:
        assert package.Odd is Odd
        module = sys.modules[__name__]
        module.__all__, module.OddError = ("OddError",), OddError  # type: ignore[attr-defined]
        assert package.OddError is OddError
    finally:
        MediaStreamRegistry().unregister(Odd)
        del module.__all__, module.OddError  # type: ignore[attr-defined]


def test_missing_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    """STR-001: what is not installed is an ImportError that says what to install."""
    monkeypatch.setattr(MediaStreamRegistry, "__iter__", lambda self: iter(()))
    with pytest.raises(ImportError, match="sipsimple-filetransfer"):
        from sipsimple.streams.msrp import FileTransferStream  # noqa: F401
    with pytest.raises(ImportError, match="sipsimple-chat"):
        from sipsimple.streams.msrp import ChatStreamError  # noqa: F401
    with pytest.raises(ImportError):
        from sipsimple.streams.msrp import Nonsense  # noqa: F401


def test_plugin_is_light() -> None:
    """STR-002: importing the plugin imports neither Twisted nor msrplib."""
    code = (
        "import sys; import sipsimple.streams.msrp.plugin as p; "
        "assert p.sipsimple_plugin_api == 1; "
        'print([m for m in ("twisted.internet.protocol", "msrplib.session") if m in sys.modules])'
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_settings() -> None:
    """MSRP-002, MSRP-010: the settings of the plugin, their defaults, and what they refuse."""
    assert [name for name, _ in plugin.sipsimple_settings()] == ["Account", "BonjourAccount", "SIPSimpleSettings"]

    class Probe(SettingsObject):
        __id__ = "MSRPProbe"

    Probe.register_extension(AccountExtension)
    Probe.register_extension(SIPSimpleSettingsExtension)
    probe = Probe()
    assert (probe.msrp.transport, probe.msrp.connection_model) == ("tls", "relay")
    nat = probe.nat_traversal
    assert (nat.msrp_relay, nat.use_msrp_relay_for_inbound, nat.use_msrp_relay_for_outbound) == (None, True, False)
    assert probe.logs.trace_msrp is False
    probe.msrp.transport = "tcp"
    nat.msrp_relay = "relay.example.com"
    assert (nat.msrp_relay.port, nat.msrp_relay.transport) == (2855, "tls")
    with pytest.raises(ValueError):
        probe.msrp.transport = "udp"
    with pytest.raises(ValueError):
        probe.msrp.connection_model = "none"
    assert BonjourAccountExtension.msrp.declared()["transport"].default == "tcp"
