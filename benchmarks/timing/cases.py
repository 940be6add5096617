"""Cases: how much is heard at once, and the speech for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

import dser_ext

RATE = 16_000
UNITS = ((3600, "h"), (60, "min"), (1, "s"))


@dataclass(frozen=True)
class Case:
    """So many clips of so many seconds, handed over together."""

    seconds: float
    batch: int = 1

    @property
    def audio_seconds(self) -> float:
        """Of all clips."""
        return self.seconds * self.batch

    @property
    def name(self) -> str:
        """As tables say it: 3 s, 10 min, 16 × 30 s."""
        size, unit = next((size, unit) for size, unit in UNITS if self.seconds >= 2 * size or size == 1)
        length = f"{self.seconds / size:g} {unit}"
        return length if self.batch == 1 else f"{self.batch} × {length}"


def line(folder: Path, seconds: float) -> Path:
    """A file with so much speech: the sample line over and over, from a place that differs each time."""
    path = folder / f"{seconds:g}.wav"
    if path.exists():
        return path
    speech, _ = soundfile.read(dser_ext.sample_line(), dtype="float32")
    random = np.random.default_rng(0)
    left = round(seconds * RATE)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        while left:
            piece = np.roll(speech, random.integers(len(speech)))[:left]
            file.write(piece)
            left -= len(piece)
    return path
