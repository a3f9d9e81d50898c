"""NAPTR records (RFC 3263 4.1, RFC 3403): which transports the servers of a domain have, and where to look for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sipsimple.lookup.message import name_of

__all__ = ["SERVICES", "Replacement", "replacements"]

#: The services by transport; that of TLS is for `sip` URIs too.
SERVICES = {"udp": "sip+d2u", "tcp": "sip+d2t", "tls": "sips+d2t"}


class Replacement(NamedTuple):
    """What a NAPTR record stands for: the name of SRV records (`is_service`), or of a host."""

    name: str
    is_service: bool


def replacements(records: Iterable[Any], transports: Sequence[str]) -> dict[str, list[Replacement]]:
    """What the records say for each of the transports for which they say anything; the first is to be tried first.

    Records of other services are left out, as are those with a regular expression, which are not for this (RFC 3263
    4.1: the replacement is used), and those that lead nowhere.
    """
    found: dict[str, list[Replacement]] = {}
    ordered = sorted(records, key=lambda record: (record.order, record.preference))
    for transport in transports:
        service = SERVICES[transport]
        for record in ordered:
            flags = record.flags.lower()
            if record.service.lower().decode("ascii", "replace") != service or flags not in (b"s", b"a"):
                continue
            if record.regexp or record.replacement.labels == (b"",):
                continue
            replacement = Replacement(name_of(record.replacement), flags == b"s")
            if replacement not in found.setdefault(transport, []):
                found[transport].append(replacement)
    return found
