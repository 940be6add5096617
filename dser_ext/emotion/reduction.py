"""The fewest keyframes that stay within a tolerance of given curves.

Between keys Audio2Face interpolates linearly, so the search is for a polyline whose corners lie on animation frames,
share their times over all ten emotions, and take any values: a shortest path. A partial path that ends in a corner
at frame j leaves, for each emotion, an interval of values which that corner may have; an interval a channel is a box.
Level k of the search holds, for each frame that k segments reach and k - 1 do not, the boxes that no other box there
contains. The first level to reach the last frame ends the search.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dser_ext.emotion.curves import Curves
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.errors import FormatError

Floats = NDArray[np.float64]

ROUNDING = 2e-6  # what six significant digits in a file may add to an error
BOXES_PER_FRAME = 3
FRAMES_PER_LEVEL = 64  # a level that reaches more frames is thinned evenly, which bounds the time on slow curves
CONSTANT_MARGIN_SECONDS = 1.0  # corners may lie this far inside a stretch where nothing moves


def fewest_keyframes(curves: Curves, tolerance: float) -> Keyframes:
    """Keys on frames of `curves`, the first and the last frame among them, that miss no value by more than `tolerance`.

    tolerance: largest error allowed over all ten emotions at every frame, in the unit of the curves, > 0.
    Raises FormatError if the tolerance is not above zero or the curves leave [0, 1].
    """
    if not tolerance > 0:
        raise FormatError(f"a tolerance must be above zero, not {tolerance}")
    target = curves.values.astype(np.float64)
    if not ((target >= 0) & (target <= 1)).all():
        raise FormatError("curves must lie between 0 and 1 before they can become keyframes")
    slack = max(tolerance - ROUNDING, tolerance / 2)
    low, high = np.maximum(target - slack, 0), np.minimum(target + slack, 1)
    still = low.max(axis=0) <= high.min(axis=0)
    frames = _frames_that_matter(target[:, ~still], round(CONSTANT_MARGIN_SECONDS * curves.fps))
    corners, moving = _shortest_path(frames, target[:, ~still], low[:, ~still], high[:, ~still])
    values = np.empty((len(corners), target.shape[1]))
    values[:, still] = np.clip(target[:, still].mean(axis=0), low[:, still].max(axis=0), high[:, still].min(axis=0))
    values[:, ~still] = moving
    return Keyframes(corners / curves.fps, np.clip(values, 0, 1).astype(np.float32))


def _frames_that_matter(target: Floats, margin: int) -> NDArray[np.int64]:
    """All frames but those deep inside a stretch without any change: a line that holds at its ends holds within."""
    count = len(target)
    changes = np.flatnonzero((np.diff(target, axis=0) != 0).any(axis=1))
    edges = np.concatenate([[0], changes, changes + 1, [count - 1]])
    near = np.zeros(count + 1, np.int64)
    np.add.at(near, np.maximum(edges - margin, 0), 1)
    np.add.at(near, np.minimum(edges + margin + 1, count), -1)
    return np.flatnonzero(np.cumsum(near[:-1]) > 0)


@dataclass(frozen=True)
class _Corners:
    """The corners of one level of the search, S of them, and how each was reached."""

    at: NDArray[np.int64]  # (S,) index into the frames
    low: Floats  # (S, C) the box of values that the corner may have
    high: Floats
    before: NDArray[np.int64]  # (S,) index of the corner of the level before


def _shortest_path(
    frames: NDArray[np.int64], target: Floats, low: Floats, high: Floats
) -> tuple[NDArray[np.int64], Floats]:
    """Frame numbers (K,) and values (K, C) of the path with the fewest corners."""
    lower = np.concatenate([low, -high], axis=1)[frames]
    upper = np.concatenate([high, -low], axis=1)[frames]
    levels = [_Corners(np.zeros(1, np.int64), low[frames[:1]], high[frames[:1]], np.zeros(1, np.int64))]
    reached = 0
    while reached < len(frames) - 1:
        levels.append(_next_level(levels[-1], frames, lower, upper, reached))
        reached = int(levels[-1].at.max())
    return _walk_back(levels, frames, target, low, high)


def _next_level(level: _Corners, frames: NDArray[np.int64], lower: Floats, upper: Floats, reached: int) -> _Corners:
    """The corners beyond frame index `reached` that one more segment reaches."""
    ends_low, ends_high, ok = _segments(level, frames, lower, upper)
    ends = level.at[:, None] + np.arange(1, ok.shape[1] + 1)
    ok &= ends > reached
    fresh = np.unique(ends[ok])
    if fresh[-1] == len(frames) - 1:
        fresh = fresh[-1:]
    elif len(fresh) > FRAMES_PER_LEVEL:
        fresh = fresh[np.linspace(0, len(fresh) - 1, FRAMES_PER_LEVEL).round().astype(np.int64)]
    start, step = np.nonzero(ok & np.isin(ends, fresh))
    at = ends[start, step]
    keep = _not_contained(at, ends_low[start, step], ends_high[start, step])
    start, step = start[keep], step[keep]
    return _Corners(at[keep], ends_low[start, step], ends_high[start, step], start)


def _segments(
    level: _Corners, frames: NDArray[np.int64], lower: Floats, upper: Floats
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Every segment from the S corners of a level to one of the W frames after each, as far as any can keep in bounds.

    Returns the boxes of the segments' end values, low and high (S, W, C), and whether a segment is possible (S, W).

    For each channel and corner the sweep knows the lowest value of the corner that can still pass, `start`, and the
    least and the steepest slope from there that keep above all lower and below all upper bounds passed. When the
    upper bound at distance d comes below the least slope, the start has to rise to the largest
    (d low_m - d_m high) / (d - d_m) over the frames m passed. The highest value of the corner is the same of the
    mirrored bounds, so both are swept together: `lower` and `upper` hold the bounds and their mirror image, (F, 2 C).
    """
    channels = lower.shape[1] // 2
    start = np.concatenate([level.low, -level.high], axis=1)
    least, steepest = np.full_like(start, -np.inf), np.full_like(start, np.inf)
    alive = np.ones(len(start), np.bool_)
    ends, possible = [], []
    passed = _Passed(start.shape)
    for step in range(1, len(frames) - int(level.at.min())):
        alive &= level.at + step < len(frames)
        index = np.minimum(level.at + step, len(frames) - 1)
        distance = np.maximum(frames[index] - frames[level.at], 1).astype(np.float64)[:, None]
        floor, ceiling = lower[index], upper[index]
        blocked = alive[:, None] & ((ceiling - start) < least * distance)
        if blocked.any():
            start[blocked], least[blocked], steepest[blocked] = passed.raised(blocked, ceiling, distance)
        least = np.maximum(least, (floor - start) / distance)
        steepest = np.minimum(steepest, (ceiling - start) / distance)
        alive &= (start[:, :channels] <= -start[:, channels:]).all(axis=1)
        if not alive.any():
            break
        passed.append(floor, ceiling, distance)
        ends.append(start + steepest * distance)
        possible.append(alive.copy())
    highest = np.stack(ends, axis=1)
    return -highest[..., channels:], highest[..., :channels], np.stack(possible, axis=1)


