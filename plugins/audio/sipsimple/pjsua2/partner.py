"""The only SIP partner that pjsua2 has: a user agent on the loopback interface that offers and answers for us.

pjsua2 makes media only inside of calls, so each stream is one call between it and this partner (RFC 3725). Whoever is
not pjsua2 does not know the token, which is in each request in both directions.
"""

from __future__ import annotations

import re
import secrets
import socket
from collections import deque
from collections.abc import Callable

__all__ = ["Dialog", "Partner"]

LOOPBACK = "127.0.0.1"
MAX_DATAGRAM = 65535
MAX_ENDING = 16

Answered = Callable[[int, str], None]  # with the status and the description of a final response


class Message:
    """A SIP message of pjsua2's, which is well-formed."""

    def __init__(self, data: bytes) -> None:
        head, _, self.body = data.decode("utf-8", "replace").partition("\r\n\r\n")
        self.start, _, self.head = head.partition("\r\n")

    def header(self, name: str) -> str:
        found = re.search(rf"(?im)^{name}:[ \t]*(.*?)\r?$", self.head)
        return found[1] if found else ""

    @property
    def is_request(self) -> bool:
        return not self.start.startswith("SIP/2.0 ")

    @property
    def method(self) -> str:
        """Also of a response the method of its request."""
        return self.start.split(" ", 1)[0] if self.is_request else self.header("CSeq").split()[-1]

    @property
    def status(self) -> int:
        return int(self.start.split(" ")[1])


def _new_branch() -> str:
    return f"z9hG4bK{secrets.token_hex(8)}"


class Dialog:
    """The call that carries one stream.

    `offered` is called with the description that pjsua2 offers; `ended` when pjsua2 ends the call.
    """

    def __init__(self, partner: Partner, key: str) -> None:
        self.key = key
        self.offered: Callable[[str], None] | None = None
        self.ended: Callable[[], None] | None = None
        self._partner = partner
        self._tag = secrets.token_hex(4)
        self._call_id = secrets.token_hex(8)
        self._remote = ""  # pjsua2 as To
        self._cseq = 0
        self._waiting: dict[int, Answered] = {}  # by the number of the INVITE
        self._branch = ""  # of the last INVITE
        self._invite: Message | None = None  # pjsua2's, not answered yet
        self._acked: Callable[[], None] | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether what was offered is not answered yet."""
        return bool(self._waiting)

    def offer(self, description: str, answered: Answered) -> None:
        """Offer a description to pjsua2, in a call of its own the first time."""
        self._cseq += 1
        self._waiting[self._cseq] = answered
        self._branch = _new_branch()
        self._request("INVITE", self._cseq, self._remote, self._branch, description)

    def accept(self, description: str, acked: Callable[[], None]) -> None:
        """Answer what pjsua2 has offered."""
        if self._invite is None:
            raise RuntimeError("nothing was offered")
        invite, self._invite, self._acked = self._invite, None, acked
        self._reply(invite, 200, description)

    def _request(self, method: str, cseq: int, to: str, branch: str, body: str = "") -> None:
        partner = self._partner
        partner.send(
            f"{method} {partner.target} SIP/2.0",
            [
                f"Via: SIP/2.0/UDP {LOOPBACK}:{partner.port};branch={branch}",
                "Max-Forwards: 70",
                f"From: <sip:core@{LOOPBACK}>;tag={self._tag}",
                f"To: {to or f'<{partner.target}>'}",
                f"Call-ID: {self._call_id}",
                f"CSeq: {cseq} {method}",
                f"Contact: <sip:{self.key}@{LOOPBACK}:{partner.port}>",
                f"X-Token: {partner.token}",
                f"X-Stream: {self.key}",
            ],
            body,
        )

    def _reply(self, request: Message, status: int, body: str = "") -> None:
        to = request.header("To")
        self._partner.send(
            f"SIP/2.0 {status} -",
            [
                *(f"Via: {via}" for via in re.findall(r"(?im)^Via:[ \t]*(.*?)\r?$", request.head)),
                f"From: {request.header('From')}",
                f"To: {to if 'tag=' in to or status == 100 else f'{to};tag={self._tag}'}",
                f"Call-ID: {request.header('Call-ID')}",
                f"CSeq: {request.header('CSeq')}",
                f"Contact: <sip:{self.key}@{LOOPBACK}:{self._partner.port}>",
            ],
            body,
        )

    def receive(self, message: Message) -> None:
        """A message of pjsua2's in this call."""
        if not message.is_request:
            self._receive_response(message)
        elif message.method == "INVITE":
            self._receive_invite(message)
        elif message.method == "ACK":
            acked, self._acked = self._acked, None
            if acked is not None:
                acked()
        elif message.method == "CANCEL":
            self._reply(message, 200)
            if self._invite is not None:
                invite, self._invite = self._invite, None
                self._reply(invite, 487)
        else:  # BYE has to be answered always: pjsua2 keeps the slot of the call until it is
            self._reply(message, 200)
            if message.method == "BYE" and self.ended is not None:
                self.ended()

    def _receive_invite(self, invite: Message) -> None:
        if self._remote:  # we asked pjsua2 not to, and do not negotiate what it comes with
            self._reply(invite, 488)
            return
        self._reply(invite, 100)
        self._call_id, self._remote = invite.header("Call-ID"), invite.header("From")
        self._invite = invite
        if self.offered is not None:
            self.offered(invite.body)

    def _receive_response(self, response: Message) -> None:
        if response.method != "INVITE" or response.status < 200:
            return
        cseq = int(response.header("CSeq").split()[0])
        if response.status < 300:
            self._remote, branch = response.header("To"), _new_branch()
        elif cseq == self._cseq:
            branch = self._branch  # RFC 3261 17.1.1.3: pjsua2 ends its process over an ACK that belongs to nothing
        else:
            return
        self._request("ACK", cseq, response.header("To"), branch)
        answered = self._waiting.pop(cseq, None)
        if answered is not None:
            answered(response.status, response.body)


