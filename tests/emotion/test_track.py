"""A track says what to expect, how sure that is, and how likely it finds a mixture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from dser_ext.emotion.names import EMOTIONS
from dser_ext.emotion.track import AudioInfo, EmotionTrack
from dser_ext.errors import FormatError

CONCENTRATIONS = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 8), st.just(6)),
    elements=st.floats(2**-10, 2**13, width=32),
)


def track(concentration) -> EmotionTrack:
    concentration = np.atleast_2d(concentration)
    return EmotionTrack(np.arange(len(concentration)) / 50, concentration)


@settings(deadline=None)
@given(CONCENTRATIONS)
def test_mean_and_spread_are_those_of_the_dirichlet_distribution(concentration):
    made = track(concentration)
    expected = [stats.dirichlet(row.astype(float)) for row in concentration]
    np.testing.assert_allclose(made.mean, [law.mean() for law in expected], rtol=1e-6)
    np.testing.assert_allclose(made.std, [np.sqrt(law.var()) for law in expected], rtol=1e-5)
    np.testing.assert_allclose(made.mean.sum(axis=1), 1, atol=1e-6)


def test_mean_and_spread_are_those_of_many_draws():
    concentration = np.array([4, 0.5, 1, 2, 8, 0.2])
    draws = np.random.default_rng(7).dirichlet(concentration, 200_000)
    made = track(concentration)
    np.testing.assert_allclose(made.mean[0], draws.mean(axis=0), atol=2e-3)
    np.testing.assert_allclose(made.std[0], draws.std(axis=0), atol=2e-3)


@settings(deadline=None)
@given(CONCENTRATIONS, st.integers(0, 2**32 - 1))
def test_the_likelihood_of_a_mixture_is_the_dirichlet_density(concentration, seed):
    mixtures = np.random.default_rng(seed).dirichlet(np.full(6, 3.0), len(concentration))
    expected = [
        stats.dirichlet.logpdf(mixture / mixture.sum(), row.astype(float))
        for mixture, row in zip(mixtures, concentration, strict=True)
    ]
    np.testing.assert_allclose(track(concentration).log_likelihood(mixtures), expected, rtol=1e-9, atol=1e-7)


@pytest.mark.parametrize("size", [1e-6, 0.3, 1, 2, 7.999, 8, 8.001, 171, 1e6])
def test_the_likelihood_holds_for_concentrations_of_any_size(size):
    mixture = np.array([0.3, 0.1, 0.1, 0.2, 0.2, 0.1])
    made = track(np.full(6, size))
    expected = stats.dirichlet.logpdf(mixture, made.concentration[0].astype(float))
    np.testing.assert_allclose(made.log_likelihood(mixture), [expected], rtol=1e-9, atol=1e-9)


def test_one_mixture_is_compared_with_every_frame():
    made = track([[1, 1, 1, 1, 1, 1], [9, 1, 1, 1, 1, 1]])
    anger = [0.75, 0.05, 0.05, 0.05, 0.05, 0.05]
    certain, sure = made.log_likelihood(anger)
    assert sure > certain
    np.testing.assert_array_equal(made.log_likelihood([anger, anger]), [certain, sure])


@pytest.mark.parametrize(
    "mixture",
    [
        [1, 0, 0, 0, 0, 0],
        [0.5, 0.1, 0.1, 0.1, 0.1, 0.2],
        [0.5, 0.5],
        [[1 / 6] * 6] * 3,
        [np.nan, 0.2, 0.2, 0.2, 0.2, 0.2],
        1 / 6,
    ],
)
def test_what_is_no_mixture_has_no_likelihood(mixture):
    with pytest.raises(FormatError, match=r"mixture"):
        track(np.ones((2, 6))).log_likelihood(mixture)


def test_between_frames_the_mean_goes_straight_and_outside_it_holds():
    made = track([[1, 1, 1, 1, 1, 1], [4, 2, 1, 1, 1, 1]])
    first, second = made.mean
    np.testing.assert_allclose(made.at(0.005), 0.75 * first + 0.25 * second, atol=1e-6)
    np.testing.assert_array_equal(made.at([-1, 0, 0.02, 99]), [first, first, second, second])
    assert made.at(0).shape == (6,)
    assert made.at(np.zeros((2, 3))).shape == (2, 3, 6)


def test_a_sure_model_still_has_a_spread():
    made = track([1e7, 1, 1, 1, 1, 1])
    np.testing.assert_allclose(made.std[0, 0], np.sqrt(5) / 1e7, rtol=1e-3)


def test_it_is_as_long_as_its_sound_or_else_its_frames():
    frames = np.arange(50) / 50
    assert EmotionTrack(frames, np.ones((50, 6))).seconds == 1
    assert EmotionTrack(frames, np.ones((50, 6)), AudioInfo("a.wav", "", 0.987)).seconds == 0.987


@pytest.mark.parametrize(
    ("times", "concentration", "problem"),
    [
        ([], np.ones((0, 6)), "at least one frame"),
        ([0], np.ones((1, len(EMOTIONS) - 1)), "concentrations"),
        ([0, 1], np.ones((1, 6)), "concentrations"),
        ([[0]], np.ones((1, 6)), "times"),
        ([0, 0], np.ones((2, 6)), "increasing"),
        ([1, 0], np.ones((2, 6)), "increasing"),
        ([np.nan], np.ones((1, 6)), "finite"),
        ([np.inf], np.ones((1, 6)), "finite"),
        ([0], np.zeros((1, 6)), "above zero"),
        ([0], -np.ones((1, 6)), "above zero"),
        ([0], np.full((1, 6), np.nan), "finite"),
        ([0], np.full((1, 6), np.inf), "finite"),
        ([0], np.full((1, 6), 3e38), "finite"),
    ],
)
def test_what_is_no_track_is_refused(times, concentration, problem):
    with pytest.raises(FormatError, match=problem):
        EmotionTrack(np.array(times, float), concentration)