class _Passed:
    """The bounds that a sweep has passed, in arrays that grow by doubling."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._shape = shape
        self._count = 0
        self._low, self._high = np.empty((16, *shape)), np.empty((16, *shape))
        self._distance = np.empty((16, shape[0], 1))

    def append(self, low: Floats, high: Floats, distance: Floats) -> None:
        if self._count == len(self._low):
            self._low, self._high, self._distance = (
                np.concatenate([array, np.empty_like(array)]) for array in (self._low, self._high, self._distance)
            )
        self._low[self._count], self._high[self._count], self._distance[self._count] = low, high, distance
        self._count += 1

    def raised(self, where: NDArray[np.bool_], high: Floats, distance: Floats) -> tuple[Floats, Floats, Floats]:
        """The start that passes below `high` at `distance`, and its least and steepest slopes so far, each (N,)."""
        low_passed, high_passed = self._low[: self._count, where], self._high[: self._count, where]
        distance_passed = np.broadcast_to(self._distance[: self._count], (self._count, *self._shape))[:, where]
        far = np.broadcast_to(distance, self._shape)[where]
        start = ((far * low_passed - distance_passed * high[where]) / (far - distance_passed)).max(axis=0)
        least = ((low_passed - start) / distance_passed).max(axis=0)
        steepest = ((high_passed - start) / distance_passed).min(axis=0)
        return start, least, steepest


def _not_contained(at: NDArray[np.int64], low: Floats, high: Floats) -> NDArray[np.int64]:
    """Indices of the widest boxes at each frame of which none contains another, at most BOXES_PER_FRAME a frame."""
    order = np.lexsort((-(high - low).sum(axis=1), at))
    kept: list[int] = []
    here: list[int] = []
    for candidate in order:
        if here and at[here[0]] != at[candidate]:
            here = []
        if len(here) == BOXES_PER_FRAME:
            continue
        if any((low[box] <= low[candidate]).all() and (high[box] >= high[candidate]).all() for box in here):
            continue
        here.append(candidate)
        kept.append(candidate)
    return np.array(kept)


def _walk_back(
    levels: list[_Corners], frames: NDArray[np.int64], target: Floats, low: Floats, high: Floats
) -> tuple[NDArray[np.int64], Floats]:
    """From the last frame to the first: at each corner the value nearest to the curve that the path allows."""
    corner = int((levels[-1].high - levels[-1].low).sum(axis=1).argmax())
    end = int(frames[levels[-1].at[corner]])
    value = np.clip(target[end], levels[-1].low[corner], levels[-1].high[corner])
    corners, values = [end], [value]
    for level, later in zip(levels[-2::-1], levels[:0:-1], strict=True):
        corner = int(later.before[corner])
        start = int(frames[level.at[corner]])
        share = ((np.arange(start, end) - start) / (end - start))[:, None]  # of the end value, in [0, 1)
        floor = ((low[start:end] - share * value) / (1 - share)).max(axis=0)
        ceiling = ((high[start:end] - share * value) / (1 - share)).min(axis=0)
        floor = np.maximum(floor, level.low[corner])
        ceiling = np.maximum(np.minimum(ceiling, level.high[corner]), floor)
        value = np.clip(target[start], floor, ceiling)
        end = start
        corners.append(end)
        values.append(value)
    return np.array(corners[::-1]), np.array(values[::-1])
