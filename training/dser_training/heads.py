"""Features → Dirichlet concentrations: alone, as in the paper, or measured against a speaker's other lines.

All heads take smoothed features (batch, frames, size) and a voice: the mean features of its lines (batch, lines, size)
and their weights (batch, lines), 0 where there is no line.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from dser_ext.emotion.names import EMOTIONS, NEUTRAL
from dser_training.networks import smoothed_speech

FLOOR = 1e-6  # of a concentration (paper, head)
LARGEST = 8.0  # of |log| of what is learned as a logarithm
MOST_TOTAL = 3.0  # log Σα that is approached and never reached: rarely right for sure is worth less than never far off
LEAST_SHARE = 2e-3  # of an emotion in the expected mixture: nothing heard rules one out
COUNT = len(EMOTIONS)
ROUNDS = 6  # of guessing what the lines express and where their speaker lies; more change nothing
LEAST_VARIETY = 0.05  # added to the variance of a voice's lines before its logarithm
HIDDEN = 32


class Heard(NamedTuple):
    """What a head makes of features."""

    logits: Tensor  # (batch, frames, 6) of the expected mixture
    log_total: Tensor  # (batch, frames, 1), log Σα
    line_logits: Tensor | None  # (batch, lines, 6) of each line of the voice


class Head(nn.Module):
    """What all heads share: the moving average over speech, and the form that goes into the ONNX file."""

    def __init__(self, smoothing_frames: int) -> None:
        super().__init__()
        self.smoothing_frames = smoothing_frames

    def hear(self, features: Tensor, lines: Tensor, weights: Tensor) -> Heard:
        """Of smoothed features and a voice."""
        raise NotImplementedError

    def concentrations(self, heard: Heard) -> Tensor:
        """(batch, frames, 6), above zero."""
        return concentration(heard.logits, heard.log_total)

    def forward(
        self, features: Tensor, speech: Tensor, voice_lines: Tensor, voice_weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(batch, frames, size), 1 or 0 (batch, frames), and a voice → concentrations (batch, frames, 6), and what
        share of each emotion the voice's lines seem to have, (batch, 6), summing to 1, all neutral without any."""
        spoken = smoothed_speech(features, speech, self.smoothing_frames)
        heard = self.hear(spoken, voice_lines, voice_weights)
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

    Features are taken as normal around `speaker + centre of the emotion` with unit variance, and speakers as normal
    around 0. What the lines express and where their speaker lies are guessed in turn (expectation-maximisation,
    unrolled, so that all of it is trained by what comes out in the end). How far from the generic speaker a voice may
    lie is learned from how varied its lines are: lines all alike may be of one emotion, and tell an unusual speaker as
    well as an unusual mood; so little is believed of them, and what is left is the judgement without a voice.
    """

    def __init__(self, size: int, smoothing_frames: int, half_known: float) -> None:
        super().__init__(smoothing_frames)
        self.half_known = half_known  # lines with which a voice counts half when Σα is told
        self.centres = nn.Parameter(0.1 * torch.randn(COUNT, size))
        self.bias = nn.Parameter(torch.zeros(COUNT))
        self.log_unknown = nn.Parameter(torch.zeros(size))  # variance of speakers, where none is known
        self.log_prior = nn.Parameter(torch.zeros(size))  # and of the voices that lines tell about
        self.width = nn.Sequential(nn.Linear(size + 1, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, 1))
        self.log_line = nn.Parameter(torch.full((1,), -1.5))  # how much a line counts
        self.log_even = nn.Parameter(torch.zeros(1))  # lines of each emotion that any voice is thought to have
        self.register_buffer("log_sharpness", torch.zeros(2))  # of the mixture, without a voice and with all of it
        self.total, self.lost = nn.Linear(size, 1), nn.Linear(size, 1)

    def hear(self, features: Tensor, lines: Tensor, weights: Tensor) -> Heard:
        """Of smoothed features and a voice."""
        count = weights.sum(dim=1)[:, None, None]
        mean, variance, line_logits = self._speaker(lines, weights)
        known = count / (count + self.half_known)
        sharpness = (self.log_sharpness[0] + known * (self.log_sharpness[1] - self.log_sharpness[0])).exp()
        logits = sharpness * self._likelihood(features, mean, variance)
        # How sure to be is read off the features that tell the mixture; it has no say in what they are.
        total, lost = self.total((features - mean).detach()), self.lost(features.detach())
        log_total = total - (1 - known) * nn.functional.softplus(lost)
        return Heard(logits, MOST_TOTAL - nn.functional.softplus(MOST_TOTAL - log_total), line_logits)

    def _speaker(self, lines: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Where the speaker lies: mean and variance (batch, 1, size); and the lines' logits (batch, lines, 6)."""
        weight = weights[..., None]
        count = weight.sum(dim=1, keepdim=True)
        unknown = self.log_unknown.exp().expand_as(lines[:, :1])
        centre = (weight * lines).sum(dim=1, keepdim=True) / count.clamp(min=1e-6)
        variety = (weight * (lines - centre).square()).sum(dim=1, keepdim=True) / count.clamp(min=1e-6)
        width = self.width(torch.cat([(variety + LEAST_VARIETY).log(), count.log1p()], dim=-1))
        prior = (self.log_prior + width).clamp(-LARGEST, LARGEST).exp()
        counted, even = self.log_line.exp() * weight, self.log_even.exp()
        mean, variance, log_shares = torch.zeros_like(unknown), unknown, torch.zeros_like(self.bias)
        logits = self._likelihood(lines, mean, variance)
        for _ in range(ROUNDS):
            share = (logits + log_shares).softmax(-1)
            precision = 1 / prior + counted.sum(dim=1, keepdim=True)
            mean = (counted * (lines - share @ self.centres)).sum(dim=1, keepdim=True) / precision
            variance = 1 / precision
            log_shares = (((weight * share).sum(dim=1, keepdim=True) + even) / (count + COUNT * even)).log()
            logits = self._likelihood(lines, mean, variance)
        return mean, torch.where(count > 0, variance, unknown), logits + log_shares

    def _likelihood(self, features: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        """log p(features | emotion) up to a constant, (batch, frames, 6)."""
        # (x - mean - centre)² without its x² term, which all emotions share: no (batch, frames, 6, size) array.
        certain = 1 / (1 + variance)
        return ((features - mean) * certain) @ self.centres.T - 0.5 * (certain @ self.centres.T.square()) + self.bias


def concentration(logits: Tensor, log_total: Tensor) -> Tensor:
    """g(z) = z² + 1e-6 (paper) of z = exp(a / 2), where a = log(expected share × Σα).

    On z itself, as in the paper, a class that is far from likely (z ≪ 0) gets a large concentration again; training
    learns to avoid that, but only for speech like its own. With the exponential in between, α grows with a.
    """
    shares = (1 - COUNT * LEAST_SHARE) * logits.softmax(-1) + LEAST_SHARE
    activations = shares.log() + log_total.clamp(min=-LARGEST, max=LARGEST)
    return (activations / 2).exp().square() + FLOOR
