"""The one error of the wire layer: octets or text that can't be represented as the value asked for."""

__all__ = ["SIPParseError"]

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
