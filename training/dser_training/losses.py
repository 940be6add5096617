"""Training losses on concentrations and logits."""

from __future__ import annotations

import torch
from torch import Tensor


def soft_labels(mixture: Tensor, smoothing: float) -> Tensor:
    """Mixtures (…, count) moved into the open simplex: shares × (1 - smoothing) + smoothing / count.

    On the border, where one-hot labels lie, a Dirichlet density is 0 or infinite (paper, Mixtures).
    """
    return mixture * (1 - smoothing) + smoothing / mixture.shape[-1]


def dirichlet_nll(concentration: Tensor, mixture: Tensor) -> Tensor:
    """Mean negative log-likelihood of mixtures (…, 6) in the open simplex (paper, equation 5)."""
    normaliser = torch.lgamma(concentration).sum(-1) - torch.lgamma(concentration.sum(-1))
    return (normaliser - ((concentration - 1) * mixture.log()).sum(-1)).mean()


def cross_entropy(logits: Tensor, mixture: Tensor) -> Tensor:
    """Mean cross-entropy of a softmax over logits (…, 6) against mixtures (…, 6)."""
    return -(mixture * logits.log_softmax(-1)).sum(-1).mean()
