"""The sound of a line on its way to the service: a file as it is, or samples as floats."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Union

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dser_ext import messages
from dser_ext.errors import AudioError

PIECE_BYTES = 256 << 10  # in one message

Source = Union[str, "os.PathLike[str]", ArrayLike]
"""A sound file, or samples (n,) or (n, channels), floats around ±1 or integers of full scale."""


def sound(source: Source, sample_rate: int | None) -> Iterator[bytes]:
    """The bytes of a file, or of samples, in pieces. Raises AudioError if the file cannot be read."""
    if not isinstance(source, (str, os.PathLike)):
        data = _samples(source, sample_rate).tobytes()
        yield from (data[start : start + PIECE_BYTES] for start in range(0, len(data), PIECE_BYTES))
        return
    try:
        if not Path(source).is_file():
            raise AudioError(f"{os.fspath(source)}: is no file; name a sound file")
        with Path(source).open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                yield piece
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AudioError(f"{os.fspath(source)}: cannot be read ({reason}); check its name and permissions") from error


def audio_format(source: Source, sample_rate: int | None) -> Any:
    """AudioFormat of what `sound` gives."""
    if isinstance(source, (str, os.PathLike)):
        return messages.AudioFormat()
    return messages.AudioFormat(pcm=pcm(sample_rate or 0, _samples(source, sample_rate).shape[1]))


def called(source: Source) -> str:
    """The name of a line that was given none."""
    return os.fspath(source) if isinstance(source, (str, os.PathLike)) else ""


def pcm(sample_rate: int, channels: int) -> Any:
    """AudioFormat.Pcm of float samples."""
    return messages.AudioFormat.Pcm(
        encoding=messages.AudioFormat.Pcm.ENCODING_F32, sample_rate_hz=sample_rate, channels=channels
    )


def _samples(source: ArrayLike, sample_rate: int | None) -> NDArray[np.float32]:
    samples = np.asarray(source)
    if sample_rate is None:
        raise AudioError("samples need their sample_rate in Hz")
    if samples.ndim not in (1, 2) or samples.dtype.kind not in "fiu":
        raise AudioError(
            f"samples must be floats or integers, (n,) or (n, channels), not {samples.shape} {samples.dtype}"
        )
    if samples.dtype.kind in "iu":
        info = np.iinfo(samples.dtype)
        middle = 0.0 if info.min < 0 else 2.0 ** (info.bits - 1)
        samples = (samples - middle) / 2.0 ** (info.bits - 1)
    return samples.reshape(len(samples), -1).astype("<f4")
