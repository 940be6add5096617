"""Any file or array of sound → float32, mono, 16 kHz, block by block.

Nothing of the size of the input is ever held: a file is decoded, mixed down and resampled in pieces of `CHUNK_FRAMES`
frames, so hours of audio cost the memory of a few blocks. Every pass over `blocks()` starts again from the beginning.
"""

from __future__ import annotations

import hashlib
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from typing import Any

import numpy as np
import soxr
from numpy.typing import ArrayLike, NDArray

from dser_ext.decoders import CHUNK_FRAMES, SoundBytes, Source, as_float, decoder
from dser_ext.errors import AudioError, DserWarning

SAMPLE_RATE = 16_000  # Hz, what every speech encoder here expects
MAX_SECONDS = 24 * 3600.0  # no line of dialogue is longer; a file made to run for ever is stopped here
MIN_RATE, MAX_RATE = 1_000, 1_000_000  # Hz; a header outside is damaged or made up
MAX_CHANNELS = 64
LARGEST_SAMPLE = 1e12  # floats on an integer scale (2^31) are fine; far above, float32 arithmetic overflows
LENGTH_SLACK = 0.05  # s that codecs' padding may take off the promised length of a whole file
CANCELLED = 0.1  # mean 10 dB weaker than unrelated channels would leave it
FADE_FRAMES = 256  # from the mean to one channel, without a click


class Audio:
    """Sound to be read as 16 kHz mono: an `AudioFile` or an `AudioArray`.

    path: as typed, None for an array without a name.
    seconds: source frames read / source rate, not changed by resampling; the whole length once `blocks` is exhausted.
    note: known then too; a sentence where a file ends early or is damaged inside and only a part could be read.
    """

    path: str | None
    seconds: float = 0.0
    note: str | None = None
    _name: str  # in messages

    @cached_property
    def sha256(self) -> str:
        """64 hexadecimal digits that name this sound."""
        raise NotImplementedError

    def _source(self) -> AbstractContextManager[Source]:
        raise NotImplementedError

    def blocks(self, block_seconds: float = 10.0) -> Iterator[NDArray[np.float32]]:
        """Samples (n,) at 16 kHz, mono, normally within ±1; n = `block_seconds` × 16000 in all blocks but the last.

        All blocks together hold round(`seconds` × 16000) samples, at least one; the size of the blocks does not change
        a sample. Channels are averaged, except where they cancel each other (see `_downmix`).
        Raises AudioError at the first block for what cannot be decoded or is empty, later for NaN or infinite samples
        and for more than 24 h. Warns (DserWarning) once if the file is truncated.
        """
        return _in_blocks(self._resampled(), max(1, round(block_seconds * SAMPLE_RATE)))

    def _resampled(self) -> Iterator[NDArray[np.float32]]:
        with self._source() as source:
            _check_header(self._name, source)
            chunks = _downmix(self._checked(source))
            resampler = Resampler(source.rate)
            for chunk in chunks:
                yield resampler.more(chunk)
            yield resampler.rest()

    def _checked(self, source: Source) -> Iterator[NDArray[np.float32]]:
        frames = 0
        for chunk in source.chunks():
            check_finite(self._name, chunk, frames, source.rate)
            frames += len(chunk)
            self.seconds = max(self.seconds, frames / source.rate)  # a later pass must not unlearn the length
            if max(self.seconds, source.promised_seconds or 0.0) > MAX_SECONDS:
                limit = f"longer than {MAX_SECONDS / 3600:g} h"
                raise AudioError(f"{self._name}: is, or claims to be, {limit}; cut it or export it again")
            yield chunk
        if not frames:
            raise AudioError(f"{self._name}: holds no sound (0 samples could be read); record or export it again")
        self._note_truncation(source)

    def _note_truncation(self, source: Source) -> None:
        promised = source.promised_seconds or 0.0
        short = promised - self.seconds > LENGTH_SLACK
        if self.note or not (short or source.damaged):
            return
        part = f"{self.seconds:.2f} s of {promised:.2f} s" if short else f"{self.seconds:.2f} s"
        self.note = f"{self._name}: ends early or is damaged: {part} could be read; copy or export it again"
        warnings.warn(self.note, DserWarning, stacklevel=2)


class AudioFile(Audio):
    """Sound in a regular file: WAV, AIFF, FLAC, Ogg (Vorbis, Opus), MP3; all that PyAV decodes, where `av` is there.

    Content, not suffix, decides how it is decoded. `sha256` is that of the file's bytes.
    name: to call it by, where its path means nothing to the user.
    Raises AudioError if the file is missing, a folder, a pipe or device, or has 0 bytes.
    """

    def __init__(self, path: str | os.PathLike[str], name: str | None = None) -> None:
        self._file: str = os.fspath(path)
        self.path = self._name = name or self._file
        try:
            found = os.stat(self._file)  # noqa: PTH116 (Path would change the name as typed)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            raise _cannot_read(self._name, error) from error
        if stat.S_ISDIR(found.st_mode):
            raise AudioError(f"{self.path}: is a folder, not a sound file; name a file in it")
        if not stat.S_ISREG(found.st_mode):
            raise AudioError(f"{self.path}: is a pipe or a device; save the sound to a regular file first")
        if not found.st_size:
            raise AudioError(f"{self.path}: is empty (0 bytes); copy or export it again")

    @cached_property
    def sha256(self) -> str:
        digest = hashlib.sha256()
        try:
            with SoundBytes(self._file) as file:
                while piece := file.read(1 << 20):
                    digest.update(piece)
        except OSError as error:
            raise _cannot_read(self._name, error) from error
        return digest.hexdigest()

    @contextmanager
    def _source(self) -> Iterator[Source]:
        try:
            with SoundBytes(self._file) as file, decoder(self._name, file) as source:
                yield source
        except OSError as error:
            raise _cannot_read(self._name, error) from error


