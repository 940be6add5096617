"""What is set by hand stays when keys are made anew, and nothing jumps beside it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dser_ext.emotion.curves import Curves
from dser_ext.emotion.edits import SEAM_SECONDS, EditedKeys
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.emotion.reduction import fewest_keyframes
from dser_ext.errors import FormatError

FPS, TOLERANCE = 30.0, 0.02
JOY = A2F_EMOTIONS.index("joy")


def curves(seed: int, seconds: float = 6.0, fps: float = FPS) -> Curves:
    """Smooth random movement of all ten emotions."""
    random = np.random.default_rng(seed)
    noise = random.normal(size=(round(seconds * fps) + 60, 10))
    window = np.hanning(31)
    values = np.stack([np.convolve(column, window / window.sum(), "same") for column in noise.T], axis=1)[30:-29]
    return Curves(fps, np.clip(0.5 + values, 0, 1))


def made(seed: int) -> EditedKeys:
    return EditedKeys.untouched(fewest_keyframes(curves(seed), TOLERANCE))


def test_nothing_touched_gives_what_is_made_without_edits():
    again = made(0).remade(curves(1), TOLERANCE)
    fresh = fewest_keyframes(curves(1), TOLERANCE)
    np.testing.assert_array_equal(again.keys.times, fresh.times)
    np.testing.assert_array_equal(again.keys.values, fresh.values)
    assert not again.kept.any()


spans = st.lists(st.tuples(st.integers(0, 180), st.integers(0, 180)), max_size=3)


@settings(deadline=None, max_examples=40)
@given(spans, st.lists(st.integers(0, 12), max_size=3), st.integers(0, 5), st.sampled_from([FPS, 24.0]))
def test_what_is_locked_or_touched_stays_and_the_rest_follows(locks, touched, seed, fps):
    edited = made(seed)
    for start, end in locks:
        edited = edited.locked(start / FPS, end / FPS)
    edited = edited.with_values([index % len(edited.keys.times) for index in touched], "joy", 0.9)
    other = curves(seed + 100, fps=fps)
    again = edited.remade(other, TOLERANCE)
    assert again.locks == edited.locks
    for start, end in edited.locks:
        moments = np.linspace(start, end, 50)
        np.testing.assert_allclose(again.keys.at(moments), edited.keys.at(moments), atol=1e-5)
    hand = edited.keys.times[edited.touched]
    np.testing.assert_allclose(again.keys.at(hand), edited.keys.at(hand), atol=1e-5)
    inside_a_lock = np.array([any(a <= time <= b for a, b in edited.locks) for time in hand], bool)
    assert set(hand[~inside_a_lock]) <= set(again.keys.times[again.touched])
    edges = [edge for lock in edited.locks for edge in lock] + hand.tolist()
    far = np.array([all(abs(time - edge) > SEAM_SECONDS for edge in edges) for time in other.times], bool)
    within = np.array([any(a <= time <= b for a, b in edited.locks) for time in other.times], bool)
    free = far & ~within
    np.testing.assert_allclose(again.keys.at(other.times[free]), other.values[free], atol=TOLERANCE + 1e-5)


def test_the_seam_is_smooth():
    """Beside a lock the keys leave what stays no faster than the curves move plus the lean over the seam."""
    edited = made(0).locked(2.0, 4.0)
    other = Curves(FPS, np.full((181, 10), 0.1, np.float32))
    again = edited.remade(other, TOLERANCE)
    moments = np.arange(0, 6, 0.01)
    speed = np.abs(np.diff(again.keys.at(moments), axis=0)).max() / 0.01
    gap = np.abs(edited.keys.at([2.0, 4.0]) - 0.1).max()
    within = np.abs(np.diff(edited.keys.at(np.arange(2, 4, 0.01)), axis=0)).max() / 0.01
    assert speed <= max(within, gap * np.pi / 2 / SEAM_SECONDS + 2 * TOLERANCE * FPS)


def test_a_deleted_key_stays_away():
    edited = made(0)
    index = len(edited.keys.times) // 2
    before, after = edited.keys.times[index - 1], edited.keys.times[index + 1]
    again = edited.without([index]).remade(curves(0), TOLERANCE)
    assert not ((again.keys.times > before) & (again.keys.times < after)).any()


def test_the_first_and_the_last_key_can_neither_go_nor_move():
    edited = made(0)
    last = len(edited.keys.times) - 1
    assert edited.without([0, last]) is edited
    assert edited.moved([0, last], 3, FPS) is edited


def test_a_key_moves_by_whole_frames_and_never_past_another():
    edited = made(0)
    moved = edited.moved([2], 10_000, FPS)
    times, before = moved.keys.times, edited.keys.times
    assert times[2] > before[2]
    assert 0 < times[3] - times[2] <= 1 / FPS + 1e-9
    assert (times[2] - before[2]) * FPS == pytest.approx(round((times[2] - before[2]) * FPS))
    assert moved.touched.tolist() == [index == 2 for index in range(len(times))]


def test_several_keys_move_together():
    edited = made(0)
    moved = edited.moved([2, 3, 4], -1, FPS)
    np.testing.assert_allclose(edited.keys.times[2:5] - moved.keys.times[2:5], 1 / FPS)


def test_an_added_key_lies_on_the_curve_and_stays():
    edited = made(0)
    more = edited.added(1.2345)
    np.testing.assert_allclose(more.keys.at(np.arange(0, 6, 0.1)), edited.keys.at(np.arange(0, 6, 0.1)), atol=1e-6)
    assert more.touched.sum() == 1
    assert more.added(1.2345) is more
    assert more.added(99) is more


def test_unlocking_frees_spans_and_touched_keys_within():
    edited = made(0).locked(1, 5).with_values([3], "joy", 1.0)
    free = edited.unlocked(2, 3)
    assert free.locks == ((1, 2), (3, 5))
    everywhere = free.unlocked(0, 9)
    assert not everywhere.kept.any()


def test_locks_that_meet_become_one():
    assert made(0).locked(1, 2).locked(2, 3).locked(0.5, 0.7).locks == ((0.5, 0.7), (1, 3))


def test_a_shorter_line_drops_what_lies_behind_its_end():
    edited = made(0).locked(2.5, 5.5).added(5.7)
    again = edited.remade(curves(1, 3.0), TOLERANCE)
    assert again.keys.times[-1] == pytest.approx(3.0)
    assert again.locks == ((2.5, 3.0),)
    assert not again.touched.any()


def test_values_stay_within_their_range():
    edited = made(0).with_values([1, 2], "joy", [2.0, -1.0])
    assert edited.keys.values[[1, 2], JOY].tolist() == [1, 0]


@pytest.mark.parametrize("locks", [((2, 1),), ((0, 2), (1, 3)), ((-1, 1),), ((0, np.nan),)])
def test_locks_that_make_no_sense_are_refused(locks):
    keys = Keyframes([0.0, 4.0], np.zeros((2, 10)))
    with pytest.raises(FormatError, match="locked spans"):
        EditedKeys(keys, np.zeros(2, bool), locks)
