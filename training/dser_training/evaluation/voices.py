"""Voice settings: which of a speaker's other lines make the voice that a line is measured against.

Every line has a generator of its own, seeded with its speaker and its name: neither the order of the lines nor
another setting changes what is drawn for it, and the lines of a smaller number are among those of a larger one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from dser_ext.emotion.names import EMOTIONS, NEUTRAL
from dser_training.corpora.clip import Clip

SEED = 2508
ONE_SIDEDNESS = 0.5  # concentration of the Dirichlet distribution of random mixtures; the smaller, the more one-sided

NONE, ALL = "none", "all other lines"

SETTINGS: dict[str, tuple[tuple[int | None, str], ...]] = {
    NONE: (),
    "1 other line": ((1, "any"),),
    "4 other lines": ((4, "any"),),
    "16 other lines": ((16, "any"),),
    ALL: ((None, "any"),),
    "16, 70 % neutral": ((11, "neutral"), (5, "emotional")),
    "16 neutral": ((16, "neutral"),),
    "16, random mixture": ((16, "mixture"),),
    "16 of its own emotion": ((16, "own"),),
}
"""How many lines, None for all, of which kind."""


def draw(setting: str, line: Clip, lines: Sequence[Clip]) -> list[Clip]:
    """What `line` is measured against, of its speaker's `lines` but never itself; fewer where there are not enough."""
    others = sorted((clip for clip in lines if clip.path != line.path), key=lambda clip: clip.path.stem)
    emotions = np.array([clip.emotion for clip in others], int)
    random = np.random.default_rng(seed(line))
    times = random.exponential(size=len(others))
    weights = {
        "any": np.ones(len(others)),
        "neutral": emotions == NEUTRAL,
        "emotional": emotions != NEUTRAL,
        "own": emotions == line.emotion,
        "mixture": random.dirichlet(np.full(len(EMOTIONS), ONE_SIDEDNESS))[emotions],
    }
    chosen: list[Clip] = []
    for count, kind in SETTINGS[setting]:
        eligible = np.flatnonzero(weights[kind])
        # The smallest of exponential times are a weighted draw without replacement (Efraimidis and Spirakis 2006).
        order = eligible[np.argsort(times[eligible] / weights[kind][eligible])]
        chosen += [others[index] for index in order[:count]]
    return chosen


def seed(line: Clip) -> int:
    """A number of 32 bits that is the line's own, wherever its corpus lies."""
    return int.from_bytes(hashlib.sha256(f"{SEED}/{line.speaker}/{line.path.stem}".encode()).digest()[:4], "big")
