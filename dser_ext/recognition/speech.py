"""Where speech is, and what holds where it is not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dser_ext.emotion.track import FRAME_RATE

LIKELY = 0.5  # probability above which a frame counts as speech
SMOOTHING_SECONDS = 0.3  # a click is no speech, and a stop consonant no silence
SHORTEST_SECONDS = 0.2  # speech shorter than this is a noise that sounded like it
PAUSE_SECONDS = 1.0  # the emotion around a pause up to this long holds through it
HOLD_SECONDS = 0.25  # and this far into a longer one
FADE_SECONDS = 0.25  # before it turns neutral over this long


def speech_frames(probability: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which frames hold speech: (F,) bool from the network's probabilities (F,), single outliers voted down."""
    width = round(SMOOTHING_SECONDS * FRAME_RATE)
    votes = np.convolve(probability > LIKELY, np.ones(width), mode="same")
    present = np.convolve(np.ones(len(probability)), np.ones(width), mode="same")
    speech = votes > present / 2
    for start, stop in _runs(speech):
        if stop - start < SHORTEST_SECONDS * FRAME_RATE:
            speech[start:stop] = False
    return np.asarray(speech)


def held(
    concentration: NDArray[np.float32], speech: NDArray[np.bool_], nonspeech: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Concentrations (F, 6) with pauses held and everything else that is not speech turned to `nonspeech` (6,).

    Through a pause the concentrations glide from those before it to those after it. A line that starts or ends within
    a second of silence holds its first or last emotion there.
    """
    if not speech.any():
        return np.broadcast_to(nonspeech, concentration.shape).copy()
    frames = np.arange(len(speech))
    heard = frames[speech]
    bridged = np.stack([np.interp(frames, heard, column[speech]) for column in concentration.T], axis=1)
    trust = _trust(speech)[:, None]
    return np.asarray(trust * bridged + (1 - trust) * nonspeech, np.float32)


def _trust(speech: NDArray[np.bool_]) -> NDArray[np.float64]:
    """1 in speech and in pauses, 0 deep in longer gaps, with short fades between."""
    near = speech.copy()
    for start, stop in _runs(~speech):
        if stop - start <= PAUSE_SECONDS * FRAME_RATE:
            near[start:stop] = True
    frames = np.arange(len(speech))
    heard = frames[near]
    place = np.searchsorted(heard, frames)
    after = heard[np.minimum(place, len(heard) - 1)]
    before = heard[np.maximum(place - 1, 0)]
    distance = np.where(near, 0, np.minimum(np.abs(after - frames), np.abs(frames - before))) / FRAME_RATE
    return np.clip(1 - (distance - HOLD_SECONDS) / FADE_SECONDS, 0, 1)


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(start, stop) of every run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
