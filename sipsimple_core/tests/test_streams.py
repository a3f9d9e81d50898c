"""The interface of streams, their registry and their notifications."""

import subprocess
import sys
from enum import Enum
from types import SimpleNamespace

import pytest
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

import sipsimple.streams
from sipsimple.notification import NotificationCenter, NotificationData, NotificationError
from sipsimple.plugins import PluginManager, hookimpl
from sipsimple.realm import Realm
from sipsimple.session import IllegalStateError
from sipsimple.streams import (
    IMediaStream,
    MediaStreamRegistrar,
    MediaStreamRegistry,
    StreamNotInstalledError,
    following,
)
from sipsimple.testing import NotificationRecorder


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    """The registry without the installed plugins; what the test registers is taken out again."""
    monkeypatch.setenv("SIPSIMPLE_LOAD_PLUGINS", "")
    registry = MediaStreamRegistry()
    before = registry._classes, registry._ordered
    registry._classes, registry._ordered = [], None
    yield registry
    registry._classes, registry._ordered = before


def make(name, kind, priority=0, **attributes):
    return MediaStreamRegistrar(name, (), {"type": kind, "priority": priority, **attributes})


def plain(name, kind, priority=0):
    return type(name, (), {"type": kind, "priority": priority})


# the interface


def test_a_stream_that_keeps_the_interface(bare):
    """STR-004, STR-037: a stream class of the application, with all that IMediaStream asks for."""

    @implementer(IMediaStream)
    class MyStream(metaclass=MediaStreamRegistrar):
        type = "mine"
        priority = 5
        hold_supported = False
        on_hold_by_local = on_hold_by_remote = on_hold = False

        def __init__(self, account):
            self.account = account

        @classmethod
        def new_from_sdp(cls, account, remote_sdp, stream_index):
            return cls(account)

        def get_local_media(self, for_offer, remote_sdp=None, stream_index=0):
            pass

        def initialize(self, session, direction):
            pass

        def start(self, local_sdp, remote_sdp, stream_index):
            pass

        def validate_update(self, remote_sdp, stream_index):
            pass

        def update(self, local_sdp, remote_sdp, stream_index):
            pass

        def hold(self):
            pass

        def unhold(self):
            pass

        def deactivate(self):
            pass

        def end(self):
            pass

    assert verifyObject(IMediaStream, MyStream("account"))
    assert list(bare) == [MyStream]


def test_the_interface_has_the_members_of_the_specification():
    """STR-006, STR-007, STR-009, STR-026: the methods with their parameters, and the attributes."""
    methods = {
        "__init__": ("account",),
        "new_from_sdp": ("account", "remote_sdp", "stream_index"),
        "get_local_media": ("for_offer", "remote_sdp", "stream_index"),
        "initialize": ("session", "direction"),
        "start": ("local_sdp", "remote_sdp", "stream_index"),
        "validate_update": ("remote_sdp", "stream_index"),
        "update": ("local_sdp", "remote_sdp", "stream_index"),
        "hold": (),
        "unhold": (),
        "deactivate": (),
        "end": (),
    }
    attributes = {"type", "priority", "hold_supported", "on_hold_by_local", "on_hold_by_remote", "on_hold"}
    assert set(IMediaStream) == set(methods) | attributes
    for name, parameters in methods.items():
        assert IMediaStream[name].positional == parameters
        assert IMediaStream[name].__doc__
    assert IMediaStream["get_local_media"].required == ("for_offer",)


# the registry


def test_defining_a_class_registers_it(bare):
    """STR-005, STR-037: a class whose metaclass is MediaStreamRegistrar is registered when it is defined."""
    stream = make("MyStream", "mine")
    assert stream in bare
    assert bare.get("mine") is stream
    assert bare.get("MyStream") is stream
    assert bare.get("other") is None


def test_there_is_one_registry_for_all_realms(bare):
    assert Realm("other").run(MediaStreamRegistry) is bare is MediaStreamRegistry()


def test_a_base_class_without_a_type_is_not_registered(bare):
    base = make("Base", None)
    assert list(bare) == []
    derived = type(base)("Derived", (base,), {"type": "derived"})
    assert list(bare) == [derived]


