"""The mixers of the application: made when it starts, as the settings want them, and kept so (APP-019 to APP-024)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from zope.interface import implementer

from sipsimple.audio.bridge import AudioBridge
from sipsimple.audio.defaults import SYSTEM_DEFAULT
from sipsimple.audio.device import AudioDevice
from sipsimple.audio.mixer import AudioMixer
from sipsimple.audio.sound_system import Devices, NoDriver, SoundSystem
from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.notification import IObserver, Notification, NotificationCenter, NotificationData
from sipsimple.realm import current_realm
from sipsimple.threading import run_in_thread

if TYPE_CHECKING:
    from sipsimple.application import SIPApplication

__all__ = ["AudioService"]

log = logging.getLogger("sipsimple.audio")

LOOK_EVERY = 5.0  # seconds between two looks at which devices there are


@implementer(IObserver)
class AudioService:
    """Gives the application its mixers, bridges and devices, and follows the settings and the devices of the system.

    Notifications, sent by the application: `AudioDevicesDidChange`, `DefaultAudioDeviceDidChange`.
    """

    def __init__(self, application: SIPApplication) -> None:
        self._application = application
        self._settings = SIPSimpleSettings()
        self._devices: Devices | None = None
        self._watch = LoopingCall(self._look)
        self._watch.clock = current_realm().reactor

    def start(self) -> None:
        """Make the mixers. No device is opened before it is needed."""
        value = self._settings.saved_value
        application, rate = self._application, value("audio.sample_rate")
        application.voice_audio_mixer = voice = AudioMixer(
            value("audio.input_device"), value("audio.output_device"), rate, self._tail_length
        )
        application.alert_audio_mixer = alert = AudioMixer(None, value("audio.alert_device"), rate, 0)
        voice.muted = value("audio.muted")
        alert.output_volume = 0 if value("audio.silent") else 100
        application.voice_audio_device, application.voice_audio_bridge = AudioDevice(voice), AudioBridge(voice)
        application.alert_audio_device, application.alert_audio_bridge = AudioDevice(alert), AudioBridge(alert)
        application.voice_audio_bridge.add(application.voice_audio_device)
        application.alert_audio_bridge.add(application.alert_audio_device)
        NotificationCenter().add_observer(self, name="CFGSettingsObjectDidChange", sender=self._settings)
        if not isinstance(SoundSystem().driver, NoDriver):
            self._watch.start(LOOK_EVERY).addErrback(log.error)

    def stop(self) -> None:
        """Let go of the devices."""
        NotificationCenter().discard_observer(self, name="CFGSettingsObjectDidChange", sender=self._settings)
        if self._watch.running:
            self._watch.stop()
        for mixer in (self._application.voice_audio_mixer, self._application.alert_audio_mixer):
            mixer.set_sound_devices(None, None)

    @property
    def _tail_length(self) -> int:
        value = self._settings.saved_value
        length: int = value("audio.echo_canceller.tail_length") if value("audio.echo_canceller.enabled") else 0
        return length

    # The settings

    def handle_notification(self, notification: Notification) -> None:
        """IObserver: the settings were saved; what they say takes effect at once, also in the midst of a call."""
        modified = notification.data.modified
        value = self._settings.saved_value
        voice, alert = self._application.voice_audio_mixer, self._application.alert_audio_mixer
        if "audio.sample_rate" in modified:
            voice.sample_rate = alert.sample_rate = value("audio.sample_rate")
        if not modified.keys().isdisjoint(
            (
                "audio.input_device",
                "audio.output_device",
                "audio.echo_canceller.enabled",
                "audio.echo_canceller.tail_length",
            )
        ):
            voice.set_sound_devices(value("audio.input_device"), value("audio.output_device"), self._tail_length)
        if "audio.alert_device" in modified:
            alert.set_sound_devices(None, value("audio.alert_device"))
        if "audio.muted" in modified:
            voice.muted = value("audio.muted")
        if "audio.silent" in modified:
            alert.output_volume = 0 if value("audio.silent") else 100

    # The devices of the system

    def _look(self) -> Deferred[None]:
        return run_in_thread(SoundSystem().driver.devices)().addCallbacks(self._seen, self._not_seen)

    @staticmethod
    def _not_seen(failure: object) -> None:
        log.warning("The sound devices could not be listed: %s", failure)

    def _seen(self, devices: Devices) -> None:
        before, self._devices = self._devices, devices
        if before is None or before == devices or not self._watch.running:
            return
        if (before.inputs, before.outputs) != (devices.inputs, devices.outputs):
            self._post("AudioDevicesDidChange", old_devices=before, new_devices=devices)
        changed_input = before.default_input != devices.default_input
        changed_output = before.default_output != devices.default_output
        if changed_input or changed_output:
            self._post("DefaultAudioDeviceDidChange", changed_input=changed_input, changed_output=changed_output)
        for mixer in (self._application.voice_audio_mixer, self._application.alert_audio_mixer):
            if self._uses_others(mixer, devices, changed_input, changed_output):
                mixer.reopen_sound_devices()

    @staticmethod
    def _uses_others(mixer: AudioMixer, devices: Devices, changed_input: bool, changed_output: bool) -> bool:
        """Whether the mixer would have other devices if it opened them now."""
        return any(
            changed if wanted == SYSTEM_DEFAULT else wanted in there and real != wanted
            for wanted, real, there, changed in (
                (mixer.input_device, mixer.real_input_device, devices.inputs, changed_input),
                (mixer.output_device, mixer.real_output_device, devices.outputs, changed_output),
            )
        )

    def _post(self, name: str, **fields: object) -> None:
        NotificationCenter().post_notification(name, sender=self._application, data=NotificationData(**fields))
