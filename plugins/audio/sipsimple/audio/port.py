"""`IAudioPort`: what produces audio, consumes audio, or both; and what its implementations share (AB-002 to AB-007)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zope.interface import Attribute, Interface, implementer

from sipsimple.audio import notifications as _notifications  # noqa: F401
from sipsimple.notification import NotificationCenter, NotificationData
from sipsimple.realm import current_realm
from sipsimple.threading import call_in_sipsimple_thread

if TYPE_CHECKING:
    from sipsimple.audio.mixer import AudioMixer

__all__ = ["AudioPort", "IAudioPort"]


class IAudioPort(Interface):
    """An object that produces or consumes audio, or both; which of it may change.

    Each change is announced with `AudioPortDidChangeSlots`.
    """

    mixer = Attribute("The AudioMixer that it is connected to; only objects with the same one can exchange audio.")
    consumer_slot = Attribute("The slot of the mixer (int) with which it consumes; None if it does not.")
    producer_slot = Attribute("The slot of the mixer (int) with which it produces; None if it does not.")


_KEEP: Any = object()


@implementer(IAudioPort)
class AudioPort:
    """A port whose slots are given to it; the base of ports of your own.

    Notifications: `AudioPortDidChangeSlots`.
    """

    def __init__(self, mixer: AudioMixer) -> None:
        self.mixer = mixer
        self._realm = current_realm()
        self._consumer_slot: int | None = None
        self._producer_slot: int | None = None

    @property
    def consumer_slot(self) -> int | None:
        """The slot with which it consumes; None if it does not."""
        return self._consumer_slot

    @property
    def producer_slot(self) -> int | None:
        """The slot with which it produces; None if it does not."""
        return self._producer_slot

    def _change_slots(self, *, consumer: int | None = _KEEP, producer: int | None = _KEEP) -> None:
        """Have other slots, and tell of it in the reactor's thread."""
        data: dict[str, Any] = {"consumer_slot_changed": False, "producer_slot_changed": False}
        for role, new in (("consumer", consumer), ("producer", producer)):
            old = getattr(self, f"_{role}_slot")
            if new is not _KEEP and new != old:
                data |= {f"{role}_slot_changed": True, f"old_{role}_slot": old, f"new_{role}_slot": new}
                setattr(self, f"_{role}_slot", new)
        if data["consumer_slot_changed"] or data["producer_slot_changed"]:
            self._post("AudioPortDidChangeSlots", **data)

    def _post(self, name: str, **fields: object) -> None:
        data = NotificationData(**fields)
        self._realm.run(call_in_sipsimple_thread, _post, name, self, data)


def _post(name: str, sender: object, data: NotificationData) -> None:
    NotificationCenter().post_notification(name, sender=sender, data=data)
