"""Waveform → features: a backbone at one level of loudness, all its layers projected and summed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dser_ext.recognition.speech import HOP
from dser_training.backbones import Wav2Vec2Backbone, WhisperBackbone

LEVEL = 0.05  # root mean square that speech is brought to; loudness must not decide the emotion
GATE = 1e-3  # -30 dB: frames this far below the loudest are pauses and do not count for the level
SMALLEST_POWER = 1e-10  # -100 dB: below it nothing is amplified further
LARGEST = 5.0  # deviations of what a layer hears: Whisper has single frames that are ten times as large
SPEECH_SMOOTHING = 15  # frames, 0.3 s, that tell speech from other sound

Stacks = list[Tensor]
"""What the layers of one frame rate hear, standardised and side by side, (batch, frames / stride, layers × width)."""


def levelled(waveform: Tensor) -> Tensor:
    """(batch, samples) at one level, each row by itself: the root mean square of the frames that are not pauses."""
    count = waveform.shape[1] // HOP
    power = waveform[:, : count * HOP].unflatten(1, (count, HOP)).square().mean(dim=2)
    loud = (power > GATE * power.amax(dim=1, keepdim=True)).float()
    mean = (power * loud).sum(dim=1, keepdim=True) / loud.sum(dim=1, keepdim=True).clamp(min=1)
    return waveform * (LEVEL / mean.clamp(min=SMALLEST_POWER).sqrt())


class FeatureNetwork(nn.Module):
    """Waveform → features and the probability of speech.

    Every layer of the backbone is standardised and projected, and the projections are summed: a weighted sum of
    layers whose weights are matrices, which also makes features narrow enough to keep for hours of sound.
    """

    def __init__(self, encoder: WhisperBackbone | Wav2Vec2Backbone, size: int, last_layer_only: bool = False) -> None:
        super().__init__()
        self.backbone = encoder
        self.last_layer_only = last_layer_only
        self.layer_strides = [1] if last_layer_only else encoder.strides
        self.strides = sorted(set(self.layer_strides))
        self.widths = [encoder.width * self.layer_strides.count(stride) for stride in self.strides]
        stacked = sum(self.widths)
        self.register_buffer("mean", torch.zeros(stacked))
        self.register_buffer("std", torch.ones(stacked))
        self.project = nn.Linear(stacked, size, bias=False)
        nn.init.normal_(self.project.weight, std=0.5 * stacked**-0.5)  # so that heads start unsure
        self.speech = nn.Linear(stacked, 1)

    def raw(self, waveform: Tensor, position: int = 0) -> Stacks:
        """(batch, samples) → what all layers hear, a stack for each frame rate, before it is standardised."""
        layers = self.backbone(levelled(waveform), position)
        if self.last_layer_only:
            layers = [at_full_rate(layers[-1], self.backbone.strides[-1], layers[0].shape[1])]
        heard = list(zip(layers, self.layer_strides, strict=True))
        return [torch.cat([layer for layer, its in heard if its == stride], dim=-1) for stride in self.strides]

    def hidden(self, waveform: Tensor, position: int = 0) -> Stacks:
        """(batch, samples) → what all layers hear, standardised, a stack for each frame rate."""
        stacks = self.raw(waveform, position)
        means, deviations = self.mean.split(self.widths), self.std.split(self.widths)
        return [
            ((stack - mean) / deviation).clamp(min=-LARGEST, max=LARGEST)
            for stack, mean, deviation in zip(stacks, means, deviations, strict=True)
        ]

    def features(self, stacks: Stacks) -> Tensor:
        """Stacks → features (batch, frames, size), 50 a second."""
        return self._linear(stacks, self.project)

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, samples) → features (batch, frames, size), speech (batch, frames) in [0, 1]."""
        stacks = self.hidden(waveform)
        return self.features(stacks), smoothed(self._linear(stacks, self.speech), SPEECH_SMOOTHING)[..., 0].sigmoid()

    def flat(self, stacks: Stacks) -> Tensor:
        """The stacks side by side at 50 frames a second, (batch, frames, all layers × width)."""
        return torch.cat(
            [at_full_rate(part, stride, stacks[0].shape[1]) for part, stride in zip(stacks, self.strides, strict=True)],
            dim=-1,
        )

    def _linear(self, stacks: Stacks, layer: nn.Linear) -> Tensor:
        """What `layer` makes of `flat`, at the cost of each stack's own rate."""
        weights = layer.weight.split(self.widths, dim=1)
        parts = [
            at_full_rate(nn.functional.linear(stack, weight), stride, stacks[0].shape[1])
            for stack, weight, stride in zip(stacks, weights, self.strides, strict=True)
        ]
        total = sum(parts[1:], parts[0])
        return total if layer.bias is None else total + layer.bias


def at_full_rate(frames: Tensor, stride: int, count: int) -> Tensor:
    """Frames of a lower rate repeated until there are `count`."""
    return frames if stride == 1 else frames.repeat_interleave(stride, dim=1)[:, :count]


def smoothed(frames: Tensor, width: int) -> Tensor:
    """Moving average over time, (batch, frames, size); at the ends over the frames there are."""
    average = nn.functional.avg_pool1d(
        frames.transpose(1, 2), width, stride=1, padding=width // 2, count_include_pad=False
    )
    return average.transpose(1, 2)


def smoothed_speech(frames: Tensor, speech: Tensor, width: int) -> Tensor:
    """Moving average over the frames that hold speech, 1 or 0 (batch, frames); zero where the window has none.

    How much silence a recording has must not decide, nor set its lines apart from the speaker's profile, which is
    made of speech.
    """
    heard = speech[..., None].to(frames.dtype)
    return smoothed(frames * heard, width) / smoothed(heard, width).clamp(min=1e-6)
