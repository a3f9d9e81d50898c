"""Reading the small XML documents that come in messages: is-composing (RFC 3994), dispositions (RFC 5438).

The reader uses expat alone, refuses any document type, and so knows no entities and fetches nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from xml.parsers import expat

__all__ = ["DocumentError", "escape_text", "read_document"]

_MAX_OCTETS = 16 * 1024
_MAX_DEPTH = 16
_MAX_TEXT = 1024


class DocumentError(ValueError):
    """The octets are no such document."""


class _Reader:
    def __init__(self, root: str, namespaces: Collection[str]) -> None:
        self.texts: dict[str, str] = {}
        self._roots = {f"{namespace} {root}" if namespace else root: namespace for namespace in namespaces}
        self._root = root
        self._prefix = ""
        self._path: list[str] = []
        self._text: list[str] = []
        self._length = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._path:
            if name not in self._roots:
                raise DocumentError(f"another root element than {self._root}")
            namespace = self._roots[name]
            self._prefix = f"{namespace} " if namespace else ""
        if len(self._path) >= _MAX_DEPTH:
            raise DocumentError("elements nested too deep")
        # Names of other namespaces keep theirs, and so are never what is looked for.
        self._path.append(name.removeprefix(self._prefix))
        self._text.clear()
        self._length = 0

    def end(self, name: str) -> None:
        self.texts.setdefault("/".join(self._path[1:]), "".join(self._text).strip())
        self._path.pop()
        self._text.clear()
        self._length = 0

    def characters(self, text: str) -> None:
        self._length += len(text)
        if self._length > _MAX_TEXT:
            raise DocumentError("an element with too much text")
        self._text.append(text)

    def refuse(self, *arguments: object) -> None:
        raise DocumentError("a document type or an entity")


def read_document(data: bytes, root: str, namespaces: Collection[str]) -> dict[str, str]:
    """The texts of the elements of a document by their paths below its root: `{'state': 'active', 'a/b': ''}`.

    Of elements with the same path the first counts.

    :param root: the name of the root element
    :param namespaces: those that the root element may be of, and all others then are; '' is none
    :raises DocumentError: not well-formed, another document, a document type, too large
    """
    if len(data) > _MAX_OCTETS:
        raise DocumentError("too large")
    reader = _Reader(root, namespaces)
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    parser.ExternalEntityRefHandler = None
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise DocumentError(f"not well-formed: {error}") from None
    except DocumentError:
        raise
    except (ValueError, LookupError) as error:  # an encoding that is unknown or that expat cannot use
        raise DocumentError(f"not readable: {error}") from None
    return reader.texts


def escape_text(text: str) -> str:
    """Text as an element has it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
