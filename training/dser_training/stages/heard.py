"""What a frozen backbone hears of every clip, kept so that training a head takes minutes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dser_ext.audio import SAMPLE_RATE, read
from dser_ext.recognition.speech import HOP, loud_frames
from dser_training.corpora import nonspeech
from dser_training.corpora.clips import Clip
from dser_training.networks import SPEECH_SMOOTHING, FeatureNetwork, smoothed, smoothed_speech

log = logging.getLogger(__name__)

PICKS, SPLICED_PICKS = 8, 2  # frames kept of a clip heard alone, and among others; with more of these RAVDESS suffers
LONGEST_SECONDS = 12.0  # of a clip, and of clips heard in one breath
SPLICE_LINES = (2, 5)  # clips of a speaker heard in one breath, from … to below
CROSSFADE_SECONDS = 0.05
FEW_LINES = 8  # a speaker with fewer lines is heard without a voice, together with other such speakers
BORDER_FRAMES = 10  # around speech that are neither called speech nor pause


@dataclass(frozen=True)
class Heard:
    """Clips of one speaker as the backbone hears them.

    frames: (C, PICKS + SPLICED_PICKS, W) float16, smoothed frames of speech of the clip alone and among others.
    mean: (C, W) float32 over the clip's speech. seconds: (C,) of speech. emotion: (C,).
    """

    frames: NDArray[np.float16]
    mean: NDArray[np.float32]
    seconds: NDArray[np.float32]
    emotion: NDArray[np.int64]


@dataclass(frozen=True)
class Lot:
    """Clips of a batch that may serve as each other's voice: one speaker's, or strangers' who may not."""

    frames: Tensor  # (C, M, D) features, averaged over the speech around
    mean: Tensor  # (C, D)
    seconds: Tensor  # (C,)
    emotion: Tensor  # (C,)
    strangers: bool = False


def acts(voice: Sequence[Clip]) -> bool:
    """Whether a voice's clips are of several emotions."""
    return len({clip.emotion for clip in voice}) > 1


