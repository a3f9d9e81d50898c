"""What a chat carries: identities, messages, texts in several languages (RFC 3862, RFC 4975 8)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from sipsimple.core.wire.uri import BaseSIPURI, FrozenSIPURI

__all__ = [
    "CPIMHeader",
    "CPIMIdentity",
    "CPIMMessage",
    "CPIMNamespace",
    "ChatIdentity",
    "ChatMessage",
    "MultilingualText",
    "escape",
    "unescape",
]

ChatURI = FrozenSIPURI | str
"""The URI of an identity: a SIP URI as an object, one of any other scheme (`im:`, `tel:`) as text."""

_CACHED_IDENTITIES = 512
_CACHED_LENGTH = 256
"""Identities are the same in message after message: those of headers up to this length are parsed once."""

_IDENTITY = re.compile(r'(?:"((?:[^"\\]|\\.)*)"\s*|([^"<]*))<([^<>\s]+)>')
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\x00-\x20\x7f]+")
_ESCAPED = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))")
_TO_ESCAPE = re.compile("[\x00-\x1f\x7f\\\\\ud800-\udfff]")
_TO_ESCAPE_IN_STRING = re.compile('[\x00-\x1f\x7f"\\\\\ud800-\udfff]')
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]")
_LETTERS = {"b": "\b", "t": "\t", "n": "\n", "r": "\r"}
_ESCAPES = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def _escape_character(match: re.Match[str]) -> str:
    character = match[0]
    if "\ud800" <= character <= "\udfff":
        return "\ufffd"
    return _ESCAPES.get(character) or f"\\u{ord(character):04x}"


def _unescape_sequence(match: re.Match[str]) -> str:
    digits, letter = match.groups()
    if digits:
        return chr(int(digits, 16))
    return _LETTERS.get(letter, letter)


def _join_surrogates(match: re.Match[str]) -> str:
    pair = match[0]
    if len(pair) == 1:
        return "\ufffd"
    return chr(0x10000 + ((ord(pair[0]) - 0xD800) << 10) + ord(pair[1]) - 0xDC00)


def escape(text: str) -> str:
    """The text of a header as it is written (RFC 3862 2.3: control characters and the backslash are escaped).

    Nothing that is escaped can end the header's line, so no text adds headers of its own.
    """
    return _TO_ESCAPE.sub(_escape_character, text) if _TO_ESCAPE.search(text) else text


def unescape(text: str) -> str:
    """The text that was meant (RFC 3862 2.3); an unknown escape stands for the character after the backslash."""
    if "\\" not in text:
        return text
    text = _ESCAPED.sub(_unescape_sequence, text)
    return _SURROGATES.sub(_join_surrogates, text)


def _chat_uri(uri: object) -> ChatURI:
    if isinstance(uri, BaseSIPURI):
        return FrozenSIPURI.new(uri)
    if not isinstance(uri, str):
        raise TypeError(f"uri must be a SIPURI or a str, not {type(uri).__name__}")
    if not _URI.fullmatch(uri):
        raise ValueError(f"not a URI: {uri[:100]!r}")
    if uri[:4].lower() == "sip:" or uri[:5].lower() == "sips:":
        return FrozenSIPURI.parse(uri)
    return uri


class ChatIdentity:
    """Who sent or receives a message. Immutable, hashable; equal when URI and display name are.

    :param uri: a SIPURI, or text: `sip:`/`sips:` becomes a FrozenSIPURI, any other scheme stays text
    :param display_name: None when there is none
    :raises ValueError: the text is no URI
    """

    __slots__ = ("_display_name", "_text", "_uri")

    def __init__(self, uri: BaseSIPURI | str, display_name: str | None = None) -> None:
        if display_name is not None and not isinstance(display_name, str):
            raise TypeError(f"display_name must be a str or None, not {type(display_name).__name__}")
        self._uri = _chat_uri(uri)
        self._display_name = display_name or None
        self._text: str | None = None

    @property
    def uri(self) -> ChatURI:
        return self._uri

    @property
    def display_name(self) -> str | None:
        return self._display_name

    @classmethod
    def parse(cls, text: str) -> ChatIdentity:
        """Read `"Display Name" <uri>` (RFC 3862 3.1: the name quoted, as tokens, or missing).

        :raises ValueError: it has no URI in angle brackets, or a wrong one
        """
        match = _IDENTITY.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"not an identity: {text[:100]!r}")
        quoted, tokens, uri = match.groups()
        return cls(uri, unescape(quoted) if quoted is not None else tokens.strip())

    def __str__(self) -> str:
        text = self._text
        if text is None:
            text = f"<{self._uri}>"
            if self._display_name is not None:
                # RFC 3862 3.1: a name that is no list of tokens is a quoted string; quoted is always right.
                name = _TO_ESCAPE_IN_STRING.sub(_escape_character, self._display_name)
                text = f'"{name}" {text}'
            self._text = text
        return text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._uri)!r}, {self._display_name!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ChatIdentity):
            return NotImplemented
        return self._uri == other._uri and self._display_name == other._display_name

    def __hash__(self) -> int:
        return hash((self._uri, self._display_name))


class CPIMIdentity(ChatIdentity):
    """A ChatIdentity out of, or for, the headers of a CPIM message (RFC 3862 3.1–3.3)."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> CPIMIdentity:
        return _cached_identity(text) if len(text) <= _CACHED_LENGTH else _parse_identity(text)


