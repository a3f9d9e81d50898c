"""`AudioBridge`: everybody in it hears everybody else (AB-014 to AB-022).

It has two buses of the mixer: what its ports produce flows into the one, from there to the other, and from there to
all that consume. From outside, as a port, the first is what it produces and the second what it consumes: what a bridge
hears from another one reaches its ports, but not a third bridge through it. The mixer sees to it that nobody hears
itself, also through bridges in bridges.
"""

from __future__ import annotations

import logging
import weakref
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from sipsimple.audio.port import IAudioPort
from sipsimple.notification import IObserver, Notification, NotificationCenter, ObserverWeakrefProxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sipsimple.audio.mixer import AudioMixer

__all__ = ["AudioBridge"]

log = logging.getLogger("sipsimple.audio")


@implementer(IAudioPort, IObserver)
class AudioBridge:
    """Connects all producers in it to all consumers in it, but none to itself; it is a port as well.

    It keeps no port alive: one that nobody else has a reference to is gone from it (AB-018). Bridges should not be in
    each other in a circle, though nobody hears anything twice if they are (AB-019). All methods may be called from any
    thread.

    :param mixer: the AudioMixer of all ports in it
    """

    def __init__(self, mixer: AudioMixer) -> None:
        self.mixer = mixer
        self._produced, self._consumed = mixer.add_slot(), mixer.add_slot()
        mixer.connect_slots(self._produced, self._consumed)
        self._ports: dict[int, weakref.ref[Any]] = {}
        self._connected: set[tuple[int, int]] = set()
        # Weakly, and not by sender, as the center would keep those alive
        NotificationCenter().add_observer(ObserverWeakrefProxy(self), name="AudioPortDidChangeSlots")
        weakref.finalize(self, _drop, mixer, self._produced, self._consumed).atexit = False

    @property
    def producer_slot(self) -> int:
        """The slot with what its ports produce."""
        return self._produced

    @property
    def consumer_slot(self) -> int:
        """The slot that reaches its ports."""
        return self._consumed

    def __contains__(self, port: object) -> bool:
        reference = self._ports.get(id(port))
        return reference is not None and reference() is port

    def __iter__(self) -> Iterator[Any]:
        ports = [reference() for reference in list(self._ports.values())]
        return iter([port for port in ports if port is not None])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def add(self, port: Any) -> None:
        """Connect a port to all that are in the bridge; without effect if it is in it already (AB-020, AB-021).

        Raises TypeError for what is no IAudioPort, ValueError for a port of another mixer and for the bridge itself.
        """
        if not IAudioPort.providedBy(port):
            raise TypeError(f"a bridge connects IAudioPorts, {type(port).__name__} is none")
        if port is self:
            raise ValueError("a bridge can't be in itself")
        if port.mixer is not self.mixer:
            raise ValueError(f"the port is connected to {port.mixer!r}, the bridge to {self.mixer!r}")
        with self.mixer.lock:
            if port not in self:
                self._ports[id(port)] = weakref.ref(port, self._forgetter(id(port)))
                self._reconnect()

    def remove(self, port: Any) -> None:
        """Take a port out of the bridge. Raises ValueError if it is not in it (AB-022)."""
        with self.mixer.lock:
            if port not in self:
                raise ValueError(f"{port!r} is not in the bridge")
            del self._ports[id(port)]
            self._reconnect()

    def handle_notification(self, notification: Notification) -> None:
        """IObserver: a port has other slots (AB-008)."""
        if notification.sender in self:
            self._reconnect()

    def _reconnect(self) -> None:
        """Connect the ports with the slots that they have now."""
        with self.mixer.lock:
            wanted = {(port.producer_slot, self._produced) for port in self if port.producer_slot is not None}
            wanted |= {(self._consumed, port.consumer_slot) for port in self if port.consumer_slot is not None}
            for connection in self._connected - wanted:
                self.mixer.disconnect_slots(*connection)
            for connection in wanted - self._connected:
                try:
                    self.mixer.connect_slots(*connection)
                except ValueError as error:
                    # The port is about to tell that it has other slots, or none
                    log.debug("A port can't be connected: %s", error)
            self._connected = wanted

    def _forgetter(self, key: int) -> Any:
        """What to call when a port is garbage (AB-018)."""
        bridge = weakref.ref(self)

        def forget(reference: Any) -> None:
            alive = bridge()
            if alive is not None and alive._ports.get(key) is reference:
                del alive._ports[key]
                alive.mixer.clean_up_later(_reconnect, bridge)

        return forget


def _reconnect(bridge: weakref.ref[AudioBridge]) -> None:
    alive = bridge()
    if alive is not None:
        alive._reconnect()


def _drop(mixer: AudioMixer, *slots: int) -> None:
    for slot in slots:
        mixer.drop_slot(slot)
