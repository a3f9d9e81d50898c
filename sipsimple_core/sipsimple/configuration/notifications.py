"""The notifications of the Configuration API (ACC-037)."""

from __future__ import annotations

from sipsimple.notification import declare_notification, field

declare_notification(
    "CFGSettingsObjectWasCreated",
    "SettingsObject",
    "The object was saved for the first time.",
)

declare_notification(
    "CFGSettingsObjectWasActivated",
    "SettingsObject",
    "The object came into use: it was loaded from the storage, or saved for the first time.",
)

declare_notification(
    "CFGSettingsObjectDidChange",
    "SettingsObject",
    "save() was called after some settings had changed; the new values are in effect.",
    modified=field(dict, "dotted name of each changed setting -> an object with its `old` and `new` value"),
)

declare_notification(
    "CFGSettingsObjectWasDeleted",
    "SettingsObject",
    "The object was removed from the storage by delete().",
)

declare_notification(
    "CFGManagerLoadFailed",
    "ConfigurationManager",
    "The backend could not load the configuration; start() raises the same error.",
    error=field(Exception, "what the backend complained about"),
)

declare_notification(
    "CFGManagerSaveFailed",
    "ConfigurationManager",
    "The backend could not write the configuration. The new values are in effect and kept in memory; "
    "the next save() of any object writes them too.",
    object=field(object, "the SettingsObject that was being saved or deleted"),
    operation=field(str, "'save' or 'delete'"),
    modified=field(dict, "dotted name -> old and new value; empty for a deletion"),
    exception=field(Exception, "what the backend complained about"),
)