def sound(clip: Clip) -> NDArray[np.float32]:
    """The clip's samples, a whole number of frames, at most LONGEST_SECONDS."""
    samples = read(clip.path)[: int(LONGEST_SECONDS * SAMPLE_RATE)]
    return samples[: len(samples) // HOP * HOP]


@torch.inference_mode()
def fit_scale(network: FeatureNetwork, clips: Sequence[Clip]) -> None:
    """Set the mean and deviation that the layers are standardised with, over the speech of these clips."""
    count, total, squares = 0, torch.zeros(network.stacked), torch.zeros(network.stacked)
    for clip in clips:
        samples = sound(clip)
        hidden = network.hidden(torch.from_numpy(samples)[None])[0][torch.from_numpy(loud_frames(samples))].double()
        count, total, squares = count + len(hidden), total + hidden.sum(0), squares + hidden.square().sum(0)
    mean = total / count
    network.mean.copy_(mean.float())
    network.std.copy_((squares / count - mean.square()).clamp(min=1e-8).sqrt().float())


@torch.inference_mode()
def hear(network: FeatureNetwork, clips: Sequence[Clip], smoothing: int, random: np.random.Generator) -> Heard:
    """Hear every clip of one speaker, once alone and once among other clips of the speaker, at a random position."""
    sounds = [sound(clip) for clip in clips]
    frames = np.empty((len(clips), PICKS + SPLICED_PICKS, network.stacked), np.float16)
    mean = np.empty((len(clips), network.stacked), np.float32)
    seconds = np.empty(len(clips), np.float32)
    for index, samples in enumerate(sounds):
        hidden, speech = network.hidden(torch.from_numpy(samples)[None]), loud_frames(samples)
        spoken = smoothed_speech(hidden, torch.from_numpy(speech)[None], smoothing)[0]
        frames[index, :PICKS] = _picked(spoken, speech, PICKS, random)
        mean[index] = hidden[0][torch.from_numpy(speech)].mean(0).numpy()
        seconds[index] = speech.sum() / 50
    for group in _groups([len(samples) for samples in sounds], random):
        joined, starts = splice([sounds[index] for index in group])
        hidden = network.hidden(torch.from_numpy(joined)[None], position(network, len(joined) // HOP, random))
        masks = [loud_frames(sounds[index]) for index in group]
        joint = np.zeros(hidden.shape[1], bool)
        for start, speech in zip(starts, masks, strict=True):
            joint[start : start + len(speech)] |= speech
        spoken = smoothed_speech(hidden, torch.from_numpy(joint)[None], smoothing)[0]
        for index, start, speech in zip(group, starts, masks, strict=True):
            frames[index, PICKS:] = _picked(spoken[start : start + len(speech)], speech, SPLICED_PICKS, random)
    emotion = np.array([clip.emotion for clip in clips])
    return Heard(frames, mean, seconds, emotion)


@torch.inference_mode()
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
            hidden = network.hidden(torch.from_numpy(wave.astype(np.float32))[None])
            known = np.arange(len(wanted)) if sure is None else np.flatnonzero(sure)
            pick = random.choice(known, min(20, len(known)), replace=False)
            frames.append(smoothed(hidden, SPEECH_SMOOTHING)[0, pick].half())
            labels.append(torch.from_numpy(wanted[pick]))
    x, y = torch.cat(frames).float(), torch.cat(labels)
    held = len(x) // 5
    with torch.inference_mode(False), torch.enable_grad():
        _fit_logistic(network.speech, x[held:].clone(), y[held:].clone(), steps, seed)
    right = (network.speech(x[:held])[:, 0] > 0) == y[:held]
    return float((right[y[:held]].float().mean() + right[~y[:held]].float().mean()) / 2)


def _fit_logistic(layer: torch.nn.Linear, x: Tensor, y: Tensor, steps: int, seed: int) -> None:
    """Logistic regression in which both classes weigh the same, however many frames each has."""
    random = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(layer.requires_grad_(True).parameters(), lr=3e-3, weight_decay=0.1)
    balance = (~y).sum() / y.sum()
    for _ in range(steps):
        pick = torch.randint(len(x), (1024,), generator=random)
        logits, wanted = layer(x[pick])[:, 0], y[pick].float()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted, pos_weight=balance)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def _picked(frames: Tensor, speech: NDArray[np.bool_], count: int, random: np.random.Generator) -> NDArray[np.float16]:
    pick = np.sort(random.choice(np.flatnonzero(speech), count, replace=speech.sum() < count))
    return frames[pick].half().numpy()


def _groups(lengths: Sequence[int], random: np.random.Generator) -> list[list[int]]:
    """Clips in random order, cut into groups of SPLICE_LINES that are not longer than LONGEST_SECONDS together."""
    groups: list[list[int]] = []
    size, total = 0, 0
    for index in random.permutation(len(lengths)).tolist():
        if not groups or len(groups[-1]) == size or total + lengths[index] > LONGEST_SECONDS * SAMPLE_RATE:
            groups.append([])
            size, total = int(random.integers(*SPLICE_LINES)), 0
        groups[-1].append(index)
        total += lengths[index]
    return groups


def splice(sounds: Sequence[NDArray[np.float32]]) -> tuple[NDArray[np.float32], list[int]]:
    """Sounds joined by crossfades at one level, and the frame that each starts at."""
    fade = round(CROSSFADE_SECONDS * SAMPLE_RATE) // HOP * HOP
    ramp = np.linspace(0, 1, fade, dtype=np.float32)
    joined = np.zeros(sum(map(len, sounds)) - fade * (len(sounds) - 1), np.float32)
    starts, place = [], 0
    for index, samples in enumerate(sounds):
        part = samples * (0.05 / (np.sqrt(np.square(samples[np.repeat(loud_frames(samples), HOP)]).mean()) + 1e-9))
        if index:
            part[:fade] *= ramp
        if index < len(sounds) - 1:
            part[-fade:] *= ramp[::-1]
        joined[place : place + len(part)] += part
        starts.append(place // HOP)
        place += len(part) - fade
    return joined, starts


def position(network: FeatureNetwork, frames: int, random: np.random.Generator) -> int:
    """Where in the backbone's table of positions so many frames start, if it has one."""
    longest = network.backbone.longest_frames
    return int(random.integers(0, longest - frames)) if longest and longest > frames else 0
