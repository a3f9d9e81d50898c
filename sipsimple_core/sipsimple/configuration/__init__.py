"""The Configuration API: settings objects, the manager that loads and saves them, and backends that store
them.

    class MySettings(SettingsObject):
        __id__ = 'MySettings'
        greeting = Setting(str, 'hello', doc='What to say first.')

    settings = MySettings()
    settings.greeting = 'good morning'
    settings.save()

`sipsimple.configuration.datatypes` has the types, `sipsimple.configuration.settings` the settings of the SDK.
"""

from sipsimple.configuration.backend import IConfigurationBackend, MemoryBackend
from sipsimple.configuration.errors import ConfigurationError, ObjectNotFoundError
from sipsimple.configuration.extension import SettingsObjectExtension
from sipsimple.configuration.group import SettingsGroup
from sipsimple.configuration.manager import ConfigurationManager
from sipsimple.configuration.setting import (
    CorrelatedSetting,
    DefaultValue,
    GeneratedSetting,
    ModifiedValue,
    RuntimeSetting,
    Setting,
)
from sipsimple.configuration.settings_object import SettingsObject, SettingsObjectID

__all__ = [
    "ConfigurationError",
    "ConfigurationManager",
    "CorrelatedSetting",
    "DefaultValue",
    "GeneratedSetting",
    "IConfigurationBackend",
    "MemoryBackend",
    "ModifiedValue",
    "ObjectNotFoundError",
    "RuntimeSetting",
    "Setting",
    "SettingsGroup",
    "SettingsObject",
    "SettingsObjectExtension",
    "SettingsObjectID",
]
