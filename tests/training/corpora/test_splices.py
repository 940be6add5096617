"""Splices of real lines: what they are made of, where their borders lie, and that joints give nothing away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dser_training.corpora.clip import Clip, CorpusError
from dser_training.corpora.splices import FADE_FRAMES, KINDS, STAY_FRAMES, Splice, draw, render
from hypothesis import given, settings
from hypothesis import strategies as st

from dser_ext.recognition.speech import HOP, loud_frames

EMOTION = {"ANG": 0, "DIS": 1, "FEA": 2, "HAP": 3, "NEU": 4, "SAD": 5}
CLIPS = [
    Clip(path, "made/1", EMOTION[path.stem.split("_")[2]], "train")
    for path in sorted((Path(__file__).resolve().parents[3] / "samples/voice").glob("*.ogg"))
]
ANGRY = next(clip for clip in CLIPS if clip.emotion == 0)
SAD = next(clip for clip in CLIPS if clip.emotion == 5)


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@settings(max_examples=40, deadline=None)
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 2**32 - 1))
def test_the_truth_fits_the_sound_and_changes_at_the_borders_alone(kind: str, seed: int) -> None:
    splice = draw(kind, CLIPS, generator(seed))
    spliced = render(splice, generator(seed))
    count = len(spliced.samples) // HOP
    assert len(spliced.samples) == count * HOP
    assert np.isfinite(spliced.samples).all()
    assert spliced.mixtures.shape == (count, 6)
    assert np.allclose(spliced.mixtures.sum(axis=1), 1, atol=1e-5)
    strongest = spliced.mixtures.argmax(axis=1)
    changed = (np.flatnonzero(np.diff(strongest)) + 1) / 50
    assert len(changed) == len(spliced.borders)
    assert np.allclose(changed, spliced.borders, atol=0.021)
    assert strongest[0] == splice.clips[0].emotion
    assert strongest[-1] == splice.clips[-1].emotion


@settings(max_examples=40, deadline=None)
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 2**32 - 1))
def test_the_same_seed_gives_the_same_splice(kind: str, seed: int) -> None:
    first, second = (draw(kind, CLIPS, generator(seed)) for _ in range(2))
    assert first == second
    assert len(set(first.clips)) == len(first.clips)
    assert np.array_equal(render(first, generator(seed)).samples, render(second, generator(seed)).samples)


def test_a_stay_is_of_one_emotion_and_as_long_as_there_are_lines() -> None:
    many = [Clip(clip.path, "made/1", 0, "train", label=str(number)) for number in range(3) for clip in CLIPS]
    spliced = render(draw("stay", many, generator(0)), generator(0))
    assert len(spliced.mixtures) >= STAY_FRAMES
    assert spliced.borders == ()
    assert (spliced.mixtures == np.eye(6)[0]).all()


def test_the_border_lies_in_the_middle_of_a_pause() -> None:
    spliced = render(Splice("changes", (ANGRY, SAD), (40,)), generator(0))
    direct = render(Splice("changes", (ANGRY, SAD), (0,)), generator(0))
    assert spliced.borders[0] == pytest.approx(direct.borders[0] + (40 + FADE_FRAMES) / 100, abs=0.011)
    assert len(spliced.mixtures) == len(direct.mixtures) + 40 + FADE_FRAMES


def test_a_glide_is_a_mixture_that_moves_as_long_as_both_are_heard() -> None:
    spliced = render(Splice("glide", (ANGRY, SAD), (-50,)), generator(0))
    moving = (spliced.mixtures.max(axis=1) < 1).sum()
    assert moving in (49, 50)
    anger = spliced.mixtures[:, 0]
    assert (np.diff(anger) <= 1e-6).all()
    assert anger[round(spliced.borders[0] * 50)] == pytest.approx(0.5, abs=0.02)


def test_both_sides_of_a_border_have_one_level_and_a_pause_their_room_tone() -> None:
    spliced = render(Splice("changes", (ANGRY, SAD), (40,)), generator(0), lambda samples: samples)
    middle = round(spliced.borders[0] * 50)

    def level(start: int, stop: int) -> float:
        part = spliced.samples[start * HOP : stop * HOP]
        loud = np.repeat(loud_frames(part), HOP)
        return float(np.sqrt(np.square(part[: len(loud)][loud]).mean()))

    assert level(0, middle - 20) == pytest.approx(level(middle + 20, len(spliced.mixtures)), rel=0.15)
    pause = spliced.samples[(middle - 15) * HOP : (middle + 15) * HOP]
    assert 1e-5 < np.sqrt(np.square(pause).mean()) < 0.3 * level(0, middle - 20)


def test_a_speaker_with_one_emotion_cannot_change() -> None:
    with pytest.raises(CorpusError, match="made/1: no clips of two emotions"):
        draw("changes", [ANGRY], generator(0))
