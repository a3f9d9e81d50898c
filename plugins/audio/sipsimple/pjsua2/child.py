"""The process in which pjsua2 runs: `python -m sipsimple.pjsua2.child DESCRIPTOR RATE`, started by `process`.

pjsua2 ends its process at ordinary mistakes (an assertion), and touches its objects from C threads; so here one thread
does all that concerns it, in one loop: what the application asks for, what the partner of its calls has received, and
pjsua2's own events. The frames of audio go straight from pjsua2's clock to the socket of their stream, and back.
"""

from __future__ import annotations

import contextlib
import gc
import os
import re
import socket
import sys
import time
from collections import deque
from typing import Any

import pjsua2 as pj
from sipsimple.pjsua2.channel import Channel
from sipsimple.pjsua2.partner import LOOPBACK, Dialog, Partner

MAX_STREAMS = 4  # compiled into pjsua2: PJSUA_MAX_CALLS
MAX_DESCRIPTION = 3000  # octets: a SIP message of pjsua2 has 4000 at most
FRAME_MS = 20
POLL_MS = 5
KEPT_FRAMES, MAX_FRAMES = 2, 5  # between the application's clock and pjsua2's
LOOK_EVERY = 0.25  # seconds between two looks at what a stream has received

Message = dict[str, Any]


