"""The hooks of the SDK: what a plugin may contribute. It takes those arguments of a hook that it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import click

    from sipsimple.account import Account
    from sipsimple.application import SIPApplication
    from sipsimple.configuration import SettingsObjectExtension
    from sipsimple.session import Session

PLUGIN_API_VERSION = 1

hookspec = pluggy.HookspecMarker("sipsimple")
hookimpl = pluggy.HookimplMarker("sipsimple")

# What a hook has to return if it returns anything; anything will do for those that are not here.
RESULTS: Mapping[str, type] = {
    "sipsimple_media_streams": Iterable,
    "sipsimple_settings": Iterable,
    "sipsimple_account_services": Iterable,
    "sipsimple_application_services": Iterable,
    "sipsimple_desktop_sharing_handlers": Mapping,
    "sipsimple_audio_engines": Mapping,
    "sipsimple_commands": Iterable,
}


@hookspec
def sipsimple_media_streams() -> Iterable[type[Any]]:
    """The stream classes (see sipsimple.streams.IMediaStream) that sessions may use."""
    return ()


@hookspec
def sipsimple_settings() -> Iterable[type[SettingsObjectExtension] | tuple[str, type[SettingsObjectExtension]]]:
    """Settings to add: SettingsObjectExtensions that say what they extend (`extends=`), or pairs of the name
    of the class extended ('SIPSimpleSettings', 'Account', 'BonjourAccount') and the extension."""
    return ()


@hookspec
def sipsimple_account_services(account: Account) -> Iterable[Any]:
    """Services of an account: objects whose start() and stop() are called when it is activated and
    deactivated, in the reactor's thread; stop() may return a Deferred. With an attribute `enabled_setting`
    (such as 'registration.enabled') it runs only while that setting of the account is true."""
    return ()


@hookspec
def sipsimple_application_services(application: SIPApplication) -> Iterable[Any]:
    """Services of the application: objects whose start() is called when it starts and whose stop() when it
    stops, both in the reactor's thread; stop() may return a Deferred."""
    return ()


@hookspec(firstresult=True)
def sipsimple_resolver() -> Any:
    """The resolver: an object with the methods of sipsimple.lookup.DNSLookup; None leaves it to others."""


@hookspec(firstresult=True)
def sipsimple_conference_handler(session: Session) -> Any:
    """The handler of the conference that a session is with, its `conference`; None leaves it to others."""


@hookspec
def sipsimple_desktop_sharing_handlers() -> Mapping[str, type[Any]]:
    """Handlers of desktop sharing streams by the name that settings and applications choose them with."""
    return {}


@hookspec
def sipsimple_audio_engines() -> Mapping[str, Callable[[], Any]]:
    """Audio engines by the name that settings choose them with: functions that make one."""
    return {}


@hookspec
def sipsimple_commands() -> Iterable[click.Command]:
    """Subcommands of the command `sipsimple` (distribution sipsimple-cli), as click commands; see sipsimple.cli.
    Called only by that command, so click is there."""
    return ()
