"""Pairs: which two sequences of a line to ask a person about: those that can be told apart, and teach most."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dser_ext.emotion.names import EMOTIONS
from dser_ext.emotion.track import FRAME_RATE

SMOOTHED_FRAMES = 11  # 0.2 s: faster a face does not follow
LOOK_SECONDS = 1.0  # in which a difference has to be seen

Mixtures = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Asked:
    """A line and its sequences. mixtures: each (F, 6). speech: (F,) bool. uncertainty: of the model, above zero."""

    line: str
    mixtures: Sequence[Mixtures]
    speech: NDArray[np.bool_]
    uncertainty: float


@dataclass(frozen=True)
class Pair:
    """Two sequences of a line. difference: from 0 to 1. seconds: where they differ most. emotions: in which two."""

    line: str
    one: int
    other: int
    difference: float
    seconds: float
    emotions: tuple[str, str]

    def to_json(self) -> dict[str, Any]:
        """A line of pairs.jsonl."""
        return {
            "line": self.line,
            "candidates": [self.one, self.other],
            "difference": round(self.difference, 4),
            "seconds": round(self.seconds, 2),
            "emotions": list(self.emotions),
        }


def difference(one: Mixtures, other: Mixtures, speech: NDArray[np.bool_]) -> tuple[float, int]:
    """How far two sequences (F, 6) are apart, from 0 to 1, and the first frame of the second in which they are.

    The mean total variation over the second in which it is largest: two sequences that differ for that long can be
    told apart, however alike the rest. What is faster than a face does not count, nor what is no speech.
    """
    apart = 0.5 * np.abs(_smoothed(one) - _smoothed(other)).sum(axis=1) * speech
    look = min(len(apart), round(LOOK_SECONDS * FRAME_RATE))
    total = np.concatenate([[0.0], np.cumsum(apart)])
    means = (total[look:] - total[:-look]) / look
    start = int(means.argmax())
    return float(means[start]), start


def choose(lines: Sequence[Asked], count: int, least: float) -> list[Pair]:
    """At most `count` pairs that differ by at least `least`, those that teach most first.

    A pair teaches the more the further apart the two are and the less sure the model is of the line, and the less the
    more often its line, and the two emotions that it is about, were asked about already.
    """
    pairs: list[tuple[float, Pair]] = []
    for asked in lines:
        for one, other in combinations(range(len(asked.mixtures)), 2):
            apart, start = difference(asked.mixtures[one], asked.mixtures[other], asked.speech)
            if apart >= least:
                emotions = _emotions(asked.mixtures[one], asked.mixtures[other], start)
                pair = Pair(asked.line, one, other, apart, start / FRAME_RATE, emotions)
                pairs.append((apart * asked.uncertainty, pair))
    of_line: Counter[str] = Counter()
    of_emotions: Counter[tuple[str, str]] = Counter()

    def worth(value: float, pair: Pair) -> float:
        return value / (1 + of_line[pair.line]) / (1 + of_emotions[pair.emotions]) ** 0.5

    # What a pair is worth only falls: one that still leads when it is looked at again leads indeed.
    waiting = [(-value, number, value, pair) for number, (value, pair) in enumerate(pairs)]
    heapq.heapify(waiting)
    chosen: list[Pair] = []
    while waiting and len(chosen) < count:
        _, number, value, pair = heapq.heappop(waiting)
        now = worth(value, pair)
        if waiting and -now > waiting[0][0]:
            heapq.heappush(waiting, (-now, number, value, pair))
            continue
        chosen.append(pair)
        of_line[pair.line] += 1
        of_emotions[pair.emotions] += 1
    return chosen


def _emotions(one: Mixtures, other: Mixtures, start: int) -> tuple[str, str]:
    """The two emotions that make most of the difference there: more in the one, and more in the other."""
    stop = start + round(LOOK_SECONDS * FRAME_RATE)
    change = (one[start:stop] - other[start:stop]).mean(axis=0)
    first, second = sorted((int(change.argmax()), int(change.argmin())))
    return EMOTIONS[first], EMOTIONS[second]


def _smoothed(mixtures: Mixtures) -> NDArray[np.float64]:
    window = np.ones(min(SMOOTHED_FRAMES, len(mixtures)))
    weight = np.convolve(np.ones(len(mixtures)), window, mode="same")
    return np.stack([np.convolve(column, window, mode="same") / weight for column in mixtures.T], axis=1)
