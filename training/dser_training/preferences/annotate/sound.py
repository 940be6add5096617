"""The sound of a line: as the page plays it, and its outline."""

from __future__ import annotations

import io

import numpy as np
import soundfile
from numpy.typing import NDArray

from dser_ext.audio import SAMPLE_RATE, AudioFile, read
from dser_ext.envelope import envelope
from dser_ext.errors import AudioError
from dser_training.preferences.annotate.sheet import SheetLine

BINS = 400  # of the outline


def samples_of(line: SheetLine) -> NDArray[np.float32]:
    """A line's sound, (n,) at 16 kHz. Raises AudioError if it cannot be read, or is not the sound it was."""
    if AudioFile(line.source, line.name).sha256 != line.sha256:
        raise AudioError(f"{line.name}: changed since the candidates were made; bring the old file back, or make anew")
    return read(line.source)


def wav(line: SheetLine) -> bytes:
    """A line's sound as a WAV file of 16 bits. Raises as `samples_of` does."""
    file = io.BytesIO()
    soundfile.write(file, np.clip(samples_of(line), -1, 1), SAMPLE_RATE, format="WAV", subtype="PCM_16")
    return file.getvalue()


def outline(line: SheetLine) -> list[float]:
    """How far the sound goes from zero in each of equal parts, from 0 to 1. Raises as `samples_of` does."""
    found = envelope([samples_of(line)], BINS)
    extent = np.maximum(np.abs(found.low), np.abs(found.high))
    return (extent / max(float(extent.max()), 1e-6)).round(3).tolist()
