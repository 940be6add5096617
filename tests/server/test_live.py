"""Live keys follow the curves of the whole line, and are told as early as that can be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dser_ext.emotion.style import PRESETS, Style
from dser_ext.emotion.track import EmotionTrack
from dser_ext.server.live import LiveKeys, settling_seconds


def track(frames: int, seed: int = 0) -> EmotionTrack:
    random = np.random.default_rng(seed)
    rough = np.exp(random.standard_normal((frames // 20 + 2, 6)))
    times = np.arange(frames) / 50
    columns = [np.interp(times, np.arange(len(rough)) * 0.4, column) for column in rough.T]
    return EmotionTrack(times, np.stack(columns, axis=1).astype(np.float32))


def keys_of(line: EmotionTrack, style: Style, fps: float, steps: list[int], tolerance: float = 0.02):
    """All keys, and after each step how far they reach."""
    live, start, times, values, reached = LiveKeys(style, fps, tolerance), 0, [], [], []
    for step in [*steps, len(line.times)]:
        live.tell(line.concentration[start : start + step], over=start + step >= len(line.times))
        start += step
        new = slice(1 if times else 0, None)
        if live.keys is not None:
            times += live.keys.times[new].tolist()
            values += live.keys.values[new].tolist()
            live.sent()
        reached.append((min(start, len(line.times)) / 50, live.until))
    return np.array(times), np.array(values), reached


@settings(max_examples=30, deadline=None)
@given(
    steps=st.lists(st.integers(0, 60), max_size=12),
    fps=st.sampled_from([24, 29.97, 30, 60]),
    style=st.sampled_from(["natural", "steady", "audio2emotion"]),
    frames=st.integers(1, 400),
)
def test_the_keys_are_within_the_tolerance_of_the_curves_of_the_whole_line(steps, fps, style, frames):
    line = track(frames)
    times, values, _ = keys_of(line, PRESETS[style], fps, steps)
    assert (np.diff(times) > 0).all()
    assert times[0] == 0
    curves = PRESETS[style].apply(line, fps)
    within = curves.times <= times[-1] + 1e-9
    followed = np.stack([np.interp(curves.times[within], times, column) for column in values.T], axis=1)
    assert np.abs(followed - curves.values[within]).max() <= 0.02 + 1e-6
    assert times[-1] >= frames / 50 - 1 / 50 - 1 / fps - 1e-9


@pytest.mark.parametrize("style", ["natural", "steady", "audio2emotion"])
def test_keys_come_no_later_than_the_style_needs(style):
    _, _, reached = keys_of(track(500), PRESETS[style], 30, [20] * 25)
    for told, until in reached[3:-1]:
        assert told - until <= settling_seconds(PRESETS[style]) + 1 / 50 + 1 / 30 + 1e-9


def test_a_long_line_needs_no_more_memory_than_a_short_one():
    live, line = LiveKeys(Style(), 30, 0.02), track(3000)
    for start in range(0, 3000, 20):
        live.tell(line.concentration[start : start + 20])
        live.sent()
    assert len(live._tail) == 1000
    assert len(live.keys.times) == 1


def test_a_line_of_a_minute_ends_as_the_whole_of_it_does():
    line = track(3000)
    times, values, _ = keys_of(line, PRESETS["audio2emotion"], 30, [20] * 150)
    curves = PRESETS["audio2emotion"].apply(line, 30)
    followed = np.stack([np.interp(curves.times, times, column) for column in values.T], axis=1)
    assert np.abs(followed - curves.values).max() <= 0.02 + 1e-6


def test_a_neutral_end_is_left_out_while_nobody_knows_where_the_end_is():
    line, steps = track(200), [20] * 9
    plain, ended = (keys_of(line, Style(tail_seconds=seconds), 30, steps)[:2] for seconds in (0, 2))
    for one, other in zip(plain, ended, strict=True):
        np.testing.assert_array_equal(one, other)
