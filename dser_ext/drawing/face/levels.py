"""How loud and how bright speech is along time: what the mouth of the preview follows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dser_ext.audio import SAMPLE_RATE

HOP = SAMPLE_RATE // 100  # samples, 10 ms: shorter than any sound of speech
WINDOW_SECONDS = 0.06  # heard around each moment: a mouth is no faster
LOUD = 95  # percentile of a line's own power that opens the mouth wide
RANGE_DB = 28.0  # below that the mouth is shut
SILENCE = 1e-7  # mean square, -70 dB of full scale: nothing that a mouth made
DARK, BRIGHT = 0.02, 0.6  # power of the differences ÷ power: of "o" and "u", of "s"


@dataclass(frozen=True, eq=False)
class Levels:
    """A line's sound in steps of 10 ms.

    power: (N,) float64, mean square of the samples. differences: (N,) float64, mean square of the differences between
    neighbouring samples, which grows with the pitch of what sounds.
    """

    power: NDArray[np.float64]
    differences: NDArray[np.float64]

    def openness(self, seconds: ArrayLike) -> NDArray[np.float64]:
        """How far speech as loud as at these moments opens a mouth, relative to the line's own level, in [0, 1]."""
        if not len(self.power) or self.power.max() < SILENCE:
            return np.zeros(np.shape(seconds))
        reference = np.percentile(self.power[self.power >= SILENCE], LOUD)
        decibels = 10 * np.log10(np.maximum(self._around(self.power, seconds), 1e-12) / reference)
        return np.asarray(np.clip(1 + decibels / RANGE_DB, 0, 1))

    def brightness(self, seconds: ArrayLike) -> NDArray[np.float64]:
        """0 for sounds as dark as "o", 1 for sounds as bright as "s", at any moments."""
        ratio = self._around(self.differences, seconds) / np.maximum(self._around(self.power, seconds), SILENCE)
        return np.asarray(np.clip(np.log(np.maximum(ratio, DARK) / DARK) / np.log(BRIGHT / DARK), 0, 1))

    def _around(self, values: NDArray[np.float64], seconds: ArrayLike) -> NDArray[np.float64]:
        """The mean of a window around each moment; nothing sounds outside of the line."""
        total = np.concatenate([[0.0], np.cumsum(values)])
        moments = np.asarray(seconds, np.float64)
        edges = (moments + half for half in (-WINDOW_SECONDS / 2, WINDOW_SECONDS / 2))
        before, after = (np.interp(edge * SAMPLE_RATE / HOP, np.arange(len(total)), total) for edge in edges)
        return np.asarray((after - before) / (WINDOW_SECONDS * SAMPLE_RATE / HOP))


def levels(blocks: Iterable[NDArray[np.float32]]) -> Levels:
    """The levels of 16 kHz samples in blocks of any size, (n,) each; in memory of one block and the result."""
    power, differences = [], []
    rest, last = np.zeros(0), 0.0
    for block in blocks:
        samples = np.concatenate([rest, block.astype(np.float64)])
        whole = len(samples) - len(samples) % HOP
        rest = samples[whole:]
        if not whole:
            continue
        steps = np.diff(samples[:whole], prepend=last)
        last = float(samples[whole - 1])
        power.append(np.square(samples[:whole]).reshape(-1, HOP).mean(axis=1))
        differences.append(np.square(steps).reshape(-1, HOP).mean(axis=1))
    empty = [np.zeros(0)]
    return Levels(np.concatenate(power or empty), np.concatenate(differences or empty))
