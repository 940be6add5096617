"""EditedKeys: a line's keys with what an animator has set by hand, which stays when the others are made anew."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dser_ext.emotion.curves import Curves
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.emotion.reduction import keyframes_in_steps
from dser_ext.errors import FormatError
from dser_ext.steps import result

SEAM_SECONDS = 0.3
"""Beside what stays, new curves lean towards it over this time, so that nothing jumps."""

Span = tuple[float, float]
Flags = NDArray[np.bool_]
Times = NDArray[np.float64]
Values = NDArray[np.float32]

ROUNDING = 1e-6
"""Times nearer to each other than this, in seconds or in frames, are the same."""


@dataclass(frozen=True, eq=False)
class EditedKeys:
    """Keys, and which of them stay.

    keys: of the line; the first and the last one keep their times. touched: (K,) bool, set by hand: such a key stays.
    locks: seconds from and to, sorted, apart from each other, within the line: all keys there stay, and so do the
    values at both ends.

    Every change gives another one. Indices are those of keys. Raises FormatError for what does not fit.
    """

    keys: Keyframes
    touched: Flags
    locks: tuple[Span, ...] = ()

    @classmethod
    def untouched(cls, keys: Keyframes) -> EditedKeys:
        """Keys as they were made."""
        return cls(keys, np.zeros(len(keys.times), np.bool_))

    def __post_init__(self) -> None:
        touched, locks = np.asarray(self.touched, np.bool_), tuple((float(a), float(b)) for a, b in self.locks)
        if touched.shape != self.keys.times.shape:
            raise FormatError(f"of {len(self.keys.times)} keys {touched.shape} cannot be touched")
        edges = np.array([edge for lock in locks for edge in lock])
        if not (np.isfinite(edges).all() and (edges[:1] >= 0).all() and (np.diff(edges) > 0).all()):
            raise FormatError(
                "locked spans must be sorted and apart from each other, each from one time to a later one"
            )
        object.__setattr__(self, "touched", touched)
        object.__setattr__(self, "locks", locks)

    @property
    def kept(self) -> Flags:
        """Keys that stay, (K,): touched or locked."""
        times = self.keys.times
        locked = [(start <= times) & (times <= end) for start, end in self.locks]
        return np.asarray(np.logical_or.reduce([self.touched, *locked]))

    def moved(self, indices: Iterable[int], frames: int, fps: float) -> EditedKeys:
        """These keys later, or earlier, by up to so many frames, never past another; the first and last stay."""
        chosen = self._inner(indices)
        times = self.keys.times.copy()
        if not chosen.any():
            return self
        others = ~chosen
        before = np.maximum.accumulate(np.where(others, times, -np.inf))[chosen]
        after = np.minimum.accumulate(np.where(others, times, np.inf)[::-1])[::-1][chosen]
        room = np.array([(before - times[chosen]).max(), (after - times[chosen]).min()]) * fps
        least, most = np.ceil(room[0] + ROUNDING), np.floor(room[1] - ROUNDING)
        frames = int(np.clip(frames, min(least, 0), max(most, 0)))
        if not frames:
            return self
        times[chosen] += frames / fps
        return replace(self, keys=Keyframes(times, self.keys.values), touched=self.touched | chosen)

    def with_values(self, indices: Iterable[int], emotion: str, values: ArrayLike) -> EditedKeys:
        """These keys with other values of one Audio2Face emotion; brought into 0 to 1."""
        chosen = self._chosen(indices)
        changed = self.keys.values.copy()
        changed[chosen, A2F_EMOTIONS.index(emotion)] = np.clip(values, 0, 1)
        return replace(self, keys=Keyframes(self.keys.times, changed), touched=self.touched | chosen)

    def added(self, seconds: float) -> EditedKeys:
        """One key more, on the curve as it is, unless there is one or the line does not reach so far."""
        times = self.keys.times
        at = int(np.searchsorted(times, seconds))
        if not times[0] < seconds < times[-1] or seconds in times:
            return self
        values = np.insert(self.keys.values, at, self.keys.at(seconds), axis=0)
        return EditedKeys(
            Keyframes(np.insert(times, at, seconds), values), np.insert(self.touched, at, True), self.locks
        )

    def without(self, indices: Iterable[int]) -> EditedKeys:
        """These keys are gone, but for the first and last, and stay away: the stretch that they leave is locked."""
        gone = self._inner(indices)
        if not gone.any():
            return self
        times, left = self.keys.times, np.flatnonzero(~gone)
        after = np.unique(np.searchsorted(left, np.flatnonzero(gone)))  # of the keys that are left, where a gap ends
        keys = Keyframes(times[left], self.keys.values[left])
        edited = EditedKeys(keys, self.touched[left], self.locks)
        for index in after:
            edited = edited.locked(float(keys.times[index - 1]), float(keys.times[index]))
        return edited

    def locked(self, start: float, end: float) -> EditedKeys:
        """Also between these times everything stays."""
        joined: list[Span] = []
        for one, other in sorted([*self.locks, (min(start, end), max(start, end))]):
            if joined and one <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(joined[-1][1], other))
            elif one < other:
                joined.append((one, other))
        return replace(self, locks=tuple(joined))

    def unlocked(self, start: float, end: float) -> EditedKeys:
        """Between these times nothing is kept any more."""
        left = [part for lock in self.locks for part in ((lock[0], min(lock[1], start)), (max(lock[0], end), lock[1]))]
        free = (start <= self.keys.times) & (self.keys.times <= end)
        return replace(self, touched=self.touched & ~free, locks=tuple((a, b) for a, b in left if a < b))

    def remade(self, curves: Curves, tolerance: float) -> EditedKeys:
        """As `remade_in_steps`, in one go."""
        return result(self.remade_in_steps(curves, tolerance))

    def remade_in_steps(self, curves: Curves, tolerance: float) -> Generator[float, None, EditedKeys]:
        """The fewest keys that follow other curves within `tolerance`, and those that stay, with a smooth seam.

        Where something stays, and is left again, the curves lean towards it over SEAM_SECONDS. What lies behind the
        end of the curves is dropped. Says between steps how many seconds have keys; raises as `keyframes_in_steps`.
        """
        holds = self._holds(float(curves.times[-1]))
        if not holds:
            keys = yield from keyframes_in_steps(curves, tolerance)
            return EditedKeys.untouched(keys)
        bent = Curves(curves.fps, _bent(curves, self.keys, holds))
        times: list[Times] = []
        values: list[Values] = []
        edge = -np.inf  # of the hold before
        for start, end in [*holds, (np.inf, np.inf)]:
            free = yield from _between(bent, edge, start, tolerance)
            inside = (start + ROUNDING < self.keys.times) & (self.keys.times < end - ROUNDING)
            held = [] if start == np.inf else [start, *self.keys.times[inside], *([end] if end > start else [])]
            times += [free[0], np.array(held)]
            values += [free[1], self.keys.at(held)]
            edge = end
        keys = Keyframes(np.concatenate(times), np.concatenate(values))
        touched = np.isin(keys.times, self.keys.times[self.touched])
        locks = tuple((start, min(end, float(curves.times[-1]))) for start, end in self.locks)
        return EditedKeys(keys, touched, tuple((start, end) for start, end in locks if start < end))

    def _holds(self, until: float) -> list[Span]:
        """What stays of the line up to `until`: locks, and touched keys outside of them, which begin where they end."""
        times = self.keys.times[self.touched]
        outside = [time for time in times.tolist() if not any(start <= time <= end for start, end in self.locks)]
        spans = sorted([*self.locks, *((time, time) for time in outside)])
        return [(start, min(end, until)) for start, end in spans if start <= until]

    def _chosen(self, indices: Iterable[int]) -> Flags:
        chosen = np.zeros(len(self.keys.times), np.bool_)
        chosen[list(indices)] = True
        return chosen

    def _inner(self, indices: Iterable[int]) -> Flags:
        chosen = self._chosen(indices)
        chosen[[0, -1]] = False
        return chosen


def _bent(curves: Curves, keys: Keyframes, holds: list[Span]) -> Values:
    """The curves, as what stays where that is, and leaning towards it beside it, (F, 10)."""
    times, values = curves.times, curves.values.astype(np.float64)
    edges = [-np.inf, *(edge for hold in holds for edge in hold), np.inf]
    lean = np.zeros_like(values)
    for number, (start, end) in enumerate(holds):
        for edge, next_, side in ((start, edges[2 * number], -1), (end, edges[2 * number + 3], 1)):
            reach = min(SEAM_SECONDS, abs(next_ - edge))
            away = side * (times - edge)
            beside = (away > 0) & (away < reach)
            weight = 0.5 + 0.5 * np.cos(np.pi * away[beside] / max(reach, 1e-9))
            lean[beside] += weight[:, None] * (keys.at(edge) - _at(curves, edge))
    values += lean
    for start, end in holds:
        within = (start <= times) & (times <= end)
        values[within] = keys.at(times[within])
    return np.clip(values, 0, 1).astype(np.float32)


def _between(
    curves: Curves, after: float, before: float, tolerance: float
) -> Generator[float, None, tuple[Times, Values]]:
    """Keys of the curves strictly between two times of which the keys are known: times (K,) and values (K, 10)."""
    at = curves.times
    known = (np.abs(at - after) <= ROUNDING) | (np.abs(at - before) <= ROUNDING)
    part = np.flatnonzero(((at > after) & (at < before)) | known)
    if known[part].all():
        return np.zeros(0), np.zeros((0, len(A2F_EMOTIONS)), np.float32)
    fewest = yield from keyframes_in_steps(Curves(curves.fps, curves.values[part]), tolerance, known[part])
    frames = part[0] + np.round(fewest.times * curves.fps).astype(np.int64)
    own = ~known[frames]
    return at[frames[own]], fewest.values[own]


def _at(curves: Curves, seconds: float) -> NDArray[np.float64]:
    return np.array([np.interp(seconds, curves.times, column) for column in curves.values.T])
