"""The plugin manager: finds plugins, imports them when they are first needed, and calls their hooks.

Nothing that a plugin does wrong keeps the others, or the application, from working: a plugin that can't be
used is skipped, a hook that raises counts for nothing, and both are logged with the distribution and its
version and posted as SIPApplicationPluginDidFail.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from threading import RLock
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import pluggy

from sipsimple.notification import NotificationCenter, NotificationData
from sipsimple.plugins import hookspecs
from sipsimple.plugins import notifications as notifications
from sipsimple.plugins.hookspecs import PLUGIN_API_VERSION, RESULTS
from sipsimple.realm import Singleton
from sipsimple.threading import call_in_sipsimple_thread

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["ENTRY_POINT_GROUP", "Plugin", "PluginManager", "PluginState"]

log = logging.getLogger("sipsimple.plugins")

ENTRY_POINT_GROUP = "sipsimple"
LOAD_VARIABLE = "SIPSIMPLE_LOAD_PLUGINS"
MAX_FAILURES = 100
"""Different failures of one plugin that are kept; the log has all."""


class PluginState(Enum):
    """What became of a plugin."""

    FOUND = "found"  # its entry point was read, it was not imported yet
    LOADED = "loaded"
    FAILED = "failed"
    DISABLED = "disabled"  # not in SIPSIMPLE_LOAD_PLUGINS


@dataclass(eq=False, slots=True)
class Plugin:
    """A plugin as the manager knows it; `distribution` and `version` are None if registered by hand.

    :ivar reason: why it was not loaded
    :ivar failures: what it did wrong since it was loaded, each once
    """

    name: str
    state: PluginState = PluginState.FOUND
    reason: str | None = None
    hooks: tuple[str, ...] = ()
    failures: list[str] = field(default_factory=list)
    module: Any = field(default=None, repr=False)
    entry_point: EntryPoint | None = field(default=None, repr=False)

    @property
    def distribution(self) -> str | None:
        """The name of the distribution that it came with."""
        dist = None if self.entry_point is None else self.entry_point.dist
        return None if dist is None else str(dist.name)

    @property
    def version(self) -> str | None:
        """The version of that distribution."""
        dist = None if self.entry_point is None else self.entry_point.dist
        return None if dist is None else str(dist.version)

    def __str__(self) -> str:
        origin = "" if self.entry_point is None else f" ({self.distribution} {self.version})"
        return f"{self.name}{origin}"


class PluginError(Exception):
    """Why a plugin can't be used."""


class HookCallers(pluggy.PluginManager):
    """pluggy's manager, which looks at each name of a plugin with `inspect`: for modules there is a quicker way."""

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> Any:
        if not isinstance(plugin, ModuleType):
            return super().parse_hookimpl_opts(plugin, name)
        function = vars(plugin).get(name)
        options = vars(function).get(f"{self.project_name}_impl") if isinstance(function, FunctionType) else None
        return options if isinstance(options, dict) else None


class HookRelay:
    """Calls hooks by attribute: `manager.hook.sipsimple_media_streams()`; see `PluginManager.call`."""

    __slots__ = ("_manager",)

    def __init__(self, manager: PluginManager) -> None:
        self._manager = manager

    def __getattr__(self, name: str) -> Any:
        self._manager._caller(name)
        return lambda **arguments: self._manager.call(name, **arguments)


