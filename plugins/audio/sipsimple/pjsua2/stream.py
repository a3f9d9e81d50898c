"""A stream in the process of pjsua2: a call between it and our partner, and the port of its audio."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from typing import TYPE_CHECKING, Any

import pjsua2 as pj
from sipsimple.pjsua2.partner import Dialog
from sipsimple.pjsua2.port import Port

if TYPE_CHECKING:
    from sipsimple.pjsua2.child import Child

__all__ = ["Call", "Message", "Nobody", "Stream"]

Message = dict[str, Any]


class Call(pj.Call):  # type: ignore[misc]
    """Tells its stream what pjsua2 tells it."""

    stream: Stream | Nobody

    def onCallMediaState(self, parameter: Any) -> None:
        self.stream.media_changed()

    def onCallState(self, parameter: Any) -> None:
        info = self.getInfo()
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.stream.disconnected(info.lastReason)

    def onDtmfEvent(self, parameter: Any) -> None:
        self.stream.event_received(parameter.digit, parameter.timestamp)


class Stream:
    """A stream: a call, the port of its audio, and the partner's side of it."""

    def __init__(self, child: Child, key: str, sock: socket.socket, options: Message) -> None:
        self.child = child
        self.key = key
        self.options = options
        self.call: Call | None = None
        self.dialog = Dialog(child.partner, key)
        self.dialog.ended = self._ended
        child.partner.dialogs[key] = self.dialog
        self._socket = sock
        self._port = child.ports.pop() if child.ports else Port(child.rate)
        self._port.attach(sock)
        self._last: Message = {}
        self._received = 0
        self._heard = time.monotonic()  # or was told that nothing is
        self._silent = False
        self._event: tuple[str, int] | None = None
        self.closing = False
        self.active = False

    @property
    def sockets(self) -> int:
        """How many pjsua2 opens for it: for RTP and RTCP, and with ICE as many again for TURN."""
        return 4 if self.options.get("ice") else 2

    def tell(self, event: str, **fields: Any) -> None:
        if not self.closing:
            self.child.send({"event": event, "stream": self.key, **fields})

    # What the application asks for

    def offer(self, request: Message) -> None:
        self.dialog.offered = lambda description: self.child.respond(request, sdp=description)
        self.child.configure(self.options)
        self.call = Call(self.child.account)
        self.call.stream = self
        parameter = pj.CallOpParam(True)
        parameter.opt.audioCount, parameter.opt.videoCount = 1, 0
        try:
            self.call.makeCall(self.child.partner.uri(self.key), parameter)
        except pj.Error:
            self.call = None  # to hang up what is no call ends the process
            raise

    def accept(self, request: Message) -> None:
        self.dialog.accept(request["sdp"], lambda: self.child.respond(request))

    def answer(self, request: Message) -> None:
        if self.call is None:
            self.child.configure(self.options)

        def answered(status: int, description: str) -> None:
            if status < 300:
                self.child.respond(request, sdp=description)
            else:
                self.child.refuse(request, f"the engine refuses the description ({status})")

        is_new = self.call is None
        self.dialog.offer(request["sdp"], answered)
        if is_new:
            self.child.wait_for_call(self)  # the account is as this call needs it only now

    def dtmf(self, request: Message) -> None:
        if self.call is None or not self.active:
            self.child.refuse(request, "the stream has no media")
            return
        self.call.dialDtmf(request["digit"])
        self.child.respond(request)

    def stats(self, request: Message) -> None:
        self.child.respond(request, **self._statistics())

    def _statistics(self) -> Message:
        if self.call is None or not self.active:
            return {}
        stat = self.call.getStreamStat(0)
        rtcp, buffer = stat.rtcp, stat.jbuf
        return {
            "packets_received": rtcp.rxStat.pkt,
            "packets_lost": rtcp.rxStat.loss,
            "octets_received": rtcp.rxStat.bytes,
            "jitter": rtcp.rxStat.jitterUsec.mean / 1e6,
            "packets_sent": rtcp.txStat.pkt,
            "octets_sent": rtcp.txStat.bytes,
            "remote_packets_lost": rtcp.txStat.loss,
            "remote_jitter": rtcp.txStat.jitterUsec.mean / 1e6,
            "round_trip": rtcp.rttUsec.last / 1e6 if rtcp.rttUsec.n else None,
            "buffer_delay": buffer.avgDelayMsec / 1e3,
        }

    def close(self) -> None:
        """End the call; the stream is gone when pjsua2 has said so, and no sooner, as its slot is taken until then."""
        if self.closing:
            return
        self.closing = True
        if self.call is None:
            self.child.gone.append(self)
            return
        with contextlib.suppress(pj.Error):  # it is ending already
            self.call.hangup(pj.CallOpParam())

    # What pjsua2 tells

    def media_changed(self) -> None:
        if self.call is None:
            return
        info = self.call.getInfo()
        self.active = False
        for index, media in enumerate(info.media):
            if media.type != pj.PJMEDIA_TYPE_AUDIO or media.audioConfSlot < 0:
                continue
            if media.status in (pj.PJSUA_CALL_MEDIA_NONE, pj.PJSUA_CALL_MEDIA_ERROR):
                continue
            audio = self.call.getAudioMedia(index)
            audio.startTransmit(self._port)
            self._port.startTransmit(audio)
            self.active = True
            break
        self._received, self._heard, self._silent = 0, time.monotonic(), False
        self._describe(info)

    def _describe(self, info: Any) -> None:
        """Tell how the media goes, if that has changed."""
        described: Message = {"active": self.active}
        assert self.call is not None
        if self.active:
            stream, transport = self.call.getStreamInfo(0), self.call.getMedTransportInfo(0)
            dump = self.call.dump(True, "")
            state = re.search(
                r"ICE role: [^,]*, state: (Negotiation [^,\n]*)", dump
            )  # others: the remote party has none
            pair = re.search(r"\[0\]: L:(\S+) \((\w)\) --> R:(\S+) \((\w)\)", dump)
            described |= {
                "codec": stream.codecName,
                "rate": stream.codecClockRate,
                "local": transport.localRtpName,
                "remote": stream.remoteRtpAddress,
                "received_from": transport.srcRtpName,
                "srtp": bool(re.search(r"SRTP status: Active", dump)),
                "ice": state[1] if state else "",
                "pair": list(pair.groups()) if pair else None,
            }
        if described != self._last:
            self._last = described
            self.tell("media", **described)

    def event_received(self, digit: str, timestamp: int) -> None:
        """A packet of a telephone-event; those of one digit have the same timestamp (RFC 4733 2.3.5).

        Where a re-INVITE comes in the midst of a digit, pjsua2 takes what is left of it for a new one.
        """
        if (digit, timestamp) != self._event:
            self._event = digit, timestamp
            self.tell("dtmf", digit=digit)

    def look(self, now: float) -> None:
        """Whether something is received: each time when nothing was for as long as the time-out, that is told."""
        if self.call is None or not self.active or self.closing:
            return
        received = self.call.getStreamStat(0).rtcp.rxStat.pkt
        if received != self._received:
            first = not self._received
            self._received, self._heard, self._silent = received, now, False
            if first:
                self._describe(None)
        elif self.options["timeout"] and now - self._heard > self.options["timeout"]:
            self.tell("timeout", again=self._silent)
            self._heard, self._silent = now, True
        if self._last.get("ice") and not self._last["ice"].endswith(("Success", "Failed")):
            self._describe(None)

    def _ended(self) -> None:
        if not self.closing:
            self.tell("failed", reason="the engine ended the stream")

    def disconnected(self, reason: str) -> None:
        if not self.closing:
            self.tell("failed", reason=f"the engine ended the stream: {reason}")
        self.closing = True
        self.child.gone.append(self)

    def forget(self) -> None:
        """Let go of everything, in the thread of pjsua2."""
        if self.child.streams.get(self.key) is not self:  # done already
            return
        self.closing, self.active = True, False
        self.call = None
        self._port.attach(None)
        self.child.ports.append(self._port)
        self._socket.close()
        self.child.partner.forget(self.key)
        self.child.streams.pop(self.key, None)


class Nobody:
    """Whom a refused call tells."""

    over = False

    def media_changed(self) -> None:
        pass

    def disconnected(self, reason: str) -> None:
        self.over = True

    def event_received(self, digit: str, timestamp: int) -> None:
        pass
