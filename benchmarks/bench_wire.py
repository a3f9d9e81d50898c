"""How fast messages are parsed and printed, beside `twisted.protocols.sip` (and sippy, where it is installed).

    python benchmarks/bench_wire.py [--quick]

Each figure is the median of several runs over many different messages; ours and the peer's turn about, as the speed of
a machine changes from one minute to the next. "Parse" means what routing takes: the branch of Via, the tags of From and
To, Call-ID, CSeq, Contact and Request-URI as values, not as text.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

from harness import Figures, median
from twisted.protocols import sip as twisted_sip

from sipsimple.core.wire import FrozenSDPSession, SIPRequest, make_response, parse_message, validate_request

try:
    from sippy.SipRequest import SipRequest as SippyRequest
except ImportError:
    SippyRequest = None

MESSAGES = 300

INVITE = """INVITE sip:bob{n}@biloxi.example.com SIP/2.0
Via: SIP/2.0/UDP 192.0.2.{octet}:5060;branch=z9hG4bK776asdhds{n};rport
Max-Forwards: 70
To: "Bob" <sip:bob{n}@biloxi.example.com>
From: "Alice Liddell" <sip:alice{n}@atlanta.example.com>;tag=1928301774{n}
Call-ID: a84b4c76e66710{n}@pc33.atlanta.example.com
CSeq: {cseq} INVITE
Contact: <sip:alice{n}@192.0.2.{octet}:5060;transport=udp>
Allow: INVITE, ACK, CANCEL, BYE, NOTIFY, OPTIONS, REFER, MESSAGE, UPDATE, PRACK, SUBSCRIBE, INFO
Supported: 100rel, replaces, norefersub, gruu
User-Agent: A user agent of some kind 3.2.1 (Linux)
Subject: lunch, and what else there is to talk about before the meeting of next week
Organization: Atlanta Example Industries, Research and Development
Date: Sat, 13 Nov 2010 23:29:00 GMT
Content-Type: application/sdp
Content-Length: {length}

