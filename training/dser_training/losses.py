"""Training losses on concentrations and logits."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def soft_labels(mixture: Tensor, smoothing: float) -> Tensor:
    """Mixtures (…, count) moved into the open simplex: shares × (1 - smoothing) + smoothing / count.

    On the border, where one-hot labels lie, a Dirichlet density is 0 or infinite (paper, Mixtures).
    """
    return mixture * (1 - smoothing) + smoothing / mixture.shape[-1]


def dirichlet_nll(concentration: Tensor, mixture: Tensor) -> Tensor:
    """Mean negative log-likelihood of mixtures (…, 6) in the open simplex (paper, equation 5)."""
    return -dirichlet_log_density(concentration, mixture).mean()


def dirichlet_log_density(concentration: Tensor, mixture: Tensor) -> Tensor:
    """log Dir(mixture | concentration) of mixtures (…, 6) in the open simplex, (…) (paper, equation 2)."""
    normaliser = torch.lgamma(concentration).sum(-1) - torch.lgamma(concentration.sum(-1))
    return ((concentration - 1) * mixture.log()).sum(-1) - normaliser


def preference_margin(policy: Tensor, reference: Tensor, better: Tensor, worse: Tensor) -> Tensor:
    """By how much more a model has come to expect the better of two mixtures than the worse, (…) (paper, equation 7).

    policy, reference: concentrations (…, 6) of the model that learns and of its frozen copy. better, worse: mixtures
    (…, 6) in the open simplex.
    """
    of_better, of_worse = (
        dirichlet_log_density(policy, mixture) - dirichlet_log_density(reference, mixture)
        for mixture in (better, worse)
    )
    return of_better - of_worse


def preference(margin: Tensor, beta: float) -> Tensor:
    """-log σ(β margin), (…): the loss of each emotion of a sequence (paper, equation 7)."""
    return -nn.functional.logsigmoid(beta * margin)


def cross_entropy(logits: Tensor, mixture: Tensor) -> Tensor:
    """Mean cross-entropy of a softmax over logits (…, 6) against mixtures (…, 6)."""
    return -(mixture * logits.log_softmax(-1)).sum(-1).mean()
