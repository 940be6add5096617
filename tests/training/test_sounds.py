"""The sound of clips, one by one and joined: real lines, and masks that lines might have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from dser_training.corpora.clip import Clip
from dser_training.networks import LEVEL
from dser_training.stages.sounds import (
    CROSSFADE_FRAMES,
    LONGEST_SECONDS,
    Sound,
    cut,
    joined,
    levelled,
    sound,
    whole_frames,
)
from hypothesis import given
from hypothesis import strategies as st

from dser_ext.audio import SAMPLE_RATE, read
from dser_ext.recognition.speech import HOP, loud_frames

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
PATHS = sorted((SAMPLES / "voice").glob("*.ogg"))
LINES = [whole_frames(read(path)) for path in PATHS]
FADE = CROSSFADE_FRAMES


def clip(path: Path) -> Clip:
    return Clip(path, "made/1", None, "train")


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def level(samples: Sound) -> float:
    """Root mean square of the loud frames."""
    loud = loud_frames(samples)
    return float(np.sqrt(np.square(samples[: len(loud) * HOP].reshape(-1, HOP)[loud]).mean()))


def test_a_clip_is_heard_as_it_is_but_for_half_precision_and_what_is_no_whole_frame() -> None:
    for path, line in zip(PATHS, LINES, strict=True):
        heard = sound(clip(path))
        assert heard.dtype == np.float32
        assert len(heard) % HOP == 0
        assert np.allclose(heard, line, rtol=1e-3, atol=1e-6)


def test_each_hearing_of_a_clip_is_its_own_to_change() -> None:
    first = sound(clip(PATHS[0]))
    first[:] = 0
    assert sound(clip(PATHS[0])).any()


def test_a_clip_has_an_end(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", np.tile(LINES[0], 8), SAMPLE_RATE)
    assert len(sound(clip(tmp_path / "long.wav"))) == LONGEST_SECONDS * SAMPLE_RATE


@pytest.mark.parametrize(("given_samples", "whole"), [(1, HOP), (319, HOP), (320, 320), (321, 320), (1000, 960)])
def test_frames_are_whole_and_there_is_at_least_one(given_samples: int, whole: int) -> None:
    samples = LINES[0][8000 : 8000 + given_samples]
    frames = whole_frames(samples)
    assert len(frames) == whole
    both = min(whole, given_samples)
    assert np.array_equal(frames[:both], samples[:both])
    assert not frames[both:].any()


@pytest.mark.parametrize("seed", range(20))
def test_what_is_cut_from_a_line_is_so_long_and_has_speech_in_it(seed: int) -> None:
    random = generator(seed)
    line = LINES[seed % len(LINES)]
    part = cut(line, 40, random)
    assert len(part) == 40 * HOP
    place = next(start for start in range(0, len(line), HOP) if np.array_equal(line[start : start + len(part)], part))
    assert loud_frames(line)[place // HOP : place // HOP + 40].any()


def test_a_line_that_is_short_enough_is_not_cut() -> None:
    count = len(LINES[0]) // HOP
    for frames in (count, count + 1, 1000):
        assert np.array_equal(cut(LINES[0], frames, generator()), LINES[0])


def test_all_of_a_line_is_heard_in_the_end() -> None:
    line = np.repeat(np.arange(200, 400, dtype=np.float32), HOP)  # frames that can be told apart, none of them a pause
    starts = {int(cut(line, 120, generator(seed))[0]) - 200 for seed in range(300)}
    assert min(starts) < 3
    assert max(starts) > 77


@given(st.lists(st.booleans(), min_size=3, max_size=60), st.integers(1, 300), st.integers(0, 100))
def test_there_is_speech_in_a_cut_however_it_lies_in_the_line(pattern: list[bool], frames: int, seed: int) -> None:
    wave = np.sin(np.arange(10 * HOP) * 0.3).astype(np.float32)
    line = np.concatenate([wave if loud else np.zeros_like(wave) for loud in pattern])
    line[::HOP] += 1e-6 * np.arange(len(line) // HOP, dtype=np.float32)  # no two frames are alike
    part = cut(line, frames, generator(seed))
    assert len(part) == min(frames * HOP, len(line))
    frames_of_line, loud = line.reshape(-1, HOP), loud_frames(line)
    place = int(np.flatnonzero((frames_of_line == part[:HOP]).all(axis=1))[0])
    assert loud[place : place + frames].any() == loud.any()


def test_levelled_lines_have_the_level_of_speech_and_silence_stays_silent() -> None:
    for line in LINES:
        assert level(levelled(0.01 * line)) == pytest.approx(LEVEL, rel=0.01)
    assert not levelled(np.zeros(3200, np.float32)).any()


def test_spliced_lines_start_where_they_are_said_to_and_have_one_level() -> None:
    sounds = [LINES[0], 0.05 * LINES[1], 3 * LINES[2]]
    before = [line.copy() for line in sounds]
    row, starts = joined([levelled(line) for line in sounds])
    counts = [len(line) // HOP for line in sounds]
    assert starts == [0, counts[0] - FADE, counts[0] + counts[1] - 2 * FADE]
    assert len(row) // HOP == sum(counts) - 2 * FADE
    for line, start, count in zip(sounds, starts, counts, strict=True):
        middle = slice((start + FADE) * HOP, (start + count - FADE) * HOP)
        assert np.allclose(row[middle], levelled(line)[FADE * HOP : -FADE * HOP], atol=1e-6)
    assert all(np.array_equal(line, same) for line, same in zip(sounds, before, strict=True))


def test_a_splice_has_no_click() -> None:
    tone = np.sin(2 * np.pi * 200 * np.arange(SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32)
    row, _ = joined([tone, tone])
    assert np.abs(np.diff(row)).max() < 1.2 * np.abs(np.diff(tone)).max()


@pytest.mark.parametrize("counts", [(1, 50), (50, 1), (1, 1), (2, 3), (50, 1, 50), (1, 1, 1), (50,)])
def test_very_short_parts_can_be_spliced(counts: tuple[int, ...]) -> None:
    sounds = [line[8000 : 8000 + count * HOP] for line, count in zip(LINES, counts, strict=False)]
    row, starts = joined([levelled(line) for line in sounds])
    assert starts[0] == 0
    assert starts == sorted(starts)
    assert all(start + count <= len(row) // HOP for start, count in zip(starts, counts, strict=True))
    assert starts[-1] + counts[-1] == len(row) // HOP
    assert np.isfinite(row).all()


def test_silence_can_be_spliced() -> None:
    silence = np.zeros(3200, np.float32)
    row, starts = joined([LINES[0], silence])
    assert len(starts) == 2
    assert not row[-2000:].any()
