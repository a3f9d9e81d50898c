"""User agents that answer every OPTIONS and every call, for sipp to call: `uas.py ours|sippy PORT`.

Ours prints the 99th percentile of the delay of its event loop, in seconds, when it gets SIGUSR1.
"""

from __future__ import annotations

import json
import signal
import sys
from typing import Any

ADDRESS = "127.0.0.1"
TICK = 0.01
SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 6000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
)


def ours(port: int) -> None:
    """The engine alone: each call is an Invitation."""
    from twisted.internet import reactor

    from sipsimple.core import Engine, SDPSession
    from sipsimple.notification import NotificationCenter
    from sipsimple.realm import current_realm

    answer = SDPSession.parse(SDP.encode())

    class Answer:
        def handle_notification(self, notification: Any) -> None:
            if notification.data.state == "incoming":
                notification.sender.send_response(200, sdp=answer)

    delays: list[float] = []

    def tick(due: float) -> None:
        """How late a call comes that was due every 10 ms: what a stalled event loop does to everything else."""
        now = reactor.seconds()  # type: ignore[attr-defined]
        delays.append(now - due)
        reactor.callLater(TICK, tick, now + TICK)  # type: ignore[attr-defined]

    def tell(*arguments: object) -> None:
        delays.sort()
        print(json.dumps({"stall": delays[int(0.99 * len(delays))]}), flush=True)
        delays.clear()

    signal.signal(signal.SIGUSR1, tell)
    reactor.callLater(TICK, tick, reactor.seconds() + TICK)  # type: ignore[attr-defined]
    current_realm().reactor = reactor
    NotificationCenter().add_observer(Answer(), name="SIPInvitationChangedState")
    Engine().start(ip_address=ADDRESS, udp_port=port)
    print("ready", flush=True)
    reactor.run()  # type: ignore[attr-defined]


def sippy(port: int) -> None:
    """The same with sippy, the other SIP stack for Python on the registry."""
    from sippy.CCEvents import CCEventConnect, CCEventTry
    from sippy.Core.EventDispatcher import ED2
    from sippy.MsgBody import MsgBody
    from sippy.SipConf import SipConf
    from sippy.SipTransactionManager import SipTransactionManager
    from sippy.UA import UA

    class Silent:
        def write(self, *arguments: object, **options: object) -> None: ...

    SipConf.my_uaname = "sippy"
    config: dict[str, Any] = {"_sip_address": ADDRESS, "_sip_port": port, "_sip_logger": Silent(), "nh_addr": None}

    def event_received(event: Any, agent: Any) -> None:
        if isinstance(event, CCEventTry):
            agent.recvEvent(CCEventConnect((200, "OK", MsgBody(SDP))))

    def request_received(request: Any, transaction: Any) -> Any:
        if request.getHFBody("to").getTag() is not None:
            return request.genResponse(481, "Call Leg/Transaction Does Not Exist"), None, None
        if request.getMethod() == "INVITE":
            return UA(config, event_cb=event_received).recvRequest(request, transaction)
        return request.genResponse(200, "OK"), None, None

    config["_sip_tm"] = SipTransactionManager(config, request_received)
    print("ready", flush=True)
    ED2.loop()


if __name__ == "__main__":
    {"ours": ours, "sippy": sippy}[sys.argv[1]](int(sys.argv[2]))
