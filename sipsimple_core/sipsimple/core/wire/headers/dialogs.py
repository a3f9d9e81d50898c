"""Headers that name another dialog: Replaces (RFC 3891), Join (RFC 3911), Target-Dialog (RFC 4538)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.headers.values import BaseValueHeader, FrozenValue, MutableValue

__all__ = [
    "BaseDialogHeader",
    "BaseJoinHeader",
    "BaseReplacesHeader",
    "BaseTargetDialogHeader",
    "FrozenJoinHeader",
    "FrozenReplacesHeader",
    "FrozenTargetDialogHeader",
    "JoinHeader",
    "ReplacesHeader",
    "TargetDialogHeader",
]


class BaseDialogHeader(BaseValueHeader):
    """A dialog, named by `call_id` and two tags; both tags are required."""

    __slots__ = ()
    _fields = ("call_id", "to_tag", "from_tag", "parameters")
    value_has_case = True
    tag_names: ClassVar[tuple[str, str]] = ("to-tag", "from-tag")

    def __init__(
        self, call_id: str, to_tag: str, from_tag: str, parameters: Mapping[str, str | None] | None = None
    ) -> None:
        tags = dict(zip(self.tag_names, (to_tag, from_tag), strict=True))
        super().__init__(call_id, {**(parameters or {}), **tags})

    @classmethod
    def parse(cls, text: str) -> Self:
        header = super().parse(text)
        for tag in cls.tag_names:
            if not dict.get(header.parameters, tag):
                raise SIPParseError(f"{cls.name} without {tag}", text)
        return header

    @classmethod
    def _check(cls, value: Any) -> str:
        text = str(value)
        if not text or any(character.isspace() or character in ";," for character in text):
            raise SIPParseError(f"not a Call-ID in {cls.name}", text)
        return text

    @property
    def call_id(self) -> str:
        call_id: str = self.value
        return call_id

    @call_id.setter
    def call_id(self, call_id: str) -> None:
        self.value = call_id

    @property
    def to_tag(self) -> str:
        """The tag of the recipient of this header's request: its local tag."""
        return self.parameters[self.tag_names[0]] or ""

    @property
    def from_tag(self) -> str:
        """The tag of the dialog's other party, as the recipient sees it."""
        return self.parameters[self.tag_names[1]] or ""


class BaseReplacesHeader(BaseDialogHeader):
    """Replaces: the dialog that an INVITE takes the place of (RFC 3891 6.1)."""

    __slots__ = ()
    name = "Replaces"

    @property
    def early_only(self) -> bool:
        """Whether a confirmed dialog is not to be replaced (RFC 3891 3)."""
        return "early-only" in self.parameters


class ReplacesHeader(MutableValue, BaseReplacesHeader):
    __slots__ = ()


class FrozenReplacesHeader(FrozenValue, BaseReplacesHeader, of=ReplacesHeader):
    __slots__ = ()


class BaseJoinHeader(BaseDialogHeader):
    """Join: the dialog that an INVITE joins (RFC 3911 7.1)."""

    __slots__ = ()
    name = "Join"


class JoinHeader(MutableValue, BaseJoinHeader):
    __slots__ = ()


class FrozenJoinHeader(FrozenValue, BaseJoinHeader, of=JoinHeader):
    __slots__ = ()


class BaseTargetDialogHeader(BaseDialogHeader):
    """Target-Dialog: the dialog that lets a request be trusted (RFC 4538 7)."""

    __slots__ = ()
    _fields = ("call_id", "local_tag", "remote_tag", "parameters")
    name = "Target-Dialog"
    tag_names = ("local-tag", "remote-tag")

    def __init__(
        self, call_id: str, local_tag: str, remote_tag: str, parameters: Mapping[str, str | None] | None = None
    ) -> None:
        super().__init__(call_id, local_tag, remote_tag, parameters)

    @property
    def local_tag(self) -> str:
        """The tag of the request's recipient."""
        return self.to_tag

    @property
    def remote_tag(self) -> str:
        """The tag of the request's sender."""
        return self.from_tag


class TargetDialogHeader(MutableValue, BaseTargetDialogHeader):
    __slots__ = ()


class FrozenTargetDialogHeader(FrozenValue, BaseTargetDialogHeader, of=TargetDialogHeader):
    __slots__ = ()
