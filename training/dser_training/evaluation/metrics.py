"""Metrics of recognition: pure functions of arrays, for bundles as for probes.

emotions, guesses: (N,), the intended and the strongest emotion of each line, indices into EMOTIONS.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dser_ext.emotion.names import EMOTIONS
from dser_ext.emotion.track import EmotionTrack

Floats = NDArray[np.float64]
Emotions = NDArray[np.int64]

BINS = 15  # of confidence, equally wide
VOTES_SMOOTHING = 0.1  # of the raters' shares, spread evenly, because the density on the border is 0 or ∞


def accuracy(emotions: Emotions, guesses: Emotions) -> float:
    """Share of lines whose strongest emotion is the intended one."""
    return float(np.mean(emotions == guesses))


def deviation(speakers: Sequence[str], emotions: Emotions, guesses: Emotions) -> float:
    """Standard deviation over speakers of each speaker's accuracy."""
    names = np.array(speakers)
    return float(np.std([accuracy(emotions[names == name], guesses[names == name]) for name in np.unique(names)]))


def confusion(emotions: Emotions, guesses: Emotions) -> NDArray[np.int64]:
    """How many lines of each intended emotion, the row, were taken for each emotion, the column: (6, 6)."""
    counts = np.zeros((len(EMOTIONS), len(EMOTIONS)), np.int64)
    np.add.at(counts, (emotions, guesses), 1)
    return counts


def recall(emotions: Emotions, guesses: Emotions) -> dict[str, float]:
    """For each intended emotion that there is the share of its lines that were right."""
    counts = confusion(emotions, guesses)
    lines = counts.sum(axis=1)
    return {name: float(counts[index, index] / lines[index]) for index, name in enumerate(EMOTIONS) if lines[index]}


def calibration_error(mixtures: Floats, emotions: Emotions) -> float:
    """Expected calibration error of the strongest emotion's share (Guo et al. 2017), in [0, 1].

    mixtures: (N, 6), rows sum to 1. In each bin of confidence how far its mean is from the accuracy, weighed by lines.
    """
    confidence, right = mixtures.max(axis=1), mixtures.argmax(axis=1) == emotions
    place = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    gaps = np.bincount(place, weights=confidence - right, minlength=BINS)
    return float(np.abs(gaps).sum() / len(emotions))


def log_likelihood(concentration: Floats, shares: Floats) -> float:
    """Mean log-density in nats, under Dirichlet distributions (N, 6), of the raters' shares of votes (N, 6).

    The shares are smoothed into the open simplex: 0.9 share + 0.1 / 6. The uniform distribution gives log 5! = 4.79.
    """
    mixtures = (1 - VOTES_SMOOTHING) * shares + VOTES_SMOOTHING / len(EMOTIONS)
    lines = EmotionTrack(np.arange(len(shares), dtype=np.float64), concentration.astype(np.float32))  # one frame a line
    return float(lines.log_likelihood(mixtures).mean())
