"""EmotionTrack: what the model believes about a line of speech, moment by moment."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dser_ext.emotion.names import EMOTIONS
from dser_ext.errors import FormatError

FRAME_RATE = 50
"""Frames a second of the shipped model: times[i] = i / 50 s."""


@dataclass(frozen=True)
class AudioInfo:
    """The sound a track was made from."""

    path: str | None  # as typed by the user; None for samples in memory
    sha256: str  # of the file's bytes (of the float32 samples where there is no file)
    seconds: float


@dataclass(frozen=True)
class ModelInfo:
    """The model that made a track."""

    name: str
    version: str
    sha256: str  # of the bundle's card, which in turn holds the checksum of every file of the bundle


@dataclass(frozen=True)
class VoiceInfo:
    """The voice profile a track was measured against."""

    name: str
    lines: int
    seconds: float  # of speech heard


@dataclass(frozen=True, eq=False)
class EmotionTrack:
    """Dirichlet concentrations over six emotions along time.

    times: (F,) float64, seconds from the start of the sound, strictly increasing.
    concentration: (F, 6) float32, > 0, columns in the order of `EMOTIONS` (paper, equations 3 and 4).

    Raises FormatError if the arrays do not fit each other or hold values outside their range.
    """

    times: NDArray[np.float64]
    concentration: NDArray[np.float32]
    audio: AudioInfo | None = None
    model: ModelInfo | None = None
    voice: VoiceInfo | None = None

    def __post_init__(self) -> None:
        times = np.asarray(self.times, np.float64)
        concentration = np.asarray(self.concentration, np.float32)
        if times.ndim != 1 or concentration.shape != (len(times), len(EMOTIONS)):
            raise FormatError(
                f"a track needs times (F,) and concentrations (F, {len(EMOTIONS)}), "
                f"not {times.shape} and {concentration.shape}"
            )
        if not len(times):
            raise FormatError("a track needs at least one frame")
        if not (np.isfinite(times).all() and (np.diff(times) > 0).all()):
            raise FormatError("a track's times must be finite and strictly increasing")
        with np.errstate(over="ignore"):
            usable = np.isfinite(concentration.sum(axis=1)).all() and (concentration > 0).all()
        if not usable:
            raise FormatError("a track's concentrations must be finite and above zero")
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "concentration", concentration)

    @property
    def seconds(self) -> float:
        """Length of the sound in seconds."""
        if self.audio is not None:
            return self.audio.seconds
        return float(self.times[-1]) + 1 / FRAME_RATE

    @cached_property
    def total(self) -> NDArray[np.float32]:
        """Σα, (F,): how sure the model is; the larger, the narrower the distribution."""
        return np.asarray(self.concentration.sum(axis=1))

    @cached_property
    def mean(self) -> NDArray[np.float32]:
        """Expected mixture, (F, 6), rows sum to 1 (paper, equation 6)."""
        return np.asarray(self._mean, np.float32)

    @cached_property
    def std(self) -> NDArray[np.float32]:
        """Standard deviation of each emotion's share, (F, 6), in [0, 0.5]."""
        mean = self._mean  # in float32, 1 - mean would lose the spread of a sure model
        return np.asarray(np.sqrt(mean * (1 - mean) / (self.total[:, None].astype(np.float64) + 1)), np.float32)

    @property
    def _mean(self) -> NDArray[np.float64]:
        concentration = self.concentration.astype(np.float64)
        return np.asarray(concentration / concentration.sum(axis=1, keepdims=True))

    def at(self, seconds: ArrayLike) -> NDArray[np.float32]:
        """Expected mixture at any times, (…, 6); linear between frames, the end frames held outside."""
        moments = np.asarray(seconds, np.float64)
        columns = [np.interp(moments, self.times, column) for column in self.mean.T]
        return np.stack(columns, axis=-1).astype(np.float32)

    def log_likelihood(self, mixtures: ArrayLike) -> NDArray[np.float64]:
        """log Dir(mixture | concentration) frame by frame, (F,) (paper, equation 2).

        mixtures: (F, 6) or (6,), each row in the open simplex. Raises FormatError outside of it.
        """
        x = np.asarray(mixtures, np.float64)
        if x.shape not in ((len(EMOTIONS),), self.concentration.shape):
            raise FormatError(f"mixtures must be ({len(EMOTIONS)},) or {self.concentration.shape}, not {x.shape}")
        if not ((x > 0).all() and np.allclose(x.sum(axis=-1), 1, rtol=0, atol=1e-4)):
            raise FormatError("a mixture needs six shares above zero that sum to 1")
        alpha = self.concentration.astype(np.float64)
        normaliser = _log_gamma(alpha.sum(axis=1)) - _log_gamma(alpha).sum(axis=1)
        return np.asarray(normaliser + ((alpha - 1) * np.log(x)).sum(axis=1))


def _log_gamma(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """log Γ(x) for x > 0 by Stirling's series, from x + 8 on where x is below 8; numpy has none of its own."""
    small = np.minimum(x, 8)
    shift = np.prod([small + step for step in range(8)], axis=0)
    y = np.where(x < 8, x + 8, x)
    series = 1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / y**2) / y**2) / y**2) / y**2
    return np.asarray((y - 0.5) * np.log(y) - y + math.log(2 * math.pi) / 2 + series / y - np.log(shift) * (x < 8))
