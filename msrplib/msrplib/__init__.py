"""MSRP, the Message Session Relay Protocol (RFC 4975), for Twisted."""
