"""Where speech is, and what holds where it is not."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dser_ext.audio import SAMPLE_RATE
from dser_ext.emotion.track import FRAME_RATE

LIKELY = 0.12  # probability above which a frame counts as speech: a word lost is worse than a noise let through
VOTERS = 15  # frames, 0.3 s: a click is no speech, and a stop consonant no silence
SHORTEST_SECONDS = 0.2  # speech shorter than this is a noise that sounded like it
HOLD_SECONDS = 0.5  # on either side of speech, so the emotion around a pause of up to a second holds through it
EDGE_HOLD_SECONDS = 1.0  # before the first and after the last speech: a face has its mood before it speaks
FADE_SECONDS = 0.25  # in a longer one it then turns neutral over this long

HOP = SAMPLE_RATE // FRAME_RATE  # samples a frame
PAUSE_POWER = 1e-3  # -30 dB of the loudest frame near by: below it speech pauses
POWER_FRAMES = 10  # 0.2 s that power is averaged over: a stop consonant is no pause


def loud_frames(samples: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Frames within 30 dB of the loudest: of samples (n,) at 16 kHz, (n // 320,) bool.

    Tells the pauses in speech from the speech, at any level; that it is speech, the network tells.
    """
    count = len(samples) // HOP
    power = np.square(samples[: count * HOP].reshape(count, HOP), dtype=np.float64).mean(axis=1)
    power = np.convolve(power, np.ones(POWER_FRAMES) / POWER_FRAMES, mode="same")[:count]
    return np.asarray(power > PAUSE_POWER * power.max(initial=0))


def speech_frames(probability: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which frames hold speech: (F,) bool from the network's probabilities (F,), single outliers voted down."""
    speech = _around(probability > LIKELY) > _around(np.ones(len(probability))) / 2
    for start, stop in _runs(speech):
        if stop - start < SHORTEST_SECONDS * FRAME_RATE:
            speech[start:stop] = False
    return np.asarray(speech)


def held(
    concentration: NDArray[np.float32], speech: NDArray[np.bool_], nonspeech: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Concentrations (F, 6) with pauses held and everything else that is not speech turned to `nonspeech` (6,).

    Through a pause the concentrations glide from those before it to those after it; before the first and after the
    last speech they stay. They hold for half a second beside speech, a second at the ends of the line, and fade after
    that, so that a pause a little longer than another never sounds like something else.
    """
    if not speech.any():
        return np.tile(nonspeech, (len(speech), 1))
    frames = np.arange(len(speech))
    heard = frames[speech]
    bridged = np.stack([np.interp(frames, heard, column[speech]) for column in concentration.T], axis=1)
    trust = _trust(speech)[:, None]
    return np.asarray(trust * bridged + (1 - trust) * nonspeech, np.float32)


def _trust(speech: NDArray[np.bool_]) -> NDArray[np.float64]:
    """1 in speech and near it, 0 far from it."""
    frames = np.arange(len(speech))
    heard = frames[speech]
    place = np.searchsorted(heard, frames)
    after = heard[np.minimum(place, len(heard) - 1)]
    before = heard[np.maximum(place - 1, 0)]
    distance = np.minimum(np.abs(after - frames), np.abs(frames - before)) / FRAME_RATE
    hold = np.where((frames < heard[0]) | (frames > heard[-1]), EDGE_HOLD_SECONDS, HOLD_SECONDS)
    trust: NDArray[np.float64] = np.clip(1 - (distance - hold) / FADE_SECONDS, 0, 1)
    return trust


def _around(values: NDArray[Any]) -> NDArray[np.float64]:
    """The sum over the `VOTERS` frames around each, fewer at the ends, (F,)."""
    return np.convolve(values, np.ones(VOTERS))[VOTERS // 2 :][: len(values)]


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(start, stop) of every run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
