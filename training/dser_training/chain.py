"""A chain of emotions: whether one becomes another at a frame, judged by all that is heard before and after it.

One emotion is there in every frame. Before each it changes with a probability of that frame's own, to any other; else
it stays. Of all courses that the line may have taken, weighed by how well they explain what is heard, `changes` gives
the share in which it changes there (the forward-backward algorithm of hidden Markov models).
"""

from __future__ import annotations

import torch
from torch import Tensor

from dser_ext.emotion.names import EMOTIONS

DOUBLINGS = 9
REACH = 2**DOUBLINGS  # frames before and after that count, 10 s
TINY = 1e-30


def changes(evidence: Tensor, change: Tensor) -> Tensor:
    """The probability that the emotion changes before each frame, given all frames, (batch, frames).

    evidence: log of how likely what is heard in a frame is with each emotion, up to a constant, (batch, frames, 6).
    change: the probability of a change before each frame, before anything else is known, (batch, frames).
    """
    count = evidence.shape[1]
    likely = (evidence - evidence.amax(dim=-1, keepdim=True)).exp()
    same = torch.eye(len(EMOTIONS), device=evidence.device)
    other = (1 - same) / (len(EMOTIONS) - 1)
    change = change[..., None, None]
    stays, turns = ((1 - change) * same * likely[..., None, :]), (change * other * likely[..., None, :])
    # Products of the steps up to each frame and from each frame on, of twice as many with every round.
    before = after = stays + turns  # (batch, frames, 6 before the step, 6 after it)
    for doubling in range(DOUBLINGS):
        none = same.expand(len(evidence), 2**doubling, -1, -1)
        before = _scaled(torch.cat([none, before], dim=1)[:, :count] @ before)
        after = _scaled(after @ torch.cat([after, none], dim=1)[:, 2**doubling :])
    past, future = before.sum(dim=-2), after.sum(dim=-1)  # how likely each emotion makes all before and all after
    past = torch.cat([torch.ones_like(past[:, :1]), past], dim=1)[:, :count, None]
    future = torch.cat([future, torch.ones_like(future[:, :1])], dim=1)[:, 1:, :, None]
    turned, stayed = (past @ turns @ future)[..., 0, 0], (past @ stays @ future)[..., 0, 0]
    return turned / (turned + stayed).clamp(min=TINY)


def _scaled(product: Tensor) -> Tensor:
    """To a largest value of 1, which changes no ratio and keeps long products from vanishing."""
    return product / product.amax(dim=(-2, -1), keepdim=True).clamp(min=TINY)
