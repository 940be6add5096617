"""Windows that long lines are heard in, in training as in recognition.

Short ones: what is heard of a frame holds something of all its window, so a long one blurs an emotion with the next.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dser_ext.emotion.track import FRAME_RATE
from dser_ext.recognition.hearing import fade_in
from dser_ext.recognition.speech import HOP
from dser_training.networks import FeatureNetwork

WINDOW_SECONDS, OVERLAP_SECONDS = 4.0, 1.0


def features_in_windows(network: FeatureNetwork, waveform: Tensor) -> Tensor:
    """(batch, samples) → features (batch, frames, size), joined as `dser_ext.recognition.hearing` does."""
    size, overlap = round(WINDOW_SECONDS * FRAME_RATE), round(OVERLAP_SECONDS * FRAME_RATE)
    count = waveform.shape[1] // HOP
    starts = [*range(0, count - size, size - overlap), max(0, count - size)]
    windows = torch.cat([waveform[:, start * HOP : (start + size) * HOP] for start in starts])
    first, *others = network.features(network.hidden(windows)).float().chunk(len(starts))
    ramp = torch.from_numpy(fade_in(overlap)).to(first)
    joined = first
    for number, (start, window) in enumerate(zip(starts[1:], others, strict=True), start=1):
        place = number * (size - overlap)  # the last window begins before it: what was said already is skipped
        new = window[:, place - start :]
        faded = (1 - ramp) * joined[:, place:] + ramp * new[:, :overlap]
        joined = torch.cat([joined[:, :place], faded, new[:, overlap:]], dim=1)
    return joined
