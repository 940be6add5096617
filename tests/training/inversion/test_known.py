"""What an animation tells of the emotions: directions that no network sees, and intervals that hold the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from dser_training.inversion.known import known
from dser_training.inversion.solver import Prior, fit
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

SIZE = 30


@dataclass
class LinearFace:
    """An animation that is emotions times a matrix, (10, SIZE), of a rank."""

    matrix: np.ndarray
    frames: int

    def animate(self, emotions: np.ndarray) -> np.ndarray:
        return (emotions @ self.matrix).astype(np.float32)


def made(rank: int, frames: int, seed: int) -> tuple[LinearFace, np.ndarray]:
    random = np.random.default_rng(seed)
    left, right = (np.linalg.qr(random.normal(size=(size, rank)))[0] for size in (10, SIZE))
    matrix = left * random.uniform(1, 3, rank) @ right.T
    return LinearFace(matrix.astype(np.float32), frames), random.uniform(size=(frames, 10))


@settings(max_examples=8, deadline=None)
@given(rank=st.sampled_from([8, 9, 10]), seed=st.integers(0, 10**6))
def test_intervals_are_all_that_looks_the_same(rank: int, seed: int) -> None:
    face, truth = made(rank, 3, seed)
    found = fit(face, face.animate(truth), np.eye(SIZE, dtype=np.float32), Prior(1e-5))
    told = known(found)
    assert (told.unseen == 10 - rank).all()
    assert told.directions.shape == (10, 10 - rank)
    assert np.abs(told.directions.T @ face.matrix).max(initial=0) < 1e-3 * np.abs(face.matrix).max()
    assert (told.low <= truth + 0.02).all()
    assert (told.high >= truth - 0.02).all()
    shown = np.linalg.svd(face.matrix)[0][:, :rank].T
    for index in range(10):  # as a linear program says
        for sign, end in ((1, told.low), (-1, told.high)):
            cost = sign * np.eye(10)[index]
            best = linprog(cost, A_eq=shown, b_eq=shown @ truth[0], bounds=(0, 1))
            assert end[0, index] == pytest.approx(sign * best.fun, abs=0.03)


def test_intervals_hold_the_truth_as_often_as_they_say_where_there_is_noise() -> None:
    face, truth = made(10, 400, 1)
    target = face.animate(truth)
    noisy = target + np.random.default_rng(2).normal(0, 0.1, target.shape).astype(np.float32)
    told = known(fit(face, noisy, np.eye(SIZE, dtype=np.float32), Prior(sparsity=0)))
    assert told.noise == pytest.approx(0.1, rel=0.1)
    held = (told.low <= truth) & (truth <= told.high)
    assert 0.9 < held.mean() < 0.99
    assert (told.high - told.low).mean() < 0.6


def test_noise_opens_directions_that_are_hardly_seen() -> None:
    face, truth = made(10, 50, 3)
    weak = LinearFace(face.matrix * np.r_[np.full(9, 1.0), 1e-2][:, None].astype(np.float32), 50)
    target = weak.animate(truth)
    noisy = target + np.random.default_rng(2).normal(0, 0.3, target.shape).astype(np.float32)
    told = known(fit(weak, noisy, np.eye(SIZE, dtype=np.float32), Prior()))
    assert (told.unseen >= 1).all()
    assert (told.high - told.low)[:, 9].min() > 0.9
