"""Segments: how far around a frame what it expresses reaches, learned in place of a window of one length.

Between neighbouring frames lies a hazard of a change, h ≥ 0. Two frames belong together as far as none lies between
them: by exp(-Σ h). A frame is told from the mean over the speech that belongs to it, so the frames of a segment are
told alike, nothing flickers, and at a change the mean turns as fast as the hazard is high.

A first hazard is learned from what is heard around a frame. Whether the emotion changes there is then judged by what
the segments on both sides express, along the whole line (`chain`): what ends one segment and begins another of the
same emotion is no change, and a doubtful one goes with its neighbours. Frames are told from the segments that remain.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dser_ext.emotion.names import EMOTIONS
from dser_training import chain
from dser_training.heads import Guesses, Heard, VoiceHead
from dser_training.networks import smoothed_speech

DOUBLINGS = 9
REACH = 2**DOUBLINGS - 1  # frames on either side that may belong to a frame, 10 s
TINY = 1e-6  # frames of speech
CHANNELS, KERNEL = 32, 5
DILATIONS = (1, 2, 4, 8, 16, 32)
USUAL_HAZARD = -4.0  # that a change is learned from, before the softplus: one in 50 frames
FEATURE_SCALE = 4.0  # deviations within emotions that a frame's features have
EVIDENCE = 5.0  # how much what a segment expresses counts, against changes being rare
RARITY = 0.1  # of changes: by how much less than the first hazard says they are expected
STEADY = 16.0  # log of how much likelier than any changes within reach none are; while changes are learned
FIRMNESS = 6.0  # hazard of what is surely a change


class Hazard(nn.Module):
    """Features, speech and a first guess of the log mixture → the hazard of a change at every frame."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.enter = nn.Conv1d(size + len(EMOTIONS) + 1, CHANNELS, 1)
        self.layers = nn.ModuleList(
            nn.Conv1d(CHANNELS, CHANNELS, KERNEL, padding=KERNEL // 2 * dilation, dilation=dilation)
            for dilation in DILATIONS
        )
        self.leave = nn.Conv1d(CHANNELS, 1, 1)
        nn.init.zeros_(self.leave.weight)
        nn.init.constant_(self.leave.bias, USUAL_HAZARD)

    def forward(self, features: Tensor, speech: Tensor, guess: Tensor) -> Tensor:
        """(batch, frames, size), 1 or 0 (batch, frames), and (batch, frames, 6) → (batch, frames)."""
        spoken = speech[..., None]
        heard = torch.cat([features * spoken / FEATURE_SCALE, guess, spoken], dim=-1).transpose(1, 2)
        heard = nn.functional.gelu(self.enter(heard))
        for layer in self.layers:
            heard = heard + nn.functional.gelu(layer(heard))
        return nn.functional.softplus(self.leave(heard)[:, 0])


class SequenceHead(VoiceHead):
    """Tells each frame from its segment, against the voice as the utterance model's head does, whose weights it has."""

    def __init__(self, size: int, smoothing_frames: int, half_known: float) -> None:
        super().__init__(size, smoothing_frames, half_known)
        self.hazard = Hazard(size)
        self.register_buffer("first_sharpness", torch.zeros(2))  # of the first guess, which the hazard was learned with
        self.register_buffer("steady", torch.tensor(STEADY))  # as fitted to held-out speakers in the end

    def hear_line_in_steps(self, features: Tensor, speech: Tensor, lines: Tensor, weights: Tensor) -> list[Heard]:
        """Of all frames of a line in turn, and a voice: told from the first segments, and from those that remain."""
        guesses = self.guesses(lines, weights)
        return [self.told(means, guesses) for means in self.segments(features, speech, guesses)]

    def segments(self, features: Tensor, speech: Tensor, guesses: Guesses) -> tuple[Tensor, Tensor]:
        """The mean over each frame's segment, (batch, frames, size): of the first segments, and of those that remain,
        which it is told from."""
        smooth = smoothed_speech(features, speech, self.smoothing_frames)
        guess = self.log_mixture(smooth, guesses, self.first_sharpness).detach()
        hazard = self.hazard(features, speech, guess)
        first, counts = segment_means(features, speech, hazard)
        evidence = EVIDENCE * speech[..., None] / counts * self.log_mixture(first, guesses, self.first_sharpness)
        changes = chain.changes(evidence, 1 - (-RARITY * hazard).exp(), self.steady)
        return first, segment_means(features, speech, FIRMNESS * changes)[0]

    @property
    def context_frames(self) -> int:
        """Frames on either side that a frame is told from."""
        learned = sum(KERNEL // 2 * dilation for dilation in DILATIONS) + self.smoothing_frames // 2
        return REACH + chain.REACH + REACH + learned

    def learned(self) -> list[nn.Parameter]:
        """The hazard; how a voice is measured is the utterance model's."""
        return list(self.hazard.parameters())


def segment_means(features: Tensor, speech: Tensor, hazard: Tensor) -> tuple[Tensor, Tensor]:
    """The mean over the speech that belongs to each frame, (batch, frames, size); zero where none is within reach.

    Also how many frames of speech that are, (batch, frames, 1), at least one.
    """
    spoken = torch.cat([features * speech[..., None], speech[..., None]], dim=-1)
    stays = (-hazard).exp()[..., None]  # from the frame before
    later = _sums(spoken.flip(1), torch.cat([stays[:, 1:], stays[:, :1]], dim=1).flip(1)).flip(1)
    total = _sums(spoken, stays) + later - spoken
    return total[..., :-1] / total[..., -1:].clamp(min=TINY), total[..., -1:].clamp(min=1)


def _sums(values: Tensor, stays: Tensor) -> Tensor:
    """Of each frame and the REACH before it, as far as they belong to it, (batch, frames, size)."""
    count = values.shape[1]
    for doubling in range(DOUBLINGS):
        before = (0, 0, 2**doubling, 0)
        values = values + stays * nn.functional.pad(values, before)[:, :count]
        stays = stays * nn.functional.pad(stays, before)[:, :count]
    return values
