"""The application: its attributes, its way from start to end, and what goes wrong on the way."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from sipsimple.application import SIPApplication
from sipsimple.application import components as components_module
from sipsimple.application.components import Component
from sipsimple.application.states import APPLICATION_STATES, ApplicationState
from sipsimple.configuration import ConfigurationManager
from sipsimple.plugins import PluginManager, hookimpl
from sipsimple.session import IllegalStateError
from sipsimple.storage import MemoryStorage
from sipsimple.testing import MemoryNetwork, UserAgent

WILL_START, DID_START = "SIPApplicationWillStart", "SIPApplicationDidStart"
WILL_END, DID_END = "SIPApplicationWillEnd", "SIPApplicationDidEnd"
ALL = [WILL_START, DID_START, WILL_END, DID_END]

AUDIO_ATTRIBUTES = [
    'alert_audio_mixer', 'alert_audio_bridge', 'alert_audio_device', 'voice_audio_mixer', 'voice_audio_bridge',
    'voice_audio_device',
]  # fmt: skip


class Application(SIPApplication):
    """An application of its own."""


@pytest.fixture
def network() -> MemoryNetwork:
    return MemoryNetwork()


@pytest.fixture
def agent(network: MemoryNetwork) -> UserAgent:
    return UserAgent(network, "alice", start=False)


def told(agent: UserAgent) -> list[str]:
    return agent.recorder.names(only=ALL)


def start(agent: UserAgent, storage: Any = None) -> None:
    agent.run(agent.application.start, MemoryStorage() if storage is None else storage)


def wait(agent: UserAgent, name: str, count: int = 1) -> None:
    agent.network.run_until(lambda: agent.recorder.count(name) >= count, timeout=60.0)


# Attributes


def test_it_is_a_singleton() -> None:
    """APP-002, APP-003: one object, made without arguments."""
    assert SIPApplication() is SIPApplication()
    assert Application() is Application()
    with pytest.raises(TypeError):
        type.__call__(SIPApplication, "argument")


def test_attributes_before_start() -> None:
    """APP-016, APP-017, APP-018, APP-019, APP-020, APP-021, APP-022, APP-023, APP-024: what there is before anything
    was started."""
    application = SIPApplication()
    assert application.running is False and SIPApplication.running is False
    assert application.storage is None and application.local_nat_type == "unknown"
    for name in AUDIO_ATTRIBUTES:
        assert getattr(SIPApplication, name) is None and getattr(application, name) is None


@pytest.mark.parametrize("name", ["storage", "local_nat_type", *AUDIO_ATTRIBUTES])
@pytest.mark.parametrize("owner", [SIPApplication, Application, SIPApplication(), Application()])
def test_attributes_have_one_value(name: str, owner: Any) -> None:
    """APP-004, APP-005: wherever it is set, everybody sees it."""
    value = object()
    setattr(owner, name, value)
    for reader in (SIPApplication, Application, SIPApplication(), Application()):
        assert getattr(reader, name) is value


def test_other_attributes_are_the_classes_own() -> None:
    """APP-004: an application's own attributes behave as anybody's."""
    Application.title = "mine"  # type: ignore[attr-defined]
    assert Application().title == "mine" and not hasattr(SIPApplication, "title")  # type: ignore[attr-defined]
    del Application.title  # type: ignore[attr-defined]


def test_values_belong_to_the_realm(network: MemoryNetwork, agent: UserAgent) -> None:
    """APP-004: two user agents in a process do not see each other's."""
    agent.run(lambda: setattr(SIPApplication, "local_nat_type", "open"))
    assert SIPApplication.local_nat_type == "unknown"
    assert agent.run(lambda: Application.local_nat_type) == "open"


# From start to end


