"""The sound of a line while it comes in."""

from __future__ import annotations

import hashlib

import numpy as np
import soxr
from numpy.typing import NDArray

from dser_ext.audio import SAMPLE_RATE, check_finite
from dser_ext.decoders import as_float


class LiveSound:
    """The sound of a line as it comes in: bytes of any number → samples (n,) at 16 kHz.

    rate: Hz. kind: numpy's name of its samples, "<i2" or "<f4".
    """

    def __init__(self, rate: int, kind: str = "<i2") -> None:
        self._kind = np.dtype(kind)
        self._resampler = None if rate == SAMPLE_RATE else soxr.ResampleStream(rate, SAMPLE_RATE, 1, quality="HQ")
        self._rate = rate
        self._half = b""  # of a sample
        self._digest = hashlib.sha256()  # as that of an AudioArray
        self._read = self._written = 0

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def more(self, sound: bytes) -> NDArray[np.float32]:
        """What comes next. Raises AudioError for NaN, infinite or absurdly large samples."""
        sound = self._half + sound
        whole = len(sound) // self._kind.itemsize * self._kind.itemsize
        self._half = sound[whole:]
        samples = as_float(np.frombuffer(sound[:whole], self._kind))
        check_finite("the sound sent", samples[:, None], self._read, self._rate)
        self._digest.update(samples.astype("<f4").tobytes())
        self._read += len(samples)
        return self._resampled(samples, last=False)

    def rest(self) -> NDArray[np.float32]:
        """What is still in the resampler, so that all together is as long as the sound."""
        tail = self._resampled(np.zeros(0, np.float32), last=True)
        missing = max(1, round(self._read / self._rate * SAMPLE_RATE)) - (self._written - len(tail))
        return np.pad(tail, (0, max(0, missing - len(tail))))[: max(0, missing)]

    def _resampled(self, samples: NDArray[np.float32], *, last: bool) -> NDArray[np.float32]:
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples, last=last)
        self._written += len(samples)
        return samples
