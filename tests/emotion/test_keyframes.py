"""Keyframes are linear between keys, held outside of them, and within what Audio2Face takes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dser_ext.emotion.keyframes import Keyframes
from dser_ext.errors import FormatError


def keys() -> Keyframes:
    return Keyframes([0.5, 1.5], [np.linspace(0, 0.9, 10), np.linspace(1, 0.1, 10)])


@settings(deadline=None)
@given(st.floats(0, 1))
def test_values_go_straight_from_key_to_key(share):
    made = keys()
    between = (1 - share) * made.values[0] + share * made.values[1]
    np.testing.assert_allclose(made.at(0.5 + share), between, atol=1e-6)


def test_the_first_and_the_last_key_hold_outside():
    np.testing.assert_array_equal(keys().at([0, 0.5, 1.5, 100]), keys().values[[0, 0, 1, 1]])


def test_one_key_holds_for_ever():
    np.testing.assert_array_equal(Keyframes([0], np.full((1, 10), 0.25)).at(np.arange(5)), np.full((5, 10), 0.25))


@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
def test_any_shape_of_times_is_answered(shape):
    assert keys().at(np.ones(shape)).shape == (*shape, 10)
    assert keys().at(np.ones(shape)).dtype == np.float32


@pytest.mark.parametrize(
    ("times", "values", "problem"),
    [
        ([], np.zeros((0, 10)), "K ≥ 1"),
        ([0, 1], np.zeros((1, 10)), "keyframes need"),
        ([0], np.zeros((1, 6)), "keyframes need"),
        ([-0.1], np.zeros((1, 10)), "times"),
        ([0, 0], np.zeros((2, 10)), "increasing"),
        ([1, 0], np.zeros((2, 10)), "increasing"),
        ([np.nan], np.zeros((1, 10)), "times"),
        ([0, np.inf], np.zeros((2, 10)), "times"),
        ([0], np.full((1, 10), 1.01), "between 0 and 1"),
        ([0], np.full((1, 10), -0.01), "between 0 and 1"),
        ([0], np.full((1, 10), np.nan), "between 0 and 1"),
    ],
)
def test_what_audio2face_would_not_take_is_refused(times, values, problem):
    with pytest.raises(FormatError, match=problem):
        Keyframes(np.array(times, float), values)
