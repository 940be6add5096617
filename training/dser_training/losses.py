"""Training losses on concentrations."""

from __future__ import annotations

import torch
from torch import Tensor


def soft_labels(emotions: Tensor, count: int, smoothing: float) -> Tensor:
    """One-hot labels (…) moved into the open simplex, (…, count): the label's share is 1 - smoothing + smoothing/count.

    On the border, where one-hot labels lie, a Dirichlet density is 0 or infinite (paper, Mixtures).
    """
    one_hot = torch.nn.functional.one_hot(emotions, count).float()
    return one_hot * (1 - smoothing) + smoothing / count


def dirichlet_nll(concentration: Tensor, mixture: Tensor) -> Tensor:
    """Mean negative log-likelihood of mixtures (…, 6) in the open simplex (paper, equation 5)."""
    normaliser = torch.lgamma(concentration).sum(-1) - torch.lgamma(concentration.sum(-1))
    return (normaliser - ((concentration - 1) * mixture.log()).sum(-1)).mean()
