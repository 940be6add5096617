"""The fewest keyframes that stay within a tolerance of given curves.

Between keys Audio2Face interpolates linearly, so the search is for a polyline whose corners lie on animation frames,
share their times over all ten emotions, and take any values: a shortest path. A partial path that ends in a corner
at frame j leaves, for each emotion, an interval of values which that corner may have; an interval a channel is a box.
Level k of the search holds, for each frame that k segments reach and k - 1 do not, the boxes that no other box there
contains. The first level to reach the last frame ends the search.

Frames that k - 1 segments reach need no box in level k: from the farthest of them the next frame is reached at any
value, so whoever goes on from there is joined one corner later at no cost.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dser_ext.emotion.curves import Curves
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.errors import FormatError
from dser_ext.steps import result

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

LEAST_TOLERANCE = 1e-5
ROUNDING = 2e-6  # what six significant digits in a file may add to an error
CONSTANT_MARGIN_SECONDS = 1.0  # corners may lie this far inside a stretch where nothing moves

# The search is exact while these hold everything; where they do not, the widest boxes and evenly spread frames are
# kept. On speech at 30 frames a second that is rare: it costs about one key in a thousand.
BOXES_PER_LEVEL = 256
BOXES_PER_FRAME = 3  # at least, however many frames a level has
LINES_AHEAD = 64  # frames that lines are computed from at a time
LINE_STEPS = 1 << 14  # starts times frames passed: 128 starts of lines of 128 frames
FEWEST_STARTS = 8
LEVELS_IN_STEP = 16  # which at 240 frames a second is below a second on a busy machine


def fewest_keyframes(curves: Curves, tolerance: float) -> Keyframes:
    """As `keyframes_in_steps`, in one go."""
    return result(keyframes_in_steps(curves, tolerance))


def keyframes_in_steps(
    curves: Curves, tolerance: float, exact: NDArray[np.bool_] | None = None
) -> Generator[float, None, Keyframes]:
    """Keys on frames of `curves`, the first and the last frame among them, that miss no value by more than `tolerance`.

    tolerance: largest error allowed over all ten emotions at every frame, in the unit of the curves, ≥ 0.00001.
    exact: (F,) frames that are missed by no more than the least tolerance. Says between steps how many seconds have
    keys. Raises FormatError if the tolerance is smaller than that or the curves leave [0, 1].
    """
    if not tolerance >= LEAST_TOLERANCE:
        raise FormatError(f"a tolerance must be at least {LEAST_TOLERANCE:.5f}, not {tolerance}")
    target = curves.values.astype(np.float64)
    if not ((target >= 0) & (target <= 1)).all():
        raise FormatError("curves must lie between 0 and 1 before they can become keyframes")
    slack = np.full((len(target), 1), tolerance - ROUNDING)
    if exact is not None:
        slack[exact] = LEAST_TOLERANCE - ROUNDING
    low, high = np.maximum(target - slack, 0), np.minimum(target + slack, 1)
    still = low.max(axis=0) <= high.min(axis=0)
    moves = ~still
    if moves.any():
        frames = _frames_that_matter(target[:, moves], round(CONSTANT_MARGIN_SECONDS * curves.fps))
        corners, moving = yield from _shortest_path(frames, target[:, moves], low[:, moves], high[:, moves], curves.fps)
    else:  # most short lines keep one mood
        corners = np.unique([0, len(target) - 1])
        moving = np.empty((len(corners), 0))
    values = np.empty((len(corners), target.shape[1]))
    values[:, still] = np.clip(target[:, still].mean(axis=0), low[:, still].max(axis=0), high[:, still].min(axis=0))
    values[:, moves] = moving
    return Keyframes(corners / curves.fps, np.clip(values, 0, 1).astype(np.float32))


def _frames_that_matter(target: Floats, margin: int) -> Indices:
    """All frames but those deep inside a stretch without any change: a line that holds at its ends holds within."""
    count = len(target)
    changes = np.flatnonzero((np.diff(target, axis=0) != 0).any(axis=1))
    edges = np.concatenate([[0], changes, changes + 1, [count - 1]])
    near = np.zeros(count + 1, np.int64)
    np.add.at(near, np.maximum(edges - margin, 0), 1)
    np.add.at(near, np.minimum(edges + margin + 1, count), -1)
    return np.flatnonzero(np.cumsum(near[:-1]) > 0)


@dataclass(frozen=True)
class _Band:
    """Where the path may run: N frames, C channels, and for each channel its mirror image.

    frames: (N,) numbers of the frames. bounds: (N, 2, 2 C); [:, 0] is (low, -high) and [:, 1] is (high, -low), so that
    the highest value of a channel is found by the rule for the lowest. In the same way a box of values is one row
    (2 C,): (low, -high), the lowest value of each channel and of its mirror image.
    """

    frames: Indices
    bounds: Floats

    @classmethod
    def between(cls, low: Floats, high: Floats, frames: Indices) -> _Band:
        low, high = low[frames], high[frames]
        return cls(frames, np.stack([np.hstack([low, -high]), np.hstack([high, -low])], axis=1))

    def bent(self) -> NDArray[np.bool_]:
        """Whether no line passes a frame and the two after it, (N,)."""
        lowest, highest = self.bounds[:, 0], self.bounds[:, 1]
        share = ((self.frames[1:-1] - self.frames[:-2]) / (self.frames[2:] - self.frames[:-2]))[:, None]
        bent = np.zeros(len(self.frames), np.bool_)
        bent[:-2] = (lowest[:-2] * (1 - share) + lowest[2:] * share > highest[1:-1]).any(axis=1)
        return bent


@dataclass(frozen=True)
class _Corners:
    """The corners of one level of the search, S of them, and how each was reached."""

    at: Indices  # (S,) index into the frames
    box: Floats  # (S, 2 C) the values that the corner may have
    before: Indices  # (S,) index of the corner of the level before


def _shortest_path(
    frames: Indices, target: Floats, low: Floats, high: Floats, fps: float
) -> Generator[float, None, tuple[Indices, Floats]]:
    """Frame numbers (K,) and values (K, C) of the path with the fewest corners; seconds that are done in between."""
    band = _Band.between(low, high, frames)
    bent = band.bent()
    levels = [_Corners(np.zeros(1, np.int64), band.bounds[:1, 0], np.zeros(1, np.int64))]
    lines: _Lines | None = None
    reached = 0
    while reached < len(frames) - 1:
        if bent[reached]:  # one segment more reaches the next frame, at any value, and no other
            reached += 1
            farthest = int(levels[-1].at.argmax())
            levels.append(_Corners(np.array([reached]), band.bounds[[reached], 0], np.array([farthest])))
            continue
        lines = _Lines.covering(levels[-1].at, band, lines)
        level = _beyond(reached, levels[-1], lines, band)
        reached = int(level.at.max())
        if reached < len(frames) - 1:
            lines = _Lines.covering(level.at, band, lines)
            level = _of_use(level, reached, len(frames) - 1, lines)
        levels.append(_widest(level))
        if len(levels) % LEVELS_IN_STEP == 0:
            yield float(frames[reached]) / fps
    return _walk_back(levels, frames, target, low, high)


def _beyond(reached: int, level: _Corners, lines: _Lines, band: _Band) -> _Corners:
    """All corners beyond frame index `reached` that one more segment reaches."""
    at, ends, possible = lines.ends(level, band)
    possible &= at > reached
    last = len(band.frames) - 1
    if (at[possible] == last).any():
        possible &= at == last
    before, step = np.nonzero(possible)
    return _Corners(at[before, step], -np.roll(ends[before, step], ends.shape[2] // 2, axis=1), before)


def _of_use(level: _Corners, farthest: int, last: int, lines: _Lines) -> _Corners:
    """The corners from which a line goes on to two frames past the farthest, and their boxes as far as it does.

    One at the farthest frame always stays: it alone reaches the next frame, at any value, which serves for all others.
    """
    box = np.maximum(level.box, lines.passing(min(farthest + 2, last), level.at))
    use = _holds(box)
    if not use[level.at == farthest].any():
        stays = int(level.at.argmax())
        use[stays], box[stays] = True, level.box[stays]
    return _Corners(level.at[use], box[use], level.before[use])


def _holds(box: Floats) -> NDArray[np.bool_]:
    """Whether boxes (…, 2 C) hold any value in every channel."""
    channels = box.shape[-1] // 2
    return np.asarray((box[..., :channels] <= -box[..., channels:]).all(axis=-1))


def _widest(level: _Corners) -> _Corners:
    """The widest boxes at each frame of which none contains another."""
    left = np.lexsort((level.box.sum(axis=1), level.at))
    kept: list[Indices] = []
    most = max(BOXES_PER_FRAME, BOXES_PER_LEVEL // len(np.unique(level.at)))
    while len(left) and len(kept) < most:
        first = np.diff(level.at[left], prepend=-1) != 0
        widest = left[first]
        kept.append(widest)
        left = left[(level.box[left] < level.box[widest[np.cumsum(first) - 1]]).any(axis=1)]
    keep = np.concatenate(kept)
    return _Corners(level.at[keep], level.box[keep], level.before[keep])


@dataclass(frozen=True)
class _Lines:
    """The lines within the band from each of N frames to one of the W frames after it."""

    at: Indices  # (N,) index of the frame that they start from, increasing
    start: Floats  # (N, W, 2 C) the box of values that they start at
    end: Floats  # (N, W, 2 C) the highest value of each channel and its mirror that the line from `start` ends at
    possible: NDArray[np.bool_]  # (N, W)

    @classmethod
    def sweep(cls, at: Indices, band: _Band, needed: int) -> _Lines:
        """Lines from the frames at these indices, as far as any keeps in bounds.

        It knows for each channel the lowest start that can still pass, and the least and the steepest slope from there
        that keep above all lower and below all upper bounds passed. An upper bound below the least slope raises the
        start. Where lines are so long that they would fill the memory, it follows only those from the first `needed`
        frames, then only every second of these.
        """
        last = len(band.frames) - 1
        start = band.bounds[at, 0]
        least, steepest = np.full_like(start, -np.inf), np.full_like(start, np.inf)
        support = np.ones(start.shape, np.int64)
        alive = np.ones(len(at), np.bool_)
        starts: list[Floats] = []
        ends: list[Floats] = []
        possible: list[NDArray[np.bool_]] = []
        for step in range(1, last - int(at[0]) + 1):
            if len(at) * step > LINE_STEPS and len(at) > FEWEST_STARTS:
                keep = slice(needed) if len(at) > needed else slice((len(at) - 1) % 2, None, 2)
                at, start, support, alive = at[keep], start[keep], support[keep], alive[keep]
                least, steepest = least[keep], steepest[keep]
                starts, ends = [row[keep] for row in starts], [row[keep] for row in ends]
                possible = [row[keep] for row in possible]
            alive &= at + step <= last
            index = np.minimum(at + step, last)
            distance = np.maximum(band.frames[index] - band.frames[at], 1)[:, None]
            slopes = (band.bounds[index] - start[:, None]) / distance[:, None]
            blocked = (slopes[:, 1] < least) & alive[:, None]
            least = np.maximum(least, slopes[:, 0])
            steepest = np.minimum(steepest, slopes[:, 1])
            if blocked.any():
                start[blocked], support[blocked] = _raised(at, blocked, int(support[blocked].min()), step, band)
                slope = (band.bounds[index, 1] - start) / distance
                least, steepest = np.where(blocked, slope, least), np.where(blocked, slope, steepest)
            alive &= _holds(start)
            if not alive.any():
                break
            starts.append(start.copy())
            ends.append(start + steepest * distance)
            possible.append(alive.copy())
        return cls(at, np.stack(starts, axis=1), np.stack(ends, axis=1), np.stack(possible, axis=1))

    @classmethod
    def covering(cls, at: Indices, band: _Band, known: _Lines | None) -> _Lines:
        """Lines from all of these frames: the known ones if they do, or new ones, also from the frames that follow."""
        first, end = int(at.min()), int(at.max()) + 1
        if known is not None and known.at[0] <= first and end <= known.at[-1] + 1:
            return known
        ahead = np.arange(first, min(max(end, first + LINES_AHEAD), len(band.frames)))
        return cls.sweep(ahead, band, end - first)

    def passing(self, through: int, at: Indices) -> Floats:
        """The boxes of values at `at` (S,) from which a line reaches the frame `through`, (S, 2 C); empty if none."""
        row = np.searchsorted(self.at, at)
        step = through - at - 1
        within = np.minimum(step, self.possible.shape[1] - 1)
        possible = self.possible[row, within] & (step == within) & (self.at[row] == at)
        return np.where(possible[:, None], self.start[row, within], np.inf)

    def ends(self, corners: _Corners, band: _Band) -> tuple[Indices, Floats, NDArray[np.bool_]]:
        """The lines from S corners: the frames (S, W) where they end, the highest values there of each channel and its
        mirror (S, W, 2 C), and whether there is such a line (S, W).

        The highest end belongs to the lowest start. Either that is the corner's own, and the upper bounds passed
        limit the slope from it; or it is raised above that, and then the end does not depend on the corner.
        """
        row = np.searchsorted(self.at, corners.at)
        width = int(self.possible[row].sum(axis=1).max())
        own, raised = corners.box[:, None], self.start[row, :width]
        at = corners.at[:, None] + np.arange(1, width + 1)
        index = np.minimum(at, len(band.frames) - 1)
        distance = (band.frames[index] - band.frames[corners.at][:, None])[..., None]
        steepest = np.minimum.accumulate((band.bounds[index, 1] - own) / np.maximum(distance, 1), axis=1)
        ends = np.where(raised > own, self.end[row, :width], own + steepest * distance)
        return at, ends, self.possible[row, :width] & _holds(np.maximum(raised, own))


def _raised(at: Indices, blocked: NDArray[np.bool_], first: int, step: int, band: _Band) -> tuple[Floats, Indices]:
    """The lowest start of the lines that the upper bound `step` frames on blocks, and the step that supports it.

    Below the upper bound `high` at distance d and above each lower bound passed, low_m at d_m, a line starts at the
    largest (d low_m - d_m high) / (d - d_m). Lines only turn downwards, so their support never goes back beyond
    `first`.
    """
    row, channel = np.nonzero(blocked)
    passed = at[row] + np.arange(first, step)[:, None]
    low, high = band.bounds[passed, 0, channel], band.bounds[at[row] + step, 1, channel]
    distance = band.frames[passed] - band.frames[at[row]]
    far = band.frames[at[row] + step] - band.frames[at[row]]
    starts = (far * low - distance * high) / (far - distance)
    support = starts.argmax(axis=0)
    return starts[support, np.arange(len(row))], support + first


def _walk_back(
    levels: list[_Corners], frames: Indices, target: Floats, low: Floats, high: Floats
) -> tuple[Indices, Floats]:
    """From the last frame to the first: at each corner the value nearest to the curve that the path allows."""
    channels = target.shape[1]
    corner = int(levels[-1].box.sum(axis=1).argmin())
    end = int(frames[levels[-1].at[corner]])
    box = levels[-1].box[corner]
    value = np.clip(target[end], box[:channels], -box[channels:])
    corners, values = [end], [value]
    for level, later in zip(levels[-2::-1], levels[:0:-1], strict=True):
        corner = int(later.before[corner])
        start = int(frames[level.at[corner]])
        share = ((np.arange(start, end) - start) / (end - start))[:, None]  # of the end value, in [0, 1)
        floor = ((low[start:end] - share * value) / (1 - share)).max(axis=0)
        ceiling = ((high[start:end] - share * value) / (1 - share)).min(axis=0)
        floor = np.maximum(floor, level.box[corner, :channels])
        ceiling = np.maximum(np.minimum(ceiling, -level.box[corner, channels:]), floor)
        value = np.clip(target[start], floor, ceiling)
        end = start
        corners.append(end)
        values.append(value)
    return np.array(corners[::-1]), np.array(values[::-1])
