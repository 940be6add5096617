"""Clips heard anew for every batch, so that gradients reach the backbone.

Half of a voice's clips are heard alone and half in pairs, one after the other in one breath. All clips of a voice are
heard through the same made-up room and at the same speed, drawn anew each time: what is usual for a voice, only its
other lines tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor

from dser_ext.audio import SAMPLE_RATE
from dser_ext.recognition.speech import HOP, loud_frames
from dser_training.config import UtteranceConfig
from dser_training.corpora.clips import Clip
from dser_training.networks import FeatureNetwork, smoothed_speech
from dser_training.stages.heard import FEW_LINES, PICKS, Lot, acts, position, sound, splice

CLIP_FRAMES = 110  # of each clip, 2.2 s; longer ones are cut at a random place
CHANGED = 0.5  # share of voices heard at another speed, and of those heard in another room
SPEED = 1.12  # up to so many times as fast, or as slow
ROOM_DB, ROOM_BANDS = 4.0, 8  # deviation of a made-up room's equaliser
READERS, STRANGERS = 5, 3  # neutral lines in each batch: of one reader, and of as many readers

Sound = NDArray[np.float32]


@dataclass(frozen=True)
class Row:
    """Clips in one breath: the sound, and the emotion, first frame and speech of each."""

    wave: Sound
    clips: list[tuple[int, int, NDArray[np.bool_]]]


def batches(
    config: UtteranceConfig, network: FeatureNetwork, voices: Sequence[Sequence[Clip]], random: np.random.Generator
) -> Iterator[list[Lot]]:
    """Endless batches; gradients reach all of the network but its speech output."""
    network.requires_grad_(True)
    network.speech.requires_grad_(False)
    acting = [voice for voice in voices if acts(voice)]
    reading = [voice for voice in voices if not acts(voice) and len(voice) >= FEW_LINES]
    strangers = [clip for voice in voices if not acts(voice) and len(voice) < FEW_LINES for clip in voice]
    while True:
        order = random.permutation(len(acting))
        for start in range(0, len(order) - config.voices_per_batch + 1, config.voices_per_batch):
            chosen = [acting[index] for index in order[start : start + config.voices_per_batch]]
            batch = [_lot(network, _rows(voice, config.clips_per_voice, random), config, random) for voice in chosen]
            if reading:
                rows = _rows(reading[random.integers(len(reading))], READERS, random)
                batch.append(_lot(network, rows, config, random))
            if strangers:
                some = [strangers[index] for index in random.integers(len(strangers), size=STRANGERS)]
                rows = [row for clip in some for row in _rows([clip], 1, random)]
                batch.append(_lot(network, rows, config, random, strangers=True))
            yield batch


def _rows(voice: Sequence[Clip], count: int, random: np.random.Generator) -> list[Row]:
    """At most `count` clips of a voice, changed alike, half of them alone and half in pairs."""
    clips = [voice[index] for index in random.permutation(len(voice))[:count]]
    speed = SPEED ** random.uniform(-1, 1) if random.random() < CHANGED else 1.0
    room = random.normal(0, ROOM_DB, ROOM_BANDS) if random.random() < CHANGED else None
    sounds = [_cut(_changed(_decoded(clip), speed, room), random) for clip in clips]
    emotions = [int(clip.emotion or 0) for clip in clips]
    pairs = len(clips) // 4
    rows = [
        Row(wave, [(emotion, 0, loud_frames(wave))])
        for wave, emotion in zip(sounds[2 * pairs :], emotions[2 * pairs :], strict=True)
    ]
    for first in range(0, 2 * pairs, 2):
        joined, starts = splice(sounds[first : first + 2])
        masks = [loud_frames(wave) for wave in sounds[first : first + 2]]
        rows.append(Row(joined, list(zip(emotions[first : first + 2], starts, masks, strict=True))))
    return rows


@lru_cache(maxsize=20_000)
def _decoded(clip: Clip) -> NDArray[np.float16]:
    return sound(clip).astype(np.float16)


def _changed(samples: NDArray[np.float16], speed: float, room: NDArray[np.float64] | None) -> Sound:
    wave = samples.astype(np.float32)
    if speed != 1:
        wave = soxr.resample(wave, SAMPLE_RATE * speed, SAMPLE_RATE, "LQ")
    if room is not None:
        spectrum = np.fft.rfft(wave)
        place = np.sqrt(np.linspace(0, 1, len(spectrum)))  # narrower bands at low frequencies
        decibels = np.interp(place, np.linspace(0, 1, len(room)), room)
        wave = np.fft.irfft(spectrum * 10 ** (decibels / 20), len(wave))
    return wave.astype(np.float32)[: len(wave) // HOP * HOP]


def _cut(wave: Sound, random: np.random.Generator) -> Sound:
    """At most CLIP_FRAMES of it, with speech in them."""
    spare = len(wave) // HOP - CLIP_FRAMES
    if spare <= 0:
        return wave
    middle = np.flatnonzero(loud_frames(wave)).mean()
    start = int(np.clip(random.integers(spare + 1), middle - CLIP_FRAMES, middle)) * HOP
    return wave[start : start + CLIP_FRAMES * HOP]


def _lot(
    network: FeatureNetwork,
    rows: list[Row],
    config: UtteranceConfig,
    random: np.random.Generator,
    strangers: bool = False,
) -> Lot:
    """What the network hears of the clips; rows of one clip and rows of two go through it as a batch each."""
    frames, means, seconds, emotions = [], [], [], []
    for size in (1, 2):
        alike = [row for row in rows if len(row.clips) == size]
        if not alike:
            continue
        features, spoken = _heard(network, alike, config.smoothing_frames, random)
        for index, row in enumerate(alike):
            for emotion, start, mask in row.clips:
                speech = start + np.flatnonzero(mask)
                frames.append(spoken[index, random.choice(speech, PICKS)])
                means.append(features[index, speech].mean(dim=0))
                seconds.append(len(speech) / 50)
                emotions.append(emotion)
    return Lot(torch.stack(frames), torch.stack(means), torch.tensor(seconds), torch.tensor(emotions), strangers)


def _heard(
    network: FeatureNetwork, rows: list[Row], smoothing: int, random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Features of each frame, and their average over the speech around it, (rows, frames, D); short rows end silent."""
    length = max(len(row.wave) for row in rows)
    waves, speech = np.zeros((len(rows), length), np.float32), np.zeros((len(rows), length // HOP), np.float32)
    for index, row in enumerate(rows):
        waves[index, : len(row.wave)] = row.wave
        for _, start, mask in row.clips:
            speech[index, start : start + len(mask)] = np.maximum(speech[index, start : start + len(mask)], mask)
    with torch.autocast("cpu", torch.bfloat16):
        hidden = network.hidden(torch.from_numpy(waves), position(network, length // HOP, random))
        features = network.project(hidden).float()
    return features, smoothed_speech(features, torch.from_numpy(speech), smoothing)
