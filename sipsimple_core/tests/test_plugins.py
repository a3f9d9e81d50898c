"""The plugin manager: finding, importing and calling plugins, and those that are broken."""

import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from sipsimple.notification import NotificationCenter, declared_notifications
from sipsimple.plugins import PLUGIN_API_VERSION, PluginManager, PluginState, hookimpl, hookspecs
from sipsimple.plugins import manager as manager_module
from sipsimple.realm import Realm
from sipsimple.testing import NotificationRecorder

GOOD = """
    from sipsimple.plugins import hookimpl
    import sys
    @hookimpl
    def sipsimple_desktop_sharing_handlers():
        return {NAME: object}
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs distributions with one plugin each, and has only plugins with such names loaded."""
    names = []

    def install(name, source=GOOD, attribute="", version="1.5"):
        module = f"plugin_{name}_{abs(hash(tmp_path))}"
        lines = [line.removeprefix("    ") for line in source.replace("NAME", repr(name)).splitlines()]
        (tmp_path / f"{module}.py").write_text("\n".join(lines))
        metadata = tmp_path / f"dist_{name}-{version}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: dist-{name}\nVersion: {version}\n")
        (metadata / "entry_points.txt").write_text(f"[sipsimple]\n{name} = {module}{attribute}\n")
        names.append(name)
        monkeypatch.setenv("SIPSIMPLE_LOAD_PLUGINS", ",".join(names))
        manager_module._installed.cache_clear()
        return module

    monkeypatch.setenv("SIPSIMPLE_LOAD_PLUGINS", "")
    monkeypatch.syspath_prepend(tmp_path)
    yield install
    manager_module._installed.cache_clear()


@pytest.fixture
def bare(monkeypatch):
    """The manager of the realm, without the plugins that are installed."""
    monkeypatch.setenv("SIPSIMPLE_LOAD_PLUGINS", "")
    return PluginManager()


def plugin(**hooks):
    return SimpleNamespace(**{name: hookimpl(function) for name, function in hooks.items()})


# finding and importing


def test_plugins_are_listed_without_being_imported(install):
    """The list has name, distribution, version, hooks and state, and costs no import."""
    module = install("one")
    listed = PluginManager().get("one")
    assert (listed.name, listed.distribution, listed.version) == ("one", "dist-one", "1.5")
    assert (listed.state, listed.hooks, listed.reason) == (PluginState.FOUND, (), None)
    assert module not in sys.modules
    assert str(listed) == "one (dist-one 1.5)"


def test_the_first_call_of_a_hook_imports_the_plugins(install):
    module = install("one")
    manager = PluginManager()
    assert manager.hook.sipsimple_desktop_sharing_handlers() == [{"one": object}]
    assert module in sys.modules
    assert manager.get("one").state is PluginState.LOADED
    assert manager.get("one").hooks == ("sipsimple_desktop_sharing_handlers",)


def test_entry_point_may_name_an_object_in_a_module(install):
    source = """
    from sipsimple.plugins import hookimpl
    class Plugin:
        @hookimpl
        def sipsimple_desktop_sharing_handlers(self):
            return {'from': type(self).__name__}
    plugin = Plugin()
    """
    install("objects", source, attribute=":plugin")
    assert PluginManager().call("sipsimple_desktop_sharing_handlers") == [{"from": "Plugin"}]


def test_environment_restricts_what_is_loaded(install, monkeypatch):
    """SIPSIMPLE_LOAD_PLUGINS=a,b loads those only, and what it names in vain is said."""
    modules = {name: install(name) for name in ("one", "two", "three")}
    monkeypatch.setenv("SIPSIMPLE_LOAD_PLUGINS", " one, three ,")
    manager = PluginManager()
    manager.load()
    assert {p.name for p in manager.plugins if p.state is PluginState.LOADED} == {"one", "three"}
    assert manager.get("two").state is PluginState.DISABLED
    assert "SIPSIMPLE_LOAD_PLUGINS" in manager.get("two").reason
    assert modules["two"] not in sys.modules