class AudioArray(Audio):
    """Sound in memory: samples (n,) or (n, channels), floats around ±1 or integers of full scale, and their rate in Hz.

    `sha256` is that of the mono samples at the given rate, as little-endian float32. name: to call it by.
    Raises AudioError for another shape or type and for a rate outside 1 kHz … 1 MHz.
    """

    promised_seconds: float | None = None
    damaged = False

    def __init__(self, samples: ArrayLike, sample_rate: int, name: str | None = None) -> None:
        self.path, self._name = name, name or "the array given"
        array = np.asarray(samples)
        if array.ndim not in (1, 2) or array.dtype.kind not in "fiu":
            found = f"has shape {array.shape} of {array.dtype}"
            raise AudioError(f"{self._name}: {found}; pass floats or integers, (n,) or (n, channels)")
        self._samples: NDArray[Any] = array.reshape(len(array), -1) if array.size else np.zeros((0, 1))
        self.rate, self.channels = int(sample_rate), self._samples.shape[1]
        _check_header(self._name, self)

    @cached_property
    def sha256(self) -> str:
        digest = hashlib.sha256()
        for chunk in _downmix(self._checked(self)):
            digest.update(chunk.astype("<f4").tobytes())
        return digest.hexdigest()

    def chunks(self) -> Iterator[NDArray[np.float32]]:
        for start in range(0, len(self._samples), CHUNK_FRAMES):
            yield as_float(self._samples[start : start + CHUNK_FRAMES])

    def _source(self) -> AbstractContextManager[Source]:
        return nullcontext(self)


class Resampler:
    """Mono samples at `rate` Hz, piece by piece → 16 kHz; all together as long as what came in, at least one sample."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        same = rate == SAMPLE_RATE
        self._stream = None if same else soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
        self.read = 0
        """Samples that came in."""
        self._written = 0

    def more(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """What comes next, (n,) → what is ready of it."""
        self.read += len(samples)
        ready = samples if self._stream is None else self._stream.resample_chunk(samples)
        self._written += len(ready)
        return ready

    def rest(self) -> NDArray[np.float32]:
        """Nothing comes any more → what is left."""
        none = np.zeros(0, np.float32)
        tail = none if self._stream is None else self._stream.resample_chunk(none, last=True)
        missing = max(0, max(1, round(self.read / self._rate * SAMPLE_RATE)) - self._written)
        return np.pad(tail, (0, max(0, missing - len(tail))))[:missing]


def read(path: str | os.PathLike[str]) -> NDArray[np.float32]:
    """The whole of a file's sound, (n,) float32 at 16 kHz, mono: for short lines. Raises and warns as `blocks` does."""
    return np.concatenate(list(AudioFile(path).blocks()))


def _downmix(chunks: Iterator[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    """Mean over channels, or one channel where they cancel each other (one of two inverted by a wrong cable).

    All that was heard so far decides: once the mean is 10 dB weaker than unrelated channels would leave it, the
    loudest channel takes over, for good. A channel that is silent now is never left out: it may speak later.
    """
    energy, mean_energy, channel = np.zeros(1), 0.0, None
    for chunk in chunks:
        if channel is not None or chunk.shape[1] == 1:
            yield np.ascontiguousarray(chunk[:, channel or 0])
            continue
        mean = chunk.mean(axis=1)
        energy = energy + np.square(chunk, dtype=np.float64).sum(axis=0)
        mean_energy += float(np.square(mean, dtype=np.float64).sum())
        if mean_energy < CANCELLED * energy.sum() / len(energy) ** 2:
            channel = int(np.argmax(energy))
            fade = np.minimum(1, np.arange(len(mean), dtype=np.float32) / FADE_FRAMES)
            mean += fade * (chunk[:, channel] - mean)
        yield mean


def _cannot_read(path: str, error: OSError | ValueError) -> AudioError:
    reason = getattr(error, "strerror", None) or str(error)
    return AudioError(f"{path}: cannot be read ({reason}); check its name and permissions")


def _check_header(name: str, source: Source) -> None:
    if not (MIN_RATE <= source.rate <= MAX_RATE and source.channels <= MAX_CHANNELS):
        claim = f"{source.channels} channels at {source.rate} Hz"
        raise AudioError(f"{name}: claims to have {claim}; export it again, mono or stereo at 16 to 48 kHz")


def check_finite(name: str, chunk: NDArray[np.float32], before: int, rate: int) -> None:
    """Raise AudioError for NaN, infinite or absurdly large samples (n, channels), with `before` frames before them."""
    bad = ~(np.abs(chunk) <= LARGEST_SAMPLE)  # a comparison with NaN is false
    if bad.any():
        seconds = (before + int(np.argmax(bad.any(axis=1)))) / rate
        raise AudioError(f"{name}: the sample at {seconds:.3f} s is NaN, infinite or absurdly large; export it again")


def _in_blocks(pieces: Iterator[NDArray[np.float32]], size: int) -> Iterator[NDArray[np.float32]]:
    """Cut pieces of any length anew, `size` samples each; only the last may be shorter."""
    held: list[NDArray[np.float32]] = []
    count = 0
    for piece in pieces:
        held.append(piece)
        count += len(piece)
        if count < size:
            continue
        joined = np.concatenate(held)
        whole = count - count % size
        yield from (joined[start : start + size] for start in range(0, whole, size))
        held, count = [joined[whole:]], count - whole
    if count:
        yield np.concatenate(held)
