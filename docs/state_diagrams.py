"""The page of state diagrams, drawn from the tables that the code runs on."""

from __future__ import annotations

import importlib
from collections import defaultdict
from typing import Any

__all__ = ["state_diagrams"]

INTRODUCTION = """# State machines

Made from the tables in the code by `docs/generate.py`; do not edit. An event that a state does not list is not
possible there: messages from the network are sorted before, and a method called in such a state raises an error.
"""

#: title, module, name of the table, source
TABLES = [
    ("Session", "sipsimple.session.states", "TRANSITIONS", "SES-008 to SES-059"),
    ("Application", "sipsimple.application.states", "APPLICATION_STATES", "APP-013 to APP-031"),
    ("Invitation", "sipsimple.core.protocol.invite_states", "INVITE_STATES", "RFC 3261 13 to 15"),
    ("Proposals within a call", "sipsimple.core.protocol.invite_states", "PROPOSAL_STATES", "RFC 3261 14, RFC 3311"),
    ("Offer and answer", "sipsimple.core.protocol.offer_answer", "NEGOTIATION", "RFC 3264"),
    ("INVITE client transaction", "sipsimple.core.protocol.transaction", "INVITE_CLIENT", "RFC 3261 17.1.1, RFC 6026"),
    ("Non-INVITE client transaction", "sipsimple.core.protocol.transaction", "NON_INVITE_CLIENT", "RFC 3261 17.1.2"),
    ("INVITE server transaction", "sipsimple.core.protocol.transaction", "INVITE_SERVER", "RFC 3261 17.2.1, RFC 6026"),
    ("Non-INVITE server transaction", "sipsimple.core.protocol.transaction", "NON_INVITE_SERVER", "RFC 3261 17.2.2"),
    ("Registration and publication", "sipsimple.core.protocol.soft_state", "SOFT_STATES", "RFC 3261 10, RFC 3903"),
    ("Subscription", "sipsimple.core.protocol.subscription_states", "SUBSCRIPTION_STATES", "RFC 6665 4.1"),
    ("Notifier", "sipsimple.core.protocol.notifier_states", "NOTIFIER_STATES", "RFC 6665 4.2"),
    ("Registration and mailbox of an account", "sipsimple.account.persistent", "SERVICE_STATES", "ACC-042 to ACC-049"),
    ("MSRP stream", "sipsimple.streams.msrp.states", "STATES", "STR-010 to STR-036"),
    ("Audio stream", "sipsimple.streams.rtp.states", "STATES", "STR-010 to STR-025"),
]


def state_diagrams() -> str:
    lines = [INTRODUCTION]
    for title, module, name, source in TABLES:
        table = getattr(importlib.import_module(module), name)
        lines += [f"## {title}\n", f"`{name}` in `{module}`; {source}.\n", "```mermaid", "stateDiagram-v2"]
        lines += _diagram(table)
        lines += ["```", ""]
    return "\n".join(lines).rstrip() + "\n"


def _diagram(table: dict[Any, dict[Any, Any]]) -> list[str]:
    names: dict[Any, str] = {}
    arrows: dict[tuple[str, str], list[str]] = defaultdict(list)
    for state, events in table.items():
        names.setdefault(state, f"s{len(names)}")
        for event, outcome in events.items():
            after = outcome[0] if isinstance(outcome, tuple) else outcome
            names.setdefault(after, f"s{len(names)}")
            arrows[names[state], names[after]].append(_text(event))
    lines = [f'    state "{_text(state)}" as {name}' for state, name in names.items()]
    lines.append("    [*] --> s0")
    lines += [f"    {before} --> {after}: {', '.join(events)}" for (before, after), events in arrows.items()]
    last = [names[state] for state, events in table.items() if not events]
    return lines + [f"    {name} --> [*]" for name in last]


def _text(value: Any) -> str:
    text = str(getattr(value, "value", value))
    return text.replace(":", " ").replace(";", ",").replace('"', "'")