def _parse_identity(text: str) -> CPIMIdentity:
    identity = super(CPIMIdentity, CPIMIdentity).parse(text)
    assert isinstance(identity, CPIMIdentity)
    return identity


_cached_identity = lru_cache(maxsize=_CACHED_IDENTITIES)(_parse_identity)


class MultilingualText(str):
    """A text and its translations: `MultilingualText('weather', fr='temps', **{'pt-BR': 'clima'})`.

    It is the `str` of the text that has no language; `translations` maps RFC 5646 language tags to the others.
    """

    __slots__ = ("translations",)

    translations: dict[str, str]

    def __new__(cls, text: str = "", /, **translations: str) -> MultilingualText:
        self = super().__new__(cls, text)
        self.translations = translations
        return self

    def get_translation(self, language: str) -> str:
        """The text in a language, or the one without a language when there is none in it."""
        return self.translations.get(language, str(self))

    def __repr__(self) -> str:
        parts = [repr(str(self)), *(f"{name}={text!r}" for name, text in self.translations.items())]
        return f"MultilingualText({', '.join(parts)})"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, MultilingualText) and self.translations != other.translations:
            return False
        return str.__eq__(self, other) if isinstance(other, str) else NotImplemented

    def __ne__(self, other: object) -> bool:
        equal = self.__eq__(other)
        return NotImplemented if equal is NotImplemented else not equal

    def __hash__(self) -> int:
        return str.__hash__(self)


@dataclass(frozen=True, slots=True)
class CPIMNamespace:
    """A namespace of headers (RFC 3862 3.4): its URI, and the prefix under which its headers are written."""

    uri: str
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class CPIMHeader:
    """A header of a CPIM message that this package gives no meaning to (RFC 3862 2.2).

    :param name: the name without prefix
    :param value: its text, unescaped
    :param namespace: the namespace that it belongs to, declared in the message by an `NS` header
    """

    name: str
    value: str
    namespace: CPIMNamespace | None = None


@dataclass(slots=True)
class _Message:
    """
    :ivar content: `str` when the type is `text/*`, else `bytes`
    :ivar content_type: as received; the charset of a content that was decoded to `str` is left out
    :ivar sender, recipients, courtesy_recipients: who it is from, for, and a copy for
    :ivar subject: None, a MultilingualText or a `str`
    :ivar timestamp: when it was sent, as the sender says; the moment of arrival when it doesn't
    :ivar required: names of headers that who reads the message must understand (RFC 3862 3.7)
    :ivar additional_headers: the headers that have no attribute here
    """

    content: str | bytes
    content_type: str
    sender: ChatIdentity | None = None
    recipients: list[ChatIdentity] = field(default_factory=list)
    courtesy_recipients: list[ChatIdentity] = field(default_factory=list)
    subject: str | None = None
    timestamp: datetime | None = None
    required: list[str] = field(default_factory=list)
    additional_headers: list[Any] = field(default_factory=list)


class CPIMMessage(_Message):
    __slots__ = ()
    __doc__ = f"A message that came in a message/cpim envelope.\n{_Message.__doc__}"

    @classmethod
    def parse(cls, data: bytes) -> CPIMMessage:
        """Read a `message/cpim` body.

        :raises CPIMError: it is not one (RFC 3862)
        """
        from sipsimple.streams.chat.cpim import parse_cpim

        return parse_cpim(data)

    def encode(self) -> bytes:
        """The `message/cpim` body.

        :raises ValueError: a part has characters that its header can't have
        """
        from sipsimple.streams.chat.cpim import print_cpim

        return print_cpim(self)


class ChatMessage(_Message):
    __slots__ = ()
    __doc__ = f"A message that came without an envelope.\n{_Message.__doc__}"


def identities_of(values: Iterable[object], what: str) -> list[ChatIdentity]:
    """Check a list of identities that the application gave.

    :raises TypeError: one is something else
    """
    identities = list(values)
    for identity in identities:
        if not isinstance(identity, ChatIdentity):
            raise TypeError(f"{what} must be CPIMIdentity objects, not {type(identity).__name__}")
    return identities  # type: ignore[return-value]
