"""Whose call it is: the account that an incoming INVITE is for."""

from __future__ import annotations

from typing import Any

from sipsimple.account import AccountManager

__all__ = ["choose_account"]


def choose_account(invitation: Any) -> Any:
    """The account that `invitation` is for, None if it is for nobody here.

    It is the account whose contact has the user part of the Request-URI (RFC 3261 10.2.1: that is how a registrar
    finds us); or the enabled account whose id the Request-URI or the To header names; or the default account, if
    that is enabled.
    """
    manager = AccountManager()
    account = manager.find_account(invitation.request_uri)
    if account is None:
        account = _named(manager, invitation.request_uri) or _named(manager, invitation.to_header.uri)
    if account is None:
        account = manager.default_account
        if account is not None and not account.enabled:
            return None
    return account


def _named(manager: Any, uri: Any) -> Any:
    """The enabled account whose id is the address in `uri`, which may be any kind of URI."""
    user, host = getattr(uri, "user", None), getattr(uri, "host", None)
    if not user or not host:
        return None
    try:
        account = manager.get_account(f"{user}@{host}")
    except KeyError:
        return None
    return account if account.enabled else None
