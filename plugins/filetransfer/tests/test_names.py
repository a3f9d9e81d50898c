"""Names from the network: no path, nothing that a system takes for something else."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipsimple.streams.filetransfer.names import MAX_NAME_OCTETS, candidates, safe_name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("Grüße, мир 漢字.txt", "Grüße, мир 漢字.txt"),
        ("/etc/passwd", "passwd"),
        ("../../.ssh/authorized_keys", "authorized_keys"),
        (r"C:\Windows\system32\evil.exe", "evil.exe"),
        (r"..\..\x", "x"),
        (".bashrc", "bashrc"),
        ("..", "file"),
        ("", "file"),
        (None, "file"),
        ("/", "file"),
        ("a\0b\r\nc\x7f.txt", "abc.txt"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("COM1.log", "_COM1.log"),
        ("console.log", "console.log"),
        ('a<b>c:"d|e?f*.txt', "a_b_c__d_e_f_.txt"),
        ("trailing. . ", "trailing"),
        ("exe.\u202etxt", "exe._txt"),
        ("a\ud800b", "ab"),
    ],
)
def test_hostile_names(name: str | None, safe: str) -> None:
    assert safe_name(name) == safe


def test_long_names_keep_their_ending() -> None:
    name = safe_name("ö" * 4000 + ".jpeg")
    assert name.endswith("ö.jpeg") and len(name.encode()) <= MAX_NAME_OCTETS
    assert len(safe_name("x." + "y" * 4000).encode()) <= MAX_NAME_OCTETS


@given(st.text(max_size=400))
def test_any_name_stays_in_its_folder(name: str) -> None:
    safe = safe_name(name)
    assert safe == Path("folder", safe).name and safe not in (".", "..")
    assert not set(safe) & set('/\\\0\n\r<>:"|?*')
    assert 0 < len(safe.encode()) <= MAX_NAME_OCTETS
    assert safe[0] not in ". " and safe[-1] not in ". "
    assert safe_name(safe) == safe


def test_candidates() -> None:
    assert [path.name for path in islice(candidates(Path("x/a.tar.gz")), 3)] == [
        "a.tar.gz", "a.tar (1).gz", "a.tar (2).gz",
    ]  # fmt: skip
