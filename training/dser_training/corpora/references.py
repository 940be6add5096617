"""Which of a speaker's other lines stand in for the voice in training."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dser_ext.emotion.names import NEUTRAL

Emotions = NDArray[np.int64]
Random = np.random.Generator

MOST_LINES = 90
KINDS = {"none": 0.15, "any": 0.25, "one-sided": 0.1, "mostly neutral": 0.2, "one emotion": 0.3}
"""How often a training line is measured without a voice, or against which others of the speaker."""


def training_references(emotions: Emotions, random: Random) -> NDArray[np.bool_]:
    """For each of C lines of a speaker the others that it is measured against, (C, C) bool.

    emotions: (C,), -1 where unknown. The number of others is drawn evenly on a log scale.
    """
    count = len(emotions)
    chosen = np.zeros((count, count), bool)
    for line in range(count):
        chosen[line, others_of(emotions, line, random)] = True
    return chosen


def others_of(emotions: Emotions, line: int, random: Random) -> NDArray[np.int64]:
    """Which of a speaker's other lines one line is measured against this time; emotions: (C,), -1 where unknown."""
    kind = list(KINDS)[random.choice(len(KINDS), p=list(KINDS.values()))]
    if kind == "none" or len(emotions) < 2:
        return np.zeros(0, np.int64)
    return _draw(emotions, line, int(np.exp(random.uniform(0, np.log(MOST_LINES)))), kind, random)


def _draw(emotions: Emotions, line: int, lines: int, kind: str, random: Random) -> NDArray[np.int64]:
    others = np.flatnonzero(np.arange(len(emotions)) != line)
    weights = np.ones(len(others))
    if kind == "one-sided":
        weights = random.dirichlet(np.full(emotions.max() + 2, 0.5))[emotions[others]] + 1e-6
    if kind == "mostly neutral":
        neutral = random.choice([0.7, 1.0])
        is_neutral = emotions[others] == NEUTRAL
        weights = np.where(is_neutral, neutral / max(1, is_neutral.sum()), (1 - neutral) / max(1, (~is_neutral).sum()))
    if kind == "one emotion":
        same = emotions[line] if random.random() < 0.5 else random.choice(emotions)
        weights = (emotions[others] == same).astype(float)
    others, weights = others[weights > 0], weights[weights > 0]
    # The largest of u^(1/w) are a weighted draw without replacement (Efraimidis and Spirakis 2006).
    keys = np.log(random.random(len(others))) / weights
    return others[np.argsort(-keys)[:lines]]