{sdp}"""

SDP = """v=0
o=- 34675252{n} 3467525278 IN IP4 192.0.2.{octet}
s=A user agent
c=IN IP4 192.0.2.{octet}
t=0 0
m=audio 50{octet} RTP/AVP 9 0 8 101
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=rtcp:5001 IN IP4 192.0.2.{octet}
a=sendrecv
"""


def invites() -> list[bytes]:
    """Different INVITEs of 1.1 kB."""
    messages = []
    for n in range(MESSAGES):
        values: dict[str, Any] = {"n": f"{n:04}", "octet": n % 150 + 100, "cseq": n + 1}
        values["sdp"] = SDP.format(**values).replace("\n", "\r\n")
        head = INVITE.format(length=len(values["sdp"]), **{**values, "sdp": ""}).replace("\n", "\r\n")
        messages.append((head + values["sdp"]).encode())
    return messages


def route(request: Any) -> tuple[object, ...]:
    """What it takes to find transaction, dialog and user. Parts that nobody asks for are not parsed."""
    return (
        request.via.branch,
        request.from_header.tag,
        request.to_header.tag,
        request.call_id,
        request.cseq.number,
        request.contact[0],
        request.request_uri.user,
    )


def read_all(request: Any) -> tuple[object, ...]:
    """Everything in these headers."""
    via, from_header, to_header, contact = request.via, request.from_header, request.to_header, request.contact[0]
    uris = from_header.uri.user, to_header.uri.user, contact.uri.host
    return (*route(request), *uris, via.parameters, from_header.parameters, to_header.parameters, contact.parameters)


def parse_all(messages: list[bytes]) -> None:
    for data in messages:
        read_all(parse_message(data))


def parse(messages: list[bytes]) -> None:
    for data in messages:
        route(parse_message(data))


def parse_validate(messages: list[bytes]) -> None:
    for data in messages:
        request = parse_message(data)
        assert isinstance(request, SIPRequest)
        validate_request(request)
        route(request)


def parse_print(messages: list[bytes]) -> None:
    for data in messages:
        message = parse_message(data)
        route(message)
        message.encode()


def answer(messages: list[bytes]) -> None:
    for data in messages:
        request = parse_message(data)
        assert isinstance(request, SIPRequest)
        route(request)
        make_response(request, 200, to_tag="314159").encode()


def sdp_parse_print(bodies: list[bytes]) -> None:
    for data in bodies:
        FrozenSDPSession.parse(data).encode()


def _twisted_route(message: Any) -> tuple[object, ...]:
    headers = message.headers
    _, _, from_parameters = twisted_sip.parseAddress(headers["from"][0])
    _, _, to_parameters = twisted_sip.parseAddress(headers["to"][0])
    contact = twisted_sip.parseAddress(headers["contact"][0])
    number, _ = headers["cseq"][0].split(None, 1)
    return (
        twisted_sip.parseViaHeader(headers["via"][0]).branch,
        from_parameters.get("tag"),
        to_parameters.get("tag"),
        headers["call-id"][0],
        int(number),
        contact,
        message.uri.username,
    )


def twisted_parse(messages: list[bytes]) -> None:
    parser = twisted_sip.MessagesParser(_twisted_route)
    for data in messages:
        parser.dataReceived(data)
        parser.dataDone()


def twisted_parse_print(messages: list[bytes]) -> None:
    def print_it(message: Any) -> None:
        _twisted_route(message)
        message.toString().encode()

    parser = twisted_sip.MessagesParser(print_it)
    for data in messages:
        parser.dataReceived(data)
        parser.dataDone()


def sippy_parse_print(messages: list[bytes]) -> None:
    for data in messages:
        request = SippyRequest(data.decode())
        for name in ("via", "from", "to", "contact", "cseq"):
            request.getHFBody(name)
        str(request)


def rates(runs: int, cases: list[tuple[Callable[[Any], None], list[bytes]]]) -> list[list[float]]:
    """Messages a second of each case in each run; the cases turn about."""
    measured: list[list[float]] = [[] for _ in cases]
    for _ in range(runs):
        for place, (function, messages) in enumerate(cases):
            started = time.perf_counter()
            function(messages)
            measured[place].append(len(messages) / (time.perf_counter() - started))
    return measured


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--quick", action="store_true", help="fewer runs")
    runs = 3 if arguments.parse_args().quick else 31
    messages = invites()
    bodies = [data.partition(b"\r\n\r\n")[2] for data in messages]
    ours_first, theirs_first = route(parse_message(messages[7])), _twisted_values(messages[7])
    assert ours_first[:5] + ours_first[6:] == theirs_first[:5] + theirs_first[6:]
    cases: list[tuple[Callable[[Any], None], list[bytes]]] = [
        (parse, messages),
        (twisted_parse, messages),
        (parse_print, messages),
        (twisted_parse_print, messages),
        (parse_all, messages),
        (parse_validate, messages),
        (answer, messages),
        (sdp_parse_print, bodies),
    ]
    if SippyRequest is not None:
        cases.append((sippy_parse_print, messages))
    for function, some in cases:  # warm up
        function(some[:50])
    measured = rates(runs, cases)
    ratio = median([our / their for our, their in zip(measured[0], measured[1], strict=True)])
    medians = [median(values) for values in measured]
    ours, twisteds, printed, twisteds_printed, complete, validated, answered, described, *sippys = medians
    size = sum(map(len, messages)) / len(messages)
    figures = Figures(f"The wire layer: INVITEs of {size:.0f} octets, median of {runs} runs")
    figures.add("parse", ours, "/s", at_least=40_000, limit=("twisted.protocols.sip", twisteds))
    figures.add("parse: times twisted.protocols.sip, of each run", ratio, "x", at_least=2)
    peer = ("sippy", sippys[0]) if sippys else ("twisted.protocols.sip", twisteds_printed)
    figures.add("parse and print", printed, "/s", at_least=sippys[0] if sippys else None, limit=peer)
    figures.add(
        "parse, and look at every part of these headers", complete, "/s", limit=("twisted.protocols.sip", twisteds)
    )
    figures.add("parse and validate", validated, "/s")
    figures.add("parse and print a response", answered, "/s")
    figures.add("session descriptions: parse and print", described, "/s")
    figures.show()
    return 1 if figures.missed else 0


def _twisted_values(data: bytes) -> tuple[object, ...]:
    found: list[tuple[object, ...]] = []
    parser = twisted_sip.MessagesParser(lambda message: found.append(_twisted_route(message)))
    parser.dataReceived(data)
    parser.dataDone()
    return found[0]


if __name__ == "__main__":
    sys.exit(main())
