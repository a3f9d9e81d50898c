"""The settings of file transfers: a group added to SIPSimpleSettings."""

from __future__ import annotations

from sipsimple.configuration import Setting, SettingsGroup, SettingsObjectExtension
from sipsimple.configuration.datatypes import Path

__all__ = ["EXTENSIONS", "downloads_folder"]


class FileTransferSettings(SettingsGroup):
    """How files are received."""

    directory = Setting(
        Path,
        None,
        nillable=True,
        doc="The folder for received files, unless the application names another; None: the user's Downloads.",
    )


class SIPSimpleSettingsExtension(SettingsObjectExtension):
    file_transfer = FileTransferSettings()


EXTENSIONS = (("SIPSimpleSettings", SIPSimpleSettingsExtension),)


def downloads_folder() -> str:
    """The user's folder for downloads, as the system knows it."""
    import platformdirs

    return platformdirs.user_downloads_dir()