def test_higher_priority_comes_first(bare):
    """STR-027, STR-038: classes are asked in the order of their priority, equals in that of registration."""
    classes = [
        make("A", "a", 1),
        make("B", "b", 10),
        make("C", "c", 1),
        make("D", "d", -5),
        make("E", "e", 10),
    ]
    assert [cls.__name__ for cls in bare] == ["B", "E", "A", "C", "D"]
    assert len(bare) == 5
    bare.unregister(classes[1])
    assert [cls.__name__ for cls in bare] == ["E", "A", "C", "D"]
    with pytest.raises(KeyError):
        bare.unregister(classes[1])


def test_type_wins_over_class_name_and_priority_over_both(bare):
    make("audio", "odd", 100)
    low, high = make("Low", "audio", 1), make("High", "audio", 2)
    assert bare.get("audio") is high
    bare.unregister(high)
    assert bare.get("audio") is low


def test_class_that_is_defined_anew_replaces_the_old_one(bare):
    make("MyStream", "mine")
    second = make("MyStream", "mine")
    assert list(bare) == [second]


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (plain("A", 5), "needs a str"),
        (plain("A", ""), "needs a str"),
        (plain("A", "a", "high"), "needs an int"),
        (type("A", (), {}), "needs a str"),
        ("A", "only classes"),
    ],
)
def test_what_is_no_stream_class_is_refused(bare, cls, message):
    """STR-026, STR-027: `type` is a str and `priority` an int."""
    with pytest.raises(TypeError, match=message):
        bare.register(cls)
    assert list(bare) == []


def test_classes_of_plugins_are_registered(bare):
    """STR-005, STR-038: the hook sipsimple_media_streams gives classes, and is called once."""
    calls = []
    chat = plain("PluginStream", "plugin")

    @hookimpl
    def sipsimple_media_streams():
        calls.append(1)
        list(MediaStreamRegistry())
        return [chat]

    PluginManager().register(SimpleNamespace(sipsimple_media_streams=sipsimple_media_streams), "p")
    assert list(bare) == list(bare) == [chat]
    assert calls == [1]
    assert sipsimple.streams.PluginStream is chat


def test_plugin_that_comes_later_is_asked_too(bare):
    assert list(bare) == []
    late = plain("Late", "late")
    PluginManager().register(SimpleNamespace(sipsimple_media_streams=hookimpl(lambda: [late])), "late")
    # The function's name is not the hook's: pluggy goes by the attribute's name.
    assert list(bare) == [late]


def streams_of(*classes):
    return SimpleNamespace(sipsimple_media_streams=hookimpl(lambda: list(classes)))


def test_two_plugins_that_claim_one_type(bare):
    """The one that comes second is reported; its class is asked after the other, and everything else works."""
    recorder = NotificationRecorder()
    manager = PluginManager()
    first, second, other = plain("First", "board", 5), plain("Second", "board", 1), plain("Other", "other")
    manager.register(streams_of(second, other), "late")
    manager.register(streams_of(first), "early")
    assert list(bare) == [first, second, other]
    assert bare.get("board") is first and bare.load_class("Second") is second
    data = recorder.assert_one("SIPApplicationPluginDidFail").data
    assert data.plugin == "late"
    assert data.reason == "its stream Second has the type 'board' of First of the plugin early, which is asked first"


def test_a_plugin_may_derive_from_the_stream_of_another(bare):
    """A better chat is meant to come before the chat."""
    recorder = NotificationRecorder()
    chat = plain("Chat", "talk", 1)
    better = type("BetterChat", (chat,), {"priority": 2})
    manager = PluginManager()
    manager.register(streams_of(chat), "chat")
    manager.register(streams_of(better), "better")
    assert bare.get("talk") is better
    assert recorder.find_all("SIPApplicationPluginDidFail") == []


def test_plugin_that_gives_no_streams_is_reported(bare):
    recorder = NotificationRecorder()
    good = plain("Good", "good")
    manager = PluginManager()
    manager.register(SimpleNamespace(sipsimple_media_streams=hookimpl(lambda: [int])), "bad")
    manager.register(SimpleNamespace(sipsimple_media_streams=hookimpl(lambda: 5)), "worse")
    manager.register(SimpleNamespace(sipsimple_media_streams=hookimpl(lambda: [good])), "good")
    assert list(bare) == [good]
    assert {n.data.plugin for n in recorder.find_all("SIPApplicationPluginDidFail")} == {"bad", "worse"}


