"""Where the names of the SIP core are found."""

import subprocess
import sys

import pytest

import sipsimple.core
from sipsimple.core import wire

SPECIFIED = [
    "SIPURI",
    "Credentials",
    "Header",
    "FromHeader",
    "ToHeader",
    "ContactHeader",
    "RouteHeader",
    "RecordRouteHeader",
    "ViaHeader",
    "CSeqHeader",
    "MaxForwardsHeader",
    "EventHeader",
    "SubscriptionStateHeader",
    "ReasonHeader",
    "ReferToHeader",
    "ReferredByHeader",
    "ReplacesHeader",
    "SubjectHeader",
    "WarningHeader",
    "RetryAfterHeader",
    "ContentTypeHeader",
    "SDPSession",
    "SDPMediaStream",
    "SDPConnection",
    "SDPAttribute",
    "SDPBandwidthInfo",
]


@pytest.mark.parametrize("name", SPECIFIED)
def test_each_value_has_both_variants(name):
    """All are imported from sipsimple.core."""
    assert getattr(sipsimple.core, name) is getattr(wire, name)
    assert getattr(sipsimple.core, f"Frozen{name}")._mutable_type is getattr(wire, name)


def test_names_are_loaded_when_they_are_used():
    code = (
        "import sys, sipsimple.core; assert 'sipsimple.core.wire' not in sys.modules; sipsimple.core.SIPURI; "
        "assert 'sipsimple.core.wire' in sys.modules; assert 'twisted' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_not_there():
    with pytest.raises(AttributeError, match="Nothing"):
        _ = sipsimple.core.Nothing
    assert {"SIPURI", "SDPSession", "parse_message"} <= set(dir(sipsimple.core))
    assert all(hasattr(wire, name) for name in wire.__all__)
