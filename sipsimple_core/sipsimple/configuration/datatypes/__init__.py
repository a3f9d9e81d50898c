"""The types of settings.

Each is called with a value (or with its text, as a file has it) and raises ValueError when that is wrong;
`str()` of the result, given to the type again, makes an equal one.
"""

from __future__ import annotations

from sipsimple.configuration.datatypes.lists import (
    AudioCodecList,
    ContentTypeList,
    DomainList,
    SIPTransportList,
    STUNServerAddressList,
    ValueTuple,
)
from sipsimple.configuration.datatypes.network import (
    EndpointAddress,
    Hostname,
    MSRPRelayAddress,
    MSRPTransport,
    SIPAddress,
    SIPProxyAddress,
    SIPTransport,
    STUNServerAddress,
    XCAPRoot,
)
from sipsimple.configuration.datatypes.numeric import (
    BoundedInteger,
    NonNegativeInteger,
    Port,
    PortRange,
    Seconds,
)
from sipsimple.configuration.datatypes.text import UUIDURN, Choice, HeaderText, Password, Path

__all__ = [
    "UUIDURN",
    "AudioCodecList",
    "BoundedInteger",
    "Choice",
    "ContentTypeList",
    "DomainList",
    "EndpointAddress",
    "HeaderText",
    "Hostname",
    "MSRPRelayAddress",
    "MSRPTransport",
    "NonNegativeInteger",
    "Password",
    "Path",
    "Port",
    "PortRange",
    "SIPAddress",
    "SIPProxyAddress",
    "SIPTransport",
    "SIPTransportList",
    "STUNServerAddress",
    "STUNServerAddressList",
    "Seconds",
    "ValueTuple",
    "XCAPRoot",
]
