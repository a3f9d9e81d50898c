"""MediaStreamContract: a stream that keeps it passes, one that breaks it is told which requirement it breaks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sipsimple.core import SDPMediaStream
from sipsimple.testing.contract import MediaStreamContract
from sipsimple.testing.scripted import ScriptedStream


class TestScriptedStream(MediaStreamContract):
    """STR-006, STR-007, STR-008, STR-009, STR-010, STR-011, STR-012, STR-013, STR-014, STR-015, STR-016, STR-017,
    STR-018, STR-019, STR-020, STR-021, STR-022, STR-023, STR-024, STR-025, STR-026, STR-027, STR-028, STR-029,
    STR-030, STR-031, STR-032, STR-033, STR-034, STR-035, STR-036."""

    stream_class = ScriptedStream


class Held(ScriptedStream):
    hold_supported = True


class TestHeldStream(MediaStreamContract):
    """STR-020, STR-021, STR-028: one that can be held."""

    stream_class = Held


class Silent(ScriptedStream):
    def initialize(self, session: Any, direction: str) -> None:
        self.session = session


class Twice(ScriptedStream):
    def did_start(self) -> None:
        super().did_start()
        super().did_start()


class Greedy(ScriptedStream):
    @classmethod
    def new_from_sdp(cls, account: Any, remote_sdp: Any, stream_index: int) -> Greedy:
        return cls(account)


class Restless(ScriptedStream):
    def validate_update(self, remote_sdp: Any, stream_index: int) -> bool:
        self.media = SDPMediaStream("message", 9999, "TCP/MSRP", formats=["*"])
        return True


class Endless(ScriptedStream):
    def end(self) -> None:
        self.post("MediaStreamWillEnd")


class Quiet(ScriptedStream):
    def end(self) -> None:
        self.did_end()


class Unheld(Held):
    def hold(self) -> None:
        self.on_hold_by_local = False


class Typeless(ScriptedStream):
    type = None  # type: ignore[assignment]


class Describing(ScriptedStream):
    def get_local_media(self, for_offer: bool, remote_sdp: Any = None, stream_index: int = 0) -> Any:
        return None


class Nervous(ScriptedStream):
    def update(self, local_sdp: Any, remote_sdp: Any, stream_index: int) -> None:
        self.did_fail()


@pytest.mark.parametrize(
    ("broken", "check", "requirement"),
    [
        (Silent, "test_initialize", "STR-011"),
        (Twice, "test_start", "STR-033"),
        (Greedy, "test_media_of_others_is_not_accepted", "STR-007"),
        (Restless, "test_validate_update_changes_nothing", "STR-018"),
        (Endless, "test_end_after_start", "STR-036"),
        (Quiet, "test_end_before_start", "STR-035"),
        (Unheld, "test_hold", "STR-029"),
        (Typeless, "test_attributes", "STR-026"),
        (Describing, "test_initialize", "STR-009"),
        (Nervous, "test_update", "STR-019"),
        (object, "test_interface", "STR-004"),
    ],
)
def test_a_broken_stream(broken: Any, check: str, requirement: str) -> None:
    """STR-006, STR-007, STR-008, STR-009, STR-010, STR-011, STR-012, STR-013, STR-014, STR-015, STR-016, STR-017,
    STR-018, STR-019, STR-020, STR-021, STR-022, STR-023, STR-024, STR-025, STR-026, STR-027, STR-028, STR-029,
    STR-030, STR-031, STR-032, STR-033, STR-034, STR-035, STR-036: the failure names the requirement."""
    contract = MediaStreamContract()
    contract.stream_class = broken  # type: ignore[misc]
    parties: Iterator[None] = MediaStreamContract._parties.__wrapped__(contract)  # type: ignore[attr-defined]
    next(parties)
    with pytest.raises((AssertionError, pytest.fail.Exception), match=f"^{requirement}: "):
        getattr(contract, check)()
    assert next(parties, None) is None
