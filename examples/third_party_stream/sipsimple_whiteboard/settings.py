"""The setting whiteboard.max_strokes."""

from sipsimple.configuration import Setting, SettingsGroup, SettingsObjectExtension
from sipsimple.configuration.datatypes import NonNegativeInteger


class WhiteboardSettings(SettingsGroup):
    """Whiteboards."""

    max_strokes = Setting(NonNegativeInteger, 10000, doc="How many strokes a whiteboard takes.")


class WhiteboardExtension(SettingsObjectExtension, extends="SIPSimpleSettings"):
    whiteboard = WhiteboardSettings()
