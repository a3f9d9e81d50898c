"""Says hello to the echo bot and prints all that happens, in asyncio: wait_in_asyncio.py 127.0.0.1 5060"""

import asyncio
import sys

from sipsimple.account import Account
from sipsimple.application import SIPApplication
from sipsimple.core import SIPURI, ToHeader
from sipsimple.notification import NotificationCenter
from sipsimple.session import Session
from sipsimple.storage import MemoryStorage
from sipsimple.streams import ChatStream
from sipsimple.util import Route


async def main(host: str, port: int) -> None:
    center = NotificationCenter()
    started = center.wait_for("SIPApplicationDidStart")
    SIPApplication().start(MemoryStorage())
    await started
    account = Account("caller@127.0.0.1")
    account.registration.enabled = False  # no server: we call directly
    account.msrp.transport = "tcp"
    account.enabled = True
    account.save()

    session, chat = Session(account), ChatStream(account)
    events = center.events(sender=session, until=["SIPSessionDidEnd", "SIPSessionDidFail"])
    answer = center.wait_for("ChatStreamGotMessage", sender=chat)
    session.connect(ToHeader(SIPURI(host, user="echo", port=port)), [Route(host, port, "udp")], [chat])
    async for notification in events:
        print(notification.name)
        if notification.name == "SIPSessionDidStart":
            chat.send_message("Hello")
            print((await answer).data.message.content)
            session.end()
    SIPApplication().stop()


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
