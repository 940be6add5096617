"""Frame rates are the fractions that their names stand for."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dser_ext.emotion.frame_rate import exact_fps, frame_rate
from dser_ext.emotion.style import Style
from dser_ext.emotion.track import AudioInfo, EmotionTrack
from dser_ext.errors import FormatError

NAMED = {
    23.976: Fraction(24000, 1001),
    23.98: Fraction(24000, 1001),
    29.97: Fraction(30000, 1001),
    47.952: Fraction(48000, 1001),
    47.95: Fraction(48000, 1001),
    59.94: Fraction(60000, 1001),
    119.88: Fraction(120000, 1001),
}


@pytest.mark.parametrize(("fps", "rate"), NAMED.items())
def test_the_rates_of_video_are_told_by_their_rounded_names(fps, rate):
    assert frame_rate(fps) == rate
    assert exact_fps(exact_fps(fps)) == float(rate)


@pytest.mark.parametrize("fps", [1, 12, 12.5, 15, 24, 25, 30, 48, 50, 60, 100, 240, 1000])
def test_whole_rates_are_themselves(fps):
    assert frame_rate(fps) == Fraction(fps)


@given(st.floats(0.001, 1000))
def test_any_other_rate_is_what_it_says(fps):
    assert abs(frame_rate(fps) - fps) < 0.005


@pytest.mark.parametrize("fps", [0, -1, 1001, float("nan"), float("inf")])
def test_what_is_no_rate_is_refused(fps):
    with pytest.raises(FormatError, match="frames a second must be above 0"):
        frame_rate(fps)


@pytest.mark.parametrize("fps", [23.976, 24, 25, 29.97, 30, 48, 50, 60])
def test_the_last_frame_of_an_hour_is_where_rational_arithmetic_puts_it(fps):
    track = EmotionTrack(np.array([0.0, 3600.0]), np.ones((2, 6)), audio=AudioInfo("line.wav", "0" * 64, 3600.0))
    times = Style().apply(track, fps).times
    rate = frame_rate(fps)
    assert len(times) == int(3600 * rate) + 1
    for frame in (1, 1001, len(times) // 2, len(times) - 1):
        assert abs(Fraction(times[frame]) - frame / rate) < Fraction(1, 10**12)
