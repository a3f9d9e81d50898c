"""What DNSManager and DNSLookup post."""

from __future__ import annotations

from typing import Any

from sipsimple.notification import declare_notification, field

_NAMESERVERS = field(list[str], "the nameservers, the first one to be asked first: IP addresses, with a port if not 53")

declare_notification(
    "DNSResolverDidInitialize",
    "DNSManager",
    "It is known which nameservers to use, for the first time.",
    nameservers=_NAMESERVERS,
)

declare_notification(
    "DNSNameserversDidChange",
    "DNSManager",
    "From now on other nameservers are used, as probing found.",
    nameservers=_NAMESERVERS,
)

declare_notification(
    "DNSLookupDidSucceed",
    "DNSLookup",
    "A lookup found something.",
    result=field(
        list[Any],
        "routes (`lookup_sip_proxy`), tuples of host and port (`lookup_service`) or URIs (`lookup_xcap_server`)",
    ),
)

declare_notification(
    "DNSLookupDidFail",
    "DNSLookup",
    "A lookup found nothing.",
    error=field(str, "what was looked for, and why it was not found"),
)

declare_notification(
    "DNSLookupTrace",
    "DNSLookup",
    "One DNS query of a lookup has been answered, or has failed.",
    query_type=field(str, "the type of the records: `NAPTR`, `SRV`, `A`, `AAAA`, `TXT` or `NS`"),
    query_name=field(str, "the name that was queried"),
    answer=field("Answer | None", "the answer (a `dns.resolver.Answer` of dnspython), None if there is an error"),
    error=field(
        Exception | None,
        "NXDOMAIN, NoAnswer, NoNameservers (of `dns.resolver`) or Timeout (of `dns.exception`), or None",
    ),
    context=field(str, "the method of DNSLookup that was called"),
    service=field(str, "the service that is looked for; only where the context is `lookup_service`", optional=True),
    uri=field(Any, "the URI that is looked for"),
    nameservers=field(list[str], "those that were asked, in that order; empty where the answer was known already"),
)
