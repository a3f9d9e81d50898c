"""Calls somebody, says a file, and hangs up: say_file.py 192.168.1.7 5060 hello.wav"""

import sys

from sipsimple.account import Account
from sipsimple.application import SIPApplication
from sipsimple.audio import WavePlayer
from sipsimple.core import SIPURI, ToHeader
from sipsimple.notification import NotificationCenter
from sipsimple.session import Session
from sipsimple.storage import MemoryStorage
from sipsimple.streams import AudioStream
from sipsimple.util import Route

host, port, filename = sys.argv[1], int(sys.argv[2]), sys.argv[3]
started = NotificationCenter().wait_for("SIPApplicationDidStart")
SIPApplication().start(MemoryStorage())
started.wait()
account = Account("caller@127.0.0.1")
account.registration.enabled = False  # no server: we call directly
account.enabled = True
account.save()

session, stream = Session(account), AudioStream(account)
answered = session.wait_for("SIPSessionDidStart", timeout=60)
session.connect(ToHeader(SIPURI(host, user="bob", port=port)), [Route(host, port, "udp")], [stream])
answered.wait()
stream.device.input_muted = True  # the file only, not the microphone
player = WavePlayer(stream.mixer, filename)
stream.bridge.add(player)
player.play().wait()
session.end()
SIPApplication().stop()
