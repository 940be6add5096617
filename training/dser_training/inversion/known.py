"""How much an animation tells of the emotions that were found: what the network cannot see, and how far noise reaches.

Emotions that differ by a direction that the network does not see make the same animation. An interval for an emotion
is all that those have within 0 to 1, widened by what the noise that the fit leaves does to the directions it sees.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from dser_training.inversion.network import Doubles
from dser_training.inversion.solver import COUNT, Fit

UNSEEN = 1e-3  # of the strongest direction's answer, below which a direction is not seen
LOST = 0.3  # standard deviation of a direction, from which on noise drowns it: a uniform emotion has it, too
MOST_UNSEEN = 3  # directions that corners are looked for in; with more, an emotion may be anything
REACH = 1.96  # deviations: 95 %
ROWS = 256  # frames at a time
TINY = 1e-9


@dataclass(frozen=True, eq=False)
class Known:
    """low, high: (F, 10), the interval of each emotion. unseen: (F,), how many directions the animation leaves open.

    noise: of one weighted value of the animation, its standard deviation. directions: (10, K), an orthonormal basis of
    what no frame of the line shows.
    """

    low: Doubles
    high: Doubles
    unseen: np.ndarray
    noise: float
    directions: Doubles


def known(fit: Fit) -> Known:
    """What is known of the emotions of a fit."""
    information = fit.jacobian.transpose(0, 2, 1) @ fit.jacobian
    strength, basis = np.linalg.eigh(information)  # weakest first
    seen = np.sqrt(np.maximum(strength, 0))
    shown = seen >= UNSEEN * seen.max()
    along = fit.jacobian @ basis  # what moving along each direction does to the animation
    inverse = np.where(shown, 1 / np.maximum(strength, TINY), 0)
    variance = _variance(fit.residual, np.einsum("fmk,fk->fm", np.square(along), inverse))
    deviation = inverse * np.sqrt(np.einsum("fmk,m->fk", np.square(along), variance))
    open_ = ~shown | (deviation > LOST)
    reach = (basis * np.where(open_, 0, inverse)[:, None]) @ along.transpose(0, 2, 1)
    spread = REACH * np.sqrt(np.einsum("fim,m->fi", np.square(reach), variance))
    unseen = open_.sum(axis=1)
    low, high = np.zeros_like(fit.emotions), np.ones_like(fit.emotions)
    for count in range(MOST_UNSEEN + 1):
        rows = np.flatnonzero(unseen == count)
        for start in range(0, len(rows), ROWS):
            some = rows[start : start + ROWS]
            open_first = np.argsort(~open_[some], axis=1, kind="stable")[:, :count]
            directions = np.take_along_axis(basis[some], open_first[:, None], axis=2)
            low[some], high[some] = _range(fit.emotions[some], directions, spread[some])
    total_strength, directions = np.linalg.eigh(information.mean(axis=0))
    hidden = np.sqrt(np.maximum(total_strength, 0)) < UNSEEN * np.sqrt(max(total_strength[-1], TINY))
    noise = float(np.sqrt(variance.mean()))
    return Known(np.clip(low - spread, 0, 1), np.clip(high + spread, 0, 1), unseen, noise, directions[:, hidden])


def _variance(residual: Doubles, leverage: Doubles) -> Doubles:
    """Of each weighted value of the animation by itself, (M,): noise and misfit are not the same all over the face.

    leverage: (F, M), how much of each value's noise the fit takes for emotion.
    """
    left = np.maximum(1 - leverage, 0).sum(axis=0)
    return np.asarray(np.square(residual).sum(axis=0) / np.maximum(left, 0.05 * len(residual)))


def _range(emotions: Doubles, unseen: Doubles, spread: Doubles) -> tuple[Doubles, Doubles]:
    """The least and the most of each emotion along directions (n, 10, K) within the box, by the box's corners there.

    spread: (n, 10), how far each emotion may besides be from what was found.
    """
    count = unseen.shape[2]
    if count == 0:
        return emotions, emotions
    sides = np.concatenate([unseen, -unseen], axis=1)  # sides @ z <= room
    room = np.concatenate([1 - emotions + spread, emotions + spread], axis=1)
    corners = np.array(list(combinations(range(2 * COUNT), count)))
    systems, limits = sides[:, corners], room[:, corners]
    solvable = np.abs(np.linalg.det(systems)) > TINY
    systems[~solvable] = np.eye(count)
    z = np.linalg.solve(systems, limits[..., None])[..., 0]
    inside = solvable & (np.einsum("nsk,nck->ncs", sides, z) <= room[:, None] + 1e-6).all(axis=2)
    moved = emotions[:, None] + np.einsum("nik,nck->nci", unseen, z)
    low = np.where(inside[..., None], moved, np.inf).min(axis=1)
    high = np.where(inside[..., None], moved, -np.inf).max(axis=1)
    return np.minimum(low, emotions), np.maximum(high, emotions)
