"""Accounts: `Account`, the `AccountManager` that keeps track of them, and `ContactURIFactory`."""

from sipsimple.account.account import Account, BaseAccount
from sipsimple.account.contact import ContactURIFactory
from sipsimple.account.manager import AccountManager
from sipsimple.account.routes import RouteLookupError, lookup_routes
from sipsimple.account.services import AccountService

__all__ = [
    "Account",
    "AccountManager",
    "AccountService",
    "BaseAccount",
    "ContactURIFactory",
    "RouteLookupError",
    "lookup_routes",
]
