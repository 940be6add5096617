"""Windows that long lines are heard in, in training as in recognition.

Short ones: what is heard of a frame holds something of all its window, so a long one blurs an emotion with the next.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dser_ext.emotion.track import FRAME_RATE
from dser_ext.recognition.hearing import fade_in, longest_window
from dser_ext.recognition.speech import HOP
from dser_training.networks import FeatureNetwork

WINDOW_SECONDS, OVERLAP_SECONDS = 4.0, 0.5


def features_in_windows(network: FeatureNetwork, waveform: Tensor) -> Tensor:
    """(batch, samples) → features (batch, frames, size), joined as `dser_ext.recognition.hearing` does."""
    size, overlap = round(WINDOW_SECONDS * FRAME_RATE), round(OVERLAP_SECONDS * FRAME_RATE)
    count = waveform.shape[1] // HOP
    starts = list(range(0, count - 2 * size + overlap, size - overlap))  # of whole windows
    rest = len(starts) * (size - overlap)
    ends = [rest] if count - rest <= longest_window(size) else [rest, count - (count - rest + overlap + 1) // 2]
    windows = [*_heard(network, waveform, starts, size), *_heard(network, waveform, ends, count - ends[-1])]
    ramp = torch.from_numpy(fade_in(overlap)).to(windows[0])
    joined = windows[0]
    for start, window in zip([*starts, *ends][1:], windows[1:], strict=True):
        place = joined.shape[1] - overlap  # the last window may begin a frame before it
        new = window[:, place - start :]
        faded = (1 - ramp) * joined[:, place:] + ramp * new[:, :overlap]
        joined = torch.cat([joined[:, :place], faded, new[:, overlap:]], dim=1)
    return joined


def _heard(network: FeatureNetwork, waveform: Tensor, starts: list[int], size: int) -> list[Tensor]:
    """Features of windows of `size` frames, (batch, size, features) each."""
    if not starts:
        return []
    windows = torch.cat([waveform[:, start * HOP : (start + size) * HOP] for start in starts])
    return list(network.features(network.hidden(windows)).float().chunk(len(starts)))