def test_start_and_stop(agent: UserAgent) -> None:
    """APP-001, APP-008, APP-013, APP-014, APP-015, APP-016, APP-017, APP-025, APP-026, APP-027, APP-028, APP-029,
    APP-030, APP-035: the whole way."""
    application, storage = agent.application, MemoryStorage()
    start(agent, storage)
    assert told(agent) == [], "start() returns before anything is told"
    assert agent.run(lambda: (application.running, SIPApplication.storage)) == (True, storage)
    wait(agent, DID_START)
    assert told(agent) == [WILL_START, DID_START]
    agent.run(application.stop)
    assert agent.run(lambda: application.running) is False
    wait(agent, DID_END)
    assert told(agent) == ALL
    for name in ALL:
        notification = agent.recorder.assert_one(name, application)
        assert notification.data.timestamp.utcoffset() == timedelta(0)
    assert agent.reactor.getDelayedCalls() == []


def test_the_order_of_the_components(agent: UserAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    """APP-009, APP-025, APP-026, APP-034: configuration, engine, accounts, sessions, services; another way back."""
    calls: list[str] = []

    def component(name: str, order: int) -> Component:
        return Component(name, lambda: calls.append(f"+{name}"), lambda: calls.append(f"-{name}"), order, 1.0)

    real = agent.run(components_module.components, agent.application)
    assert [part.name for part in real] == [
        'The log of notifications',
        'The engine', 'The account manager', 'The session manager', 'The services of the plugins',
    ]  # fmt: skip
    fake = [component(part.name.rpartition(" ")[2], part.stop_order) for part in real]
    monkeypatch.setattr("sipsimple.application.lifecycle.components", lambda application: fake)
    monkeypatch.setattr(ConfigurationManager, "start", lambda self: calls.append("configuration"))
    observe(agent, ALL, lambda notification: calls.append(notification.name))
    start(agent)
    wait(agent, DID_START)
    agent.run(agent.application.stop)
    wait(agent, DID_END)
    assert calls == [
        'configuration', WILL_START, '+notifications', '+engine', '+manager', '+manager', '+plugins', DID_START,
        WILL_END, '-manager', '-manager', '-plugins', '-engine', '-notifications', DID_END,
    ]  # fmt: skip
    assert min(real, key=lambda part: part.stop_order).name == "The session manager"


def test_an_engine_a_manager_and_sessions_run(agent: UserAgent) -> None:
    """APP-009, APP-034: the engine listens as the settings say, and the managers are started."""
    from sipsimple.account import AccountManager
    from sipsimple.core.engine import Engine
    from sipsimple.session import SessionManager

    agent.start()
    assert agent.run(lambda: Engine().is_running)
    assert agent.run(lambda: Engine().local_address("udp")) == (agent.ip, 5060)
    assert agent.account in agent.run(lambda: AccountManager().get_accounts())
    assert agent.run(lambda: SessionManager()._serving)
    agent.recorder.assert_order(WILL_START, "SIPEngineWillStart", "SIPEngineDidStart", DID_START)
    agent.stop()
    assert not agent.run(lambda: Engine().is_running or SessionManager()._serving)
    agent.recorder.assert_order(WILL_END, "SIPEngineWillEnd", "SIPEngineDidEnd", DID_END)


def test_tls_that_can_not_be_had(network: MemoryNetwork) -> None:
    """APP-032, APP-033: TLS that can't be had is told, and everything else is started."""
    agent = UserAgent(network, "alice", transports=["tls", "udp"], settings={"tls.certificate": "/nowhere/at/all.pem"})
    error = agent.recorder.assert_one("SIPApplicationFailedToStartTLS", agent.application).data.error
    assert "/nowhere/at/all.pem" in str(error)
    agent.recorder.assert_order(WILL_START, "SIPApplicationFailedToStartTLS", DID_START)
    agent.stop()


def test_the_log_of_notifications(agent: UserAgent, caplog: pytest.LogCaptureFixture) -> None:
    """`logs.trace_notifications`: each notification is a line while it is on, without a password in it."""
    from sipsimple.configuration.settings import SIPSimpleSettings

    caplog.set_level("INFO", "sipsimple.notifications")
    agent.start()

    def trace(wanted: bool) -> None:
        SIPSimpleSettings().logs.trace_notifications = wanted
        SIPSimpleSettings().save()

    def save(password: str) -> None:
        agent.account.auth.password = password
        agent.account.save()

    def lines() -> list[str]:
        agent.network.advance(1)
        return [record.getMessage() for record in caplog.records if record.name == "sipsimple.notifications"]

    agent.run(save, "hidden1")
    assert lines() == []
    agent.run(trace, True)
    agent.run(save, "hidden2")
    (line,) = [
        line for line in lines() if line.startswith(f"CFGSettingsObjectDidChange from Account {agent.account.id}")
    ]
    assert "auth.password" in line and "hidden" not in line
    agent.run(trace, False)
    known = len(lines())
    agent.run(save, "hidden3")
    assert len(lines()) == known
    agent.run(trace, True)
    agent.stop()
    assert "SIPEngineDidEnd" in lines()[-1]


def test_restart(agent: UserAgent) -> None:
    """APP-011: stopped means that it can be started again, as often as one likes."""
    for round in (1, 2, 3):
        start(agent)
        wait(agent, DID_START, round)
        agent.run(agent.application.stop)
        wait(agent, DID_END, round)
    assert told(agent) == ALL * 3


def test_restart_from_inside_the_observer_of_the_end(agent: UserAgent) -> None:
    """APP-015: with SIPApplicationDidEnd everything is stopped."""
    start(agent)
    wait(agent, DID_START)
    once = observe(agent, [DID_END], lambda notification: (once(), start(agent)))
    agent.run(agent.application.stop)
    wait(agent, DID_START, 2)
    assert told(agent) == [*ALL, WILL_START, DID_START]
    agent.stop()


def test_a_subclass_is_the_same_application(agent: UserAgent) -> None:
    """APP-004: what one class starts the other can stop; the sender is who was started."""
    own = agent.run(Application)
    agent.run(own.start, MemoryStorage())
    wait(agent, DID_START)
    assert agent.recorder.assert_one(DID_START).sender is own
    with pytest.raises(IllegalStateError):
        start(agent)
    agent.run(agent.application.stop)
    wait(agent, DID_END)
    assert agent.recorder.assert_one(DID_END).sender is own
    assert agent.run(lambda: Application.running) is False


# Misuse


@pytest.mark.parametrize("storage", [None, object(), "storage"])
def test_no_storage(agent: UserAgent, storage: Any) -> None:
    """APP-007: anything but an ISIPSimpleStorage is refused at once."""
    with pytest.raises(TypeError, match="ISIPSimpleStorage"):
        agent.run(agent.application.start, storage)
    with pytest.raises(TypeError):
        agent.run(agent.application.start)  # type: ignore[call-arg]
    assert agent.run(lambda: (SIPApplication.storage, SIPApplication.running)) == (None, False)


def test_start_twice(agent: UserAgent) -> None:
    """APP-009: a second start() is refused while the first is under way, while it runs and while it stops."""
    storage = MemoryStorage()
    start(agent, storage)
    for expected in ("starting", "started", "stopping"):
        with pytest.raises(IllegalStateError) as raised:
            start(agent)
        assert raised.value.state == expected and raised.value.allowed == ("stopped",)
        assert agent.run(lambda: SIPApplication.storage) is storage
        if expected == "starting":
            wait(agent, DID_START)
        elif expected == "started":
            agent.run(agent.application.stop)
    wait(agent, DID_END)
    assert told(agent) == ALL


def test_stop_without_start(agent: UserAgent) -> None:
    """APP-014: nothing to stop, nothing happens."""
    agent.run(agent.application.stop)
    agent.network.advance(1.0)
    assert told(agent) == []
    start(agent)
    wait(agent, DID_START)
    agent.stop()
    agent.run(agent.application.stop)
    agent.network.advance(1.0)
    assert told(agent) == ALL


def test_stop_before_did_start(agent: UserAgent) -> None:
    """APP-016, APP-028, APP-029: WillEnd and DidEnd follow, DidStart never comes."""
    start(agent)
    agent.run(agent.application.stop)
    assert agent.run(lambda: agent.application.running) is False
    wait(agent, DID_END)
    agent.network.advance(5.0)
    assert told(agent) == [WILL_START, WILL_END, DID_END]
    assert agent.recorder.names(only=["SIPEngineWillStart"]) == []
    start(agent)
    wait(agent, DID_START)
    agent.stop()


@pytest.mark.parametrize("name", [WILL_START, "SIPEngineWillStart", "SIPEngineDidStart", DID_START, WILL_END])
def test_stop_from_inside_an_observer(agent: UserAgent, name: str) -> None:
    """APP-014, APP-028: stop() from inside an observer of any step."""
    observe(agent, [name], lambda notification: agent.application.stop())
    start(agent)
    if name == WILL_END:
        wait(agent, DID_START)
        agent.run(agent.application.stop)
    wait(agent, DID_END)
    expected = ALL if name in (DID_START, WILL_END) else [WILL_START, WILL_END, DID_END]
    assert told(agent) == expected
    assert agent.recorder.count("SIPEngineDidStart") == agent.recorder.count("SIPEngineDidEnd")


def test_stop_while_the_configuration_is_loaded(agent: UserAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    """APP-016, APP-028: as a signal handler may do it."""
    monkeypatch.setattr(ConfigurationManager, "start", lambda self: agent.application.stop())
    start(agent)
    assert agent.run(lambda: agent.application.running) is False
    wait(agent, DID_END)
    assert told(agent) == [WILL_END, DID_END]


# What goes wrong


def test_the_configuration_can_not_be_loaded(agent: UserAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    """APP-010, APP-011: the error comes out of start() unchanged, and start() works the next time."""
    error = RuntimeError("the file is damaged")

    def load(self: ConfigurationManager) -> None:
        raise error

    with monkeypatch.context() as context:
        context.setattr(ConfigurationManager, "start", load)
        with pytest.raises(RuntimeError) as raised:
            start(agent)
        assert raised.value is error
    assert agent.run(lambda: (SIPApplication.running, SIPApplication.storage)) == (False, None)
    agent.network.advance(1.0)
    assert told(agent) == []
    start(agent)
    wait(agent, DID_START)
    agent.stop()


def test_a_port_in_use(agent: UserAgent) -> None:
    """APP-012, APP-016: SIPEngineDidFail says which; the application ends and can be started again."""
    from twisted.internet.protocol import DatagramProtocol

    squatter = agent.reactor.listenUDP(5060, DatagramProtocol())
    with pytest.raises(AssertionError, match="could not start"):
        agent.start()
    assert told(agent) == [WILL_START, WILL_END, DID_END]
    assert "5060" in agent.recorder.assert_one("SIPEngineDidFail").data.error
    assert agent.run(lambda: agent.application.running) is False
    squatter.stopListening()
    agent.start()
    assert told(agent)[3:] == [WILL_START, DID_START]
    agent.stop()


def test_a_component_that_can_not_be_started(
    agent: UserAgent, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """APP-012: what was started before it is stopped, and what it says is logged."""
    calls: list[str] = []
    parts = [
        Component("The first", lambda: calls.append("+first"), lambda: calls.append("-first"), 1, 1.0),
        Component("The second", lambda: 1 / 0, lambda: calls.append("-second"), 2, 1.0),
        Component("The third", lambda: calls.append("+third"), lambda: calls.append("-third"), 3, 1.0),
    ]
    monkeypatch.setattr("sipsimple.application.lifecycle.components", lambda application: parts)
    start(agent)
    wait(agent, DID_END)
    assert calls == ["+first", "-first"]
    assert told(agent) == [WILL_START, WILL_END, DID_END]
    assert "The second failed" in caplog.text and "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("how", ["never", "raises", "fails"])
def test_a_component_that_does_not_stop(
    agent: UserAgent, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    """APP-030, APP-031: the end comes in bounded time, and the others are stopped as they should be."""
    calls: list[str] = []
    stuck: Deferred[None] = Deferred()

    def stop() -> Deferred[None]:
        if how == "raises":
            raise RuntimeError("no")
        if how == "fails":
            stuck.errback(RuntimeError("no"))
        return stuck

    parts = [
        Component("The stubborn", lambda: None, stop, 1, 7.0),
        Component("The other", lambda: None, lambda: calls.append("-other"), 2, 1.0),
    ]
    monkeypatch.setattr("sipsimple.application.lifecycle.components", lambda application: parts)
    start(agent)
    wait(agent, DID_START)
    before = agent.reactor.seconds()
    agent.run(agent.application.stop)
    wait(agent, DID_END)
    assert calls == ["-other"]
    assert agent.reactor.seconds() - before == pytest.approx(7.0 if how == "never" else 0.0, abs=0.1)
    assert "The stubborn did not stop" in caplog.text


def test_the_bounds_add_up() -> None:
    """APP-031: what the docstring of stop() promises."""
    total = sum(
        getattr(components_module, f"{name}_TIMEOUT") for name in ("SESSIONS", "ACCOUNTS", "SERVICES", "ENGINE")
    )
    assert total == 40.0


# Services of plugins


class Service:
    def __init__(self, calls: list[str], name: str, on_start: Any = None, on_stop: Any = None) -> None:
        self.calls, self.name, self.on_start, self.on_stop = calls, name, on_start, on_stop

    def start(self) -> None:
        self.calls.append(f"+{self.name}")
        if self.on_start is not None:
            raise self.on_start

    def stop(self) -> Any:
        self.calls.append(f"-{self.name}")
        if isinstance(self.on_stop, Exception):
            raise self.on_stop
        return self.on_stop


def plugin(agent: UserAgent, name: str, services: Callable[[Any], Any]) -> None:
    @hookimpl
    def sipsimple_application_services(application: Any) -> Any:
        return services(application)

    module = SimpleNamespace(sipsimple_application_services=sipsimple_application_services, __name__=name)
    agent.run(lambda: PluginManager().register(module, name))


def test_services_of_plugins(agent: UserAgent) -> None:
    """APP-009: they are started with the application and stopped with it, a slow one is waited for."""
    calls: list[str] = []
    slow: Deferred[None] = Deferred()
    plugin(agent, "one", lambda application: [Service(calls, "a"), Service(calls, "b", on_stop=slow)])
    applications: list[Any] = []
    plugin(agent, "two", lambda application: applications.append(application) or [])
    agent.start()
    assert calls == ["+a", "+b"] and applications == [agent.application]
    agent.run(agent.application.stop)
    agent.network.advance(1.0)
    assert calls == ["+a", "+b", "-b", "-a"] and DID_END not in told(agent)
    agent.run(slow.callback, None)
    wait(agent, DID_END)


def test_broken_services_of_plugins(agent: UserAgent) -> None:
    """APP-026: what a plugin does wrong is reported as its failure, and everything else goes on."""
    calls: list[str] = []
    plugin(agent, "one", lambda application: [Service(calls, "a", on_start=RuntimeError("can not"))])
    plugin(agent, "two", lambda application: [Service(calls, "b", on_stop=RuntimeError("will not"))])
    plugin(agent, "three", lambda application: 42)
    plugin(agent, "four", lambda application: [object()])
    plugin(agent, "five", lambda application: [Service([], "c", on_start=SystemExit("gone"))])
    agent.start()
    agent.stop()
    assert calls == ["+b", "+a", "-b"] or calls == ["+a", "+b", "-b"]
    failures = {n.data.plugin: n.data.reason for n in agent.recorder.find_all("SIPApplicationPluginDidFail")}
    assert "can not" in failures["one"] and "will not" in failures["two"]
    assert "gone" in failures["five"]
    assert set(failures) == {"one", "two", "three", "four", "five"}


@pytest.mark.parametrize("hook", sorted(PluginManager().hook_names))
def test_a_plugin_whose_hook_raises(agent: UserAgent, hook: str) -> None:
    """Whichever hook it is, at whatever time: an application starts, calls and stops."""

    def fail() -> Any:
        raise LookupError("broken")

    broken = SimpleNamespace(**{hook: hookimpl(fail)})
    agent.run(lambda: PluginManager().register(broken, "broken"))
    agent.start()
    arguments = dict.fromkeys(agent.run(PluginManager)._caller(hook).spec.argnames)
    agent.run(lambda: PluginManager().call(hook, **arguments))
    agent.stop()
    assert told(agent)[-1] == DID_END
    failures = agent.recorder.find_all("SIPApplicationPluginDidFail")
    assert failures and all(f"its hook {hook} raised LookupError" in found.data.reason for found in failures)


# The table


def test_every_state_leads_to_stopped() -> None:
    """APP-011, APP-012: nothing is a dead end."""
    for state in ApplicationState:
        reached, ends = {state}, [state]
        while ends:
            for following in APPLICATION_STATES[ends.pop()].values():
                if following not in reached:
                    reached.add(following)
                    ends.append(following)
        assert ApplicationState.STOPPED in reached


def observe(agent: UserAgent, names: list[str], function: Callable[[Any], object]) -> Callable[[], None]:
    """Call `function` with notifications of these names; returns what ends that."""

    class Observer:
        def handle_notification(self, notification: Any) -> None:
            function(notification)

    observer = Observer()
    for name in names:
        agent.recorder.center.add_observer(observer, name=name)
    return lambda: [agent.recorder.center.discard_observer(observer, name=name) for name in names] and None


# With a reactor of its own


def run_script(script: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=50, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


PRELUDE = """
import threading, socket
from sipsimple.application import SIPApplication
from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.storage import MemoryStorage
from sipsimple.testing import NotificationRecorder

recorder = NotificationRecorder(['SIPApplicationWillStart', 'SIPApplicationDidStart', 'SIPApplicationWillEnd',
                                 'SIPApplicationDidEnd', 'SIPEngineDidFail'])
threads = set()
class Observer:
    def handle_notification(self, notification):
        if notification.name.startswith('SIP'):
            threads.add(threading.current_thread().name)
observer = Observer()
recorder.center.add_observer(observer)
application = SIPApplication()
storage = MemoryStorage()

def count(name, times):
    recorder.wait_until(lambda: recorder.count(name) >= times)

def configure(port):
    from sipsimple.configuration import ConfigurationManager
    ConfigurationManager().start(storage.configuration_backend)
    settings = SIPSimpleSettings()
    settings.sip.transport_list = ['udp']
    settings.sip.udp_port = port
    settings.save()
"""


def test_a_reactor_thread_of_its_own() -> None:
    """APP-013, APP-015: started, stopped and started again in one process, from the main thread."""
    output = run_script(
        PRELUDE
        + """
configure(0)
for round in (1, 2):
    application.start(storage)
    assert application.running
    count('SIPApplicationDidStart', round)
    application.stop()
    assert not application.running
    count('SIPApplicationDidEnd', round)
print(recorder.names(), sorted(threads))
"""
    )
    assert output.strip() == f"{ALL * 2} ['sipsimple']"


def test_a_port_in_use_in_a_real_process() -> None:
    """APP-012: a clear error, the end, and a second try that works."""
    output = run_script(
        PRELUDE
        + """
squatter = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
squatter.bind(('', 0))
port = squatter.getsockname()[1]
configure(port)
application.start(storage)
count('SIPApplicationDidEnd', 1)
print(recorder.names(), str(port) in recorder.find('SIPEngineDidFail').data.error, application.running)
squatter.close()
application.start(storage)
count('SIPApplicationDidStart', 1)
application.stop()
count('SIPApplicationDidEnd', 2)
"""
    )
    names = [WILL_START, "SIPEngineDidFail", WILL_END, DID_END]
    assert output.strip() == f"{names} True False"


def test_a_reactor_that_runs_already() -> None:
    """APP-009, APP-013: the application uses the reactor of who runs one, and leaves it running."""
    output = run_script(
        PRELUDE
        + """
from twisted.internet import reactor

configure(0)

class Conductor:
    def handle_notification(self, notification):
        if notification.name == 'SIPApplicationDidStart':
            application.stop()
        elif notification.name == 'SIPApplicationDidEnd':
            print(reactor.running, recorder.names())
            reactor.callLater(0, reactor.stop)

conductor = Conductor()
recorder.center.add_observer(conductor)
reactor.callWhenRunning(application.start, storage)
reactor.run()
print(sorted(threads))
try:
    application.start(storage)
except RuntimeError as error:
    print(error, application.running)
"""
    )
    lines = output.strip().split("\n")
    assert lines[0] == f"True {ALL}" and lines[1] == "['MainThread']"
    assert "cannot be started again" in lines[2] and lines[2].endswith("False")


def test_a_reactor_that_is_stopped() -> None:
    """APP-015, APP-030: when who runs the reactor stops it, the application is stopped first; nothing is left of it."""
    output = run_script(
        PRELUDE
        + """
import warnings
warnings.simplefilter('error')
from twisted.internet import reactor

configure(0)
rounds = []

class Conductor:
    def handle_notification(self, notification):
        if notification.name == 'SIPApplicationDidStart':
            rounds.append(1)
            application.stop() if len(rounds) == 1 else reactor.stop()
        elif notification.name == 'SIPApplicationDidEnd' and len(rounds) == 1:
            application.start(storage)

conductor = Conductor()
recorder.center.add_observer(conductor)
reactor.callWhenRunning(application.start, storage)
reactor.run()
print(recorder.names(), application.running)
"""
    )
    assert output.strip() == f"{ALL * 2} False"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork() -> None:
    """APP-011, APP-016: in a forked process the application does not run, which it says; the parent's goes on. A fork
    before the start is no matter."""
    output = run_script(
        PRELUDE
        + """
import os, warnings
warnings.simplefilter('ignore', DeprecationWarning)
from sipsimple.notification import NotificationCenter

def fork(function):
    process = os.fork()
    if process == 0:
        function()
        os._exit(0)
    assert os.waitpid(process, 0)[1] == 0

def child():
    NotificationCenter().add_observer(recorder)
    print(application.running, SIPApplication().running)
    application.stop()
    try:
        application.start(storage)
    except RuntimeError as error:
        print(error, flush=True)
    assert not application.running and not recorder.find('SIPApplicationWillEnd')

def early_child():
    application.start(storage)
    count('SIPApplicationDidStart', 1)
    application.stop()
    count('SIPApplicationDidEnd', 1)
    print('early', flush=True)

configure(0)
fork(early_child)
application.start(storage)
count('SIPApplicationDidStart', 1)
fork(child)
assert application.running
application.stop()
count('SIPApplicationDidEnd', 1)
print(recorder.names())
"""
    )
    lines = output.strip().split("\n")
    assert (lines[0], lines[1], lines[3]) == ("early", "False False", f"{ALL}")
    assert "forked" in lines[2]


def test_importing_it_imports_no_plugin_and_no_reactor() -> None:
    """APP-002: importing the application decides nothing and is cheap."""
    output = run_script(
        """
        import sys
        import sipsimple.application, sipsimple.session
        print('twisted.internet.reactor' in sys.modules)
        print([name for name in sys.modules if name.startswith(('msrplib', 'sipsimple.streams.'))])
        """
    )
    reactor, modules = output.split("\n")[:2]
    assert reactor == "False"
    # what belongs to the core itself has a name with an underscore there
    assert [name for name in eval(modules) if not name.startswith("sipsimple.streams._")] == []
