"""Fitting the output that tells speech from silence, noise and music."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from dser_ext.audio import SAMPLE_RATE
from dser_ext.recognition.speech import loud_frames
from dser_training.corpora import nonspeech
from dser_training.corpora.clip import Clip
from dser_training.networks import SPEECH_SMOOTHING, FeatureNetwork, smoothed
from dser_training.stages.sounds import sound

BORDER_FRAMES = 10  # around speech that are neither called speech nor pause
FRAMES_PER_CLIP = 20
HELD_OUT = 5  # one frame in so many is kept to measure on


def fit_speech(network: FeatureNetwork, clips: Sequence[Clip], seed: int, steps: int = 600) -> float:
    """Fit the speech output: frames of clips, clean and in noise, against their pauses and made noise and music.

    Returns the share of held-out frames that it gets right, speech and others counting the same.
    """
    random = np.random.default_rng(seed)
    frames, labels = [], []
    for clip in clips:
        samples = sound(clip)
        speech = loud_frames(samples)
        near = np.convolve(speech, np.ones(2 * BORDER_FRAMES + 1), mode="same") > 0
        noise = nonspeech.make(len(samples) / SAMPLE_RATE, random)[: len(samples)]
        loud = np.sqrt(np.square(samples).mean() / np.square(noise).mean()) * 10 ** (-random.uniform(0, 1.5))
        noisy = samples + (loud * noise if random.random() < 0.5 else 0)
        for wave, wanted, sure in ((noisy, speech, speech | ~near), (noise, np.zeros_like(speech), None)):
            known = np.arange(len(wanted)) if sure is None else np.flatnonzero(sure)
            pick = random.choice(known, min(FRAMES_PER_CLIP, len(known)), replace=False)
            frames.append(_heard(network, wave.astype(np.float32))[pick].half())
            labels.append(torch.from_numpy(wanted[pick]))
    x, y = torch.cat(frames).float(), torch.cat(labels)
    held = len(x) // HELD_OUT
    _fit_logistic(network.speech, x[held:], y[held:], steps, seed)
    with torch.inference_mode():
        right = (network.speech(x[:held])[:, 0] > 0) == y[:held]
    return float((right[y[:held]].float().mean() + right[~y[:held]].float().mean()) / 2)


@torch.no_grad()
def _heard(network: FeatureNetwork, wave: np.ndarray) -> Tensor:
    return smoothed(network.flat(network.hidden(torch.from_numpy(wave)[None])), SPEECH_SMOOTHING)[0]


def _fit_logistic(layer: torch.nn.Linear, x: Tensor, y: Tensor, steps: int, seed: int) -> None:
    """Logistic regression in which both classes weigh the same, however many frames each has."""
    random = torch.Generator().manual_seed(seed)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    optimiser = torch.optim.AdamW(layer.requires_grad_(True).parameters(), lr=3e-3, weight_decay=0.1)
    balance = (~y).sum() / y.sum()
    for _ in range(steps):
        pick = torch.randint(len(x), (1024,), generator=random)
        logits, wanted = layer(x[pick])[:, 0], y[pick].float()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted, pos_weight=balance)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    layer.requires_grad_(False)
