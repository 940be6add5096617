"""Files that are cut, damaged or anything at all give what sound they hold, and say in one line what is wrong."""

from __future__ import annotations

import contextlib
import struct
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sounds import RATE, noise, refused, wav_bytes, whole, write_aac

from dser_ext.audio import SAMPLE_RATE, AudioFile, read
from dser_ext.errors import AudioError, DserWarning


@contextlib.contextmanager
def one_warning(path: Path, match: str) -> Iterator[None]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    assert [warning.category for warning in caught] == [DserWarning]
    message = str(caught[0].message)
    assert message.startswith(f"{path}: ")
    assert match in message


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Six seconds in each format."""
    folder = tmp_path_factory.mktemp("whole")
    samples = noise(6 * RATE)
    for name in ("a.wav", "a.aiff", "a.flac", "a.mp3"):
        soundfile.write(folder / name, samples, RATE)
    soundfile.write(folder / "a.ogg", samples, RATE, format="OGG", subtype="VORBIS")
    soundfile.write(folder / "a.opus", samples[: 6 * 24_000], 24_000, format="OGG", subtype="OPUS")
    with contextlib.suppress(pytest.skip.Exception):
        write_aac(folder / "a.m4a", samples, movflags="faststart")  # else the index is at the end, and lost
        write_aac(folder / "a.aac", samples)
    return {path.suffix[1:]: path for path in folder.iterdir()}


def content_of(whole_files: dict[str, Path], suffix: str) -> bytes:
    return whole_files[suffix].read_bytes() if suffix in whole_files else pytest.skip("needs av")


FORMATS = ["wav", "aiff", "flac", "mp3", "ogg", "opus", "m4a", "aac"]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_whole_file_gives_no_warning_however_often_it_is_read(
    tmp_path: Path, whole_files: dict[str, Path], suffix: str
) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content_of(whole_files, suffix))
    sound = AudioFile(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(whole(sound), whole(sound, 0.3))
    assert 6 <= sound.seconds < 6.1


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_cut_in_the_middle_gives_what_there_is_and_one_warning(
    tmp_path: Path, whole_files: dict[str, Path], suffix: str
) -> None:
    path = tmp_path / f"cut.{suffix}"
    content = content_of(whole_files, suffix)
    path.write_bytes(content[: len(content) // 2])
    sound = AudioFile(path)
    with one_warning(path, "ends early or is damaged"):
        samples = whole(sound)
        assert len(whole(sound)) == len(samples)  # a second pass warns no more
    assert sound.note
    assert 1.9 < sound.seconds < 3.3  # an Ogg Opus page holds a second
    assert len(samples) == round(sound.seconds * SAMPLE_RATE)


@pytest.mark.parametrize("suffix", ["wav", "aiff", "flac", "mp3", "m4a"])
def test_the_warning_tells_how_much_is_missing_where_the_file_says_so(
    tmp_path: Path, whole_files: dict[str, Path], suffix: str
) -> None:
    path = tmp_path / f"cut.{suffix}"
    content = content_of(whole_files, suffix)
    path.write_bytes(content[: len(content) // 2])
    with one_warning(path, "s of 6.0"):
        read(path)


@pytest.mark.parametrize("suffix", ["flac", "mp3", "ogg", "opus", "m4a", "aac"])
@pytest.mark.parametrize("filler", ["random", "zeros"])
def test_damage_in_the_middle_gives_what_can_be_decoded_and_one_warning(
    tmp_path: Path, whole_files: dict[str, Path], suffix: str, filler: str
) -> None:
    path = tmp_path / f"damaged.{suffix}"
    content = bytearray(content_of(whole_files, suffix))
    middle, length = len(content) // 2, 3000
    content[middle : middle + length] = bytes(length) if filler == "zeros" else np.random.default_rng(1).bytes(length)
    path.write_bytes(content)
    with one_warning(path, "could be read"):
        assert len(read(path)) >= 2 * SAMPLE_RATE


def test_a_wav_written_to_a_pipe_does_not_know_its_length_and_is_whole(tmp_path: Path) -> None:
    for claim in (0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000):
        content = wav_bytes(noise(SAMPLE_RATE))
        content[4:8] = content[40:44] = struct.pack("<I", claim)
        path = tmp_path / "piped.wav"
        path.write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert len(read(path)) == SAMPLE_RATE


def test_a_flac_written_to_a_pipe_does_not_know_its_length_and_is_whole(
    tmp_path: Path, whole_files: dict[str, Path]
) -> None:
    content = bytearray(whole_files["flac"].read_bytes())
    content[21] &= 0xF0  # the 36 bits of STREAMINFO that count the frames
    content[22:26] = bytes(4)
    path = tmp_path / "piped.flac"
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read(path)) == 6 * SAMPLE_RATE
    content[21] |= 0x0F
    content[22:26] = b"\xff" * 4
    path.write_bytes(content)
    refused(path, "claims to be, longer")


def test_an_mp3_that_states_its_length_behind_a_picture_is_believed(
    tmp_path: Path, whole_files: dict[str, Path]
) -> None:
    content = whole_files["mp3"].read_bytes()
    picture = np.random.default_rng(0).bytes(300_000)
    tag = b"ID3\x03\0\0" + bytes((len(picture) >> shift) & 127 for shift in (21, 14, 7, 0)) + picture
    path = tmp_path / "line.mp3"
    path.write_bytes(tag + content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read(path)) == 6 * SAMPLE_RATE
    path.write_bytes(tag + content[: len(content) // 2])
    with one_warning(path, "of 6.00 s"):
        read(path)


def test_an_mp3_that_does_not_state_its_length_is_read_to_its_end(
    tmp_path: Path, whole_files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("av")
    content = whole_files["mp3"].read_bytes()
    path = tmp_path / "stream.mp3"
    path.write_bytes(content[content.index(b"\xff\xfb", 100) :])  # begins behind the frame with the length
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read(path)) == pytest.approx(6 * SAMPLE_RATE, rel=0.02)
    monkeypatch.setitem(sys.modules, "av", None)  # libsndfile stops where it guesses the end to be, and says nothing
    with one_warning(path, "could be read"):
        assert len(read(path)) < 5 * SAMPLE_RATE


# --- anything at all -------------------------------------------------------------------------------------------------

MAGIC = [b"", b"RIFF\xff\xff\0\0WAVEfmt ", b".snd\0\0\0\x18",
         b"FORM\0\0\xff\0AIFFCOMM", b"fLaC\0\0\0\x22", b"OggS\0\x02",
         b"ID3\x03\0\0\0\0", b"\xff\xfb\x90\x64", b"\0\0\0\x20ftypM4A ", b"\x1aE\xdf\xa3", b"caff\0\x01", b"RF64",
         b"#EXTM3U\n", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", b"\xff\xf1\x50\x80"]  # fmt: skip


def survives(path: Path) -> None:
    """Sound, a warning or an AudioError: whatever a file holds, nothing else comes out."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", DserWarning)
        with contextlib.suppress(AudioError):
            assert np.isfinite(read(path)).all()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(magic=st.sampled_from(MAGIC), rest=st.binary(max_size=3000))
def test_random_bytes_behind_any_magic_number_raise_only_audio_errors(
    tmp_path: Path, magic: bytes, rest: bytes
) -> None:
    path = tmp_path / "random.wav"
    path.write_bytes(magic + rest)
    survives(path)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from(FORMATS),
    cut=st.floats(0, 1),
    edits=st.lists(st.tuples(st.floats(0, 1, width=32), st.binary(min_size=1, max_size=40)), max_size=3),
    in_header=st.booleans(),
)
def test_files_with_wild_edits_raise_only_audio_errors(
    tmp_path: Path,
    whole_files: dict[str, Path],
    suffix: str,
    cut: float,
    edits: list[tuple[float, bytes]],
    in_header: bool,
) -> None:
    content = bytearray(content_of(whole_files, suffix))
    for place, patch in edits:
        start = int(place * (200 if in_header else len(content)))
        content[start : start + len(patch)] = patch
    path = tmp_path / "wild.bin"
    path.write_bytes(content[: 1 + int(cut * len(content))])
    survives(path)
