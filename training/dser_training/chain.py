"""A chain of emotions: whether one becomes another at a frame, judged by all that is heard before and after it.

One emotion is there in every frame. Before each it changes with a probability of that frame's own, to any other; else
it stays. Of all courses that the line may have taken, weighed by how well they explain what is heard, `changes` gives
the share in which it changes there (the forward-backward algorithm of hidden Markov models). Most speech does not
change at all: that one emotion is there all the time is a course of its own, and far likelier from the start.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dser_ext.emotion.names import EMOTIONS

DOUBLINGS = 9
REACH = 2**DOUBLINGS  # frames before and after that count, 10 s
TINY = 1e-30


def changes(evidence: Tensor, change: Tensor, steady: Tensor | float) -> Tensor:
    """The probability that the emotion changes before each frame, given all frames within reach, (batch, frames).

    evidence: log of how likely what is heard in a frame is with each emotion, up to a constant, (batch, frames, 6).
    change: the probability of a change before each frame, where any changes are, (batch, frames).
    steady: log of how much likelier it is, before anything is heard, that there are none.
    """
    count = evidence.shape[1]
    evidence = evidence - evidence.amax(dim=-1, keepdim=True)
    likely = evidence.exp()
    same = torch.eye(len(EMOTIONS), device=evidence.device)
    other = (1 - same) / (len(EMOTIONS) - 1)
    change = change[..., None, None]
    stays, turns = ((1 - change) * same * likely[..., None, :]), (change * other * likely[..., None, :])
    # Products of the steps up to each frame and from each frame on, of twice as many with every round.
    before = after = stays + turns  # (batch, frames, 6 before the step, 6 after it)
    before_log = after_log = torch.zeros_like(change[..., 0, 0])
    for doubling in range(DOUBLINGS):
        none = same.expand(len(evidence), 2**doubling, -1, -1)
        nothing = torch.zeros_like(before_log[:, :1]).expand(-1, 2**doubling)
        before, more = _scaled(torch.cat([none, before], dim=1)[:, :count] @ before)
        before_log = torch.cat([nothing, before_log], dim=1)[:, :count] + before_log + more
        after, more = _scaled(after @ torch.cat([after, none], dim=1)[:, 2**doubling :])
        after_log = after_log + torch.cat([after_log, nothing], dim=1)[:, 2**doubling :] + more
    past, future = before.sum(dim=-2), after.sum(dim=-1)  # how likely each emotion makes all before and all after
    past = torch.cat([torch.ones_like(past[:, :1]), past], dim=1)[:, :count, None]
    future = torch.cat([future, torch.ones_like(future[:, :1])], dim=1)[:, 1:, :, None]
    turned, stayed = (past @ turns @ future)[..., 0, 0], (past @ stays @ future)[..., 0, 0]
    nothing = torch.zeros_like(before_log[:, :1])
    scale = torch.cat([nothing, before_log], dim=1)[:, :count] + torch.cat([after_log, nothing], dim=1)[:, 1:]
    either = (turned + stayed).clamp(min=TINY)
    changing = either.log() + scale
    return turned / either * (changing - _never(evidence) - steady).sigmoid()


def _never(evidence: Tensor) -> Tensor:
    """Log of how likely all within reach of each frame is if one emotion is there all the time, (batch, frames)."""
    count = evidence.shape[1]
    total = evidence.cumsum(dim=1)
    until = torch.cat([total, total[:, -1:].expand(-1, REACH, -1)], dim=1)[:, REACH:]
    before = torch.cat([torch.zeros_like(total[:, :1]).expand(-1, REACH + 1, -1), total], dim=1)[:, :count]
    return (until - before).logsumexp(dim=-1)


def _scaled(product: Tensor) -> tuple[Tensor, Tensor]:
    """To a largest value of 1, which keeps long products from vanishing, and the log of what it was before."""
    largest = product.amax(dim=(-2, -1), keepdim=True).clamp(min=TINY)
    return product / largest, largest[..., 0, 0].log()
