"""message/cpim: printing and reading, and what arrives from people who mean no good (RFC 3862)."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipsimple.core.wire.uri import SIPURI, FrozenSIPURI
from sipsimple.streams.chat.cpim import (
    MAX_HEADER_OCTETS,
    MAX_HEADERS,
    CPIMError,
    parse_cpim,
    parse_timestamp,
    print_cpim,
)
from sipsimple.streams.chat.messages import (
    ChatIdentity,
    CPIMHeader,
    CPIMIdentity,
    CPIMMessage,
    CPIMNamespace,
    MultilingualText,
)

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ALICE = CPIMIdentity("sip:alice@example.com", "Alice")
BOB = CPIMIdentity("sip:bob@example.com")


def cpim(*headers: str, content_headers: str = "Content-Type: text/plain\r\n", content: bytes = b"hi") -> bytes:
    lines = "".join(f"{header}\r\n" for header in headers)
    return f"{lines}\r\n{content_headers}\r\n".encode() + content


def test_prints_envelope_and_content() -> None:
    """CHAT-005, CHAT-019: the envelope names sender, recipients and the time; the charset of text is stated."""
    message = CPIMMessage("grüß dich", "text/plain", ALICE, [BOB], timestamp=NOON)
    assert (
        message.encode()
        == (
            'From: "Alice" <sip:alice@example.com>\r\n'
            "To: <sip:bob@example.com>\r\n"
            "DateTime: 2026-03-01T12:00:00+00:00\r\n"
            "\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            "\r\n"
            "grüß dich"
        ).encode()
    )


def test_reads_what_the_rfc_shows() -> None:
    """CHAT-006: the example of RFC 3862 5.1, with every header of it."""
    message = CPIMMessage.parse(
        cpim(
            "From: MR SANDERS <im:piglet@100akerwood.com>",
            "To: Depressed Donkey <im:eeyore@100akerwood.com>",
            'cc: "P. Bear" <im:pooh@100akerwood.com>',
            "DateTime: 2000-12-13T13:40:00-08:00",
            "Subject: the weather will be fine today",
            "Subject:;lang=fr beau temps prevu pour aujourd'hui",
            "NS: MyFeatures <mid:MessageFeatures@id.foo.com>",
            "Require: MyFeatures.VitalMessageOption",
            "MyFeatures.VitalMessageOption: Confirmation-requested",
            "MyFeatures.WackyMessageOption: Use-silly-font",
            content_headers="Content-type: text/xml; charset=utf-8\r\nContent-ID: <1234567890@foo.com>\r\n",
            content=b"<body>Here is the text</body>",
        )
    )
    namespace = CPIMNamespace("mid:MessageFeatures@id.foo.com", "MyFeatures")
    assert message.sender == CPIMIdentity("im:piglet@100akerwood.com", "MR SANDERS")
    assert message.recipients == [CPIMIdentity("im:eeyore@100akerwood.com", "Depressed Donkey")]
    assert message.courtesy_recipients == [CPIMIdentity("im:pooh@100akerwood.com", "P. Bear")]
    assert message.timestamp == datetime(2000, 12, 13, 21, 40, tzinfo=UTC)
    assert message.subject == MultilingualText("the weather will be fine today", fr="beau temps prevu pour aujourd'hui")
    assert message.required == ["MyFeatures.VitalMessageOption"]
    assert message.additional_headers == [
        CPIMHeader("VitalMessageOption", "Confirmation-requested", namespace),
        CPIMHeader("WackyMessageOption", "Use-silly-font", namespace),
    ]
    assert message.content_type == "text/xml"
    assert message.content == "<body>Here is the text</body>"


def test_every_part_survives_the_way() -> None:
    """CHAT-012, CHAT-014, CHAT-016, CHAT-017, CHAT-018: what was printed is read again, part by part."""
    namespace = CPIMNamespace("urn:ietf:params:imdn", "imdn")
    message = CPIMMessage(
        b"\x00\xff\r\n\r\n",
        "application/octet-stream",
        CPIMIdentity("sip:alice@example.com", 'Alice "the \\ lice"\n\r\t\x07 \U0001f41d'),
        [BOB, CPIMIdentity("im:carol@example.com", "Carol")],
        [CPIMIdentity("tel:+15551234")],
        MultilingualText("Wetter\r\nFrom: <sip:mallory@example.com>", **{"pt-BR": "o clima"}),
        NOON,
        ["imdn.Disposition-Notification", "X"],
        [
            CPIMHeader("Message-ID", "34 jk", namespace),
            CPIMHeader("Unprefixed", "a", CPIMNamespace("urn:default")),
            CPIMHeader("Plain", "b"),
        ],
    )
    assert CPIMMessage.parse(message.encode()) == message


def test_default_namespace_ends_before_our_own_headers() -> None:
    """CHAT-018: RFC 3862 3.6: after an NS without a prefix, DateTime would not be the known header."""
    message = CPIMMessage(
        "x", "text/plain", ALICE, [BOB], additional_headers=[CPIMHeader("Odd", "v", CPIMNamespace("urn:odd"))]
    )
    lines = message.encode().split(b"\r\n")
    assert lines.index(b"NS: <urn:odd>") < lines.index(b"Odd: v") < lines.index(b"NS: <urn:ietf:params:cpim-headers:>")
    assert lines[-5].startswith(b"DateTime:")


def test_header_objects_of_others() -> None:
    """CHAT-018: any object with name and value, or name and encoded, is an additional header."""

    class Encoded:
        name = "X-Encoded"
        encoded = "yes"

    message = CPIMMessage("x", "text/plain", ALICE, [BOB], additional_headers=[Encoded()])
    assert CPIMMessage.parse(message.encode()).additional_headers == [CPIMHeader("X-Encoded", "yes")]
    with pytest.raises(TypeError):
        CPIMMessage("x", "text/plain", additional_headers=["X: y"]).encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"additional_headers": [CPIMHeader("X\r\nFrom", "y")]},
        {"additional_headers": [CPIMHeader("X", "y", CPIMNamespace("urn:a> <b", "p"))]},
        {"additional_headers": [CPIMHeader("X", "y", CPIMNamespace("urn:a", "p q"))]},
        {"additional_headers": [CPIMHeader("From", "y")]},
        {"required": ["a,b"]},
        {"required": ["a\r\nFrom: <sip:x@y>"]},
        {"subject": MultilingualText("a", **{"fr\r\nX: y": "b"})},
        {"content_type": "text/plain\r\nX: y"},
        {"content_type": "text"},
        {"content": "\ud800"},
        {"content": "é", "content_type": "text/plain; charset=us-ascii"},
        {"content": "x", "content_type": "text/plain; charset=punycode"},
    ],
)
def test_refuses_to_print_what_breaks_out_of_its_header(changes: dict[str, object]) -> None:
    """CHAT-016, CHAT-017, CHAT-018: no argument can add a header or end the envelope."""
    message = CPIMMessage("x", "text/plain", ALICE, [BOB])
    for name, value in changes.items():
        setattr(message, name, value)
    with pytest.raises(ValueError):
        message.encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"From: <sip:a@b>",
        b"From: <sip:a@b>\r\n",
        b"From: <sip:a@b>\r\n\r\n",
        b"From: <sip:a@b>\r\n\r\nContent-Type: text/plain\r\n",
        cpim("From: nobody"),
        cpim("From: <>"),
        cpim("From: <sip:a@b> rest"),
        cpim("From: <no-scheme>"),
        cpim("From: <sip:a@b:99999999>"),
        cpim('To: "unfinished <sip:a@b>'),
        cpim("no colon at all"),
        cpim(": no name"),
        cpim("Two words: x"),
        cpim("NS: x"),
        cpim("From: <sip:a@b>\x00"),
        cpim("From: <sip:a@b>\rTo: <sip:a@b>"),
        cpim(content_headers="Content-Type: text\r\n"),
        cpim(content_headers="Content-Type: text/plain; charset\r\n"),
        cpim(content_headers=f"Content-Type: text/{'x' * 1000}\r\n"),
        b"From: <sip:\xff@b>\r\n\r\n\r\nx",
        b"X: y\r\n" * (MAX_HEADERS + 1) + b"\r\n\r\nx",
        b"X: " + b"y" * MAX_HEADER_OCTETS + b"\r\n\r\n\r\nx",
    ],
)
def test_broken_messages_are_cpim_errors(data: bytes) -> None:
    """CHAT-006: whatever cannot be read is one named error."""
    with pytest.raises(CPIMError):
        parse_cpim(data)


def test_lenient_where_nothing_is_lost() -> None:
    """CHAT-006: bare line feeds, header names in other case, an odd date, no type of the part, a repeated type."""
    message = parse_cpim(b"FROM: <sip:a@b>\nCC: <sip:c@d>\nDateTime: yesterday\n\n\nhello")
    assert (message.sender, message.courtesy_recipients) == (CPIMIdentity("sip:a@b"), [CPIMIdentity("sip:c@d")])
    assert (message.timestamp, message.content_type, message.content) == (None, "text/plain", "hello")
    repeated = b"Content-Type: Message/CPIM\r\n\r\n" + cpim("From: <sip:a@b>")
    assert parse_cpim(repeated).sender == CPIMIdentity("sip:a@b")
    assert parse_cpim(b"\r\n\r\nhello").content == "hello"


def test_undeclared_prefix_stays_in_the_name() -> None:
    """CHAT-018: RFC 3862 2.2: without an NS header the prefix means nothing."""
    assert parse_cpim(cpim("imdn.Message-ID: 1")).additional_headers == [CPIMHeader("imdn.Message-ID", "1")]


@pytest.mark.parametrize(
    ("content_type", "content", "expected"),
    [
        ("text/plain", "é".encode(), ("é", "text/plain")),
        ("text/plain; charset=ISO-8859-1", b"\xe9", ("é", "text/plain")),
        ('text/plain; charset="utf-8"; format=flowed', b"e", ("e", "text/plain;format=flowed")),
        ("text/plain; charset=idna", b"e", ("e", "text/plain")),
        ("text/html", b"\xff", ("�", "text/html")),
        ("image/png; charset=utf-8", b"\xff", (b"\xff", "image/png; charset=utf-8")),
    ],
)
def test_text_is_str_and_the_rest_bytes(content_type: str, content: bytes, expected: tuple[object, str]) -> None:
    """CHAT-025: text arrives as str whatever its charset, anything else as the octets that were sent."""
    message = parse_cpim(cpim(content_headers=f"Content-Type: {content_type}\r\n", content=content))
    assert (message.content, message.content_type) == expected


def test_identities() -> None:
    """CHAT-012, CHAT-031: SIP URIs are objects, equality is by URI and name, wrong ones are refused at once."""
    assert CPIMIdentity(SIPURI("example.com", "bob")) == BOB == ChatIdentity("sip:bob@example.com")
    assert hash(CPIMIdentity(SIPURI("example.com", "bob"))) == hash(BOB)
    assert isinstance(BOB.uri, FrozenSIPURI)
    assert CPIMIdentity("sip:bob@example.com", "Bob") != BOB
    assert str(CPIMIdentity.parse(str(ALICE))) == str(ALICE)
    assert ChatIdentity.parse("Al Ice <im:a@b>").display_name == "Al Ice"
    with pytest.raises(ValueError):
        CPIMIdentity("not a uri")
    with pytest.raises(TypeError):
        CPIMIdentity(5)  # type: ignore[arg-type]


def test_multilingual_text_is_a_str() -> None:
    """CHAT-016: the text without a language, with its translations."""
    text = MultilingualText("weather", fr="temps")
    assert text == "weather"
    assert (text.get_translation("fr"), text.get_translation("de")) == ("temps", "weather")
    assert text != MultilingualText("weather", fr="tempo")


def test_local_time_without_zone() -> None:
    """CHAT-019: a timestamp without a time zone is in local time; one in any zone is the same moment."""
    there = NOON.astimezone(timezone(timedelta(hours=5)))
    for timestamp in (NOON, there, NOON.astimezone().replace(tzinfo=None)):
        message = CPIMMessage("x", "text/plain", ALICE, [BOB], timestamp=timestamp)
        assert parse_cpim(print_cpim(message)).timestamp == NOON


@given(st.text())
def test_timestamps_never_raise(text: str) -> None:
    """CHAT-019: any text is a moment or None."""
    timestamp = parse_timestamp(text)
    assert timestamp is None or timestamp.tzinfo is not None


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
identities = st.builds(
    CPIMIdentity,
    st.sampled_from(["sip:alice@example.com", "sips:b%20c@[2001:db8::1]:5061;x=y", "im:carol@example.com"]),
    names,
)
tokens = st.from_regex(r"[A-Za-z0-9!#%*+^_`|~-]{1,20}", fullmatch=True)
foreign = tokens.filter(lambda name: name.lower() not in {"from", "to", "cc", "datetime", "subject", "ns", "require"})
headers = st.builds(
    CPIMHeader,
    foreign,
    names.map(str.strip),
    st.none() | st.builds(CPIMNamespace, st.from_regex(r"urn:[a-z:]{1,20}", fullmatch=True), tokens),
)
subjects = st.none() | st.builds(
    lambda text, translations: MultilingualText(text, **translations),
    names.map(str.strip),
    st.dictionaries(st.from_regex(r"[a-z]{2}(-[A-Z]{2})?", fullmatch=True), names.map(str.strip), max_size=3),
)


@given(
    st.builds(
        CPIMMessage,
        st.binary(),
        st.just("application/x-any"),
        identities,
        st.lists(identities, max_size=4),
        st.lists(identities, max_size=2),
        subjects,
        st.datetimes(timezones=st.just(UTC)),
        st.lists(tokens, max_size=3),
        st.lists(headers, max_size=4),
    )
)
def test_round_trip(message: CPIMMessage) -> None:
    """CHAT-005, CHAT-006: any message that can be made is read as what was printed."""
    assert parse_cpim(message.encode()) == message


@given(st.binary() | st.lists(st.sampled_from(
    [b'\r\n', b'\n', b'\r', b': ', b';lang=', b'"', b'\\', b'<', b'>', b'From', b'Subject', b'NS', b'\\u12', b'\xc3',
     b'\xa9', b'sip:a@b', b'Content-Type', b'text/plain', b'charset=utf-16', b'Require', b',', b' ']
)).map(b''.join))  # fmt: skip
def test_any_octets_are_a_message_or_an_error(data: bytes) -> None:
    """CHAT-006: nothing that comes from the network raises anything else, and what is read can be printed."""
    try:
        message = parse_cpim(data)
    except CPIMError:
        return
    assert isinstance(message.content, str | bytes)


@pytest.mark.parametrize("unit", [b'"', b"\\", b" ", b";", b"<", b"a.", b'\t"\\'])
def test_reading_takes_linear_time(unit: bytes) -> None:
    """CHAT-006: a header of many equal characters is read in a moment (no backtracking over it)."""
    import time

    line = unit * (MAX_HEADER_OCTETS // len(unit) - 100)
    started = time.perf_counter()
    for name in (b"From: ", b"Subject:", b"NS: ", b"X: ", b"", b"Subject:;"):
        with contextlib.suppress(CPIMError):
            parse_cpim(name + line + b"\r\n\r\nContent-Type: text/plain\r\n\r\n")
        with contextlib.suppress(CPIMError):
            parse_cpim(b"\r\nContent-Type: " + line + b"\r\n\r\n")
    assert time.perf_counter() - started < 2


def test_a_content_type_that_ends_in_a_semicolon_can_be_sent_on() -> None:
    """CHAT-006: what was read and is printed again can be read again."""
    data = b"From: <sip:a@b>\r\nTo: <sip:c@d>\r\n\r\nContent-Type: text/plain; x=y;\r\n\r\nhello"
    printed = CPIMMessage.parse(data).encode()
    assert CPIMMessage.parse(printed).content == "hello"
