"""Keyframes follow the curves within the tolerance, and no fewer could."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.optimize import linprog
from scipy.sparse import bmat, csr_array, kron

from dser_ext.emotion.curves import Curves
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.reduction import fewest_keyframes
from dser_ext.emotion.style import Style
from dser_ext.emotion.track import EmotionTrack
from dser_ext.errors import FormatError
from dser_ext.formats.track_json import Performance, read_track, write_track

RATES = st.sampled_from([1, 24, 29.97, 30, 60, 240])
TOLERANCES = st.sampled_from([1e-5, 1e-4, 0.001, 0.02, 0.05, 0.3, 1.0])
WILD = arrays.arrays(np.float32, st.tuples(st.integers(1, 40), st.just(10)), elements=st.floats(0, 1, width=32))


def curves(values, fps: float = 30) -> Curves:
    """Curves of the emotions given as columns; the others rest at 0."""
    values = np.asarray(values, np.float32).reshape(len(values), -1)
    return Curves(fps, np.pad(values, ((0, 0), (0, 10 - values.shape[1]))))


def smooth(frames: int, seed: int, *, channels: int = 5, width: int = 31, fps: float = 30) -> Curves:
    """Shares that wander as those of speech do, settled in about `width` frames."""
    window = np.hanning(width + 2)[1:-1]
    noise = np.random.default_rng(seed).normal(0, 1, (frames + width, channels + 1))
    walks = np.stack([np.convolve(walk, window / np.sqrt((window**2).sum()), "same") for walk in noise.T], axis=1)
    shares = np.exp(1.5 * walks[:frames])
    return curves((shares / shares.sum(axis=1, keepdims=True))[:, :channels], fps)


def error(keys: Keyframes, of: Curves) -> float:
    return float(np.abs(keys.at(of.times).astype(float) - of.values.astype(float)).max())


def assert_on_the_grid(keys: Keyframes, of: Curves) -> None:
    frames = np.round(keys.times * of.fps).astype(int)
    np.testing.assert_array_equal(keys.times, frames / of.fps)
    assert frames[0] == 0
    assert frames[-1] == len(of.values) - 1
    assert (np.diff(frames) > 0).all()
    assert keys.values.min() >= 0
    assert keys.values.max() <= 1


class TestTheErrorStaysWithinTheTolerance:
    @settings(deadline=None)
    @given(WILD, RATES, TOLERANCES)
    def test_of_any_curves(self, values, fps, tolerance):
        made = curves(values, fps)
        keys = fewest_keyframes(made, tolerance)
        assert_on_the_grid(keys, made)
        assert error(keys, made) <= tolerance

    @settings(deadline=None)
    @given(st.integers(2, 400), st.integers(0, 10**6), RATES, TOLERANCES)
    def test_of_smooth_curves(self, frames, seed, fps, tolerance):
        made = smooth(frames, seed, fps=fps)
        keys = fewest_keyframes(made, tolerance)
        assert_on_the_grid(keys, made)
        assert error(keys, made) <= tolerance

    @settings(deadline=None, max_examples=50)
    @given(WILD, RATES, TOLERANCES)
    def test_after_a_file_and_back(self, tmp_path_factory, values, fps, tolerance):
        made = curves(values, fps)
        path = tmp_path_factory.mktemp("keys") / "line.json"
        seconds = len(values) / fps
        track = EmotionTrack(np.array([0, seconds]), np.ones((2, 6)))
        write_track(Performance(track, Style(), fps, fewest_keyframes(made, tolerance)), path)
        assert error(read_track(path).keyframes, made) <= tolerance

    def test_where_a_curve_jumps_within_a_frame(self):
        made = curves(np.random.default_rng(1).integers(0, 2, (300, 3)), fps=240)
        assert error(fewest_keyframes(made, 1e-5), made) <= 1e-5


def follows(values: np.ndarray, keys: tuple[int, ...], tolerance: float) -> bool:
    """Whether any values at these key frames keep within the tolerance: a linear program for all channels at once."""
    frames = np.arange(len(values))
    hats = csr_array(np.stack([np.interp(frames, keys, row) for row in np.eye(len(keys))], axis=1))
    each = kron(csr_array(np.eye(values.shape[1])), hats)
    flat = values.T.ravel()
    bounds = np.concatenate([flat + tolerance, tolerance - flat])
    answer = linprog(np.zeros(each.shape[1]), bmat([[each], [-each]]), bounds, bounds=(0, 1), method="highs")
    return answer.status == 0


def fewest_by_trying_all(values: np.ndarray, tolerance: float, enough: int) -> int:
    """The smallest number of keys below `enough` for which some choice of frames follows, or else `enough`."""
    last = len(values) - 1
    for inner in range(enough - 2):
        for chosen in itertools.combinations(range(1, last), inner):
            if follows(values, (0, *chosen, last), tolerance):
                return inner + 2
    return enough


class TestNoFewerKeysWouldDo:
    @settings(deadline=None, max_examples=40, derandomize=True)
    @given(st.integers(2, 9), st.integers(1, 3), st.integers(0, 10**6), st.sampled_from([0.02, 0.05, 0.1]))
    def test_than_a_search_through_all_choices_of_frames_finds(self, frames, channels, seed, roughness):
        steps = np.random.default_rng(seed).normal(0, roughness, (frames, channels))
        made = curves(np.clip(0.5 + np.cumsum(steps, axis=0), 0, 1))
        found = len(fewest_keyframes(made, 0.05).times)
        assert found == fewest_by_trying_all(made.values[:, :channels].astype(float), 0.05, found)

    @pytest.mark.parametrize(
        ("seed", "frames", "channels"), [(92, 12, 3), (97, 14, 3), (173, 14, 2), (272, 12, 2), (708, 12, 3)]
    )
    def test_than_where_the_widest_box_at_each_frame_leads_astray(self, seed, frames, channels):
        steps = np.random.default_rng(seed).normal(0, 0.05, (frames, channels))
        made = curves(np.clip(0.5 + np.cumsum(steps, axis=0), 0, 1))
        assert len(fewest_keyframes(made, 0.05).times) == 4
        assert fewest_by_trying_all(made.values[:, :channels].astype(float), 0.05, 4) == 4

    @pytest.mark.parametrize(
        ("shape", "keys"),
        [
            ([0.3], 1),
            ([0.3, 0.3], 2),
            ([0, 1], 2),
            ([0.3] * 50, 2),
            (np.linspace(0, 1, 90), 2),
            (np.linspace(1, 0.4, 2000), 2),
            ([0] * 20 + [1] * 20, 4),
            (np.interp(range(61), [0, 30, 60], [0, 1, 0]), 3),
            (np.interp(range(61), [0, 7, 8, 60], [0.2, 0.9, 0.1, 0.5]), 4),
            ([0] * 30 + [1] + [0] * 30, 5),
            ([0, 1] * 20, 40),
            (np.clip(np.linspace(-1, 2, 91), 0, 1), 4),
            (0.5 + 0.019 * np.sin(np.arange(300)), 2),
        ],
    )
    def test_than_simple_shapes_need(self, shape, keys):
        for tolerance in (0.02, 0.0199):
            assert len(fewest_keyframes(curves(shape), tolerance).times) == keys

    def test_because_emotions_share_their_keys(self):
        one, other = np.interp(range(61), [0, 20, 60], [0, 1, 0]), np.interp(range(61), [0, 40, 60], [0, 1, 0])
        assert len(fewest_keyframes(curves(np.stack([one, one], axis=1)), 0.01).times) == 3
        assert len(fewest_keyframes(curves(np.stack([one, other], axis=1)), 0.01).times) == 4

    def test_because_values_need_not_lie_on_the_curve(self):
        wave = 0.5 + 0.04 * np.sin(np.linspace(0, 2 * np.pi, 60))
        assert len(fewest_keyframes(curves(wave), 0.041).times) == 2

    def test_read_from_either_end(self):
        for seed in range(4):
            made = smooth(240, seed)
            backwards = Curves(30, made.values[::-1])
            assert len(fewest_keyframes(made, 0.02).times) == len(fewest_keyframes(backwards, 0.02).times)


class TestLongLines:
    """Bounds on time are ten times what a two-core machine takes, so that they tell growth and not load."""

    @pytest.mark.parametrize(
        ("made", "keys", "seconds"),
        [
            pytest.param(curves(np.linspace(0, 1, 18000)), 2, 10, id="a ramp of ten minutes"),
            pytest.param(curves(np.pad(np.full(90, 0.5), (108000, 108000))), 6, 5, id="two still hours with one bump"),
            pytest.param(
                curves(np.random.default_rng(0).uniform(0, 1, (9000, 10))), 9000, 8, id="five minutes of noise"
            ),
            pytest.param(
                curves(np.random.default_rng(0).uniform(0, 1, (9600, 10)), 240), 9600, 8, id="240 frames a second"
            ),
        ],
    )
    def test_are_reduced_in_bounded_time(self, made, keys, seconds):
        began = time.process_time()
        found = fewest_keyframes(made, 1e-4)
        assert time.process_time() - began < seconds
        assert len(found.times) == keys
        assert error(found, made) <= 1e-4

    def test_of_smooth_curves_too(self):
        made = smooth(120 * 30, 5)
        began = time.process_time()
        found = fewest_keyframes(made, 0.02)
        assert time.process_time() - began < 6
        assert error(found, made) <= 0.02

    def test_that_hardly_move_are_followed_by_few_keys(self):
        seconds = np.arange(3600) / 30
        made = curves(np.stack([0.5 + 0.4 * np.sin(seconds / (20 + channel)) for channel in range(5)], axis=1))
        found = fewest_keyframes(made, 0.02)
        assert len(found.times) < 20
        assert error(found, made) <= 0.02


@pytest.mark.parametrize("tolerance", [0, -0.1, 1e-6, np.nan])
def test_a_tolerance_must_be_one(tolerance):
    with pytest.raises(FormatError, match="tolerance"):
        fewest_keyframes(curves([0.1, 0.2]), tolerance)


def test_a_tolerance_beyond_all_leaves_two_keys():
    assert len(fewest_keyframes(smooth(90, 0), np.inf).times) == 2


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.01, 1.01])
def test_curves_outside_of_0_to_1_are_refused(value):
    with pytest.raises(FormatError, match="between 0 and 1"):
        fewest_keyframes(curves([0.5, value]), 0.02)
