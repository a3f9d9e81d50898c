"""DNSManager: which nameservers are used (DNS-004..011), and what all lookups share."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

import sipsimple.lookup.notifications  # noqa: F401
from sipsimple.lookup.nameserver import Nameserver, system_nameservers
from sipsimple.lookup.probing import Probed, probe
from sipsimple.lookup.resolver import Resolver
from sipsimple.lookup.settings import Configuration
from sipsimple.notification import Notification, NotificationCenter, NotificationData, NotificationDispatcher
from sipsimple.realm import Singleton, current_realm
from sipsimple.threading import call_in_sipsimple_thread, start_reactor_thread

__all__ = ["DNSManager"]

log = logging.getLogger("sipsimple.lookup")

#: When it is probed again after it was found that local nameservers fail, in seconds; doubled each time.
FIRST_RETRY = 15.0
LAST_RETRY = 900.0
#: When it is looked whether the system has other nameservers now, in seconds.
REVIEW = 30.0


class DNSManager(NotificationDispatcher, metaclass=Singleton):
    """Tells DNSLookup which nameservers to ask. A singleton; all methods may be called from any thread.

    The local nameservers (those of the setting `dns.nameservers`, otherwise the system's) are used as long as they can
    tell the NAPTR or SRV records of `dns.probe_domain`. While none of them can but those of
    `dns.fallback_nameservers` can, these are used. As long as a local one fails they are probed again and again, and
    used as soon as they work. Where nothing works, the local ones remain: they may know the names of a closed network.

    Posts DNSResolverDidInitialize when the nameservers are known for the first time, DNSNameserversDidChange when they
    have changed (DNS-009..011).
    """

    def __init__(self) -> None:
        self._realm = current_realm()
        self._resolver: Resolver | None = None
        self._nameservers: tuple[Nameserver, ...] | None = None
        self._configuration: Configuration | None = None
        self._started = False
        self._announced: tuple[Nameserver, ...] | None = None
        self._probing: Deferred[Any] | None = None
        self._timer: Any = None
        self._retry = FIRST_RETRY
        self._probe_at: float | None = None
        NotificationCenter().add_observer(self, name="CFGSettingsObjectDidChange")

    @property
    def nameservers(self) -> list[str]:
        """The nameservers in use, the first one to be asked first: IP addresses, with a port if it is not 53."""
        return [str(server) for server in self._in_use()]

    def start(self) -> None:
        """Probe the nameservers, and keep track of them from now on. Does nothing if it was started (DNS-008)."""
        if self._realm.reactor is None:
            start_reactor_thread(self._realm)
        call_in_sipsimple_thread(self._start)

    def stop(self) -> None:
        """Probe no more; the nameservers in use remain. Does nothing if it was not started (DNS-008)."""
        call_in_sipsimple_thread(self._stop)

    # For lookups, in the reactor's thread

    @property
    def resolver(self) -> Resolver:
        """What answers the questions of all lookups."""
        if self._resolver is None:
            self._resolver = Resolver(self._realm.reactor, self._in_use)
        return self._resolver

    @property
    def configuration(self) -> Configuration:
        """The settings in effect."""
        if self._configuration is None:
            self._configuration = self._realm.run(Configuration.current)
        return self._configuration

    # Which nameservers

    def _in_use(self) -> Sequence[Nameserver]:
        if self._nameservers is None:
            self._nameservers = self._local()
        return self._nameservers

    def _local(self) -> tuple[Nameserver, ...]:
        chosen = self.configuration.nameservers
        if chosen is not None:
            return tuple(chosen)
        of_realm = self._realm.nameservers
        return tuple(system_nameservers() if of_realm is None else map(Nameserver.parse, of_realm))

    def _start(self) -> None:
        if not self._started:
            self._started = True
            self._retry = FIRST_RETRY
            self._probe()

    def _stop(self) -> None:
        self._started = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        probing, self._probing = self._probing, None
        if probing is not None:
            probing.cancel()

    def _probe(self) -> None:
        """See which of them work."""
        local = self._local()
        domain = self.configuration.probe_domain
        if domain is None or (not local and self._realm.nameservers is not None):
            self._probed(Probed(local, work=True), local)
            return
        fallback = self.configuration.fallback_nameservers
        self._probing = probe(self.resolver, str(domain), local, fallback)
        self._probing.addCallbacks(self._probed, self._not_probed, (local,), {}, (local,))

    def _probed(self, found: Probed, local: tuple[Nameserver, ...]) -> None:
        self._probing = None
        self._use(found.nameservers)
        if found.work and found.nameservers == local:
            self._retry = FIRST_RETRY
            self._probe_at = None
        else:
            if found.work:
                log.warning("Some local nameservers can't look up SIP servers; in use: %s", ", ".join(self.nameservers))
            self._probe_at = self._realm.reactor.seconds() + self._retry
            self._retry = min(2 * self._retry, LAST_RETRY)
        self._wait(local)

    def _not_probed(self, failure: Failure, local: tuple[Nameserver, ...]) -> None:
        if not failure.check(CancelledError):
            log.error("The nameservers could not be probed:\n%s", failure.getTraceback())
            self._probed(Probed(local, work=False), local)

    def _wait(self, local: tuple[Nameserver, ...]) -> None:
        now = self._realm.reactor.seconds()
        delay = REVIEW if self._probe_at is None else min(REVIEW, max(0.0, self._probe_at - now))
        self._timer = self._realm.reactor.callLater(delay, self._review, local)

    def _review(self, known: tuple[Nameserver, ...]) -> None:
        """Probe if it is time for that, or the system has other nameservers now, as after a change of the network."""
        self._timer = None
        if self._local() != known:
            self._retry = FIRST_RETRY
            self._probe()
        elif self._probe_at is not None and self._realm.reactor.seconds() >= self._probe_at:
            self._probe()
        else:
            self._wait(known)

    def _use(self, nameservers: tuple[Nameserver, ...]) -> None:
        if nameservers != self._nameservers:
            self._nameservers = nameservers
            self.resolver.forget()
        if nameservers == self._announced:
            return
        name = "DNSResolverDidInitialize" if self._announced is None else "DNSNameserversDidChange"
        self._announced = nameservers
        NotificationCenter().post_notification(name, self, NotificationData(nameservers=self.nameservers))

    def _NH_CFGSettingsObjectDidChange(self, notification: Notification) -> None:
        if any(name.startswith("dns.") for name in notification.data.modified):
            call_in_sipsimple_thread(self._reconfigure)

    def _reconfigure(self) -> None:
        self._configuration = None
        if self._resolver is not None:
            self._resolver.forget()
        if self._started:
            self._stop()
            self._start()
        else:
            self._nameservers = None
