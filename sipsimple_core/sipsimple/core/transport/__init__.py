"""Twisted adapters for UDP, TCP and TLS (RFC 3261 18): the only part of the stack that touches a socket."""
