"""Says hello to the echo bot and waits for its answer, in a thread: wait_in_thread.py 127.0.0.1 5060"""

import sys

from sipsimple.account import Account
from sipsimple.application import SIPApplication
from sipsimple.core import SIPURI, ToHeader
from sipsimple.notification import NotificationCenter
from sipsimple.session import Session
from sipsimple.storage import MemoryStorage
from sipsimple.streams import ChatStream
from sipsimple.util import Route

host, port = sys.argv[1], int(sys.argv[2])
center = NotificationCenter()
started = center.wait_for("SIPApplicationDidStart")
SIPApplication().start(MemoryStorage())
started.wait()
account = Account("caller@127.0.0.1")
account.registration.enabled = False  # no server: we call directly
account.msrp.transport = "tcp"
account.enabled = True
account.save()

session, chat = Session(account), ChatStream(account)
starts = session.wait_for("SIPSessionDidStart", timeout=10)
session.connect(ToHeader(SIPURI(host, user="echo", port=port)), [Route(host, port, "udp")], [chat])
starts.wait()
answer = center.wait_for("ChatStreamGotMessage", sender=chat, timeout=10)
chat.send_message("Hello")
print(answer.wait().data.message.content)
ends = session.wait_for("SIPSessionDidEnd")
session.end()
ends.wait()
SIPApplication().stop()
