"""Scenarios for sipp, put together from steps; each step is a line of Python instead of a screen of XML."""

from __future__ import annotations

import re
from xml.sax.saxutils import quoteattr

__all__ = ["SDP", "SIPFRAG", "back", "expect", "pause", "play", "reply", "request", "scenario"]

SDP = """v=0
o=peer 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio 6000 RTP/AVP 8
a=rtpmap:8 PCMA/8000
"""

SIPFRAG = "message/sipfrag;version=2.0"

CONTACT = "Contact: <sip:peer@[local_ip]:[local_port]>"


def scenario(*steps: str) -> str:
    text = "\n".join(steps)
    # a variable that nothing reads is an error to sipp, unless it is named here
    variables = sorted(set(re.findall(r'assign_to="(\w+)"', text)))
    reference = f'<Reference variables="{",".join(variables)}"/>\n' if variables else ""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="test">\n{text}\n{reference}</scenario>\n'


def _send(lines: list[str], body: str, content_type: str = "application/sdp", **attributes: object) -> str:
    if body:
        lines.append(f"Content-Type: {content_type}")
    text = "\n".join([*lines, "Content-Length: [len]", "", body])
    return f"<send{_attributes(attributes)}><![CDATA[\n{text}\n]]></send>"


def _attributes(attributes: dict[str, object]) -> str:
    return "".join(f" {name}={quoteattr(str(value))}" for name, value in attributes.items())


def request(
    method: str, cseq: int, *headers: str, uri: str = "sip:us@[remote_ip]:[remote_port]", to_tag: bool = True,
    body: str = "", tag: str = "peer", branch: str = "[branch]", routes: bool = False, **attributes: object,
) -> str:  # fmt: skip
    """A request of the peer's; inside the dialog that it began, with `to_tag`."""
    ours, theirs = "<sip:peer@[local_ip]:[local_port]>", "<sip:us@[remote_ip]:[remote_port]>"
    parties = [f"From: {ours};tag={tag}[call_number]", f"To: {theirs}{'[peer_tag_param]' if to_tag else ''}"]
    lines = [
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/[transport] [local_ip]:[local_port];branch={branch}",
        "Max-Forwards: 70",
        *(["[routes]"] if routes else []),
        *parties,
        "Call-ID: [call_id]",
        f"CSeq: {cseq} {method}",
        *([CONTACT] if method in ("INVITE", "UPDATE", "REFER", "SUBSCRIBE", "NOTIFY") else []),
        *headers,
    ]
    return _send(lines, body, **attributes)


def back(
    method: str, cseq: int, *headers: str, tag: str | None = "peer", body: str = "",
    content_type: str = "application/sdp", branch: str = "[branch]", **attributes: object,
) -> str:  # fmt: skip
    """A request to whoever sent the request that was saved, in its dialog; without `tag` it was inside one."""
    lines = [
        f"{method} [next_url] SIP/2.0",
        f"Via: SIP/2.0/[transport] [local_ip]:[local_port];branch={branch}",
        "Max-Forwards: 70",
        f"From:[$to]{f';tag={tag}[call_number]' if tag else ''}",
        "To:[$from]",
        "Call-ID: [call_id]",
        f"CSeq: {cseq} {method}",
        CONTACT,
        *headers,
    ]
    return _send(lines, body, content_type, **attributes)


def reply(
    code: int, reason: str, *headers: str, tag: str | None = "peer", body: str = "", to_saved: bool = False,
    contact: bool = True, **attributes: object,
) -> str:  # fmt: skip
    """A response of the peer's to the last request that it got; with `to_saved`, to the one that it saved."""
    to_tag = f";tag={tag}[call_number]" if tag is not None else ""
    if to_saved:
        copied = ["Via:[$via]", "From:[$from]", f"To:[$to]{to_tag}", "[last_Call-ID:]", "CSeq:[$cseq]"]
    else:
        copied = ["[last_Via:]", "[last_Record-Route:]", "[last_From:]", f"[last_To:]{to_tag}", "[last_Call-ID:]"]
        copied.append("[last_CSeq:]")
    return _send([f"SIP/2.0 {code} {reason}", *copied, *([CONTACT] if contact else []), *headers], body, **attributes)


def expect(
    what: str | int, optional: bool = False, save: bool = False, having: tuple[str, ...] = (),
    keep: dict[str, str] | None = None, **attributes: object,
) -> str:  # fmt: skip
    """Waits for a request (its method) or a response (its code).

    `save` keeps its headers for `reply` and `back`, `keep` the headers (RSeq) that it names for what it says ([$rseq]).
    Without a match of each of the expressions in `having` it fails.
    """
    kind = "response" if isinstance(what, int) else "request"
    attributes = {kind: what, **({"optional": "true"} if optional else {}), **attributes}
    names = {f"{header}:": name for header, name in (keep or {}).items()}
    if save:
        names |= {"Via:": "via", "From:": "from", "To:": "to", "CSeq:": "cseq"}
    actions = [
        f'<ereg regexp=".*" search_in="hdr" header="{header}" assign_to="{name}"/>' for header, name in names.items()
    ]
    actions += [
        f'<ereg regexp={quoteattr(expression)} search_in="msg" check_it="true" assign_to="found"/>'
        for expression in having
    ]
    if save:
        # sipp keeps the Contact as [next_url]
        attributes["rrs"] = "true"
    if not actions:
        return f"<recv{_attributes(attributes)}/>"
    return f"<recv{_attributes(attributes)}><action>{''.join(actions)}</action></recv>"


def pause(milliseconds: int) -> str:
    return f'<pause milliseconds="{milliseconds}"/>'


def play(media: str) -> str:
    """Begins to play: an attribute of sipp's `exec`, as `play_pcap_audio="a.pcap"`."""
    return f"<nop><action><exec {media}/></action></nop>"
