"""Features → Dirichlet concentrations: alone, as in the paper, or measured against a speaker's other lines.

All heads take smoothed features (batch, frames, size) and a voice: the mean features of its lines (batch, lines, size)
and their weights (batch, lines), 0 where there is no line.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import log
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from dser_ext.emotion.names import EMOTIONS, NEUTRAL
from dser_training.networks import smoothed_speech

FLOOR = 1e-6  # of a concentration (paper, head)
LARGEST = 8.0  # of |log| of what is learned as a logarithm
MOST_TOTAL = 3.0  # log Σα that is approached and never reached: rarely right for sure is worth less than never far off
LEAST_SHARE = 2e-3  # of an emotion in the expected mixture: nothing heard rules one out
COUNT = len(EMOTIONS)
ROUNDS = 8  # of guessing what the lines express and where their speaker lies; more change little
KINDS = 3  # of recordings, whose speakers lie around one place
MOST_LINES = 4.5  # that any number of them is approaching when guesses are weighed: more repeat the model's own errors
NONSPEECH_TOTAL = 0.2  # Σα where there is no speech: wide, whatever the voice; below half of neutral lines'
NONSPEECH_NEUTRAL = 0.75  # neutral's share there
STARTS = 2 + COUNT  # of guessing: the usual speaker, the lines' centre, and lines that are all of each emotion

NONSPEECH = np.full(COUNT, NONSPEECH_TOTAL * (1 - NONSPEECH_NEUTRAL) / (COUNT - 1), np.float32)
NONSPEECH[NEUTRAL] = NONSPEECH_TOTAL * NONSPEECH_NEUTRAL


class Heard(NamedTuple):
    """What a head makes of features."""

    logits: Tensor  # (batch, frames, 6) of the expected mixture
    log_total: Tensor  # (batch, frames, 1), log Σα
    line_logits: Tensor | None  # (batch, lines, 6) of each line of the voice


class Guesses(NamedTuple):
    """What a voice's lines may express, and where their speaker may lie; G guesses."""

    mean: Tensor  # (batch, G, size), where the speaker lies
    variance: Tensor  # (batch, G, size)
    log_weight: Tensor  # (batch, G), how well it explains the lines, summing to 1
    line_logits: Tensor  # (batch, lines, 6)
    known: Tensor  # (batch, 1, 1), how much of the voice, from 0 to 1


