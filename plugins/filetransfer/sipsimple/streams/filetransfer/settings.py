"""The settings of file transfers: a group added to SIPSimpleSettings."""

from __future__ import annotations

import os
from typing import Any

from sipsimple.configuration import Setting, SettingsGroup, SettingsObjectExtension
from sipsimple.configuration.datatypes import Path
from sipsimple.configuration.settings import SIPSimpleSettings

__all__ = ["EXTENSIONS", "received_files_folder"]


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


def received_files_folder() -> str:
    """Where received files go when nobody says otherwise: the setting, or else the system's folder for downloads."""
    import platformdirs

    group: Any = getattr(SIPSimpleSettings(), "file_transfer", None)  # None where no plugin was loaded
    directory = None if group is None else group.directory
    return os.fspath(directory) if directory is not None else platformdirs.user_downloads_dir()
