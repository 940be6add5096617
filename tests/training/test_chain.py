"""The chain by itself, against the same sums done step by step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from dser_training.chain import REACH, changes
from numpy.typing import NDArray

COUNT = 6


def step_by_step(evidence: NDArray[np.float64], change: NDArray[np.float64], steady: float) -> NDArray[np.float64]:
    """The forward-backward algorithm as textbooks have it, and by it how likely any changes are."""
    frames = len(evidence)
    steps = [np.full((COUNT, COUNT), p / (COUNT - 1)) for p in change]
    for step, p in zip(steps, change, strict=True):
        np.fill_diagonal(step, 1 - p)
    likely = np.exp(evidence)
    past, future = np.ones((frames + 1, COUNT)), np.ones((frames + 1, COUNT))
    changing = np.log(COUNT)
    for t in range(frames):
        past[t + 1] = past[t] @ steps[t] * likely[t]
        changing += np.log(past[t + 1].sum() / past[t].sum())
        past[t + 1] /= past[t + 1].sum()
    for t in reversed(range(frames)):
        future[t] = steps[t] @ (likely[t] * future[t + 1])
        future[t] /= future[t].sum()
    joint = [past[t][:, None] * steps[t] * likely[t] * future[t + 1] for t in range(frames)]
    never = np.logaddexp.reduce(evidence.sum(axis=0))
    any_change = 1 / (1 + np.exp(never + steady - changing))
    return any_change * np.array([1 - np.trace(each) / each.sum() for each in joint])


@pytest.mark.parametrize("steady", [-1e3, 0, 20])
@pytest.mark.parametrize("frames", [1, 7, 300])
def test_changes_are_those_of_the_forward_backward_algorithm(frames: int, steady: float) -> None:
    random = np.random.default_rng(frames)
    evidence, change = random.normal(0, 1, (2, frames, COUNT)), random.uniform(0, 0.5, (2, frames))
    found = changes(torch.from_numpy(evidence), torch.from_numpy(change), steady)
    expected = [step_by_step(*each, steady) for each in zip(evidence, change, strict=True)]
    assert np.allclose(found.numpy(), np.stack(expected), atol=1e-9)


def test_a_change_needs_different_emotions_on_both_sides() -> None:
    evidence, change = one_or_two_emotions()
    found = changes(evidence, change, 0)
    assert found[0].max() < 0.01
    assert found[1, 105] > 0.9


def test_what_is_steady_for_sure_changes_only_where_more_says_so() -> None:
    evidence, change = one_or_two_emotions()
    assert changes(evidence, change, 100)[1].max() < 0.01
    assert changes(20 * evidence, change, 100)[1, 105] > 0.9


def one_or_two_emotions() -> tuple[torch.Tensor, torch.Tensor]:
    """A line of one emotion and one that changes at frame 105, where a change is likely in both."""
    evidence = torch.zeros(2, 200, COUNT)
    evidence[:, :100, 1] = evidence[:, 110:, 1] = 0.2
    evidence[1, 110:, 1], evidence[1, 110:, 3] = 0, 0.2
    change = torch.full((2, 200), 1e-4)
    change[:, 105] = 0.3
    return evidence, change


def test_long_lines_neither_vanish_nor_overflow() -> None:
    evidence = 30 * torch.randn(1, 3 * REACH, COUNT, generator=torch.Generator().manual_seed(0))
    for chance in (0.0, 1e-6, 1.0):
        found = changes(evidence, torch.full((1, 3 * REACH), chance), 8)
        assert torch.isfinite(found).all()
        assert ((found >= 0) & (found <= 1)).all()


def test_it_reaches_no_further_than_it_says() -> None:
    random = torch.Generator().manual_seed(0)
    frames = 2 * REACH + 101
    evidence, change = 0.01 * torch.randn(1, frames, COUNT, generator=random), torch.full((1, frames), 1e-3)
    inner = slice(50, -50)
    whole, part = changes(evidence, change, 1), changes(evidence[:, inner], change[:, inner], 1)
    assert torch.allclose(whole[:, REACH + 50], part[:, REACH], atol=1e-6)