# names


@pytest.mark.parametrize(
    ("name", "distribution"),
    [
        ("AudioStream", "sipsimple-audio"),
        ("ChatStream", "sipsimple-chat"),
        ("FileTransferStream", "sipsimple-filetransfer"),
        ("DesktopSharingStream", "sipsimple-desktopsharing"),
    ],
)
def test_stream_that_is_not_installed_says_what_to_install(name, distribution):
    """STR-001, STR-003: importing a stream of the SDK whose plugin is missing names the distribution."""
    with pytest.raises(StreamNotInstalledError, match=rf"{name}.*{distribution}"):
        exec(f"from sipsimple.streams import {name}")
    assert issubclass(StreamNotInstalledError, ImportError)


def test_stream_of_a_plugin_that_is_broken_says_why(bare, monkeypatch, caplog):
    """STR-001: the ImportError says why the plugin that is installed does not work."""
    entry_point = SimpleNamespace(
        name="chat",
        value="broken",
        dist=SimpleNamespace(name="sipsimple-chat", version="9"),
        load=lambda: 1 / 0,
    )
    monkeypatch.setattr("sipsimple.plugins.manager._installed", lambda path: (entry_point,))
    monkeypatch.delenv("SIPSIMPLE_LOAD_PLUGINS")
    with pytest.raises(ImportError, match=r"sipsimple-chat 9.*ZeroDivisionError"):
        exec("from sipsimple.streams import ChatStream")


def test_registered_streams_can_be_imported(bare):
    """STR-001, STR-004: also a third party's stream class is importable from sipsimple.streams."""
    chat, mine = make("ChatStream", "chat"), make("MyStream", "mine")
    from sipsimple.streams import ChatStream, MyStream

    assert (ChatStream, MyStream) == (chat, mine)


def test_names_that_are_nobodys():
    """STR-001: for an unknown name the import fails as from any module."""
    with pytest.raises(ImportError, match="NoSuchStream"):
        exec("from sipsimple.streams import NoSuchStream")
    with pytest.raises(ImportError, match="nosuchmodule"):
        exec("from sipsimple.streams import nosuchmodule")
    assert not hasattr(sipsimple.streams, "NoSuchStream")


def test_plugins_are_imported_only_when_a_stream_is_asked_for():
    """STR-001, STR-002: `import sipsimple.streams` and its subpackages import no plugin."""
    code = """
import sys
import sipsimple.streams
from sipsimple.streams import IMediaStream, MediaStreamRegistrar
assert not [name for name in sys.modules if name.endswith('.plugin')]
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


# notifications


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("MediaStreamDidInitialize", {}),
        ("MediaStreamDidStart", {}),
        ("MediaStreamDidFail", {"context": "start", "failure": None, "reason": "no route"}),
        ("MediaStreamDidFail", {"context": "reading", "failure": Failure(OSError()), "reason": "no route"}),
        ("MediaStreamWillEnd", {}),
        ("MediaStreamDidEnd", {}),
        ("MediaStreamDidEnd", {"error": "timed out"}),
        ("MediaStreamDidEnd", {"error": None}),
    ],
)
def test_notifications_of_streams(name, fields):
    """STR-031: the notifications of every stream, with their data."""
    recorder = NotificationRecorder()
    NotificationCenter().post_notification(name, sender="stream", data=NotificationData(**fields))
    recorder.assert_one(name, sender="stream", **fields)


def test_failure_of_a_stream_says_why():
    """STR-034: MediaStreamDidFail has context, failure and reason."""
    with pytest.raises(NotificationError, match="context"):
        NotificationCenter().post_notification("MediaStreamDidFail", data=NotificationData(reason="x", failure=None))


def test_a_life_as_a_table() -> None:
    """STR-010: a call that the state does not allow says which states allow it."""
    states = {Life.NEW: {Step.BEGIN: Life.BEGUN}, Life.BEGUN: {}}
    assert following(states, Life.NEW, Step.BEGIN) is Life.BEGUN
    with pytest.raises(IllegalStateError, match=r"begin\(\) is not allowed in the state 'begun'.*'new'"):
        following(states, Life.BEGUN, Step.BEGIN)


class Life(Enum):
    NEW = "new"
    BEGUN = "begun"


class Step(Enum):
    BEGIN = "begin()"
