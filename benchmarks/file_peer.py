"""The two ends of a copy for bench_filetransfer.py, each in a process of its own: file transfers within sessions, and a
bare copy over TCP, which is what there is to be had of Twisted."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Any

ADDRESS = "127.0.0.1"
BLOCK = 64 * 1024
TRANSFERS_TIMEOUT = 300.0  # seconds


class Usage:
    """What this process uses from now on: processor seconds, and memory at the most."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        self._cpu = _cpu()

    def so_far(self) -> dict[str, float]:
        return {"cpu": _cpu() - self._cpu, "peak": memory("VmHWM")}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def memory(what: str) -> float:
    """MB: VmRSS is what is resident now, VmHWM what was at the most."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{what}:")[2].split()[0]) / 1024


def say(**values: Any) -> None:
    print(json.dumps(values), flush=True)


# File transfers


def receive(folder: Path, transport: str) -> None:
    """Accepts every transfer; tells of each that was verified when it was, and what it cost."""
    from chat_peer import Peer

    from sipsimple.streams.filetransfer import FileTransferStream  # noqa: F401

    peer = Peer("bob")
    usage: list[Usage] = []

    class Receiver:
        def handle_notification(self, notification: Any) -> None:
            if notification.name == "SIPSessionNewIncoming":
                usage[:] = [Usage()]
                for stream in notification.data.streams:
                    stream.directory = folder
                notification.sender.accept(notification.data.streams)
            elif notification.name == "FileTransferStreamDidFinish":
                path = notification.sender.file_path
                say(finished=time.perf_counter(), size=path.stat().st_size, **usage[0].so_far())
                threading.Thread(target=path.unlink).start()  # which takes its time
            elif notification.name == "MediaStreamDidFail":
                say(failed=notification.data.reason)

    peer.answers = False
    receiver = Receiver()
    _observe(receiver)
    port = peer.start()[1]
    peer.account.msrp.transport = transport
    print(port, flush=True)
    for line in sys.stdin:
        if line.strip() == "memory":
            say(idle=memory("VmRSS"))
    peer.stop()


def _observe(observer: Any) -> None:
    from sipsimple.notification import NotificationCenter

    for name in ("SIPSessionNewIncoming", "FileTransferStreamDidFinish", "MediaStreamDidFail", "MediaStreamDidStart"):
        NotificationCenter().add_observer(observer, name=name)


def send(port: int, transport: str) -> None:
    """Sends the file that each line of the input names; tells what it cost."""
    from chat_peer import Peer

    from sipsimple.core import SIPURI, ToHeader
    from sipsimple.session import Session
    from sipsimple.streams.filetransfer import FileSelector, FileTransferStream
    from sipsimple.util import Route

    peer = Peer("alice")
    peer.start()
    peer.account.msrp.transport = transport
    peer.account.save()
    say(idle=memory("VmRSS"))
    for line in sys.stdin:
        if line.strip() == "memory":
            say(idle=memory("VmRSS"))
            continue
        peer.expect("FileTransferStreamDidFinish", "MediaStreamDidStart", "SIPSessionDidEnd")
        usage, called = Usage(), time.perf_counter()
        session = Session(peer.account)
        stream = FileTransferStream(peer.account, FileSelector.for_file(line.strip()))
        session.connect(ToHeader(SIPURI(user="bob", host=ADDRESS, port=port)), [Route(ADDRESS, port, "udp")], [stream])
        peer.wait("FileTransferStreamDidFinish", 300)
        used = usage.so_far()
        session.end()
        peer.wait("SIPSessionDidEnd")
        say(called=called, started=peer.times["MediaStreamDidStart"], **used)
    peer.stop()


def send_beside_chat(port: int, count: int) -> None:
    """Sends the file that the input names `count` times at once, in one session with a chat; tells how long each
    message of the chat took meanwhile, in seconds."""
    from chat_peer import Peer

    from sipsimple.core import SIPURI, ToHeader
    from sipsimple.session import Session
    from sipsimple.streams import ChatStream
    from sipsimple.streams.filetransfer import FileSelector, FileTransferStream
    from sipsimple.util import Route

    class Counter:
        finished = 0

        def handle_notification(self, notification: Any) -> None:
            if notification.name == "FileTransferStreamDidFinish":
                self.finished += 1

    peer, counter = Peer("alice"), Counter()
    peer.start()
    _observe(counter)
    say(ready=True)
    path = sys.stdin.readline().strip()
    files = [FileTransferStream(peer.account, FileSelector.for_file(path)) for _ in range(count)]
    chat, session = ChatStream(peer.account), Session(peer.account)
    session.connect(
        ToHeader(SIPURI(user="bob", host=ADDRESS, port=port)), [Route(ADDRESS, port, "udp")], [chat, *files]
    )
    peer.wait("SIPSessionDidStart", 60)
    latencies = []
    end = time.monotonic() + TRANSFERS_TIMEOUT
    while counter.finished < count:
        if time.monotonic() > end:
            raise SystemExit(f"{counter.finished} of {count} files arrived within {TRANSFERS_TIMEOUT:g} s")
        latencies.append(peer.send(1, 1))
        time.sleep(0.005)  # a chat, not a flood
    session.end()
    peer.wait("SIPSessionDidEnd")
    say(latencies=latencies)
    peer.stop()


# A bare copy


def bare_receive(folder: Path) -> None:
    from twisted.internet import reactor as installed
    from twisted.internet.protocol import Factory, Protocol, connectionDone
    from twisted.python.failure import Failure

    reactor: Any = installed

    class Receiver(Protocol):
        """What comes goes to a file as it comes; the last 20 octets are the hash of the others."""

        def connectionMade(self) -> None:
            self.usage = Usage()
            self.digest = hashlib.sha1(usedforsecurity=False)
            self.path = folder / "copy"
            self.file = open(self.path, "wb", buffering=0)  # noqa: SIM115
            self.tail = b""

        def dataReceived(self, data: bytes) -> None:
            data = self.tail + data
            data, self.tail = data[:-20], data[-20:]
            self.digest.update(data)
            self.file.write(data)

        def connectionLost(self, reason: Failure = connectionDone) -> None:
            assert self.digest.digest() == self.tail
            os.fsync(self.file.fileno())
            self.file.close()
            say(finished=time.perf_counter(), size=self.path.stat().st_size, **self.usage.so_far())
            self.path.unlink()

    port = reactor.listenTCP(0, Factory.forProtocol(Receiver), interface=ADDRESS)
    print(port.getHost().port, flush=True)
    _stop_with_input(reactor)
    reactor.run()


def bare_send(port: int) -> None:
    from twisted.internet import reactor as installed
    from twisted.internet.protocol import ClientFactory, Protocol

    reactor: Any = installed

    class Sender(Protocol):
        transport: Any

        def connectionMade(self) -> None:
            self.digest = hashlib.sha1(usedforsecurity=False)
            self.transport.registerProducer(self, False)

        def resumeProducing(self) -> None:
            data = file.read(BLOCK)
            if data:
                self.digest.update(data)
                self.transport.write(data)
            else:
                self.transport.unregisterProducer()
                self.transport.write(self.digest.digest())
                self.transport.loseConnection()

        def connectionLost(self, reason: Any = None) -> None:
            say(called=called, **usage.so_far())
            reactor.stop()

        def stopProducing(self) -> None:
            pass

    with open(sys.stdin.readline().strip(), "rb", buffering=0) as file:
        usage, called = Usage(), time.perf_counter()
        factory = ClientFactory()
        factory.protocol = Sender
        reactor.connectTCP(ADDRESS, port, factory)
        reactor.run()


def _stop_with_input(reactor: Any) -> None:
    def wait() -> None:
        sys.stdin.read()
        reactor.callFromThread(reactor.stop)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    role, *arguments = sys.argv[1:]
    if role == "receive":
        receive(Path(arguments[0]), arguments[1])
    elif role == "send":
        send(int(arguments[0]), arguments[1])
    elif role == "send-beside-chat":
        send_beside_chat(int(arguments[0]), int(arguments[1]))
    elif role == "bare-receive":
        bare_receive(Path(arguments[0]))
    else:
        bare_send(int(arguments[0]))
