"""SIP over TLS (RFC 3261 26.3.1, RFC 5922): connections that carry messages once the other end has proven its name.

OpenSSL is loaded when the first certificate or connection needs it, not before.

A connection that we open is for one name, which its hop has: it is used for no other (RFC 5922 7.3, RFC 5923). Without
a certificate of our own nobody can connect to us, but we can to others.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IHandshakeListener
from zope.interface import implementer

from sipsimple.core.protocol.hop import Hop
from sipsimple.core.transport.connection import StreamConnection
from sipsimple.core.transport.interface import CertificateError, ListenError, TLSError, TransportError
from sipsimple.core.transport.stream import StreamTransport

if TYPE_CHECKING:
    from twisted.internet.protocol import ClientFactory, ServerFactory
    from twisted.python.failure import Failure

    from sipsimple.core.transport.interface import TransportOwner
    from sipsimple.core.transport.tls_context import TLSContexts

__all__ = ["TLSConnection", "TLSOptions", "TLSTransport"]

AnyPath = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class TLSOptions:
    """How we prove who we are, and what others have to prove.

    :param certificate: a PEM file with our certificate, those of the authorities between, if any, and the private
        key, without a passphrase; None: nobody can connect to us, and servers that ask for a certificate get none.
    :param ca_list: a PEM file with the certificates of trusted authorities; None: the system's.
    :param verify_server: refuse a server whose certificate is not trusted or not for its name (RFC 5922 7.3).
    :param verify_client: refuse clients without a trusted certificate.
    """

    certificate: AnyPath | None = None
    ca_list: AnyPath | None = None
    verify_server: bool = True
    verify_client: bool = False


@implementer(IHandshakeListener)
class TLSConnection(StreamConnection):
    """One connection over TLS. It is open when the handshake is done and the certificate is the expected one."""

    _owner: TLSTransport
    #: Why the chain of certificates is not trusted, told by the context while the handshake goes on.
    refusal: CertificateError | None = None

    def connectionMade(self) -> None:
        self.prepare()

    def handshakeCompleted(self) -> None:
        """IHandshakeListener: nothing was sent or received before, and the chain of certificates is trusted."""
        error: Exception | None = None
        if self.outgoing:
            error = self._owner.contexts.name_error(self.hop, self.transport.getPeerCertificate())
        if error is None:
            self.open()
        else:
            self.abort(error)

    def close_writing(self) -> None:
        # an alert says that this was all; the connection is closed when the peer has said so too
        self.transport.loseConnection()

    def describe_end(self, reason: Failure) -> Exception:
        if self.is_open or self._connected_since is None:
            return super().describe_end(reason)
        error = self.refusal or self._owner.contexts.handshake_error(self.hop, reason.value)
        if not self.outgoing:
            self._owner.owner.dropped("%s", error)
        return error


class TLSTransport(StreamTransport):
    """The connections over TLS; see StreamTransport.

    :raises TLSError: see `configure`.
    """

    name = "tls"
    connection_class = TLSConnection

    def __init__(self, reactor: Any, owner: TransportOwner, options: TLSOptions) -> None:
        super().__init__(reactor, owner)
        self.options = TLSOptions()
        self._contexts: TLSContexts | None = None
        self.configure(options)

    def configure(self, options: TLSOptions) -> None:
        """Use these options for all connections from now on; files are read again, as they may have changed.

        Connections whose peer had to prove less, or something else, are closed.

        :raises TLSError: a file can't be read or does not hold what it should; nothing has changed then.
        """
        contexts = None
        if options.certificate is not None or options.ca_list is not None:
            contexts = _load(options)
        before, self.options, self._contexts = self.options, options, contexts
        if (before.ca_list, before.verify_server) != (options.ca_list, options.verify_server):
            outgoing = [connection for connection in self._all if connection.outgoing]
            self.close_connections(outgoing, TransportError("other certificates are trusted now"))
        if before.verify_client != options.verify_client:
            incoming = [connection for connection in self._all if not connection.outgoing]
            self.close_connections(incoming, TransportError("clients have to prove who they are now"))

    @property
    def contexts(self) -> TLSContexts:
        """What connections are made with. Raises TLSError."""
        if self._contexts is None:
            self._contexts = _load(self.options)
        return self._contexts

    def listen(self, port: int = 0, interface: str = "") -> Hop:
        if self.options.certificate is None:
            raise ListenError(self.name, interface, port, "there is no certificate (tls.certificate)")
        return super().listen(port, interface)

    def accept(self, address: Any) -> StreamConnection | None:
        # the certificate may have been taken away while somebody knocked
        return None if self.options.certificate is None else super().accept(address)

    def server_factory(self, factory: ServerFactory) -> Any:
        from sipsimple.core.transport.tls_context import TLSFactory

        # asked for each connection, so that those to come have the options of their time
        return TLSFactory(factory, self._reactor, False, lambda protocol: self.contexts.server_connection(protocol))

    def client_factory(self, factory: ClientFactory, hop: Hop) -> Any:
        contexts = self.contexts
        from sipsimple.core.transport.tls_context import TLSFactory

        return TLSFactory(factory, self._reactor, True, lambda protocol: contexts.client_connection(protocol, hop))


def _load(options: TLSOptions) -> TLSContexts:
    try:
        from sipsimple.core.transport.tls_context import TLSContexts
    except ImportError as error:
        raise TLSError(f"TLS is not installed: {error}") from error
    return TLSContexts(options)
