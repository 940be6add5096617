"""When the emotion changes: how well changes are found, and how steady the mixture is in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from dser_ext.emotion.names import EMOTIONS, NEUTRAL
from dser_ext.emotion.track import FRAME_RATE

HELD_FRAMES = round(0.25 * FRAME_RATE)  # that a new emotion has to hold for, to count as a change
TINY = 1e-9  # minutes, where there are none
WITHIN_SECONDS = 1.0  # of a true border, in which a change is taken for it

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Found:
    """What was found in one line: errors in seconds of each border that was found, how many were missed and how many
    changes invented, and the line's length in seconds."""

    errors: list[float]
    missed: int
    invented: int
    seconds: float


def shares(concentration: NDArray[np.float32]) -> Floats:
    """Concentrations (F, 6) → the mixtures that are expected, whose rows sum to 1."""
    alpha = np.float64(concentration)
    return np.asarray(alpha / alpha.sum(axis=1, keepdims=True))


def changes(mixtures: Floats) -> list[float]:
    """Seconds at which the strongest emotion becomes another one that then holds for HELD_FRAMES; mixtures (F, 6)."""
    strongest = mixtures.argmax(axis=1)
    starts = np.flatnonzero(np.diff(strongest, prepend=-1))
    lengths = np.diff(np.append(starts, len(strongest)))
    found: list[float] = []
    current = -1
    for start, length in zip(starts, lengths, strict=True):
        if length < HELD_FRAMES or strongest[start] == current:
            continue
        if current >= 0:
            found.append(start / FRAME_RATE)
        current = strongest[start]
    return found


def match(found: Sequence[float], borders: Sequence[float], seconds: float) -> Found:
    """Changes and true borders matched one to one, as many as can be and as closely as can be.

    Those of a pair are at most WITHIN_SECONDS apart; the rest is missed or invented.
    """
    distance = np.abs(np.subtract.outer(np.array(borders, float), np.array(found, float)))
    # A pair that is too far apart costs more than all others together, so that none is made at the expense of others.
    far = WITHIN_SECONDS * (1 + min(distance.shape, default=0))
    rows, columns = linear_sum_assignment(np.where(distance <= WITHIN_SECONDS, distance, far))
    errors = [distance[pair] for pair in zip(rows, columns, strict=True) if distance[pair] <= WITHIN_SECONDS]
    return Found([float(e) for e in errors], len(borders) - len(errors), len(found) - len(errors), seconds)


def mean_absolute_error(mixtures: Floats, truth: Floats) -> float:
    """Over all frames and the emotions other than neutral (paper, Results)."""
    others = [index for index in range(len(EMOTIONS)) if index != NEUTRAL]
    return float(np.abs(mixtures - truth)[:, others].mean())


def frame_error(mixtures: Floats, truth: Floats) -> float:
    """Share of frames in which another emotion than the true one is the strongest."""
    return float(np.mean(mixtures.argmax(axis=1) != truth.argmax(axis=1)))


def flicker(mixtures: Floats) -> float:
    """Total variation of the mixture a second: how much of it moves from one emotion to others; 1 is all of it."""
    return float(0.5 * np.abs(np.diff(mixtures, axis=0)).sum() / (len(mixtures) / FRAME_RATE))


class Spliced(Protocol):
    """A line whose truth is known, as in `corpora.splices`."""

    kind: str
    mixtures: NDArray[np.float32]
    borders: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Known:
    """A line whose truth is known, by itself."""

    kind: str
    mixtures: NDArray[np.float32]
    borders: tuple[float, ...]


def figures(tracks: Sequence[Floats], lines: Sequence[Spliced]) -> dict[str, float]:
    """How well the mixtures of lines are told, (F, 6) each.

    mean_absolute_error, frame_error: over all frames. border_median, border_90: ms, over the borders that were found.
    missed, invented: a minute, in lines with changes; borders: how many there are. invented_in_one, flicker: changes a
    minute and movement of the mixture a second in lines of one emotion.
    """
    pairs = list(zip(tracks, lines, strict=True))
    changing = [match(changes(told), line.borders, len(told) / FRAME_RATE) for told, line in pairs if line.borders]
    staying = [told for told, line in pairs if line.kind == "stay"]
    still = [match(changes(told), (), len(told) / FRAME_RATE) for told in staying]
    minutes = sum(found.seconds for found in changing) / 60
    quiet_minutes = sum(found.seconds for found in still) / 60
    errors = [1000 * error for found in changing for error in found.errors] or [float("nan")]
    everything, truth = np.concatenate(tracks), np.concatenate([line.mixtures for line in lines])
    return {
        "mean_absolute_error": mean_absolute_error(everything, truth),
        "frame_error": frame_error(everything, truth),
        "border_median": float(np.median(errors)),
        "border_90": float(np.quantile(errors, 0.9)),
        "borders": sum(len(line.borders) for line in lines) / max(minutes, TINY),
        "missed": sum(found.missed for found in changing) / max(minutes, TINY),
        "invented": sum(found.invented for found in changing) / max(minutes, TINY),
        "invented_in_one": sum(found.invented for found in still) / max(quiet_minutes, TINY),
        "flicker": float(np.mean([flicker(told) for told in staying])) if staying else float("nan"),
    }
