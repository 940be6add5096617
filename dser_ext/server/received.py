"""The sound of a line that a caller sends: kept on disk until it is heard, so that hours of it need no memory."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from typing import Any

import grpc
import numpy as np

from dser_ext.audio import Audio, AudioArray, AudioFile
from dser_ext.errors import AudioError
from dser_ext.messages import AudioFormat
from dser_ext.server.limits import ServiceLimits
from dser_ext.server.refusal import RefusalError

SAMPLES = {
    AudioFormat.Pcm.ENCODING_UNSPECIFIED: "<i2",
    AudioFormat.Pcm.ENCODING_S16: "<i2",
    AudioFormat.Pcm.ENCODING_F32: "<f4",
}
"""numpy's names of the encodings."""


class Received:
    """One line's sound, which is gone when the block ends. name: what the caller calls it. audio_format: AudioFormat.

    Raises RefusalError if it cannot be kept.
    """

    def __init__(self, name: str, audio_format: Any, limits: ServiceLimits) -> None:
        self.name, self._format, self._limits = name or "the sound sent", audio_format, limits
        self._bytes = 0
        try:
            handle, self._path = tempfile.mkstemp(prefix="dser-")
        except OSError as error:
            raise _no_room(error) from error
        self._file = os.fdopen(handle, "wb")

    def __enter__(self) -> Received:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            os.unlink(self._path)  # noqa: PTH108

    def take(self, data: bytes) -> None:
        """More of it. Raises RefusalError if it becomes too long, or the disk is full."""
        self._bytes += len(data)
        if self._bytes > self._limits.clip_bytes:
            raise RefusalError(
                f"{self.name}: more than {self._limits.clip_bytes >> 20} MiB; send it compressed, or in parts",
                field="audio",
            )
        try:
            self._file.write(data)
        except OSError as error:
            raise _no_room(error) from error

    def audio(self) -> Audio:
        """All of it. Raises AudioError for what is no sound, and RefusalError for a format that cannot be."""
        try:
            self._file.close()
        except OSError as error:
            raise _no_room(error) from error
        if not self._format.HasField("pcm"):
            if not self._bytes:
                raise AudioError(f"{self.name}: is empty (0 bytes); send its sound")
            return AudioFile(self._path, self.name)
        kind, channels = given_format(self._format.pcm)
        count = self._bytes // (np.dtype(kind).itemsize * channels)
        if not count:
            raise AudioError(f"{self.name}: holds no sound (0 samples were sent); send some")
        samples = np.memmap(self._path, kind, "r", shape=(count, channels))
        return AudioArray(samples, self._format.pcm.sample_rate_hz, self.name)


def given_format(pcm: Any) -> tuple[str, int]:
    """numpy's name of the samples, and how many channels there are. Raises RefusalError for what is no encoding."""
    if pcm.encoding not in SAMPLES:
        raise RefusalError(f"{pcm.encoding} is no encoding; see AudioFormat.Pcm", field="pcm.encoding")
    return SAMPLES[pcm.encoding], pcm.channels or 1


def _no_room(error: OSError) -> RefusalError:
    return RefusalError(
        f"the service cannot keep the sound ({error.strerror}); free some space where it runs, then try again",
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    )
