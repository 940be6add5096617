"""The sound of a line while it comes in."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from dser_ext.audio import Resampler, check_finite
from dser_ext.decoders import as_float


class LiveSound:
    """The sound of a line as it comes in: bytes of any number → samples (n,) at 16 kHz.

    rate: Hz. kind: numpy's name of its samples, "<i2" or "<f4".
    """

    def __init__(self, rate: int, kind: str = "<i2") -> None:
        self._kind = np.dtype(kind)
        self._resampler, self._rate = Resampler(rate), rate
        self._half = b""  # of a sample
        self._digest = hashlib.sha256()  # as that of an AudioArray

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def more(self, sound: bytes) -> NDArray[np.float32]:
        """What comes next. Raises AudioError for NaN, infinite or absurdly large samples."""
        sound = self._half + sound
        whole = len(sound) // self._kind.itemsize * self._kind.itemsize
        self._half = sound[whole:]
        samples = as_float(np.frombuffer(sound[:whole], self._kind))
        check_finite("the sound sent", samples[:, None], self._resampler.read, self._rate)
        self._digest.update(samples.astype("<f4").tobytes())
        return self._resampler.more(samples)

    def rest(self) -> NDArray[np.float32]:
        """What is still in the resampler, so that all together is as long as the sound."""
        return self._resampler.rest()
