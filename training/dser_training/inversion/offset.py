"""How far an animation is late against its sound, from how its mouth and jaw fit what the network hears."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dser_training.inversion.network import Doubles, Face, Floats
from dser_training.inversion.solver import COUNT, Prior, fit

FARTHEST, GRID = 0.5, 0.03  # s, that are searched, and how finely at first
FINE = 0.01  # s between the offsets that are fitted
COMPARED, FITTED = 240, 100  # frames at most: those around which the mouth moves most
STEADY = Prior(sparsity=1e-4, smoothness=1.0)  # emotions that move slowly cannot stand in for speech
UNSURE = 0.3  # correlation of the mouth's motion, below which nothing is told

Hear = Callable[[Doubles], Face]
"""What a network makes of the sound at any times, (T,) s; before and after the sound it hears silence."""


@dataclass(frozen=True)
class Offset:
    """seconds: a frame at t shows the sound of t − seconds. correlation: of the mouth's motion with that of a face
    without emotions there, -1 to 1; None where nobody looked."""

    seconds: float
    correlation: float | None


def find(hear: Hear, times: Doubles, target: Floats, weights: Floats, *, fitted: bool = True) -> Offset:
    """The offset of an animation within ±0.5 s. times: (F,) s. target: (F, N). weights: (N, M), of mouth and jaw.

    First the motion of a face without emotions is compared on a grid; then, unless that is to be all (`fitted`),
    emotions are fitted, too, around the best.
    """
    shown = target @ weights
    rows = _liveliest(shown, COMPARED)
    coarse, correlation = _coarse(hear, times[rows], shown[rows], weights)
    if not fitted:
        return Offset(coarse, correlation)
    rows = _liveliest(shown, FITTED)
    costs: dict[int, float] = {}

    def cost(step: int) -> float:
        if step not in costs:
            face = hear(times[rows] - coarse - step * FINE)
            costs[step] = float(np.square(fit(face, target[rows], weights, STEADY).residual).sum())
        return costs[step]

    best = 0
    for _ in range(round(2 * GRID / FINE)):
        lowest = min((best - 1, best, best + 1), key=cost)
        if lowest == best:
            break
        best = lowest
    around = [cost(best - 1), cost(best), cost(best + 1)]
    seconds = coarse + FINE * (best + _between(around, 1))
    return Offset(float(np.clip(seconds, -FARTHEST, FARTHEST)), correlation)


def _coarse(hear: Hear, times: Doubles, target: Doubles, weights: Floats) -> tuple[float, float]:
    """The offset on the grid at which motion is most alike, and its correlation."""
    grid = np.arange(times[0] - FARTHEST, times[-1] + FARTHEST + GRID, GRID)
    said = hear(grid).animate(np.zeros((len(grid), COUNT), np.float32)) @ weights
    moved = np.diff(target, axis=0)
    offsets = np.arange(-FARTHEST, FARTHEST + GRID / 2, GRID)
    alike = []
    for offset in offsets:
        at = times - offset
        shown = np.stack([np.interp(at, grid, column) for column in said.T], axis=1)
        motion = np.diff(shown, axis=0)
        alike.append((motion * moved).sum() / max(np.linalg.norm(motion) * np.linalg.norm(moved), 1e-12))
    best = int(np.argmax(alike))
    return float(offsets[best] + GRID * _between(alike, best)), float(alike[best])


def _liveliest(target: Doubles, frames: int) -> slice:
    """So many frames around which most moves."""
    if len(target) <= frames:
        return slice(0, len(target))
    moved = np.square(np.diff(target, axis=0)).sum(axis=1)
    total = np.concatenate([[0], np.cumsum(moved)])
    start = int(np.argmax(total[frames - 1 :] - total[: 1 - frames]))
    return slice(start, start + frames)


def _between(values: list[float], at: int) -> float:
    """How many steps from a turning point of evenly spaced values its parabola turns, -1 to 1."""
    if not 0 < at < len(values) - 1:
        return 0.0
    before, here, after = values[at - 1 : at + 2]
    bend = before - 2 * here + after
    return float(np.clip(0.5 * (before - after) / bend, -1, 1)) if bend else 0.0