class PluginManager(metaclass=Singleton):
    """The plugins of the application; one manager in each realm. Its methods are for any thread."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._pluggy = HookCallers("sipsimple")
        self._pluggy.add_hookspecs(hookspecs)
        self._plugins: list[Plugin] = []
        self._found = False
        self._loading = False
        self._loaded = False
        self.hook_names = frozenset(name for name in vars(hookspecs) if name.startswith("sipsimple_"))
        self.hook = HookRelay(self)
        self.generation = 0  # changes whenever a plugin comes or goes

    @property
    def plugins(self) -> tuple[Plugin, ...]:
        """All plugins that there are, imported or not, in the order in which they are asked."""
        with self._lock:
            self._find()
            return tuple(self._plugins)

    def get(self, name: str) -> Plugin | None:
        """The plugin of that name, None if there is none."""
        return next((plugin for plugin in self.plugins if plugin.name == name), None)

    def load(self) -> None:
        """Import the plugins that were not imported yet. The first call of a hook does it."""
        if self._loaded:
            return
        failures: list[tuple[Plugin, PluginError]] = []
        with self._lock:
            self._find()
            if self._loaded or self._loading:  # loading: a plugin calls a hook while it is imported
                return
            self._loading = True
            try:
                for plugin in tuple(self._plugins):
                    if plugin.state is PluginState.FOUND:
                        try:
                            self._load(plugin)
                        except PluginError as error:
                            plugin.state = PluginState.FAILED
                            plugin.reason = str(error)
                            failures.append((plugin, error))
            finally:
                self._loading = False
            self._loaded = True
        for plugin, failure in failures:
            self.report(plugin, str(failure), failure.__cause__)

    def register(self, module: Any, name: str | None = None) -> Plugin:
        """Add a plugin by hand: a module, or any object, with hooks as its attributes.

        Raises ValueError if one of that name (default: that of the module or class) is loaded, or if it can't
        be used; nothing is posted then.
        """
        if name is None:
            name = str(getattr(module, "__name__", type(module).__name__))
        with self._lock:
            self._find()
            plugin = Plugin(name, module=module)
            try:
                self._admit(plugin)
            except PluginError as error:
                raise ValueError(f"the plugin {name} cannot be used: {error}") from error.__cause__
            self._plugins.append(plugin)
            return plugin

    def unregister(self, name: str) -> None:
        """Remove the plugin of that name. Raises KeyError if there is none."""
        with self._lock:
            plugin = self.get(name)
            if plugin is None:
                raise KeyError(f"there is no plugin {name!r}")
            if plugin.state is PluginState.LOADED:
                self._pluggy.unregister(plugin.module)
            self._plugins.remove(plugin)
            self.generation += 1

    def call(self, hook: str, /, **arguments: Any) -> Any:
        """Call a hook in all plugins that implement it, the latest registered first.

        Returns the list of what they returned, without None; of a hook that wants one result the first that
        is not None, or None. A plugin whose hook raises is passed over, and reported. Raises AttributeError
        if there is no such hook and TypeError if an argument is missing.
        """
        results = (result for _, result in self.call_each(hook, **arguments))
        return next(results, None) if self._caller(hook).spec.opts["firstresult"] else list(results)

    def call_each(self, hook: str, /, **arguments: Any) -> Iterator[tuple[Plugin, Any]]:
        """Like `call`, one plugin at a time with what it returned, for who wants to know whose it is."""
        caller = self._caller(hook)
        self.load()
        missing = set(caller.spec.argnames) - set(arguments)
        if missing:
            raise TypeError(f"the hook {hook} needs the arguments {', '.join(sorted(missing))}")
        expected = RESULTS.get(hook, object)
        for implementation in reversed(caller.get_hookimpls()):
            plugin = self._plugin_of(implementation.plugin)
            try:
                result = implementation.function(*[arguments[name] for name in implementation.argnames])
                if hasattr(result, "__next__"):  # a generator is to raise here, if it does
                    result = list(result)
            except (Exception, SystemExit) as error:
                self.report(plugin, f"its hook {hook} raised {type(error).__name__}: {error}", error)
                continue
            if result is None:
                continue
            if isinstance(result, expected):
                yield plugin, result
            else:
                found = type(result).__name__
                self.report(plugin, f"its hook {hook} returns no {expected.__name__} but an object of type {found}")

    def examine(self) -> None:
        """Ask the plugins all that they offer without an application; what fails is in their `failures` then."""
        for hook in sorted(self.hook_names):
            if not self._caller(hook).spec.argnames:
                for _ in self.call_each(hook):
                    pass

    def report(self, plugin: Plugin, reason: str, error: BaseException | None = None) -> None:
        """Log that something is wrong with a plugin, keep it in `failures`, and post SIPApplicationPluginDidFail."""
        failures = plugin.failures
        if plugin.state is PluginState.LOADED and reason not in failures and len(failures) < MAX_FAILURES:
            failures.append(reason)
        log.error("The plugin %s failed: %s", plugin, reason, exc_info=error)
        data = NotificationData(
            plugin=plugin.name,
            distribution=plugin.distribution,
            version=plugin.version,
            reason=reason,
            exception=error,
        )
        post = NotificationCenter().post_notification
        call_in_sipsimple_thread(post, "SIPApplicationPluginDidFail", sender=self, data=data)

    def _find(self) -> None:
        if self._found:
            return
        self._found = True
        wanted = _wanted_names()
        for entry_point in _installed(tuple(sys.path)):
            plugin = Plugin(entry_point.name, entry_point=entry_point)
            if wanted is not None and plugin.name not in wanted:
                plugin.state = PluginState.DISABLED
                plugin.reason = f"not in {LOAD_VARIABLE}"
            self._plugins.append(plugin)
        if wanted is not None:
            for name in sorted(wanted - {plugin.name for plugin in self._plugins}):
                log.warning("%s names the plugin %r, which is not installed", LOAD_VARIABLE, name)

    def _load(self, plugin: Plugin) -> None:
        assert plugin.entry_point is not None
        try:
            plugin.module = plugin.entry_point.load()
        except (Exception, SystemExit) as error:
            reason = f"importing {plugin.entry_point.value} raised {type(error).__name__}: {error}"
            raise PluginError(reason) from error
        self._admit(plugin)

    def _admit(self, plugin: Plugin) -> None:
        """Take the hooks of an imported plugin into use, or raise PluginError."""
        module = plugin.module
        if any(known.name == plugin.name and known.state is PluginState.LOADED for known in self._plugins):
            raise PluginError("another plugin of that name is loaded")
        wanted_api = getattr(module, "sipsimple_plugin_api", PLUGIN_API_VERSION)
        if wanted_api != PLUGIN_API_VERSION:
            raise PluginError(f"it asks for plugin API version {wanted_api!r}, not {PLUGIN_API_VERSION}")
        hooks = self._hooks_of(module)
        try:
            self._pluggy.register(module, plugin.name)
        except Exception as error:
            if self._pluggy.get_plugin(plugin.name) is module:
                self._pluggy.unregister(module)
            raise PluginError(" ".join(str(error).split())) from error
        plugin.hooks = hooks
        plugin.state = PluginState.LOADED
        self.generation += 1

    def _hooks_of(self, module: Any) -> tuple[str, ...]:
        hooks = []
        for attribute in dir(module):
            options = self._pluggy.parse_hookimpl_opts(module, attribute)
            if options is None:
                continue
            hook = options.get("specname") or attribute
            if options.get("wrapper") or options.get("hookwrapper"):
                raise PluginError(f"its hook {hook} is a wrapper, and hooks cannot be wrapped")
            if hook in self.hook_names:
                hooks.append(hook)
            elif not options.get("optionalhook"):
                raise PluginError(f"it implements the unknown hook {hook}")
        return tuple(hooks)

    def _caller(self, hook: str) -> Any:
        if hook not in self.hook_names:
            raise AttributeError(f"there is no hook {hook!r}", name=hook)
        return getattr(self._pluggy.hook, hook)

    def _plugin_of(self, module: Any) -> Plugin:
        return next(plugin for plugin in self._plugins if plugin.module is module)


def _wanted_names() -> frozenset[str] | None:
    value = os.environ.get(LOAD_VARIABLE)
    return None if value is None else frozenset(name.strip() for name in value.split(",") if name.strip())


@lru_cache(maxsize=4)
def _installed(path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """The entry points on the import path, read once a process; only metadata is read, nothing imported."""
    from importlib.metadata import entry_points

    return tuple(sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda entry: (entry.name, entry.value)))
