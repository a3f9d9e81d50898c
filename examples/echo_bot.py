"""A bot that answers every chat and sends back what it hears."""

import signal

from sipsimple.account import Account
from sipsimple.application import SIPApplication
from sipsimple.core import Engine
from sipsimple.notification import NotificationCenter, NotificationDispatcher
from sipsimple.storage import MemoryStorage


class EchoBot(NotificationDispatcher):
    def _NH_SIPApplicationDidStart(self, notification):
        account = Account("echo@127.0.0.1")
        account.registration.enabled = False  # no server: we are called by our address
        account.msrp.transport = "tcp"
        account.enabled = True
        account.save()
        print("Call me: sip:echo@%s:%d" % Engine().local_address("udp", "127.0.0.1"))

    def _NH_SIPSessionNewIncoming(self, notification):
        notification.sender.accept(notification.data.streams)

    def _NH_ChatStreamGotMessage(self, notification):
        notification.sender.send_message(notification.data.message.content)


NotificationCenter().add_observer(EchoBot())
SIPApplication().start(MemoryStorage())
signal.pause()
