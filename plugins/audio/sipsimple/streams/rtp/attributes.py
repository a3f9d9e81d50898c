"""What can be asked of an AudioStream at any time (AUD-023 to AUD-030)."""

from __future__ import annotations

from sipsimple.audio.recorder import WaveRecorder
from sipsimple.streams.rtp.engine import Candidate, MediaState, StreamOptions
from sipsimple.streams.rtp.negotiation import AudioNegotiation

__all__ = ["AudioStreamAttributes"]


class AudioStreamAttributes:
    """Base class of AudioStream: attributes that are read only."""

    on_hold_by_local = on_hold_by_remote = False

    _media: MediaState
    _negotiation: AudioNegotiation
    _options: StreamOptions | None
    _recorder: WaveRecorder | None

    @property
    def on_hold(self) -> bool:
        return self.on_hold_by_local or self.on_hold_by_remote

    @property
    def codec(self) -> str | None:
        """The name of the codec, once started (AUD-023)."""
        return self._media.codec

    @property
    def sample_rate(self) -> int | None:
        """In Hz, once started (AUD-023)."""
        return self._media.sample_rate

    @property
    def srtp_active(self) -> bool:
        """Whether SRTP is used, once started (AUD-024)."""
        return self._media.srtp

    @property
    def ice_active(self) -> bool:
        """Whether RTP goes between the candidates that ICE chose (AUD-025)."""
        return self._media.local_candidate is not None

    @property
    def local_rtp_address(self) -> str | None:
        """The local address of RTP (AUD-026)."""
        return self._options.address if self._options and self._negotiation.local else None

    @property
    def local_rtp_port(self) -> int | None:
        """The local port of RTP (AUD-026)."""
        if self._media.local is not None:
            return self._media.local[1]
        return self._negotiation.local.port if self._negotiation.local else None

    @property
    def remote_rtp_address_sdp(self) -> str | None:
        """Where the remote party wants audio to be sent to (AUD-027)."""
        return self._negotiation.remote.address if self._negotiation.remote else None

    @property
    def remote_rtp_port_sdp(self) -> int | None:
        """See remote_rtp_address_sdp (AUD-027)."""
        return self._negotiation.remote.port if self._negotiation.remote else None

    @property
    def remote_rtp_address_received(self) -> str | None:
        """Where audio comes from (AUD-028)."""
        return self._media.received_from[0] if self._media.received_from else None

    @property
    def remote_rtp_port_received(self) -> int | None:
        """Where audio comes from (AUD-028)."""
        return self._media.received_from[1] if self._media.received_from else None

    @property
    def local_rtp_candidate(self) -> Candidate | None:
        """The local ICE candidate that was selected."""
        return self._media.local_candidate

    @property
    def remote_rtp_candidate(self) -> Candidate | None:
        """The remote ICE candidate that was selected."""
        return self._media.remote_candidate

    @property
    def local_rtp_candidate_type(self) -> str | None:
        """host, srflx, prflx or relay if ICE succeeded, else None (AUD-029)."""
        return self._media.local_candidate.type if self._media.local_candidate else None

    @property
    def remote_rtp_candidate_type(self) -> str | None:
        """host, srflx, prflx or relay if ICE succeeded, else None (AUD-029)."""
        return self._media.remote_candidate.type if self._media.remote_candidate else None

    @property
    def recording_filename(self) -> str | None:
        """The full path of the file that is being recorded to, None if none is (AUD-030)."""
        return self._recorder.filename if self._recorder else None
