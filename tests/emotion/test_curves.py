"""Curves are ten emotions at an animation's frames."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dser_ext.emotion.curves import Curves, frame_count
from dser_ext.emotion.frame_rate import exact_fps
from dser_ext.errors import FormatError


@settings(deadline=None)
@given(st.floats(0, 7200), st.sampled_from([12, 23.976, 24, 25, 29.97, 30, 48, 59.94, 60, 120, 240]))
def test_frames_reach_to_the_end_of_the_sound_and_no_farther(seconds, fps):
    fps = exact_fps(fps)
    last = (frame_count(seconds, fps) - 1) / fps
    assert last <= seconds + 1e-6
    assert last + 1 / fps > seconds


@pytest.mark.parametrize(
    ("seconds", "fps", "frames"), [(0, 30, 1), (0.01, 30, 1), (1, 30, 31), (0.1, 30, 4), (3, 24, 73)]
)
def test_a_line_has_a_frame_at_both_ends(seconds, fps, frames):
    assert frame_count(seconds, fps) == frames


def test_frame_i_is_at_i_over_fps():
    np.testing.assert_allclose(Curves(24, np.zeros((3, 10))).times, [0, 1 / 24, 2 / 24])


@pytest.mark.parametrize("fps", [0, -30, np.nan, np.inf, 1e9])
def test_a_frame_rate_must_be_one(fps):
    with pytest.raises(FormatError, match="frames a second"):
        Curves(fps, np.zeros((3, 10)))
    with pytest.raises(FormatError, match="frames a second"):
        frame_count(1, fps)


@pytest.mark.parametrize("shape", [(0, 10), (3, 9), (10,), (1, 1, 10)])
def test_curves_are_ten_and_not_empty(shape):
    with pytest.raises(FormatError, match="curves"):
        Curves(30, np.zeros(shape))
