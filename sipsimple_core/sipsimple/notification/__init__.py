"""The notification bus: how everything that happens reaches the application, and parts of the SDK each other.

`center` delivers, `data` is what a notification carries, `declaration` says which notifications exist,
`handover` takes them to another thread or to an asyncio loop, `waiting` waits for them.
"""

from sipsimple.notification.center import (
    IObserver,
    Notification,
    NotificationCenter,
    NotificationDispatcher,
    ObserverWeakrefProxy,
)
from sipsimple.notification.data import NotificationData
from sipsimple.notification.declaration import (
    Field,
    NotificationDeclaration,
    NotificationError,
    declare_notification,
    declared_notifications,
    field,
    strict_notifications,
)
from sipsimple.notification.handover import AsyncioObserver, QueueObserver
from sipsimple.util import Any

__all__ = [
    "Any",
    "AsyncioObserver",
    "Field",
    "IObserver",
    "Notification",
    "NotificationCenter",
    "NotificationData",
    "NotificationDeclaration",
    "NotificationDispatcher",
    "NotificationError",
    "ObserverWeakrefProxy",
    "QueueObserver",
    "declare_notification",
    "declared_notifications",
    "field",
    "strict_notifications",
]
