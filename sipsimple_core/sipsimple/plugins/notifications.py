"""The notification of the plugin manager."""

from sipsimple.notification import declare_notification, field

declare_notification(
    "SIPApplicationPluginDidFail",
    "PluginManager",
    "A plugin could not be used and was skipped, or one of its hooks failed; everything else goes on.",
    plugin=field(str, "the name of its entry point"),
    distribution=field(str | None, "the distribution it belongs to, None if it was registered by hand"),
    version=field(str | None, "the version of the distribution"),
    reason=field(str, "what is wrong, for people"),
    exception=field(BaseException | None, "the exception behind it, if there is one"),
)
