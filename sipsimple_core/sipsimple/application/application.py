"""`SIPApplication`: the whole user agent, to be started and stopped (APP-002 to APP-017)."""

from __future__ import annotations

from typing import Any

from sipsimple.application.attributes import ApplicationType, SharedAttribute
from sipsimple.application.lifecycle import Lifecycle
from sipsimple.storage import ISIPSimpleStorage

__all__ = ["SIPApplication"]


class SIPApplication(metaclass=ApplicationType):
    """The application: a singleton, `SIPApplication()`, which may be subclassed.

    Each attribute has one value, whichever class it is read from or set on; applications only read them.

    Notifications: `SIPApplicationWillStart`, `SIPApplicationDidStart`, `SIPApplicationWillEnd`,
    `SIPApplicationDidEnd`.
    """

    running = SharedAttribute(False, "True from start() until stop() is called or the start fails (APP-016).")
    storage: SharedAttribute[Any] = SharedAttribute(None, "The storage that start() was given (APP-017).")
    local_nat_type = SharedAttribute("unknown", "The detected type of the local NAT (APP-018); a plugin detects it.")
    alert_audio_mixer: SharedAttribute[Any] = SharedAttribute(None, "The AudioMixer of the alert device.")
    alert_audio_bridge: SharedAttribute[Any] = SharedAttribute(None, "The AudioBridge to the alert device.")
    alert_audio_device: SharedAttribute[Any] = SharedAttribute(None, "The AudioDevice for alerts.")
    voice_audio_mixer: SharedAttribute[Any] = SharedAttribute(None, "The AudioMixer of the voice devices.")
    voice_audio_bridge: SharedAttribute[Any] = SharedAttribute(None, "The AudioBridge to the voice devices.")
    voice_audio_device: SharedAttribute[Any] = SharedAttribute(None, "The AudioDevice for voice.")

    def start(self, storage: Any) -> None:
        """Load the configuration from `storage` (ISIPSimpleStorage) and start everything (APP-007 to APP-013).

        It returns when the configuration is loaded and the reactor runs: in a thread of its own named `sipsimple`,
        unless one is running in the process already: when that is stopped, the application is stopped before.
        `SIPApplicationWillStart` and `SIPApplicationDidStart` follow.
        If the engine can't be started (a port is in use) `SIPEngineDidFail` says why and `SIPApplicationWillEnd` and
        `SIPApplicationDidEnd` follow; then the application can be started again.

        Raises TypeError for anything but a storage, IllegalStateError unless the application is stopped, and what
        `ConfigurationManager.start` raises; after an error the application can be started again. May be called from
        any thread.
        """
        if not ISIPSimpleStorage.providedBy(storage):
            raise TypeError(f"storage provides ISIPSimpleStorage, {type(storage).__name__} does not")
        Lifecycle().start(self, storage)

    def stop(self) -> None:
        """Stop everything (APP-014, APP-015). Returns at once; `SIPApplicationWillEnd` and `SIPApplicationDidEnd`
        follow, the latter in bounded time (about 40 seconds at most, if nobody answers).

        Before `SIPApplicationDidStart` it is allowed too: that notification does not come then. An application that
        is not running stays as it is. May be called from any thread.
        """
        Lifecycle().stop()
