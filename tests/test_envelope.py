"""Envelopes: the outline of a sound of any length, in little memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dser_ext.envelope import CELLS_PER_BIN, envelope
from dser_ext.errors import AudioError


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, count).astype(np.float32)


def test_an_envelope_of_known_bins_is_the_lowest_and_highest_sample_of_each() -> None:
    samples = noise(800)
    outline = envelope([samples], 100)
    parts = samples.reshape(100, 8)
    assert np.array_equal(outline.low, parts.min(axis=1))
    assert np.array_equal(outline.high, parts.max(axis=1))
    assert outline.seconds == 800 / 16_000


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 40_000), st.integers(1, 50), st.lists(st.integers(0, 9_000), max_size=8))
def test_how_the_sound_is_cut_into_blocks_makes_no_difference(count: int, bins: int, cuts: list[int]) -> None:
    samples = noise(count)
    whole = envelope([samples], bins)
    pieces = envelope(np.split(samples, np.minimum(np.cumsum(cuts), count)), bins)
    assert np.array_equal(whole.low, pieces.low)
    assert np.array_equal(whole.high, pieces.high)
    assert len(whole.low) == min(bins, count)
    assert whole.seconds == pieces.seconds == count / 16_000
    assert whole.low.min() == samples.min()
    assert whole.high.max() == samples.max()


@settings(deadline=None, max_examples=60)
@given(st.integers(100, 200_000), st.integers(5, 60), st.floats(0, 0.9999))
def test_a_click_is_found_in_its_bin(count: int, bins: int, where: float) -> None:
    samples = np.zeros(count, np.float32)
    at = int(where * count)
    samples[at] = 1
    outline = envelope(np.array_split(samples, 7), bins)
    found = int(outline.high.argmax())
    assert abs((found + 0.5) - (at + 0.5) / count * len(outline.high)) <= 0.5 + 1.5 / CELLS_PER_BIN + bins / count


def test_hours_of_sound_need_the_memory_of_a_block() -> None:
    block = noise(160_000)
    tracemalloc.start()
    outline = envelope((block for _ in range(360)), 1200)  # an hour, 230 MB
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert outline.seconds == 3600
    assert len(outline.low) == 1200
    assert peak < 8 << 20


def test_no_samples_are_an_error_with_a_remedy() -> None:
    with pytest.raises(AudioError, match="no samples"):
        envelope([np.zeros(0, np.float32)], 10)
