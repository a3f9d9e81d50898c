"""The notification of whiteboards, beside those of every stream."""

from sipsimple.notification import declare_notification, field

declare_notification(
    "WhiteboardStreamGotStroke",
    "WhiteboardStream",
    "The other party has drawn.",
    stroke=field("Stroke", "what was drawn; it is in `strokes` already"),
)
