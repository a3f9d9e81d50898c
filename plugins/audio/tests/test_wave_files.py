"""Reading what people have, and writing what can be read at every instant."""

from __future__ import annotations

import io
import os
import struct
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipsimple.audio import WaveFile, WaveFileError
from sipsimple.audio.tones import tone, tone_strength
from sipsimple.audio.wave_writer import WaveWriter

SUBFORMAT = bytes.fromhex("000000001000800000aa00389b71")


def riff(layout: bytes, data: bytes, size: int | None = None, before: bytes = b"") -> bytes:
    chunks = before + b"fmt " + struct.pack("<I", len(layout)) + layout
    chunks += b"data" + struct.pack("<I", len(data) if size is None else size) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def layout(code: int, bits: int, channels: int = 1, rate: int = 16000, extensible: bool = False) -> bytes:
    frame = channels * bits // 8
    plain = struct.pack("<HHIIHH", 0xFFFE if extensible else code, channels, rate, rate * frame, frame, bits)
    return plain + (struct.pack("<HHIH", 22, bits, 0, code) + SUBFORMAT if extensible else b"")


def encode(audio: np.ndarray, code: int, bits: int) -> bytes:
    """Samples of 16 bits as octets of another format."""
    if code == 3:
        return (audio / 32768).astype(f"<f{bits // 8}").tobytes()
    if bits == 8:
        return ((audio >> 8) + 128).astype(np.uint8).tobytes()
    if bits == 24:
        return b"".join(int(sample * 256).to_bytes(3, "little", signed=True) for sample in audio.tolist())
    return (audio.astype(np.int64) << (bits - 16)).astype(f"<i{bits // 8}").tobytes()


FORMATS = [(1, 8), (1, 16), (1, 24), (1, 32), (3, 32), (3, 64)]


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("code", "bits"), FORMATS)
def test_formats(tmp_path: Path, code: int, bits: int, channels: int, extensible: bool) -> None:
    """PCM of 8 to 32 bits and floats, mono and stereo, with both kinds of header: the same samples."""
    audio = tone(440, 0.5, 16000)
    data = encode(np.repeat(audio, channels), code, bits)
    (tmp_path / "a.wav").write_bytes(riff(layout(code, bits, channels, extensible=extensible), data))
    with WaveFile(tmp_path / "a.wav") as file:
        assert (file.sample_rate, file.channels, file.duration) == (16000, channels, 0.5)
        heard = file.read(16000)
    assert len(heard) == len(audio)
    assert np.abs(heard.astype(int) - audio).max() <= (256 if bits == 8 else 1)