class Partner:
    """Its socket, and the calls by their keys. `target` is set as soon as pjsua2 listens."""

    def __init__(self) -> None:
        self.token = secrets.token_hex(16)
        self.user = secrets.token_hex(16)
        self.target = ""
        self.dialogs: dict[str, Dialog] = {}
        self._ending: deque[Dialog] = deque(maxlen=MAX_ENDING)
        self._engine: tuple[str, int] | None = None
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((LOOPBACK, 0))
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]

    def set_engine(self, port: int) -> None:
        """pjsua2 listens on this port."""
        self._engine = (LOOPBACK, port)
        self.target = f"sip:{self.user}@{LOOPBACK}:{port}"

    def uri(self, key: str) -> str:
        """What pjsua2 calls, to offer a description for the stream `key`."""
        return f"sip:{self.token}-{key}@{LOOPBACK}:{self.port}"

    def send(self, start: str, headers: list[str], body: str) -> None:
        assert self._engine is not None
        content = ["Content-Type: application/sdp"] if body else []
        octets = body.encode()
        head = "\r\n".join([start, *headers, *content, f"Content-Length: {len(octets)}", "", ""])
        self._socket.sendto(head.encode() + octets, self._engine)

    def pump(self) -> None:
        """Take what has come."""
        while True:
            try:
                data, sender = self._socket.recvfrom(MAX_DATAGRAM)
            except (BlockingIOError, ConnectionError):
                return
            if sender == self._engine:
                self._receive(Message(data))

    def _receive(self, message: Message) -> None:
        call_id = message.header("Call-ID")
        for dialog in (*self.dialogs.values(), *self._ending):
            if dialog._call_id == call_id:
                dialog.receive(message)
                return
        if message.is_request:
            found = re.match(rf"INVITE sip:{self.token}-(\w+)@", message.start)
            found_dialog = self.dialogs.get(found[1]) if found else None
            if found_dialog is not None:
                found_dialog.receive(message)
            elif message.method != "ACK":  # a BYE of a call that we have forgotten
                Dialog(self, "gone")._reply(message, 200 if message.method == "BYE" else 403)

    def forget(self, key: str) -> None:
        """A stream is gone; pjsua2 keeps the slot of its call until its CANCEL or BYE is answered."""
        dialog = self.dialogs.pop(key, None)
        if dialog is not None:
            dialog.offered = dialog.ended = None
            self._ending.append(dialog)

    def close(self) -> None:
        self._socket.close()
