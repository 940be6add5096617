"""Outliers: lines that are unlike the others, and in which respect; a person should look at them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dser_ext.emotion.names import EMOTIONS

FEWEST = 20  # lines without which nothing is unusual
FAR = 4.0  # deviations from the median, in units of a normal distribution's
NORMAL = 0.6745  # median absolute deviation of a normal distribution of deviation 1
MANY_KEYS = 2.0  # a second: fewer are no jitter, however few the others have
LEAST_SHARE = 0.4  # of the mixture that must differ before a line sounds unlike its voice


@dataclass(frozen=True)
class Outlier:
    """name: of the line. distance: in deviations. reason: in words."""

    name: str
    distance: float
    reason: str


def outliers(lines: Sequence[tuple[str, str | None, dict[str, Any]]]) -> list[Outlier]:
    """Lines that are unlike the others, the farthest first; each for its strongest reason.

    lines: name, voice, and statistics as `work.statistics` makes them.
    """
    if len(lines) < FEWEST:
        return []
    seconds = np.array([stats["seconds"] for *_, stats in lines])
    keys = np.array([stats["keys"] for *_, stats in lines]) / np.maximum(seconds, 0.1)
    uncertainty = np.array([stats["uncertainty"] for *_, stats in lines])
    found: dict[str, Outlier] = {}

    def consider(values: NDArray[np.float64], words: str, unit: str, least: float) -> None:
        median = float(np.median(values))
        for index, distance in enumerate(_deviations(values)):
            if abs(distance) > FAR and values[index] >= least:
                side = "more" if distance > 0 else "less"
                reason = (
                    f"{words}: {values[index]:.3g}{unit}, {side} than nearly all others (median {median:.3g}{unit})"
                )
                _note(found, Outlier(lines[index][0], abs(float(distance)), reason))

    consider(seconds, "length", " s", least=0)
    consider(keys, "keys a second", "", least=MANY_KEYS)
    consider(uncertainty, "spread", "", least=float(np.median(uncertainty)))
    for outlier in _unlike_their_voice(lines):
        _note(found, outlier)
    return sorted(found.values(), key=lambda outlier: (-outlier.distance, outlier.name))


def _unlike_their_voice(lines: Sequence[tuple[str, str | None, dict[str, Any]]]) -> list[Outlier]:
    voices: dict[str | None, list[int]] = defaultdict(list)
    for index, (_, voice, _) in enumerate(lines):
        voices[voice].append(index)
    found = []
    for indices in voices.values():
        if len(indices) < FEWEST:
            continue
        mixtures = np.array([lines[index][2]["mean"] for index in indices])
        usual = np.median(mixtures, axis=0)
        share = np.abs(mixtures - usual).sum(axis=1) / 2
        for index, mixture, differs, distance in zip(indices, mixtures, share, _deviations(share), strict=True):
            if distance > FAR and differs > LEAST_SHARE:
                emotion = int((mixture - usual).argmax())
                reason = f"{EMOTIONS[emotion]}: {mixture[emotion]:.0%} of it, where {usual[emotion]:.0%} is usual"
                found.append(Outlier(lines[index][0], float(distance), reason))
    return found


def _deviations(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances from the median, in deviations that a few far values do not change."""
    off = values - np.median(values)
    spread = float(np.median(np.abs(off))) or float(np.abs(off).mean())
    return np.asarray(NORMAL * off / spread if spread else np.zeros(len(values)))


def _note(found: dict[str, Outlier], outlier: Outlier) -> None:
    known = found.get(outlier.name)
    if known is None or known.distance < outlier.distance:
        found[outlier.name] = outlier
