"""What may be wrong with what was received: what can't be represented is an error, what can is a defect."""

from enum import StrEnum

__all__ = ["Defect", "SIPParseError"]

MAX_EXCERPT = 80  # characters of the offending text that an error quotes


class SIPParseError(ValueError):
    """Text that is not what its grammar says.

    what -- what was expected, in words
    text -- what was got; only its first MAX_EXCERPT characters are quoted. Left out where it may hold a secret.

    `code` is the status that a request with such a text is owed (RFC 3261 21.4.1).
    """

    code = 400

    def __init__(self, what: str, text: str | None = None) -> None:
        if text is not None:
            excerpt = text if len(text) <= MAX_EXCERPT else text[:MAX_EXCERPT] + "…"
            what = f"{what}: {excerpt!a}"
        super().__init__(what)


class Defect(StrEnum):
    """What the parser lets pass and the validator refuses: members of SIPMessage.defects."""

    START_LINE = "the start line does not follow the grammar"
    HEADER_LINE = "a line in the header is no header field"
    CONTENT_LENGTH = "Content-Length is not a number, stated twice, or more than there is"
    TOO_MANY_HEADERS = "too many header fields"
    HEADER_TOO_LONG = "a header field is too long"
    URI_TOO_LONG = "the Request-URI is too long"
