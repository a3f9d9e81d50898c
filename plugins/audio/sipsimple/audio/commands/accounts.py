"""Whom `sipsimple call` and `sipsimple answer` call as: an account, or a guest who needs no server."""

from __future__ import annotations

import getpass
import re
from typing import TYPE_CHECKING, Any

from sipsimple.audio.commands.options import CallOptions
from sipsimple.cli import CommandError, CommandLine, ExitCode

if TYPE_CHECKING:
    from sipsimple.core import SIPURI
    from sipsimple.storage import MemoryStorage

__all__ = ["callee", "storage_for"]


def storage_for(command_line: CommandLine, options: CallOptions, *, register: bool) -> tuple[MemoryStorage, str, bool]:
    """A storage with one enabled account and the settings that the options ask for; its address; whether it is a guest.

    The account registers only if `register` and its own settings want it. Raises CommandError for an unknown one.
    """
    with command_line.reading():
        address = command_line.default_account_id()
        if options.account is not None:
            address = str(command_line.account(options.account).id)
    storage = command_line.snapshot()
    data = storage.configuration_backend.load()
    accounts = data.setdefault("Accounts", {})
    is_guest = address is None
    if address is None:
        address = guest_address()
        accounts[address] = {"registration": {"enabled": False}}
    for name, settings in accounts.items():
        settings["enabled"] = name == address
    if not register:
        accounts[address].setdefault("registration", {})["enabled"] = False
    general = data.setdefault("SIPSimpleSettings", {})
    general["default_account"] = address
    _set_audio(general.setdefault("audio", {}), options)
    if options.port is not None:
        general.setdefault("sip", {}).update(udp_port=options.port, tcp_port=options.port)
    storage.configuration_backend.save(data)
    return storage, address, is_guest


def _set_audio(audio: dict[str, Any], options: CallOptions) -> None:
    if options.null:
        audio.update(input_device=None, output_device=None, alert_device=None)
    if options.input_device is not None:
        audio["input_device"] = options.input_device
    if options.output_device is not None:
        audio["output_device"] = options.output_device


def guest_address() -> str:
    """The address of who has no account: the user of this machine."""
    from sipsimple.realm import current_realm

    try:
        user = re.sub(r"[^\w.-]", "", getpass.getuser(), flags=re.ASCII)
    except (OSError, KeyError, ImportError):
        user = ""
    return f"{user or 'guest'}@{current_realm().local_ip_towards('')}"


def callee(text: str, own: str, is_guest: bool) -> SIPURI:
    """Whom to call: a SIP URI, an address, or a name or number at the domain of the account `own`.

    A guest has no domain, so that what has no @ is a host. Raises CommandError for what is none of them.
    """
    from sipsimple.core import SIPURI

    address = text.strip()
    scheme, colon, rest = address.partition(":")
    if colon and scheme.lower() in ("sip", "sips"):
        pass
    elif colon and scheme.lower() == "tel":
        address = f"sip:{re.sub(r'[-.() ]', '', rest)}@{own.partition('@')[2]};user=phone"
    elif "@" in address or is_guest:
        address = f"sip:{address}"
    else:
        address = f"sip:{address}@{own.partition('@')[2]}"
    try:
        return SIPURI.parse(address)
    except ValueError as error:
        hint = "Such as sip:bob@example.com, bob@example.com or, at your own domain, bob."
        raise CommandError(f"{text!r} is no address to call: {error}", ExitCode.USAGE, hint) from None
