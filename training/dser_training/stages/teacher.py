"""The teacher: an utterance model in sliding windows, which makes sequences of any speech (paper, stage 2).

It is also the method that a sequence model has to beat.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dser_ext.emotion.track import FRAME_RATE
from dser_ext.recognition.speech import HOP, loud_frames
from dser_training.stages.model import UtteranceModel

ROWS = 32  # windows heard at once

Frames = NDArray[np.float32]


@torch.no_grad()
def heard_in_windows(
    model: UtteranceModel, samples: Frames, window_seconds: float, stride_seconds: float
) -> tuple[Tensor, NDArray[np.float64]]:
    """What the network hears in each window by itself, (W, D), the mean over its speech; NaN where it has none.

    Also the middle of each window in frames, (W,). A sound shorter than a window is one window, and the last window
    ends where the sound does.
    """
    count = len(samples) // HOP
    window = min(count, max(1, round(window_seconds * FRAME_RATE)))
    stride = max(1, round(stride_seconds * FRAME_RATE))
    starts = np.unique([*range(0, count - window + 1, stride), count - window])
    means = []
    for first in range(0, len(starts), ROWS):
        rows = [samples[start * HOP : (start + window) * HOP] for start in starts[first : first + ROWS]]
        with torch.autocast("cpu", torch.bfloat16, enabled=model.config.bfloat16):
            features = model.network.features(model.network.hidden(torch.from_numpy(np.stack(rows)))).float()
        spoken = torch.from_numpy(np.stack([loud_frames(row) for row in rows])).float()[..., None]
        means.append((features * spoken).sum(dim=1) / spoken.sum(dim=1))
    return torch.cat(means), starts + (window - 1) / 2


@torch.no_grad()
def told_in_windows(
    model: UtteranceModel, windows: tuple[Tensor, NDArray[np.float64]], count: int, lines: Tensor, weights: Tensor
) -> Frames:
    """The mixtures of `count` frames, (count, 6): those of the windows, joined by straight lines between their middles.

    lines (L, D), weights (L,): the voice. Windows without speech say nothing; where none has any, features are zero.
    """
    means, middles = windows
    spoken = ~means[:, 0].isnan()
    if not spoken.any():
        means, middles, spoken = torch.zeros_like(means[:1]), middles[:1], torch.ones(1, dtype=torch.bool)
    means, middles = means[spoken], middles[spoken.numpy()]
    alpha = model.head.concentrations(model.head.hear(means[None], lines[None], weights[None]))[0]
    mixtures = (alpha / alpha.sum(dim=-1, keepdim=True)).numpy()
    return np.stack([np.interp(np.arange(count), middles, share) for share in mixtures.T], axis=1).astype(np.float32)
