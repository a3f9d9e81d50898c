"""A scripted server for accounts on the memory network, and an account that talks to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sipsimple.core.protocol.dialog import new_tag
from sipsimple.core.wire.message import SIPRequest, make_response
from sipsimple.notification import NotificationData
from sipsimple.testing import MemoryNetwork, SIPServer, UserAgent

DOMAIN = "example.com"
ADDRESS = f"alice@{DOMAIN}"
IP = "10.0.0.200"

#: What is answered: a code, with headers, or what makes of a request a response (None: nothing is answered).
Answer = int | tuple[int, list[tuple[str, str]]] | Callable[[SIPRequest], Any]


def accept(request: SIPRequest, *headers: tuple[str, str], expires: int | None = None) -> Any:
    """A 200 that binds what is asked for."""
    asked = request.expires if expires is None else expires
    contacts = [("Contact", f"<{contact.uri}>;expires={asked}") for contact in request.contact if contact.expires != 0]
    return make_response(request, 200, None, new_tag(), [*contacts, *headers])


class ScriptedRegistrar:
    """Answers one REGISTER after the other as the script says; after its end, each with `accept`."""

    def __init__(self, server: SIPServer, script: Iterable[Answer] = ()) -> None:
        self.script = list(script)
        self.requests: list[SIPRequest] = []
        server.core.serve("REGISTER", self)

    def __call__(self, request: SIPRequest, transaction: Any, source: Any, now: float) -> None:
        self.requests.append(request)
        answer: Answer = self.script.pop(0) if self.script else accept
        if callable(answer):
            response = answer(request)
        else:
            code, headers = answer if isinstance(answer, tuple) else (answer, [])
            response = make_response(request, code, None, new_tag(), headers)
        if response is not None:
            transaction.respond(response, now)

    def contacts(self) -> list[list[str]]:
        """The Contact headers of each request."""
        return [request.headers.elements("Contact") for request in self.requests]


def silence(request: SIPRequest) -> None:
    """The answer that does not come."""


class AccountAgent:
    """A user agent with the account alice@example.com, which is saved by `save`."""

    def __init__(self, network: MemoryNetwork, transports: Iterable[str] = ("udp",), **options: Any) -> None:
        self.network = network
        self.agent = UserAgent(network, "alice", transports=transports, **options)
        self.account: Any = self.agent.run(self._make)

    def _make(self) -> Any:
        from sipsimple.account import Account

        return Account(ADDRESS)

    def save(self, **settings: Any) -> None:
        """Change settings (`sip__tls_name=...`) and save the account; it is enabled unless they say no."""

        def change() -> None:
            for name, value in {"enabled": True, **settings}.items():
                *groups, last = name.split("__")
                owner = self.account
                for group in groups:
                    owner = getattr(owner, group)
                setattr(owner, last, value)
            self.account.save()

        self.agent.run(change)

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self.agent.run(function, *arguments)

    def posted(self, name: str) -> list[NotificationData]:
        return [found.data for found in self.agent.recorder.find_all(f"SIPAccount{name}", self.account)]

    def names(self) -> list[str]:
        return [name for name in self.agent.recorder.names(self.account) if name.startswith("SIPAccount")]

    def wait(self, name: str, count: int = 1, timeout: float = 60.0) -> NotificationData:
        """Wait for so many notifications of the account, without 'SIPAccount' in their name; the last one's data."""
        self.network.run_until(lambda: len(self.posted(name)) >= count, timeout)
        return self.posted(name)[-1]

    def stop(self) -> None:
        self.agent.stop()
