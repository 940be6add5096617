"""The outline of a sound: lowest and highest sample, bin by bin; what a waveform is drawn from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dser_ext.errors import AudioError

SAMPLE_RATE = 16_000  # Hz, the rate of the blocks (see audio.py, which the thin side cannot import)
CELLS_PER_BIN = 8  # an unknown length is collected this much finer, so that bins are off by an eighth of a bin at most


@dataclass(frozen=True, eq=False)
class Envelope:
    """Lowest and highest sample in each of N equal parts of a sound.

    low, high: (N,) float32. seconds: the length that the N parts divide.
    """

    low: NDArray[np.float32]
    high: NDArray[np.float32]
    seconds: float


def envelope(blocks: Iterable[NDArray[np.float32]], bins: int) -> Envelope:
    """The envelope of 16 kHz samples in `bins` parts (fewer if there are fewer samples), in memory of a few `bins`.

    How the samples are divided into blocks makes no difference. Raises AudioError if there are none.
    """
    if bins < 1:
        raise ValueError(f"an envelope needs at least one bin, not {bins}")
    cells = _Cells(2 * CELLS_PER_BIN * bins)
    for block in blocks:
        cells.add(block)
    if not cells.samples:
        raise AudioError("there are no samples to draw a waveform from; record or export the sound again")
    low, high = cells.low_high()
    bins = min(bins, len(low))
    edges = np.arange(bins + 1) * (cells.samples / cells.size / bins)  # in cells
    starts = np.minimum(edges[:-1].round().astype(np.int64), len(low) - 1)
    return Envelope(
        np.minimum.reduceat(low, starts), np.maximum.reduceat(high, starts), seconds=cells.samples / SAMPLE_RATE
    )


class _Cells:
    """Extremes of cells of `size` samples each; above `limit` of them, pairs merge and `size` doubles."""

    def __init__(self, limit: int) -> None:
        self.size = 1
        self.samples = 0
        self._limit = limit
        self._low: NDArray[np.float32] = np.zeros(0, np.float32)
        self._high: NDArray[np.float32] = np.zeros(0, np.float32)
        self._rest: NDArray[np.float32] = np.zeros(0, np.float32)  # samples of a cell that is not full yet

    def add(self, block: NDArray[np.float32]) -> None:
        step = self._limit * self.size  # a large block must not become as many cells
        for start in range(0, len(block), step):
            self._add(block[start : start + step])

    def _add(self, block: NDArray[np.float32]) -> None:
        self.samples += len(block)
        samples = np.concatenate([self._rest, block])
        whole = len(samples) - len(samples) % self.size
        full = samples[:whole].reshape(-1, self.size)
        self._rest = samples[whole:].copy()
        self._low = np.concatenate([self._low, full.min(axis=1)])
        self._high = np.concatenate([self._high, full.max(axis=1)])
        while len(self._low) > self._limit:
            self._merge_pairs()

    def _merge_pairs(self) -> None:
        if len(self._low) % 2:
            # The odd cell goes back to the rest: its two extremes, repeated to its length, stand for its samples.
            extremes = np.resize([self._low[-1], self._high[-1]], self.size).astype(np.float32)
            self._rest = np.concatenate([extremes, self._rest])
            self._low, self._high = self._low[:-1], self._high[:-1]
        self._low = self._low.reshape(-1, 2).min(axis=1)
        self._high = self._high.reshape(-1, 2).max(axis=1)
        self.size *= 2

    def low_high(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if not len(self._rest):
            return self._low, self._high
        return np.append(self._low, self._rest.min()), np.append(self._high, self._rest.max())
