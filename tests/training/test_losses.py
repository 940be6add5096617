"""The losses, against torch's own."""

from __future__ import annotations

import pytest
import torch
from dser_training.losses import (
    cross_entropy,
    dirichlet_log_density,
    dirichlet_nll,
    preference,
    preference_margin,
    soft_labels,
)

RANDOM = torch.Generator().manual_seed(0)


def mixtures(*shape: int) -> torch.Tensor:
    drawn = torch.rand(*shape, 6, generator=RANDOM) + 0.05
    return drawn / drawn.sum(-1, keepdim=True)


@pytest.mark.parametrize("shape", [(5,), (3, 4)])
def test_the_likelihood_is_the_dirichlets(shape: tuple[int, ...]) -> None:
    alpha, mixture = torch.rand(*shape, 6, generator=RANDOM) * 4 + 0.1, mixtures(*shape)
    expected = -torch.distributions.Dirichlet(alpha).log_prob(mixture).mean()
    assert torch.allclose(dirichlet_nll(alpha, mixture), expected, rtol=1e-4)


def test_the_likelihood_of_many_alike_is_largest_where_they_are() -> None:
    """Its maximum over the mean, and, as they are all alike, the surer the better."""
    mixture = mixtures(1)
    right = dirichlet_nll(20 * mixture, mixture)
    assert all(dirichlet_nll(20 * mixtures(1), mixture) > right for _ in range(20))
    assert dirichlet_nll(40 * mixture, mixture) < right < dirichlet_nll(5 * mixture, mixture)


def test_cross_entropy_is_torchs() -> None:
    logits, mixture = torch.randn(3, 4, 6, generator=RANDOM), mixtures(3, 4)
    expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), mixture.flatten(0, 1))
    assert torch.allclose(cross_entropy(logits, mixture), expected)


def test_cross_entropy_is_least_where_the_softmax_is_the_mixture() -> None:
    mixture = mixtures(4)
    logits = (mixture.log() + 3).requires_grad_()
    cross_entropy(logits, mixture).backward()
    assert logits.grad is not None
    assert logits.grad.abs().max() < 1e-6


def test_losses_of_far_off_logits_and_small_concentrations_have_finite_gradients() -> None:
    mixture = soft_labels(torch.eye(6), 0.1)
    logits = (1e4 * torch.eye(6).roll(1, 0)).requires_grad_()
    alpha = torch.full((6, 6), 1e-6).requires_grad_()
    (cross_entropy(logits, mixture) + dirichlet_nll(alpha, mixture)).backward()
    assert all(each.grad is not None and each.grad.isfinite().all() for each in (logits, alpha))


def test_soft_labels_lie_in_the_open_simplex_and_keep_what_is_largest() -> None:
    labels = soft_labels(torch.eye(6)[[0, 5]], 0.12)
    assert torch.allclose(labels.sum(-1), torch.ones(2))
    assert labels[0, 0] == pytest.approx(0.9)
    assert labels.min() == pytest.approx(0.02)
    assert torch.equal(soft_labels(torch.eye(6), 0.0), torch.eye(6))
    mixture = mixtures(4)
    assert torch.allclose(soft_labels(mixture, 0.1) - 0.1 / 6, 0.9 * mixture)


def test_the_density_is_torchs() -> None:
    alpha, mixture = torch.rand(3, 4, 6, generator=RANDOM) * 4 + 0.1, mixtures(3, 4)
    expected = torch.distributions.Dirichlet(alpha).log_prob(mixture)
    assert torch.allclose(dirichlet_log_density(alpha, mixture), expected, rtol=1e-4, atol=1e-5)


def test_the_preference_is_what_equation_7_says() -> None:
    """By hand: Dir(x | 2, 1, …, 1) = 720 x_1 and Dir(x | 1, …, 1) = 120, so the ratio of densities is 6 x_1."""
    policy, reference = torch.tensor([2.0, 1, 1, 1, 1, 1]), torch.ones(6)
    better = torch.tensor([0.5, 0.1, 0.1, 0.1, 0.1, 0.1])
    worse = torch.tensor([0.25, 0.15, 0.15, 0.15, 0.15, 0.15])
    margin = preference_margin(policy, reference, better, worse)
    assert margin == pytest.approx(torch.log(torch.tensor(2.0)).item(), rel=1e-5)  # log 3 - log 1.5
    for beta in (0.1, 0.5, 10.0):
        assert preference(margin, beta) == pytest.approx(-torch.sigmoid(beta * margin).log().item(), rel=1e-4)


def test_the_preference_of_a_model_that_has_not_moved_is_log_2() -> None:
    alpha = torch.rand(5, 6, generator=RANDOM) + 0.5
    margin = preference_margin(alpha, alpha, mixtures(5), mixtures(5))
    assert torch.allclose(preference(margin, 0.5), torch.full((5,), 2.0).log())


@pytest.mark.parametrize("beta", [0.01, 0.5, 10.0])
def test_its_gradient_is_that_of_differences(beta: float) -> None:
    alpha = (torch.rand(4, 6, generator=RANDOM) * 3 + 0.5).double().requires_grad_()
    reference, better, worse = torch.full((4, 6), 1.5).double(), mixtures(4).double(), mixtures(4).double()
    assert torch.autograd.gradcheck(
        lambda a: preference(preference_margin(a, reference, better, worse), beta), (alpha,), eps=1e-5, atol=1e-5
    )
