"""Sound that is no speech, made from a seed: noise, hum, tones, clicks, and simple music."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dser_ext.audio import SAMPLE_RATE

Samples = NDArray[np.float32]
Random = np.random.Generator


def make(seconds: float, random: Random) -> Samples:
    """One sound, (seconds × 16000,) float32, peak at most 1, of a kind drawn at random."""
    count = round(seconds * SAMPLE_RATE)
    kinds: list[Callable[[int, Random], Samples]] = [_noise, _noise, _hum, _sweep, _clicks, _music, _music, _music]
    sound = kinds[random.integers(len(kinds))](count, random)
    if random.random() < 0.3:
        sound = sound / (np.abs(sound).max() + 1e-9) + 0.1 * random.random() * _noise(count, random)
    return np.asarray(0.5 * sound / (np.abs(sound).max() + 1e-9), np.float32)


def _noise(count: int, random: Random) -> Samples:
    """Noise of a random colour, often band limited, sometimes swelling."""
    spectrum = np.fft.rfft(random.normal(size=count))
    frequency = np.fft.rfftfreq(count, 1 / SAMPLE_RATE)
    spectrum /= np.maximum(frequency, 20) ** (random.uniform(-0.3, 2) / 2)
    if random.random() < 0.5:
        centre, width = 10 ** random.uniform(2, 3.7), random.uniform(0.1, 2)
        spectrum *= np.exp(-((np.log(np.maximum(frequency, 1) / centre) / width) ** 2))
    sound = np.fft.irfft(spectrum, count)
    if random.random() < 0.4:
        time = np.arange(count) / SAMPLE_RATE
        sound *= 1 + random.uniform(0, 1) * np.sin(2 * np.pi * random.uniform(0.1, 8) * time + random.uniform(0, 6))
    return np.asarray(sound, np.float32)


def _hum(count: int, random: Random) -> Samples:
    """Mains, engines, fans: harmonics of a steady low tone."""
    time = np.arange(count) / SAMPLE_RATE
    base = random.uniform(40, 240)
    sound = sum(random.random() / k * np.sin(2 * np.pi * base * k * time + random.uniform(0, 6)) for k in range(1, 20))
    return np.asarray(sound + random.uniform(0, 0.3) * random.normal(size=count), np.float32)


def _sweep(count: int, random: Random) -> Samples:
    """A whistle, siren or test tone."""
    time = np.arange(count) / SAMPLE_RATE
    octaves = random.uniform(0, 1.5) * np.sin(2 * np.pi * random.uniform(0.05, 3) * time)
    frequency = random.uniform(200, 2000) * 2**octaves
    return np.asarray(np.sin(2 * np.pi * np.cumsum(frequency) / SAMPLE_RATE), np.float32)


def _clicks(count: int, random: Random) -> Samples:
    """Knocks, keys, drips: short decaying bursts at random times."""
    sound = 1e-4 * random.normal(size=count)
    for _ in range(random.integers(2, 30)):
        sound += _burst(count, random.integers(count), random.uniform(0.005, 0.08), random)
    return np.asarray(sound, np.float32)


def _burst(count: int, start: int, decay_seconds: float, random: Random) -> Samples:
    length = min(count - start, round(6 * decay_seconds * SAMPLE_RATE))
    time = np.arange(length) / SAMPLE_RATE
    sound = np.zeros(count, np.float32)
    body = random.normal(size=length) + random.uniform(0, 3) * np.sin(2 * np.pi * random.uniform(60, 1500) * time)
    sound[start : start + length] = random.random() * body * np.exp(-time / decay_seconds)
    return sound


def _music(count: int, random: Random) -> Samples:
    """Chords and a melody in a random timbre and tempo, often with drums."""
    beat = random.uniform(0.18, 0.7)
    root = 55 * 2 ** random.uniform(0, 2)
    scale = np.array([0, 2, 4, 5, 7, 9, 11] if random.random() < 0.5 else [0, 2, 3, 5, 7, 8, 10])
    timbre = random.random(12) / np.arange(1, 13) ** random.uniform(0.3, 2)
    attack, decay, vibrato = random.uniform(0.002, 0.2), random.uniform(0.1, 2), random.uniform(0, 0.012)
    drums = random.random() < 0.6
    sound = np.zeros(count, np.float32)
    for step in range(int(count / SAMPLE_RATE / beat) + 1):
        start = round(step * beat * SAMPLE_RATE)
        if start >= count:
            break
        degrees = [random.integers(7, 21)] + ([0, 2, 4] if step % 4 == 0 else [])
        for degree in degrees:
            pitch = root * 2 ** ((scale[degree % 7] + 12 * (degree // 7)) / 12)
            length = min(count - start, round((4 if step % 4 == 0 else 1.5) * beat * SAMPLE_RATE))
            sound[start : start + length] += _note(pitch, length, timbre, attack, decay, vibrato)
        if drums:
            sound += 2 * _burst(count, start, 0.03 if step % 2 else 0.08, random)
    return sound


def _note(
    pitch: float, length: int, timbre: NDArray[np.float64], attack: float, decay: float, vibrato: float
) -> Samples:
    time = np.arange(length) / SAMPLE_RATE
    phase = 2 * np.pi * np.cumsum(pitch * (1 + vibrato * np.sin(2 * np.pi * 5.5 * time))) / SAMPLE_RATE
    sound = sum(level * np.sin(k * phase) for k, level in enumerate(timbre, 1) if k * pitch < SAMPLE_RATE / 2)
    envelope = np.minimum(1, time / attack) * np.exp(-time / decay)
    return np.asarray(sound * envelope, np.float32)
