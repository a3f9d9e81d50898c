"""The command `sipsimple chat`. Nothing heavy is imported before it runs."""

from sipsimple.streams.chat.commands.command import chat

__all__ = ["chat"]
