"""Which of a speaker's other lines stand in for the voice profile, in training and in evaluation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dser_ext.emotion.names import NEUTRAL

Emotions = NDArray[np.int64]
Random = np.random.Generator

NO_VOICE = 0.3  # share of training lines that are measured without a voice
MOST_LINES = 90
MIXTURES = {"any": 0.5, "one-sided": 0.35, "neutral": 0.15}  # what a training reference is made of


def training_references(emotions: Emotions, random: Random) -> NDArray[np.bool_]:
    """For each of C lines of a speaker the others that it is measured against, (C, C) bool.

    None of them, or a number drawn evenly on a log scale; of any emotion, of a few (by a Dirichlet draw), or neutral.
    """
    count = len(emotions)
    chosen = np.zeros((count, count), bool)
    kinds, shares = list(MIXTURES), list(MIXTURES.values())
    for line in range(count):
        if random.random() < NO_VOICE:
            continue
        lines = int(np.exp(random.uniform(0, np.log(MOST_LINES))))
        chosen[line, _draw(emotions, line, lines, kinds[random.choice(len(kinds), p=shares)], random)] = True
    return chosen


def _draw(emotions: Emotions, line: int, lines: int, kind: str, random: Random) -> NDArray[np.int64]:
    others = np.flatnonzero(np.arange(len(emotions)) != line)
    if kind == "neutral":
        others = others[emotions[others] == NEUTRAL]
    weights = np.ones(len(others))
    if kind == "one-sided":
        weights = random.dirichlet(np.full(emotions.max() + 1, 0.5))[emotions[others]] + 1e-6
    # The largest of u^(1/w) are a weighted draw without replacement (Efraimidis and Spirakis 2006).
    keys = random.random(len(others)) ** (1 / weights)
    return others[np.argsort(-keys)[:lines]]