class Head(nn.Module):
    """What all heads share: what of a line tells a frame, and the form that goes into the ONNX file."""

    def __init__(self, smoothing_frames: int) -> None:
        super().__init__()
        self.smoothing_frames = smoothing_frames

    def hear(self, features: Tensor, lines: Tensor, weights: Tensor) -> Heard:
        """Of smoothed features and a voice."""
        raise NotImplementedError

    def hear_line(self, features: Tensor, speech: Tensor, lines: Tensor, weights: Tensor) -> Heard:
        """Of all frames of a line in turn, (batch, frames, size), speech 1 or 0 (batch, frames), and a voice."""
        return self.hear_line_in_steps(features, speech, lines, weights)[-1]

    def hear_line_in_steps(self, features: Tensor, speech: Tensor, lines: Tensor, weights: Tensor) -> list[Heard]:
        """What `hear_line` gives, last, and before it what that is judged by, which training looks at, too."""
        return [self.hear(smoothed_speech(features, speech, self.smoothing_frames), lines, weights)]

    @property
    def context_frames(self) -> int:
        """Frames on either side that a frame is told from."""
        return self.smoothing_frames // 2

    def learned(self) -> Iterable[nn.Parameter]:
        """What training changes."""
        return self.parameters()

    def concentrations(self, heard: Heard) -> Tensor:
        """(batch, frames, 6), above zero."""
        return concentration(heard.logits, heard.log_total)

    def forward(
        self, features: Tensor, speech: Tensor, voice_lines: Tensor, voice_weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(batch, frames, size), 1 or 0 (batch, frames), and a voice → concentrations (batch, frames, 6), and what
        share of each emotion the voice's lines seem to have, (batch, 6), summing to 1, all neutral without any."""
        heard = self.hear_line(features, speech, voice_lines, voice_weights)
        nothing = nn.functional.one_hot(torch.full_like(voice_weights[:, 0], NEUTRAL, dtype=torch.int64), COUNT).float()
        if heard.line_logits is None:
            return self.concentrations(heard), nothing
        total = voice_weights.sum(dim=1, keepdim=True)
        shares = (heard.line_logits.softmax(-1) * voice_weights[..., None]).sum(dim=1) / total.clamp(min=1e-6)
        return self.concentrations(heard), torch.where(total > 0, shares, nothing)


class PlainHead(Head):
    """The paper's: a fully connected layer; it knows no voice.

    dirichlet: g(z) = z² + 1e-6 (paper); else a softmax for cross-entropy, with one learned Σα for all frames.
    """

    def __init__(self, size: int, smoothing_frames: int, dirichlet: bool) -> None:
        super().__init__(smoothing_frames)
        self.output = nn.Linear(size, COUNT)
        self.dirichlet = dirichlet
        if dirichlet:
            nn.init.ones_(self.output.bias)  # all mixtures alike at first; α near 0 would leave corners alone
        self.log_total = nn.Parameter(torch.zeros(1), requires_grad=not dirichlet)

    def hear(self, features: Tensor, lines: Tensor, weights: Tensor) -> Heard:
        """Of smoothed features; the voice is not used."""
        del lines, weights
        z = self.output(features)
        if not self.dirichlet:
            return Heard(z, self.log_total.expand(*z.shape[:2], 1), None)
        alpha = z.square() + FLOOR
        return Heard(alpha.log(), alpha.sum(-1, keepdim=True).log(), None)

    def concentrations(self, heard: Heard) -> Tensor:
        """(batch, frames, 6): the paper's g(z) as it is, where it is asked for."""
        return heard.logits.exp() if self.dirichlet else super().concentrations(heard)


class VoiceHead(Head):
    """Measures against where a speaker lies among all speakers, judged from any lines of theirs, without labels.

    Features are taken as normal, with unit variance, around `speaker + centre of the emotion`, and speakers as normal
    around the usual one of a kind of recordings (a mixture of probabilistic linear discriminant analyses). Where the
    speaker lies is guessed in several ways: for each kind by expectation-maximisation from several starts, which is
    unrolled, and as if the lines had each emotion equally often. Guesses count by how well they explain the lines:
    lines all alike are explained best by a usual speaker in one mood, varied ones by the speaker they vary around.
    """

    def __init__(self, size: int, smoothing_frames: int, half_known: float) -> None:
        super().__init__(smoothing_frames)
        self.half_known = half_known  # seconds with which a voice counts half when Σα is told
        self.centres = nn.Parameter(0.1 * torch.randn(COUNT, size))
        self.bias = nn.Parameter(torch.zeros(COUNT))
        self.usual = nn.Parameter(0.1 * torch.randn(KINDS, size))  # speaker, of each kind of recordings
        self.log_variance = nn.Parameter(torch.arange(KINDS)[:, None].repeat(1, size).float())  # of speakers around it
        self.log_share = nn.Parameter(torch.tensor([[0.0], [5.0]]).repeat(1, KINDS))  # with any emotions, and with all
        self.log_few = nn.Parameter(torch.full((1,), -0.7))  # lines of each emotion that any voice is thought to have
        self.log_line = nn.Parameter(torch.full((1,), -0.5))  # how much a second of a line counts
        self.log_frame = nn.Parameter(torch.full((1,), -2.0))  # how much a frame counts when guesses are weighed
        self.register_buffer("log_sharpness", torch.zeros(2))  # of the mixture, without a voice and with all of it
        self.total, self.lost = nn.Linear(size, 1), nn.Linear(size, 1)

    def hear(self, features: Tensor, lines: Tensor, weights: Tensor) -> Heard:
        """Of smoothed features and a voice."""
        return self.told(features, self.guesses(lines, weights))

    def told(self, features: Tensor, guesses: Guesses) -> Heard:
        """Of smoothed features and what a voice may be."""
        logits = self.log_mixture(features, guesses)
        # How sure to be is read off the features that tell the mixture; it has no say in what they are.
        mean = (guesses.log_weight.exp()[..., None] * guesses.mean).sum(dim=1, keepdim=True)
        total, lost = self.total((features - mean).detach()), self.lost(features.detach())
        log_total = total - (1 - guesses.known) * nn.functional.softplus(lost)
        return Heard(logits, MOST_TOTAL - nn.functional.softplus(MOST_TOTAL - log_total), guesses.line_logits)

    def guesses(self, lines: Tensor, weights: Tensor) -> Guesses:
        """Where the speaker of some lines may lie, and what the lines express then."""
        counted = self.log_line.exp() * weights  # (batch, lines)
        count = counted.sum(dim=1)[:, None, None]
        total = (counted[..., None] * lines).sum(dim=1, keepdim=True)  # (batch, 1, size)
        centre = total / count.clamp(min=1e-6)
        # First STARTS guesses of each kind with lines of any emotions, then one of each kind with lines of all.
        kinds = [kind for kind in range(KINDS) for _ in range(STARTS)] + list(range(KINDS))
        usual, variance = self.usual[kinds], self.log_variance.clamp(-LARGEST, LARGEST).exp()[kinds]
        starts = torch.cat([centre, centre - self.centres], dim=1)
        batch = len(lines)
        mean = [torch.cat([self.usual[kind].expand(batch, 1, -1), starts], dim=1) for kind in range(KINDS)]
        mean = torch.cat([*mean, self.usual.expand(batch, -1, -1)], dim=1)  # (batch, guesses, size)
        precision, few = 1 / variance + count, self.log_few.exp()
        heard = lines @ self.centres.T - 0.5 * self.centres.square().sum(dim=-1)  # (batch, lines, 6)
        log_shares = torch.zeros_like(self.bias) - log(COUNT)
        for _ in range(ROUNDS):
            logits = heard[:, None] - (mean @ self.centres.T)[:, :, None] + log_shares
            of_emotion = (counted[:, None, None] @ logits.softmax(-1))[:, :, 0]  # (batch, guesses, 6)
            of_emotion = torch.cat([of_emotion[:, :-KINDS], (count / COUNT).expand(-1, KINDS, COUNT)], dim=1)
            log_shares = ((of_emotion + few) / (count + COUNT * few)).log()[:, :, None]
            mean = (usual / variance + total - of_emotion @ self.centres) / precision
        # What the lines make of each guess, without what all guesses have in common.
        logits = heard[:, None] - (mean @ self.centres.T)[:, :, None] + log_shares
        explained = (logits.logsumexp(dim=-1) @ counted[..., None])[..., 0] + few * log_shares.sum(dim=(-2, -1))
        explained = explained + (mean * total).sum(dim=-1) - 0.5 * count[..., 0] * mean.square().sum(dim=-1)
        explained = explained / (1 + count[..., 0] / MOST_LINES)
        unusual = 0.5 * ((mean - usual).square() / variance + variance.log() + precision.log()).sum(dim=-1)
        prior = torch.cat([self.log_share[0][kinds[:-KINDS]], self.log_share[1]])
        log_weight = (explained - unusual + prior).log_softmax(-1)
        line_logits = (log_weight[..., None, None] + logits.log_softmax(-1)).logsumexp(dim=1)
        seconds = weights.sum(dim=1)[:, None, None]
        return Guesses(mean, 1 / precision, log_weight, line_logits, seconds / (seconds + self.half_known))

    def log_mixture(self, features: Tensor, guesses: Guesses, log_sharpness: Tensor | None = None) -> Tensor:
        """log of the expected mixture, (batch, frames, 6): that of every guess, weighed by how well it fits.

        log_sharpness: another than the head's, (2,), without a voice and with all of it.
        """
        alone, voiced = self.log_sharpness if log_sharpness is None else log_sharpness
        sharpness = alone + guesses.known * (voiced - alone)
        # (x - mean - centre)² term by term: no (batch, frames, guesses, 6, size) array.
        certain = 1 / (1 + guesses.variance)  # (batch, guesses, size)
        towards = (certain[:, :, None] * self.centres).flatten(1, 2)  # (batch, guesses × 6, size)
        offset = (certain * guesses.mean) @ self.centres.T + 0.5 * certain @ self.centres.T.square()
        likelihood = (features @ towards.transpose(1, 2)).unflatten(-1, (-1, COUNT)) - offset[:, None] + self.bias
        around = features.square() @ certain.transpose(1, 2) - 2 * features @ (certain * guesses.mean).transpose(1, 2)
        around = around + (certain * guesses.mean.square() - certain.log()).sum(dim=-1)[:, None]
        fit = self.log_frame.exp() * (likelihood.logsumexp(-1) - 0.5 * around)  # (batch, frames, guesses)
        weight = (guesses.log_weight[:, None] + fit).log_softmax(-1)
        return (weight[..., None] + (sharpness.exp()[..., None] * likelihood).log_softmax(-1)).logsumexp(dim=2)


def concentration(logits: Tensor, log_total: Tensor) -> Tensor:
    """g(z) = z² + 1e-6 (paper) of z = exp(a / 2), where a = log(expected share × Σα).

    On z itself, as in the paper, a class that is far from likely (z ≪ 0) gets a large concentration again; training
    learns to avoid that, but only for speech like its own. With the exponential in between, α grows with a.
    """
    shares = (1 - COUNT * LEAST_SHARE) * logits.softmax(-1) + LEAST_SHARE
    activations = shares.log() + log_total.clamp(min=-LARGEST, max=LARGEST)
    return (activations / 2).exp().square() + FLOOR
