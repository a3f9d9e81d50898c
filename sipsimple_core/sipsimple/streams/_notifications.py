"""The notifications that every stream posts, with itself as the sender (STR-031..036)."""

from sipsimple.notification import declare_notification, field

declare_notification(
    "MediaStreamDidInitialize",
    "IMediaStream",
    "The stream is ready to be described in SDP, and waits to be started.",
)
declare_notification(
    "MediaStreamDidStart",
    "IMediaStream",
    "The stream is established: media can flow.",
)
declare_notification(
    "MediaStreamDidFail",
    "IMediaStream",
    "The stream failed in one of its methods or while it ran. It still has to be ended.",
    context=field(str, "what it was doing: 'initialize', 'start', 'sending', 'reading', ..."),
    failure=field("Failure | None", "the twisted.python.failure.Failure behind it, if there is one"),
    reason=field(str, "why, for people"),
)
declare_notification(
    "MediaStreamWillEnd",
    "IMediaStream",
    "The stream was told to end and begins to close its transport.",
)
declare_notification(
    "MediaStreamDidEnd",
    "IMediaStream",
    "The stream has closed its transport: nothing more comes from it.",
    error=field(str | None, "what went wrong while it closed, None if nothing did", optional=True),
)
