"""Plugins: what they may contribute (`hookspecs`), and how they are found and called (`manager`).

A plugin is a module that an entry point of the group `sipsimple` names. It is small, marks the hooks that it
implements with `hookimpl`, and imports what is heavy inside them; it may state the version of this interface
that it was written for as `sipsimple_plugin_api = 1`.
"""

from sipsimple.plugins.hookspecs import PLUGIN_API_VERSION, hookimpl
from sipsimple.plugins.manager import Plugin, PluginManager, PluginState

__all__ = ["PLUGIN_API_VERSION", "Plugin", "PluginManager", "PluginState", "hookimpl"]
