"""Which names a certificate proves (RFC 5922 7.1), and whether one of them is the expected one (RFC 5922 7.2).

The rules are SIP's own: a `sip:` URI counts before DNS names, a wildcard proves nothing but itself, and a common name
counts only where there is no subjectAltName at all.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from cryptography.x509 import Certificate, DNSName, ExtensionNotFound, IPAddress, UniformResourceIdentifier
from cryptography.x509.extensions import SubjectAlternativeName
from cryptography.x509.oid import NameOID

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.uri import FrozenSIPURI

__all__ = ["PresentedNames", "names_of"]

#: How many names of a certificate an error tells, and how much of each: they are what a stranger has written.
SHOWN_NAMES = 10
SHOWN_LENGTH = 100


class PresentedNames(NamedTuple):
    """The names of a certificate.

    :param domains: what counts as the identity of a SIP domain, in lower case.
    :param addresses: IP addresses.
    :param shown: all names that the certificate has, also those that prove nothing here, as they are to be shown.
    """

    domains: frozenset[str]
    addresses: frozenset[IPv4Address | IPv6Address]
    shown: tuple[str, ...]

    def prove(self, expected: str) -> bool:
        """Whether one of them is the expected name or IP address."""
        try:
            return ip_address(expected) in self.addresses or expected in self.domains
        except ValueError:
            # 7.2: the whole name, without case, and no wildcards
            return _domain(expected) in self.domains

    def __str__(self) -> str:
        names = [name if len(name) <= SHOWN_LENGTH else f"{name[:SHOWN_LENGTH]}…" for name in self.shown[:SHOWN_NAMES]]
        if len(self.shown) > SHOWN_NAMES:
            names.append("…")
        return ", ".join(names) or "no name"


def names_of(certificate: Certificate) -> PresentedNames:
    """The names of a certificate; none of one whose extensions can't be read."""
    try:
        alternative = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
    except ExtensionNotFound:
        return _common_name(certificate)
    except ValueError:
        return PresentedNames(frozenset(), frozenset(), ("a subjectAltName that can't be read",))
    sip: set[str] = set()
    dns: set[str] = set()
    addresses: set[IPv4Address | IPv6Address] = set()
    shown: list[str] = []
    for name in alternative:
        if isinstance(name, UniformResourceIdentifier):
            shown.append(_printable(name.value))
            domain = _sip_domain(name.value)
            if domain is not None:
                sip.add(domain)
        elif isinstance(name, DNSName):
            shown.append(_printable(name.value))
            dns.add(_domain(name.value))
        elif isinstance(name, IPAddress) and isinstance(name.value, IPv4Address | IPv6Address):
            shown.append(str(name.value))
            addresses.add(name.value)
    # 7.1: DNS names count if and only if there is no sip: URI
    return PresentedNames(frozenset(sip or dns), frozenset(addresses), tuple(shown))


def _sip_domain(uri: str) -> str | None:
    """7.1: the host of a sip: URI, unless it names a user; other schemes, also sips:, count for nothing."""
    try:
        parsed = FrozenSIPURI.parse(uri)
    except SIPParseError:
        return None
    return None if parsed.secure or parsed.user is not None else _domain(parsed.host)


def _common_name(certificate: Certificate) -> PresentedNames:
    """7.1: without any subjectAltName the common name may be examined."""
    try:
        values = [str(name.value) for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    except ValueError:
        values = []
    names = [value for value in values if _is_dns_name(value)]
    return PresentedNames(frozenset(map(_domain, names)), frozenset(), tuple(f"CN={_printable(v)}" for v in values))


def _is_dns_name(text: str) -> bool:
    labels = text.rstrip(".").split(".")
    return text.isascii() and all(label.replace("-", "").isalnum() for label in labels)


def _domain(name: str) -> str:
    return name.lower().rstrip(".")


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
