"""What the parts of the audio plugin post. Those of its streams are declared with the stream."""

from __future__ import annotations

from sipsimple.notification import declare_notification, field

__all__: list[str] = []

_SLOT = "int | None"

declare_notification(
    "AudioPortDidChangeSlots",
    "IAudioPort",
    "The port produces or consumes no longer what it did; the bridges that it is in connect it anew (AB-006, AB-007).",
    consumer_slot_changed=field(bool, "whether consumer_slot was changed"),
    producer_slot_changed=field(bool, "whether producer_slot was changed"),
    old_consumer_slot=field(_SLOT, "only if consumer_slot was changed", optional=True),
    new_consumer_slot=field(_SLOT, "only if consumer_slot was changed", optional=True),
    old_producer_slot=field(_SLOT, "only if producer_slot was changed", optional=True),
    new_producer_slot=field(_SLOT, "only if producer_slot was changed", optional=True),
)

declare_notification(
    "WavePlayerDidStart",
    "WavePlayer",
    "The file is played for the first time after start() (AB-033).",
)

declare_notification(
    "WavePlayerDidEnd",
    "WavePlayer",
    "The file was played as often as asked for, or stop() was called (AB-034).",
)

declare_notification(
    "WavePlayerDidFail",
    "WavePlayer",
    "The file can't be played (AB-035).",
    error=field("WaveFileError", "why, with the name of the file"),
)

declare_notification(
    "WaveRecorderDidFail",
    "WaveRecorder",
    "Nothing more can be recorded: the disk is full, or does not keep up. What was recorded is in the file.",
    error=field("OSError", "why"),
)

declare_notification(
    "AudioMixerDidChangeDevices",
    "AudioMixer",
    "Sound devices were opened or closed: as they were needed, were plugged or unplugged, or others are wanted.",
    input_device=field("str | None", "the microphone that is open"),
    output_device=field("str | None", "the loudspeaker that is open"),
)

declare_notification(
    "AudioDevicesDidChange",
    "SIPApplication",
    "Sound devices were plugged or unplugged.",
    old_devices=field("Devices", "the devices that there were: inputs, outputs, default_input, default_output"),
    new_devices=field("Devices", "the devices that there are"),
)

declare_notification(
    "DefaultAudioDeviceDidChange",
    "SIPApplication",
    "Another sound device is the system's default; what uses system_default goes on with it.",
    changed_input=field(bool, "whether the default microphone is another one"),
    changed_output=field(bool, "whether the default loudspeaker is another one"),
)