def test_environment_that_names_an_unknown_plugin_is_warned_about(install, monkeypatch, caplog):
    monkeypatch.setenv("SIPSIMPLE_LOAD_PLUGINS", "nosuch")
    PluginManager().load()
    assert [r.getMessage() for r in caplog.records] == [
        "SIPSIMPLE_LOAD_PLUGINS names the plugin 'nosuch', which is not installed"
    ]


def test_plugin_may_call_hooks_while_it_is_imported(install):
    install(
        "nosy",
        """
    from sipsimple.plugins import PluginManager
    PluginManager().call('sipsimple_audio_engines')
    """
        + GOOD,
    )
    assert PluginManager().hook.sipsimple_desktop_sharing_handlers() == [{"nosy": object}]


def test_threads_that_need_plugins_at_once_all_get_them(install):
    install("slow", "    import time; time.sleep(0.05)\n" + GOOD)
    manager, results = PluginManager(), []
    threads = [
        threading.Thread(target=lambda: results.append(manager.call("sipsimple_desktop_sharing_handlers")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert results == [[{"slow": object}]] * 4


def test_finding_twenty_plugins_is_quick(install):
    """Discovery of 20 plugins takes about 5 ms; 50 ms are allowed here for a busy machine."""
    for number in range(20):
        install(f"p{number}")
    PluginManager().plugins  # noqa: B018
    durations = []
    for _ in range(5):
        manager_module._installed.cache_clear()
        start = time.perf_counter()
        assert len(Realm().run(lambda: PluginManager().plugins)) >= 20
        durations.append(time.perf_counter() - start)
    assert min(durations) < 0.05


def test_importing_the_session_imports_no_plugin_and_no_metadata():
    """`import sipsimple.plugins` and `sipsimple.streams` read no metadata and import no plugin."""
    code = """
import sys, sipsimple.plugins, sipsimple.streams
assert 'importlib.metadata' not in sys.modules
assert not [name for name in sys.modules if name.startswith(('msrplib', 'sipsimple.streams.m', 'twisted'))]
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


# plugins that are broken

BROKEN = {
    "import-error": ("    import nosuchmodule_at_all\n", "raised ModuleNotFoundError", ModuleNotFoundError),
    "raises": ("    1 / 0\n", "raised ZeroDivisionError", ZeroDivisionError),
    "exits": ("    import sys; sys.exit(3)\n", "raised SystemExit", SystemExit),
    "syntax": ("    def (:\n", "raised SyntaxError", SyntaxError),
    "api": ("    sipsimple_plugin_api = 99\n" + GOOD, "plugin API version 99, not 1", None),
    "hook": (
        GOOD + "    @hookimpl\n    def sipsimple_media_steams():\n        pass\n",
        "unknown hook sipsimple_media_steams",
        None,
    ),
    "argument": (
        GOOD + "    @hookimpl\n    def sipsimple_resolver(nonsense):\n        pass\n",
        "nonsense",
        Exception,
    ),
    "wrapper": (
        "    from sipsimple.plugins import hookimpl\n"
        "    @hookimpl(wrapper=True)\n    def sipsimple_resolver():\n        return (yield)\n",
        "is a wrapper",
        None,
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_plugin_is_skipped_and_reported(install, caplog, kind):
    """A plugin that can't be used is skipped, logged with distribution and version, and posted as
    SIPApplicationPluginDidFail; the others work."""
    source, reason, error = BROKEN[kind]
    install("bad", source)
    install("good")
    recorder = NotificationRecorder()
    manager = PluginManager()
    assert manager.hook.sipsimple_desktop_sharing_handlers() == [{"good": object}]
    bad = manager.get("bad")
    assert bad.state is PluginState.FAILED
    assert reason in bad.reason
    data = recorder.assert_one("SIPApplicationPluginDidFail", sender=manager).data
    assert (data.plugin, data.distribution, data.version) == ("bad", "dist-bad", "1.5")
    assert reason in data.reason
    assert data.exception is None if error is None else isinstance(data.exception, error)
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "bad (dist-bad 1.5)" in record.getMessage()
    manager.hook.sipsimple_desktop_sharing_handlers()
    recorder.assert_one("SIPApplicationPluginDidFail")


def test_an_interrupted_import_is_made_up_for(install, monkeypatch):
    """Ctrl-C while plugins are imported goes its way; the next hook imports the rest of them."""
    install("one", "    import builtins\n    builtins.interrupt()\n" + GOOD)
    install("two")

    def interrupt():
        monkeypatch.setattr("builtins.interrupt", lambda: None)
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.interrupt", interrupt, raising=False)
    manager = PluginManager()
    with pytest.raises(KeyboardInterrupt):
        manager.load()
    assert manager.hook.sipsimple_desktop_sharing_handlers() == [{"two": object}, {"one": object}]


def test_two_plugins_of_one_name_are_not_both_loaded(install, tmp_path):
    install("twin")
    other = tmp_path / "dist_other-1.0.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: dist-other\nVersion: 1.0\n")
    (other / "entry_points.txt").write_text("[sipsimple]\ntwin = json\n")
    manager = PluginManager()
    manager.load()
    states = {p.distribution: p.state for p in manager.plugins if p.name == "twin"}
    assert sorted(states.values(), key=str) == [PluginState.FAILED, PluginState.LOADED]


@pytest.mark.parametrize("error", [LookupError, SystemExit])
def test_hook_that_raises_does_not_stop_the_others(bare, caplog, error):
    def fail():
        raise error("no handler")

    bare.register(plugin(sipsimple_desktop_sharing_handlers=lambda: {"a": int}), "a")
    bare.register(plugin(sipsimple_desktop_sharing_handlers=fail), "b")
    bare.register(plugin(sipsimple_desktop_sharing_handlers=lambda: {"c": int}), "c")
    recorder = NotificationRecorder()
    assert bare.hook.sipsimple_desktop_sharing_handlers() == [{"c": int}, {"a": int}]
    data = recorder.assert_one("SIPApplicationPluginDidFail").data
    assert (data.plugin, data.distribution, data.version) == ("b", None, None)
    assert f"sipsimple_desktop_sharing_handlers raised {error.__name__}: no handler" in data.reason
    assert isinstance(data.exception, error)
    assert "The plugin b failed" in caplog.text


def test_an_examination_finds_what_is_wrong(bare):
    """Each failure once, with the plugin; of hooks that need no application alone."""

    def fail():
        raise LookupError("broken")

    broken = bare.register(plugin(sipsimple_settings=fail, sipsimple_application_services=fail), "broken")
    wrong = bare.register(plugin(sipsimple_media_streams=lambda: 42), "wrong")
    sound = bare.register(plugin(sipsimple_media_streams=lambda: ()), "sound")
    bare.examine()
    bare.examine()
    assert broken.failures == ["its hook sipsimple_settings raised LookupError: broken"]
    assert wrong.failures == ["its hook sipsimple_media_streams returns no Iterable but an object of type int"]
    assert sound.failures == []


def test_failures_that_are_kept_are_bounded(bare):
    kept = bare.register(plugin(), "kept")
    for number in range(500):
        bare.report(kept, f"failure {number}")
    assert len(kept.failures) == 100


def test_hook_that_is_a_generator_is_run_within_the_hook(bare):
    def fail():
        yield int
        raise LookupError

    bare.register(plugin(sipsimple_media_streams=lambda: iter([int])), "a")
    bare.register(plugin(sipsimple_media_streams=fail), "b")
    assert bare.hook.sipsimple_media_streams() == [[int]]


@pytest.mark.parametrize(
    ("hook", "result"),
    [("sipsimple_media_streams", 5), ("sipsimple_settings", True), ("sipsimple_audio_engines", ["engine"])],
)
def test_hook_that_returns_the_wrong_thing_counts_for_nothing(bare, caplog, hook, result):
    bare.register(plugin(**{hook: lambda: result}), "a")
    recorder = NotificationRecorder()
    assert bare.call(hook) == []
    reason = recorder.assert_one("SIPApplicationPluginDidFail", plugin="a").data.reason
    assert f"its hook {hook} returns no" in reason
    assert type(result).__name__ in reason


# calling


def test_hook_gets_those_arguments_that_it_wants(bare):
    bare.register(plugin(sipsimple_account_services=lambda account: [account]), "a")
    bare.register(plugin(sipsimple_account_services=lambda: ["none"]), "b")
    assert bare.hook.sipsimple_account_services(account="alice") == [["none"], ["alice"]]
    with pytest.raises(TypeError, match="needs the arguments account"):
        bare.hook.sipsimple_account_services()


def test_hook_of_one_result_takes_the_first_that_is_not_none(bare):
    assert bare.hook.sipsimple_resolver() is None
    bare.register(plugin(sipsimple_resolver=lambda: "first"), "a")
    bare.register(plugin(sipsimple_resolver=lambda: "second"), "b")
    bare.register(plugin(sipsimple_resolver=lambda: None), "c")
    bare.register(plugin(sipsimple_resolver=lambda: 1 / 0), "d")
    assert bare.hook.sipsimple_resolver() == "second"


def test_unknown_hook_is_an_attribute_error(bare):
    with pytest.raises(AttributeError, match="no hook"):
        bare.hook.sipsimple_nonsense  # noqa: B018
    with pytest.raises(AttributeError, match="no hook"):
        bare.call("sipsimple_nonsense")


def test_register_refuses_what_cannot_be_used(bare):
    recorder = NotificationRecorder()
    with pytest.raises(ValueError, match="unknown hook sipsimple_nonsense"):
        bare.register(plugin(sipsimple_nonsense=lambda: None), "a")
    with pytest.raises(ValueError, match="plugin API version 2"):
        bare.register(SimpleNamespace(sipsimple_plugin_api=PLUGIN_API_VERSION + 1), "a")
    bare.register(plugin(), "a")
    with pytest.raises(ValueError, match="of that name is loaded"):
        bare.register(plugin(), "a")
    assert recorder.names() == []
    assert [p.name for p in bare.plugins if p.state is PluginState.LOADED] == ["a"]


def test_unregistered_plugin_is_not_called(bare):
    bare.register(plugin(sipsimple_resolver=lambda: "a"), "a")
    generation = bare.generation
    bare.unregister("a")
    assert bare.generation != generation
    assert bare.hook.sipsimple_resolver() is None
    with pytest.raises(KeyError):
        bare.unregister("a")


def test_optional_hook_may_be_unknown(bare):
    module = SimpleNamespace(sipsimple_future=hookimpl(optionalhook=True)(lambda: None))
    assert bare.register(module, "future").hooks == ()


def test_managers_belong_to_realms(bare):
    bare.register(plugin(sipsimple_resolver=lambda: "mine"), "a")
    other = Realm("other")
    assert other.run(lambda: PluginManager().hook.sipsimple_resolver()) is None
    assert other.run(NotificationCenter) is not NotificationCenter()


def test_every_hook_says_what_it_is_for(bare):
    assert bare.hook_names == {
        "sipsimple_media_streams",
        "sipsimple_settings",
        "sipsimple_account_services",
        "sipsimple_application_services",
        "sipsimple_resolver",
        "sipsimple_conference_handler",
        "sipsimple_desktop_sharing_handlers",
        "sipsimple_audio_engines",
        "sipsimple_commands",
    }
    for name in bare.hook_names:
        assert len(getattr(hookspecs, name).__doc__) > 20


def test_failure_notification_is_declared():
    fields = declared_notifications()["SIPApplicationPluginDidFail"].fields
    assert set(fields) == {"plugin", "distribution", "version", "reason", "exception"}
