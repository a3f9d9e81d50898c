"""The notifications of accounts and of their manager (ACC-013..015, ACC-038, ACC-040, ACC-049)."""

from __future__ import annotations

from sipsimple.notification import declare_notification, field

declare_notification(
    "SIPAccountManagerDidAddAccount",
    "AccountManager",
    "An account became available: it was loaded, or saved for the first time.",
    account=field("BaseAccount", "the account"),
)

declare_notification(
    "SIPAccountManagerDidRemoveAccount",
    "AccountManager",
    "An account was deleted. Its functions may still be ending.",
    account=field("BaseAccount", "the account"),
)

declare_notification(
    "SIPAccountManagerDidChangeDefaultAccount",
    "AccountManager",
    "The default account is another one than before.",
    old_account=field("BaseAccount | None", "the account that was the default"),
    account=field("BaseAccount | None", "the account that is the default now; None if no account is enabled"),
)

declare_notification("SIPAccountWillActivate", "Account", "The account is about to start its functions.")

declare_notification(
    "SIPAccountDidActivate",
    "Account",
    "The account is active: its functions were started (none of them needs to have succeeded yet).",
)

declare_notification("SIPAccountWillDeactivate", "Account", "The account is about to end its functions.")

declare_notification(
    "SIPAccountDidDeactivate",
    "Account",
    "The account is inactive: its functions ended, or did not in the time that they had.",
)

declare_notification(
    "SIPAccountMWIDidGetSummary",
    "Account",
    "The server told the state of the mailbox (RFC 3842): at first, and whenever it changes.",
    message_summary=field("MessageSummary", "how many messages wait (sipsimple.payloads.messagesummary)"),
)
