"""What an AudioStream posts, beside the notifications of every stream (AUD-031 to AUD-042)."""

from __future__ import annotations

from sipsimple.notification import declare_notification, field

__all__: list[str] = []

_SENDER = "AudioStream"
_FILE = "the full path of the .wav file"

declare_notification(
    "AudioStreamDidChangeHoldState",
    _SENDER,
    "A party put the stream on hold, or took it off hold (AUD-031, AUD-032).",
    originator=field(str, "which party did: 'local' or 'remote'"),
    on_hold=field(bool, "whether that party holds the stream now"),
)
declare_notification(
    "AudioStreamWillStartRecordingAudio", _SENDER, "Recording is about to start (AUD-033).", filename=field(str, _FILE)
)
declare_notification(
    "AudioStreamDidStartRecordingAudio", _SENDER, "Recording has started (AUD-034).", filename=field(str, _FILE)
)
declare_notification(
    "AudioStreamWillStopRecordingAudio", _SENDER, "Recording is about to stop (AUD-035).", filename=field(str, _FILE)
)
declare_notification(
    "AudioStreamDidStopRecordingAudio", _SENDER, "Recording has stopped (AUD-036).", filename=field(str, _FILE)
)
declare_notification(
    "AudioStreamDidChangeRTPParameters",
    _SENDER,
    "The codec, its sample rate, an RTP address or port, or whether SRTP is used has changed (AUD-037).",
)
declare_notification(
    "AudioStreamGotDTMF",
    _SENDER,
    "A DTMF digit came from the remote party, by RFC 4733 (AUD-038).",
    digit=field(str, "one of 0-9, A-D, * and #"),
)
declare_notification(
    "AudioStreamICENegotiationStateDidChange",
    _SENDER,
    "The ICE negotiation has come further (AUD-039).",
    prev_state=field(str, "the state before"),
    state=field(str, "the state now, in the words of the audio engine"),
)
declare_notification(
    "AudioStreamICENegotiationDidSucceed",
    _SENDER,
    "ICE has found a way: RTP goes between these candidates (AUD-040).",
    local_candidate=field("Candidate | None", "ours: address, port and type"),
    remote_candidate=field("Candidate | None", "that of the remote party"),
)
declare_notification(
    "AudioStreamICENegotiationDidFail",
    _SENDER,
    "ICE has found no way; RTP goes to the address in the description (AUD-041).",
    reason=field(str, "why"),
)
declare_notification(
    "AudioStreamDidTimeout",
    _SENDER,
    "Nothing was received for as long as the setting rtp.timeout says; the stream goes on (AUD-042).",
)
