"""Where speech is, and what holds where it is not."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dser_ext.emotion.track import FRAME_RATE

LIKELY = 0.12  # probability above which a frame counts as speech: a word lost is worse than a noise let through
VOTERS = 15  # frames, 0.3 s: a click is no speech, and a stop consonant no silence
SHORTEST_SECONDS = 0.2  # speech shorter than this is a noise that sounded like it
HOLD_SECONDS = 0.5  # on either side of speech, so the emotion around a pause of up to a second holds through it
FADE_SECONDS = 0.25  # in a longer one it then turns neutral over this long


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
    last speech they stay. They hold for half a second beside speech and fade after that, so that a pause a little
    longer than another never sounds like something else.
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
    trust: NDArray[np.float64] = np.clip(1 - (distance - HOLD_SECONDS) / FADE_SECONDS, 0, 1)
    return trust


def _around(values: NDArray[Any]) -> NDArray[np.float64]:
    """The sum over the `VOTERS` frames around each, fewer at the ends, (F,)."""
    return np.convolve(values, np.ones(VOTERS))[VOTERS // 2 :][: len(values)]


def _runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(start, stop) of every run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