@pytest.mark.parametrize(
    ("code", "octets", "samples"),
    [
        (7, [0xFF, 0x7F, 0x80, 0x00, 0xE5], [0, 0, 32124, -32124, 292]),
        (6, [0xD5, 0x55, 0xAA, 0x2A, 0x80], [8, -8, 32256, -32256, 5504]),
    ],
)
def test_g711(tmp_path: Path, code: int, octets: list[int], samples: list[int]) -> None:
    """A-law and mu-law, values of ITU-T G.711."""
    (tmp_path / "a.wav").write_bytes(riff(layout(code, 8, rate=8000), bytes(octets)))
    with WaveFile(tmp_path / "a.wav") as file:
        assert file.read(8000).tolist() == samples


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 12345])
@pytest.mark.parametrize("to", [8000, 16000, 48000])
def test_rates(tmp_path: Path, rate: int, to: int) -> None:
    """A file of any rate is heard at its pitch, from its first sample on, and as long as it is."""
    (tmp_path / "a.wav").write_bytes(riff(layout(1, 16, rate=rate), tone(1000, 0.5, rate).tobytes()))
    with WaveFile(tmp_path / "a.wav") as file:
        heard = file.read(to)
    assert len(heard) == pytest.approx(to / 2, abs=3)
    assert tone_strength(heard[to // 10 : -to // 10], 1000, to) > 0.999999
    assert np.abs(heard[: to // 200].astype(int)).max() > 5000  # no silence in front


def test_other_chunks_are_passed_over(tmp_path: Path) -> None:
    extra = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    (tmp_path / "a.wav").write_bytes(riff(layout(1, 16), b"\1\0\2\0", before=extra))
    with WaveFile(tmp_path / "a.wav") as file:
        assert file.read(16000).tolist() == [1, 2]


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 5000])
def test_what_was_cut_off_is_read_as_far_as_it_goes(tmp_path: Path, size: int) -> None:
    """The header says less or more than there is: the writer was killed, or the file was not copied whole."""
    (tmp_path / "a.wav").write_bytes(riff(layout(1, 16), b"\1\0\2\0\3", size=size))
    with WaveFile(tmp_path / "a.wav") as file:
        assert file.read(16000).tolist() == [1, 2]


GOOD = riff(layout(1, 16), b"\0\0" * 100)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"RIFF", "no .wav file"),
        (b"ID3\3 some song" * 10, "no .wav file"),
        (GOOD[:12], "format is missing"),
        (GOOD[:30], "cut off"),
        (GOOD[:40], "no audio"),
        (riff(layout(1, 16), b""), "no audio"),
        (riff(layout(0x55, 16), b"12"), "MP3 of 16 bits"),
        (riff(layout(0x1234, 16), b"12"), "0x1234"),
        (riff(layout(1, 12), b"12"), "12 bits"),
        (riff(layout(1, 16, channels=0), b"12"), "0 channels"),
        (riff(layout(1, 16, channels=9), b"12" * 9), "9 channels"),
        (riff(layout(1, 16, rate=0), b"12"), "0 Hz"),
        (riff(layout(1, 16, rate=4_000_000), b"12"), "4000000 Hz"),
        (riff(struct.pack("<HHIIHH", 1, 2, 8000, 8000, 3, 16), b"123456"), "3 octets"),
        (b"RIFF\0\0\0\0WAVEdata\4\0\0\0\0\0\0\0", "before the description"),
        (b"RIFF\0\0\0\0WAVEfmt \xff\xff\xff\xff", "too long"),
    ],
)
def test_what_is_no_file_to_play(tmp_path: Path, content: bytes, reason: str) -> None:
    """The error names the file and says what is wrong."""
    path = tmp_path / "bad.wav"
    path.write_bytes(content)
    with pytest.raises(WaveFileError, match=reason) as raised:
        WaveFile(path)
    assert str(path) in str(raised.value)


def test_no_file_at_all(tmp_path: Path) -> None:
    for path in (tmp_path / "none.wav", tmp_path, "with\0zero"):
        with pytest.raises(WaveFileError):
            WaveFile(path)


@settings(max_examples=300, deadline=None)
@given(
    content=st.one_of(
        st.binary(max_size=200),
        st.builds(
            lambda at, with_: GOOD[:at] + with_ + GOOD[at + len(with_) :], st.integers(0, 60), st.binary(max_size=8)
        ),
    )
)
def test_any_octets_are_a_file_or_an_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.wav"
    path.write_bytes(content)
    try:
        with WaveFile(path) as file:
            assert len(file.read(8000)) <= 200 * 8000 // 4000 + 1
    except WaveFileError:
        pass


# Writing


def test_a_file_is_whole_after_each_write(tmp_path: Path) -> None:
    """At every instant between two system calls the file can be read, by Python's own reader too."""
    path = tmp_path / "a" / "b" / "c.wav"
    writer = WaveWriter(path, 8000)
    audio = tone(440, 0.2, 8000)
    for count in range(5):
        content = path.read_bytes()
        with wave.open(io.BytesIO(content)) as file:
            assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (8000, 2, 1)
            assert file.readframes(10**6) == audio.tobytes() * count
        assert int.from_bytes(content[4:8], "little") == len(content) - 8
        writer.write(audio.tobytes())
    assert writer.duration == 1.0
    writer.close()
    writer.close()
    with pytest.raises(OSError, match="closed"):
        writer.write(b"12")


def test_a_kill_between_audio_and_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The audio comes first: what the header does not count yet does no harm."""
    path = tmp_path / "a.wav"
    writer = WaveWriter(path, 8000)
    writer.write(b"\1\0" * 100)
    monkeypatch.setattr(writer, "_write_header", lambda descriptor: None)
    writer.write(b"\2\0" * 100)
    with wave.open(str(path)) as file:
        assert file.readframes(1000) == b"\1\0" * 100


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError):
        WaveWriter(tmp_path / "file" / "a.wav", 8000)
    with pytest.raises(OSError):
        WaveWriter(tmp_path, 8000)
    if os.getuid():
        folder = tmp_path / "mine"
        folder.mkdir(mode=0o500)
        with pytest.raises(PermissionError):
            WaveWriter(folder / "a.wav", 8000)
