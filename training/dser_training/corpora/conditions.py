"""Conditions that a model has to stand: what is done to a line before it is recognised."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from audiomentations import BandPassFilter, Resample
from numpy.typing import NDArray
from scipy.fft import irfft, rfft
from scipy.signal import fftconvolve

from dser_ext.audio import SAMPLE_RATE
from dser_ext.recognition.speech import HOP, POWER_FRAMES
from dser_training.corpora.augmentation import Random, Sound, fixed, through_mp3, with_noise

PINK = -3.01  # dB an octave
TELEPHONE_RATE = 8000  # Hz
TELEPHONE_BAND, TELEPHONE_ROLLOFF = (300.0, 3400.0), 48  # Hz (ITU-T G.712), dB an octave
PAUSE_SECONDS = 0.5  # about
APART_FRAMES = 15  # between pauses, 0.3 s: hardly ever two in one word
GAP_FRAMES = 5  # 0.1 s that power is averaged over: longer than the closure of a stop consonant
EDGE_ENERGY = 0.1  # share of a line's energy before the first pause, and after the last
FADE = 80  # samples on either side of a pause, 5 ms

Condition = Callable[[Sound, int], Sound]  # of a line and a seed


def telephone(sound: Sound) -> Sound:
    """The sound as a narrow-band telephone lets it through, at 16 kHz again, as long as before."""
    low, high = TELEPHONE_BAND
    narrow = fixed(Resample(), target_sample_rate=TELEPHONE_RATE)(np.pad(sound, (0, len(sound) % 2)), SAMPLE_RATE)
    band = fixed(BandPassFilter(), center_freq=(low + high) / 2, bandwidth=high - low, rolloff=TELEPHONE_ROLLOFF)
    wide = fixed(Resample(), target_sample_rate=SAMPLE_RATE)(band(narrow, TELEPHONE_RATE), TELEPHONE_RATE)
    return np.asarray(wide[: len(sound)])


def with_pauses(sound: Sound, times: float, random: Random) -> Sound:
    """`times` as long, by pauses of equal length at the quietest places in the speech; at least a frame of sound.

    In the pauses the recording goes on as where it is quietest.
    """
    extra = round((times - 1) * len(sound))
    places = _quiet_places(sound, max(1, round(extra / SAMPLE_RATE / PAUSE_SECONDS)))
    lengths = np.diff(np.linspace(0, extra, len(places) + 1).round().astype(int))
    ramp = np.linspace(0, 1, FADE, dtype=np.float32)
    faded = sound.copy()
    for place in places:
        faded[place - FADE : place] *= ramp[::-1]
        faded[place : place + FADE] *= ramp
    return np.insert(faded, np.repeat(places, lengths), _floor(sound, extra, random))


CONDITIONS: dict[str, Condition] = {
    "20 dB noise": lambda sound, seed: with_noise(sound, 20, PINK, np.random.default_rng(seed)),
    "10 dB noise": lambda sound, seed: with_noise(sound, 10, PINK, np.random.default_rng(seed)),
    "5 dB noise": lambda sound, seed: with_noise(sound, 5, PINK, np.random.default_rng(seed)),
    "8 kHz telephone band": lambda sound, _: telephone(sound),
    "MP3 32 kbit/s": lambda sound, _: through_mp3(sound, 32),
    "-30 dB level": lambda sound, _: sound * np.float32(10 ** (-30 / 20)),
    "1.5 x length by pauses": lambda sound, seed: with_pauses(sound, 1.5, np.random.default_rng(seed)),
}


def _quiet_places(sound: Sound, count: int) -> NDArray[np.int64]:
    """At most so many samples to cut at, ascending; none before or after the speech."""
    frames = sound[: len(sound) // HOP * HOP].reshape(-1, HOP)
    power = np.convolve(np.square(frames).mean(axis=1), np.ones(GAP_FRAMES), mode="same")[: len(frames)]
    spoken = power.cumsum() / (power.sum() + 1e-12)
    inside = np.flatnonzero((spoken > EDGE_ENERGY) & (spoken < 1 - EDGE_ENERGY))
    inside = inside if inside.size else np.arange(len(power))
    chosen: list[int] = []
    for frame in inside[np.argsort(power[inside], kind="stable")]:
        if all(abs(frame - other) >= APART_FRAMES for other in chosen):
            chosen.append(int(frame))
        if len(chosen) == count:
            break
    return np.sort(np.array(chosen)) * HOP + HOP // 2


def _floor(sound: Sound, count: int, random: Random) -> Sound:
    """Noise of the level and spectrum of the quietest 0.2 s."""
    span = POWER_FRAMES * HOP
    power = np.square(sound, dtype=np.float64).cumsum()
    start = int(np.argmin(power[span:] - power[:-span])) + 1 if len(sound) > span else 0
    quiet = sound[start : start + span]
    shape = np.roll(irfft(np.abs(rfft(quiet)), len(quiet)), len(quiet) // 2) / np.sqrt(len(quiet))
    white = random.standard_normal(count + len(quiet) - 1, dtype=np.float32)
    return np.asarray(fftconvolve(white, shape, mode="valid"), np.float32)
