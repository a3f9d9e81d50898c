"""Accounts: an application with 100 of them registers all with Kamailio, and what saving settings costs.

Beside the time until all are registered: what the same 100 REGISTERs take with nothing but the protocol objects in the
same process, all sent at once.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from harness import HERE, Figures, measure_in_child, median

ACCOUNTS = 100
SETTINGS = 200
RUNS = 5
TIMEOUT = 30.0

sys.path.insert(0, str(HERE.parent / "tests"))

REALM = "test.example"


def users() -> dict[str, str]:
    return {f"user{number}": f"secret{number}" for number in range(ACCOUNTS)}


def register_accounts(port: int) -> None:
    import threading

    from sipsimple.application import SIPApplication
    from sipsimple.notification import NotificationCenter
    from sipsimple.storage import MemoryStorage

    storage = MemoryStorage()
    stored = {
        f"{user}@{REALM}": {
            "enabled": True,
            "auth": {"password": password},
            "sip": {"outbound_proxy": f"127.0.0.1:{port}"},
        }
        for user, password in users().items()
    }
    storage.configuration_backend.save({"Accounts": stored})
    registered: set[str] = set()
    done, ended = threading.Event(), threading.Event()

    class Observer:
        def handle_notification(self, notification: object) -> None:
            name = notification.name  # type: ignore[attr-defined]
            if name == "SIPAccountRegistrationDidSucceed":
                registered.add(notification.sender.id)  # type: ignore[attr-defined]
                if len(registered) == ACCOUNTS:
                    done.set()
            elif name == "SIPAccountRegistrationDidFail":
                print(notification.data.error, file=sys.stderr)  # type: ignore[attr-defined]
            elif name == "SIPApplicationDidEnd":
                ended.set()

    NotificationCenter().add_observer(Observer())  # type: ignore[arg-type]
    since = time.perf_counter()
    SIPApplication().start(storage)
    if not done.wait(TIMEOUT):
        raise SystemExit(f"only {len(registered)} accounts are registered after {TIMEOUT} s")
    seconds = time.perf_counter() - since
    since = time.perf_counter()
    SIPApplication().stop()
    if not ended.wait(TIMEOUT):
        raise SystemExit("the application did not stop")
    print(json.dumps({"start": seconds, "stop": time.perf_counter() - since}))


def register_bare(port: int) -> None:
    """The REGISTERs alone."""
    from twisted.internet import reactor

    from sipsimple.core import Credentials, Engine, FromHeader, FrozenContactHeader, FrozenRouteHeader, Registration
    from sipsimple.notification import NotificationCenter
    from sipsimple.realm import current_realm

    current_realm().reactor = reactor
    engine = Engine()
    engine.start(ip_address="127.0.0.1", udp_port=0)
    contact = FrozenContactHeader(f"sip:bench@127.0.0.1:{engine.local_address('udp')[1]}")
    route = FrozenRouteHeader(f"sip:127.0.0.1:{port};lr")
    registered = 0

    class Observer:
        def handle_notification(self, notification: object) -> None:
            nonlocal registered
            registered += 1
            if registered == ACCOUNTS:
                reactor.stop()  # type: ignore[attr-defined]

    NotificationCenter().add_observer(Observer(), name="SIPRegistrationDidSucceed")  # type: ignore[arg-type]

    def start() -> None:
        for user, password in users().items():
            registration = Registration(FromHeader(f"sip:{user}@{REALM}"), Credentials(user, password))
            registration.register(contact, route)

    since = time.perf_counter()
    reactor.callWhenRunning(start)  # type: ignore[attr-defined]
    reactor.callLater(TIMEOUT, reactor.stop)  # type: ignore[attr-defined]
    reactor.run()  # type: ignore[attr-defined]
    if registered < ACCOUNTS:
        raise SystemExit(f"only {registered} are registered")
    print(json.dumps({"seconds": time.perf_counter() - since}))


def save_settings() -> None:
    from sipsimple.configuration import ConfigurationManager, Setting, SettingsObject
    from sipsimple.configuration import file_backend as module
    from sipsimple.storage import FileStorage

    names = [f"setting_{number}" for number in range(SETTINGS)]
    Many = type("Many", (SettingsObject,), {"__id__": "Many", **{name: Setting(int, 0, doc="One.") for name in names}})
    writes = 0
    write_whole = module.write_whole

    def counted(*arguments: object) -> object:
        nonlocal writes
        writes += 1
        return write_whole(*arguments)  # type: ignore[arg-type]

    module.write_whole = counted  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as folder:
        ConfigurationManager().start(FileStorage(folder).configuration_backend)
        many = Many()
        times = []
        for value in range(1, 6):
            for name in names:
                setattr(many, name, value)
            writes = 0
            since = time.perf_counter()
            many.save()  # type: ignore[attr-defined]
            times.append(time.perf_counter() - since)
        since = time.perf_counter()
        write_whole(Path(folder) / "bare", (Path(folder) / "config.toml").read_bytes())
        bare = time.perf_counter() - since
    print(json.dumps({"writes": writes, "seconds": median(times), "bare": bare}))


def main() -> int:
    import shutil

    from interop.kamailio_server import Kamailio

    figures = Figures("Accounts")
    program = shutil.which("kamailio")
    if program is None:
        print("kamailio is not installed: apt-get install kamailio kamailio-tls-modules kamailio-presence-modules ...")
    else:
        with tempfile.TemporaryDirectory() as folder:
            server = Kamailio(program, Path(folder), users())
            server.start()
            try:
                port = str(server.port)
                ours = [measure_in_child("bench_accounts.py", "accounts", port) for _ in range(RUNS)]
                bare = [measure_in_child("bench_accounts.py", "bare", port) for _ in range(RUNS)]
            finally:
                server.stop()
        figures.add(
            f"start() until {ACCOUNTS} accounts are registered", median(run["start"] for run in ours), "s", at_most=1.5,
            limit=("REGISTERs alone", median(run["seconds"] for run in bare)),
        )  # fmt: skip
        figures.add("stop() until they are unregistered", median(run["stop"] for run in ours), "s")
    saved = measure_in_child("bench_accounts.py", "save")
    figures.add(f"writes for {SETTINGS} changed settings in one save()", saved["writes"], "", at_most=1)
    figures.add(
        "that save()", saved["seconds"] * 1000, "ms", limit=("writing the file, with fsync", saved["bare"] * 1000)
    )
    figures.show()
    return 1 if figures.missed else 0


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["accounts", port]:
            register_accounts(int(port))
        case ["bare", port]:
            register_bare(int(port))
        case ["save"]:
            save_settings()
        case _:
            sys.exit(main())
