"""Emotions of all frames at once: a nonlinear least-squares fit within 0 to 1 (paper, equation 8).

Levenberg-Marquardt steps whose unknowns at a bound stay there while the fit pulls them outwards. The Jacobian is taken
by differences, which needs the network eleven times, unless the network tells it; it is then kept up to date from the
steps themselves (Broyden's rule), which needs the network once a step.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from dser_ext.emotion.names import A2F_EMOTIONS
from dser_training.inversion.network import Differentiable, Doubles, Face, Floats

COUNT = len(A2F_EMOTIONS)
DIFFERENCE = 0.01  # of an emotion, that the Jacobian is taken over
START = 0.1  # of every emotion: within the box, where the network answers to all of them
STEPS, FRESH = 24, 8  # at most, and after how many the Jacobian is taken anew
CONVERGED = 1e-4  # of any emotion, by which the last step moved it
SETTLED, IDLE = 1e-3, 2  # share of the cost that a step saves at least, and how many may save less
LESS, MORE = 0.1, 10.0  # damping after a step that was taken, and after one that was not
DAMPING = 1e-3  # at first, relative to the curvature; and the least and the most there is
LEAST_DAMPING, MOST_DAMPING = 1e-9, 1e6
TINY = 1e-12


@dataclass(frozen=True)
class Prior:
    """What picks one answer where the animation leaves several. Weights relative to the fit's curvature.

    sparsity: of the sum of the emotions; they cannot be negative, so it draws them to none. smoothness: of the squared
    change from a frame to the next, solved for all frames together.
    """

    sparsity: float = 1e-4
    smoothness: float = 0.0


@dataclass(frozen=True, eq=False)
class Fit:
    """emotions: (F, 10), 0 to 1. residual: (F, M), weighted. jacobian: (F, M, 10), of the weighted animation.

    evaluations: how often the network was asked for all frames.
    """

    emotions: Doubles
    residual: Doubles
    jacobian: Doubles
    evaluations: int


class _Counted:
    """The weighted animation of a face, and how often it was asked for."""

    def __init__(self, face: Face, target: Floats, weights: Floats) -> None:
        self._face, self._target, self._weights = face, np.asarray(target @ weights, np.float64), weights
        self.count = 0

    def __call__(self, emotions: Doubles) -> Doubles:
        self.count += 1
        made = self._face.animate(emotions.astype(np.float32)) @ self._weights
        return np.asarray(made, np.float64) - self._target

    def jacobian(self, emotions: Doubles, residual: Doubles) -> Doubles:
        """By the network itself if it tells, else by differences towards the middle of the box."""
        if isinstance(self._face, Differentiable):
            told = self._face.jacobian(emotions.astype(np.float32))
            return np.asarray(self._weights.T @ told, np.float64)
        columns = []
        for index in range(COUNT):
            moved = emotions.copy()
            step = np.where(emotions[:, index] < 0.5, DIFFERENCE, -DIFFERENCE)
            moved[:, index] += step
            columns.append((self(moved) - residual) / step[:, None])
        return np.stack(columns, axis=-1)


def fit(face: Face, target: Floats, weights: Floats, prior: Prior) -> Fit:
    """The emotions with which a face comes nearest to an animation, (F, N).

    weights: (N, M), what a difference in each output counts; with the identity all count alike.
    """
    differs = _Counted(face, target, weights)
    emotions = np.full((face.frames, COUNT), START)
    residual = differs(emotions)
    jacobian = differs.jacobian(emotions, residual)
    scale = max(float(np.square(jacobian).sum(axis=1).mean()), TINY)
    sparse, smooth = prior.sparsity * scale, prior.smoothness * scale
    damping = np.full(face.frames, DAMPING)
    age = idle = 0
    for _ in range(STEPS):
        step = _step(emotions, residual, jacobian, damping * scale, sparse, smooth)
        if np.abs(step).max() < CONVERGED or idle == IDLE:
            break
        if age >= FRESH:
            jacobian, age = differs.jacobian(emotions, residual), 0
            continue
        tried = emotions + step
        found = differs(tried)
        before, after = (_cost(*each, sparse, smooth) for each in ((emotions, residual), (tried, found)))
        better = (after <= before) | (after.sum() <= before.sum())  # neighbours may gain what a frame loses
        length = np.square(step).sum(axis=1)
        missed = found - residual - (jacobian @ step[..., None])[..., 0]
        jacobian += missed[..., None] * (step / np.maximum(length, TINY)[:, None])[:, None]
        emotions = np.where(better[:, None], tried, emotions)
        residual = np.where(better[:, None], found, residual)
        damping = np.clip(damping * np.where(better, LESS, MORE), LEAST_DAMPING, MOST_DAMPING)
        age += 1
        saved = before.sum() - np.where(better, after, before).sum()
        idle = idle + 1 if saved < SETTLED * before.sum() else 0
    return Fit(emotions, residual, differs.jacobian(emotions, residual), differs.count)


def _cost(emotions: Doubles, residual: Doubles, sparse: float, smooth: float) -> Doubles:
    """Of each frame, (F,); what two frames cost together is halved between them."""
    moved = np.square(np.diff(emotions, axis=0)).sum(axis=1) * smooth / 4
    cost = np.square(residual).sum(axis=1) / 2 + sparse * emotions.sum(axis=1)
    cost[1:] += moved
    cost[:-1] += moved
    return cost


def _step(
    emotions: Doubles, residual: Doubles, jacobian: Doubles, damping: Doubles, sparse: float, smooth: float
) -> Doubles:
    """The way to the lowest point of what is known of the cost, within the box, (F, 10)."""
    frames = len(emotions)
    moved = np.zeros_like(emotions)
    change = np.diff(emotions, axis=0)
    moved[1:] += change
    moved[:-1] -= change
    slope = (residual[:, None] @ jacobian)[:, 0] + sparse + smooth * moved
    held = ((emotions <= 0) & (slope > 0)) | ((emotions >= 1) & (slope < 0))
    curvature = jacobian.transpose(0, 2, 1) @ jacobian
    neighbours = np.full(frames, 2.0)
    neighbours[[0, -1]] -= 1
    if frames == 1:
        neighbours[:] = 0
    step = np.zeros_like(emotions)
    for _ in range(COUNT):  # what leaves the box is held at its border, and the others go on from there
        free = ~held
        system = curvature * (free[:, :, None] & free[:, None, :])
        diagonal = damping + smooth * neighbours
        system[:, np.arange(COUNT), np.arange(COUNT)] += np.where(free, diagonal[:, None], 1.0)
        pull = -slope - (curvature @ np.where(held, step, 0)[..., None])[..., 0]
        pull += smooth * _beside(np.where(held, step, 0))
        solved = _banded(system, np.where(free, pull, step), smooth * _both_free(free))
        outside = free & ((emotions + solved < 0) | (emotions + solved > 1))
        step = np.clip(emotions + solved, 0, 1) - emotions
        if not outside.any():
            break
        held = held | outside
    return step


def _both_free(free: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of each emotion whether it is free in a frame and in the next, (F - 1, 10)."""
    return free[1:] & free[:-1]


def _beside(step: Doubles) -> Doubles:
    """The steps of the frames before and after, added, (F, 10)."""
    total = np.zeros_like(step)
    total[1:] += step[:-1]
    total[:-1] += step[1:]
    return total


def _banded(blocks: Doubles, right: Doubles, coupled: Doubles) -> Doubles:
    """Solve for all frames: blocks (F, 10, 10) on the diagonal, and -coupled (F - 1, 10) between neighbours."""
    frames = len(blocks)
    band = np.zeros((COUNT + 1, frames, COUNT))
    for offset in range(COUNT):
        band[COUNT - offset, :, offset:] = np.diagonal(blocks, offset, axis1=1, axis2=2)
    band[0, 1:] = -coupled
    return solveh_banded(band.reshape(COUNT + 1, -1), right.reshape(-1)).reshape(frames, COUNT)
