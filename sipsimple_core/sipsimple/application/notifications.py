"""The notifications of the application (APP-025 to APP-033)."""

from __future__ import annotations

from sipsimple.notification import declare_notification, field

__all__: list[str] = []

declare_notification(
    "SIPApplicationWillStart",
    "SIPApplication",
    "The configuration is loaded and the reactor runs; the components are about to be started (APP-025).",
)
declare_notification(
    "SIPApplicationDidStart",
    "SIPApplication",
    "All components were started, though not all need have succeeded: an account may be registering (APP-026).",
)
declare_notification(
    "SIPApplicationWillEnd",
    "SIPApplication",
    "The application was told to stop, or could not start (APP-028).",
)
declare_notification(
    "SIPApplicationDidEnd",
    "SIPApplication",
    "All components were stopped, or given the time for it; the application can be started again (APP-030).",
)
declare_notification(
    "SIPApplicationFailedToStartTLS",
    "SIPApplication",
    "The TLS transport could not be started, or not changed as the settings want it; everything else was (APP-032, "
    "APP-033).",
    error=field(Exception, "the exception of the engine"),
)
declare_notification(
    "SIPApplicationFailedToListen",
    "SIPApplication",
    "A port that the changed settings want could not be had; the one from before stays open.",
    transport=field(str, "'udp' or 'tcp'"),
    port=field(int, "the port, 0 for any"),
    error=field(Exception, "the exception of the engine"),
)
