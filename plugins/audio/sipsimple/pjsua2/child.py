"""The process in which pjsua2 runs: `python -m sipsimple.pjsua2.child DESCRIPTOR RATE`, started by `process`.

pjsua2 ends its process at ordinary mistakes (an assertion), and touches its objects from C threads; so here one thread
does all that concerns it, in one loop: what the application asks for, what the partner of its calls has received, and
pjsua2's own events. The frames of audio go straight from pjsua2's clock to the socket of their stream, and back.
"""

from __future__ import annotations

import contextlib
import ctypes
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
from sipsimple.pjsua2.partner import LOOPBACK, Partner
from sipsimple.pjsua2.port import FRAME_MS, Port
from sipsimple.pjsua2.stream import Call, Message, Nobody, Stream

MAX_STREAMS = 4  # compiled into pjsua2: PJSUA_MAX_CALLS
MAX_DESCRIPTION = 3000  # octets: a SIP message of pjsua2 has 4000 at most
MAX_SOCKETS = 48  # that streams may have: pjsua2 has room for 64, and ends its process where there is none
SOCKET_LINGER = 0.6  # seconds for which pjsua2 keeps the place of a socket that was closed
POLL_MS = 5
LOOK_EVERY = 0.25  # seconds between two looks at what a stream has received


class Account(pj.Account):  # type: ignore[misc]
    child: Child

    def onIncomingCall(self, parameter: Any) -> None:
        self.child.incoming(parameter.callId, parameter.rdata.wholeMsg)


class Child:
    """The loop, with what the streams share: the endpoint and the account of pjsua2, the partner and the channel."""

    def __init__(self, channel: Channel, rate: int) -> None:
        self.rate = rate
        self.streams: dict[str, Stream] = {}
        self.ports: list[Port] = []  # of streams that are gone
        self.gone: list[Stream] = []
        self.partner = Partner()
        self._channel = channel
        self._refused: list[Any] = []
        self._postponed: deque[Message] = deque()  # until there is room for the sockets
        self._closed: deque[tuple[float, int]] = deque()  # when, and how many sockets
        self._stun_servers: list[str] = []  # that pjsua2 knows
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
        _keep_level_of_g722()
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
        if options.get("relay_only"):
            nat.iceMaxHostCands = 0
        turn = options.get("turn")
        if turn:
            nat.turnEnabled = True
            nat.turnServer = turn["server"]
            nat.turnUserName, nat.turnPassword = turn.get("username", ""), turn.get("password", "")
            nat.turnPasswordType = 0
            nat.turnConnType = pj.PJ_TURN_TP_TCP if turn["transport"] == "tcp" else pj.PJ_TURN_TP_UDP
        return config

    def configure(self, options: Message) -> None:
        """Have the next call made with these options."""
        stun = options.get("stun") or []
        if stun and stun != self._stun_servers:
            self.endpoint.natUpdateStunServers(pj.StringVector(stun), True)
            self._stun_servers = stun
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
            call.stream = Nobody()
            self._refused.append(call)
            call.hangup(parameter)
            return
        stream.call, call.stream = call, stream
        parameter.statusCode = 200
        call.answer(parameter)

    def wait_for_call(self, stream: Stream) -> None:
        """Until pjsua2 has the call that was offered to it, or has refused it; for a second at most."""
        until = time.monotonic() + 1.0
        while stream.call is None and stream.dialog.is_waiting and time.monotonic() < until:
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
            elif stream.call is None and not self._has_room(stream.sockets):
                self._postponed.append(request)
            else:
                getattr(stream, command)(request)
        except (pj.Error, RuntimeError) as error:
            self.refuse(request, getattr(error, "reason", "") or str(error))

    def _has_room(self, sockets: int) -> bool:
        """Whether pjsua2 can open so many more; after many short calls it takes a moment."""
        while self._closed and time.monotonic() - self._closed[0][0] > SOCKET_LINGER:
            self._closed.popleft()
        taken = sum(stream.sockets for stream in self.streams.values() if stream.call is not None)
        return taken + sum(count for _, count in self._closed) + sockets <= MAX_SOCKETS

    def _handle_postponed(self) -> None:
        for _ in range(len(self._postponed)):
            self._handle(self._postponed.popleft())

    def run(self) -> None:
        self.send({"event": "ready"})
        looked = 0.0
        while self._alive:
            self.endpoint.libHandleEvents(POLL_MS)
            self.partner.pump()
            received = self._channel.receive()
            if received is None:
                break
            self._handle_postponed()
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
        if self._refused:  # they have slots too
            return
        gone, self.gone = self.gone, []
        for stream in gone:
            self._closed.append((time.monotonic(), stream.sockets))
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


def _keep_level_of_g722() -> None:
    """pjsua2 sends G.722 at half of its level and plays it at twice; with this shift of its samples it does neither."""
    with contextlib.suppress(OSError, AttributeError):  # its library does not show this function on each platform
        ctypes.CDLL(pj._pjsua2.__file__).pjmedia_codec_g722_set_pcm_shift(1)


def main() -> None:
    sock = socket.socket(fileno=int(sys.argv[1]))
    sock.setblocking(False)
    child = Child(Channel(sock), int(sys.argv[2]))
    gc.disable()  # pj objects may only be dropped by this thread, when it means to
    child.run()
    os._exit(0)  # nothing of pjsua2 may be taken down by the interpreter, in an order of its own


if __name__ == "__main__":
    main()