class Port(pj.AudioMediaPort):  # type: ignore[misc]
    """Carries the frames of a stream. Its two callbacks run in the thread of pjsua2's clock, which may call them for a
    while after the call is gone: so a port is never dropped, but used again by another stream."""

    def __init__(self, rate: int) -> None:
        super().__init__()
        self._socket: socket.socket | None = None
        self._silence = bytes(2 * rate * FRAME_MS // 1000)
        self._frames: deque[bytes] = deque()
        self._gathering = True
        format = pj.MediaFormatAudio()
        format.init(pj.PJMEDIA_FORMAT_PCM, rate, 1, FRAME_MS * 1000, 16)
        self.createPort("pcm", format)

    def attach(self, sock: socket.socket | None) -> None:
        """Serve this socket from now on; None: nobody."""
        self._socket = sock
        self._frames.clear()
        self._gathering = True

    def onFrameRequested(self, frame: Any) -> None:
        data = self._next()
        frame.type = pj.PJMEDIA_FRAME_TYPE_AUDIO
        frame.buf = pj.ByteVector(data)
        frame.size = len(data)

    def _next(self) -> bytes:
        """The next frame; the two clocks are not the same, so a few are kept back, and what is too many is dropped."""
        frames, sock = self._frames, self._socket
        if sock is None:
            return self._silence
        with contextlib.suppress(OSError):
            for _ in range(MAX_FRAMES):
                frame = sock.recv(8192)
                if len(frame) == len(self._silence):
                    frames.append(frame)
        if len(frames) > MAX_FRAMES:
            while len(frames) > KEPT_FRAMES:
                frames.popleft()
        if self._gathering and len(frames) < KEPT_FRAMES:
            return self._silence
        self._gathering = not frames
        try:
            return frames.popleft()
        except IndexError:  # there is none, or the other thread has taken them all
            return self._silence

    def onFrameReceived(self, frame: Any) -> None:
        sock = self._socket
        if frame.size and sock is not None:
            with contextlib.suppress(OSError):  # the application is too slow, or does not listen any more
                sock.send(bytes(frame.buf)[: frame.size])


class Call(pj.Call):  # type: ignore[misc]
    stream: Stream | _Nobody

    def onCallMediaState(self, parameter: Any) -> None:
        self.stream.media_changed()

    def onCallState(self, parameter: Any) -> None:
        info = self.getInfo()
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.stream.disconnected(info.lastReason)

    def onDtmfDigit(self, parameter: Any) -> None:
        self.stream.tell("dtmf", digit=parameter.digit)


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
        self._heard = time.monotonic()
        self._silent = False
        self._ice_state = ""
        self.closing = False
        self.active = False

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
        """End the call; the stream is gone as soon as pjsua2 says so."""
        if self.closing:
            return
        self.closing = True
        if self.call is None:
            self.child.gone.append(self)
            return
        try:
            self.call.hangup(pj.CallOpParam())
        except pj.Error:
            self.child.gone.append(self)

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
            state = re.search(r"ICE role: [^,]*, state: (.*)", dump)
            pair = re.search(r"\[0\]: L:(\S+) \((\w)\) --> R:(\S+) \((\w)\)", dump)
            described |= {
                "codec": stream.codecName,
                "rate": stream.codecClockRate,
                "local": transport.localRtpName,
                "remote": stream.remoteRtpAddress,
                "received_from": transport.srcRtpName,
                "srtp": bool(re.search(r"SRTP status: Active", dump)),
                "ice": state[1].strip() if state else "",
                "pair": list(pair.groups()) if pair else None,
            }
        if described != self._last:
            self._last = described
            self.tell("media", **described)

    def look(self, now: float) -> None:
        """Whether something is received: told when nothing was for as long as the time-out, and when it is again."""
        if self.call is None or not self.active or self.closing:
            return
        received = self.call.getStreamStat(0).rtcp.rxStat.pkt
        if received != self._received:
            first = not self._received
            self._received, self._heard, self._silent = received, now, False
            if first:
                self._describe(None)
        elif self.options["timeout"] and not self._silent and now - self._heard > self.options["timeout"]:
            self._silent = True
            self.tell("timeout")
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


class Account(pj.Account):  # type: ignore[misc]
    child: Child

    def onIncomingCall(self, parameter: Any) -> None:
        self.child.incoming(parameter.callId, parameter.rdata.wholeMsg)


class Child:
    def __init__(self, channel: Channel, rate: int) -> None:
        self.rate = rate
        self.streams: dict[str, Stream] = {}
        self.ports: list[Port] = []  # of streams that are gone
        self.gone: list[Stream] = []
        self.partner = Partner()
        self._channel = channel
        self._refused: list[Any] = []
        self._alive = True
        self._start()

    def _start(self) -> None:
        self.endpoint = pj.Endpoint()
        self.endpoint.libCreate()
        config = pj.EpConfig()
        config.uaConfig.threadCnt = 0
        config.uaConfig.maxCalls = MAX_STREAMS
        config.medConfig.sndAutoCloseTime = -1  # else the clock, and RTP, stops after a second
        config.medConfig.noVad = True
        config.medConfig.clockRate = self.rate
        config.medConfig.audioFramePtime = FRAME_MS
        config.medConfig.ptime = FRAME_MS
        config.logConfig.level = config.logConfig.consoleLevel = 0
        self.endpoint.libInit(config)
        self.endpoint.audDevManager().setNullDev()
        transport = pj.TransportConfig()
        transport.boundAddress = LOOPBACK
        self._transport = self.endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
        self.endpoint.libStart()
        self.partner.set_engine(int(self.endpoint.transportGetInfo(self._transport).localName.rpartition(":")[2]))
        for codec in self.endpoint.codecEnum2():
            if codec.codecId.startswith("iLBC"):
                self.endpoint.codecSetPriority(codec.codecId, 0)
        self.account = Account()
        self.account.child = self
        self.account.create(self._account_config({"address": LOOPBACK}))

    def _account_config(self, options: Message) -> Any:
        config = pj.AccountConfig()
        config.idUri = f"sip:{self.partner.user}@{LOOPBACK}"
        config.sipConfig.transportId = self._transport
        config.callConfig.timerUse = pj.PJSUA_SIP_TIMER_INACTIVE
        config.callConfig.prackUse = pj.PJSUA_100REL_NOT_USED
        media, nat = config.mediaConfig, config.natConfig
        media.lockCodecEnabled = False
        media.srtpSecureSignaling = 0
        media.srtpUse = {"disabled": 0, "optional": 1, "mandatory": 2}[options.get("srtp", "disabled")]
        media.transportConfig.boundAddress = options["address"]
        first, last = options.get("ports", (0, 0))
        media.transportConfig.port, media.transportConfig.portRange = first, last - first
        nat.iceAlwaysUpdate = False
        nat.contactRewriteUse = nat.viaRewriteUse = nat.sdpNatRewriteUse = 0
        nat.iceEnabled = bool(options.get("ice"))
        stun = options.get("stun") or []
        nat.mediaStunUse = pj.PJSUA_STUN_USE_DEFAULT if stun else pj.PJSUA_STUN_USE_DISABLED
        turn = options.get("turn")
        if turn:
            nat.turnEnabled = True
            nat.turnServer = turn["server"]
            nat.turnUserName, nat.turnPassword = turn.get("username", ""), turn.get("password", "")
            nat.turnPasswordType = 0
            nat.turnConnType = pj.PJ_TURN_TP_UDP
        return config

    def configure(self, options: Message) -> None:
        """Have the next call made with these options."""
        stun = options.get("stun") or []
        if stun:
            servers = pj.StringVector(stun)
            self.endpoint.natUpdateStunServers(servers, True)
        self.account.modify(self._account_config(options))

    def incoming(self, call_id: int, message: str) -> None:
        token = re.search(r"(?im)^X-Token:[ \t]*(\w+)", message)
        key = re.search(r"(?im)^X-Stream:[ \t]*(\w+)", message)
        stream = self.streams.get(key[1]) if key else None
        call = Call(self.account, call_id)
        parameter = pj.CallOpParam(True)
        parameter.opt.audioCount, parameter.opt.videoCount = 1, 0
        if token is None or token[1] != self.partner.token or stream is None or stream.call is not None:
            parameter.statusCode = 403
            call.stream = _Nobody()
            self._refused.append(call)
            call.hangup(parameter)
            return
        stream.call, call.stream = call, stream
        parameter.statusCode = 200
        call.answer(parameter)

    def wait_for_call(self, stream: Stream) -> None:
        """Until pjsua2 has the call that was offered to it, for a second at most."""
        until = time.monotonic() + 1.0
        while stream.call is None and stream.key in self.streams and time.monotonic() < until:
            self.endpoint.libHandleEvents(POLL_MS)
            self.partner.pump()

    # The channel

    def send(self, message: Message) -> None:
        try:
            self._channel.send(message)
        except OSError:
            self._alive = False

    def respond(self, request: Message, **result: Any) -> None:
        self.send({"id": request["id"], "result": result})

    def refuse(self, request: Message, error: str) -> None:
        self.send({"id": request["id"], "error": error})

    def _handle(self, request: Message) -> None:
        command, key = request["command"], request["stream"]
        sdp = request.get("sdp")
        if sdp is not None and not (
            sdp.startswith("v=0\r\n") and "\r\nm=audio " in sdp and len(sdp) <= MAX_DESCRIPTION
        ):
            self.refuse(request, "the description is none that the engine can read")
            return
        try:
            if command == "open":
                sock = socket.socket(fileno=self._channel.sockets.popleft())
                sock.setblocking(False)
                self.streams[key] = Stream(self, key, sock, request["options"])
                self.respond(request)
                return
            stream = self.streams.get(key)
            if command == "close":
                if stream is not None:
                    stream.close()
                self.respond(request)
            elif stream is None or stream.closing:
                self.refuse(request, "the stream has ended")
            else:
                getattr(stream, command)(request)
        except (pj.Error, RuntimeError) as error:
            self.refuse(request, getattr(error, "reason", "") or str(error))

    def run(self) -> None:
        self.send({"event": "ready"})
        looked = 0.0
        while self._alive:
            self.endpoint.libHandleEvents(POLL_MS)
            self.partner.pump()
            received = self._channel.receive()
            if received is None:
                break
            for request in received:
                self._handle(request)
            self._forget_gone()
            now = time.monotonic()
            if now - looked > LOOK_EVERY:
                looked = now
                for stream in list(self.streams.values()):
                    stream.look(now)
        self._stop()

    def _forget_gone(self) -> None:
        self._refused = [call for call in self._refused if not call.stream.over]
        gone, self.gone = self.gone, []
        for stream in gone:
            stream.forget()
            self.send({"event": "gone", "stream": stream.key})

    def _stop(self) -> None:
        for stream in list(self.streams.values()):
            stream.close()
        until = time.monotonic() + 1.0
        while self.streams and time.monotonic() < until:
            self.endpoint.libHandleEvents(POLL_MS)
            self.partner.pump()
            self._forget_gone()


class _Nobody:
    """Whom a refused call tells."""

    over = False

    def media_changed(self) -> None:
        pass

    def disconnected(self, reason: str) -> None:
        self.over = True

    def tell(self, event: str, **fields: Any) -> None:
        pass


def main() -> None:
    sock = socket.socket(fileno=int(sys.argv[1]))
    sock.setblocking(False)
    child = Child(Channel(sock), int(sys.argv[2]))
    gc.disable()  # pj objects may only be dropped by this thread, when it means to
    child.run()
    os._exit(0)  # nothing of pjsua2 may be taken down by the interpreter, in an order of its own


if __name__ == "__main__":
    main()
