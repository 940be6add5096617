"""The two libraries that decode sound files, made to look alike: libsndfile first, FFmpeg where it knows no way.

Here are their surprises, each with a test: what they keep quiet about, guess, or refuse.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import chain
from typing import Any, BinaryIO, Protocol

import numpy as np
import soundfile
from numpy.typing import NDArray

from dser_ext.errors import AudioError

CHUNK_FRAMES = 16_384  # read at once: about a second of speech, so that little is lost in front of a damaged frame
STREAMED_BYTES = 0x7FFFF000  # a WAV written to a pipe promises this or more: it means "unknown"
OGG_PAGE_BYTES = 65_307  # at most
# FFmpeg's loosely recognised formats (raw AMR, teletext, playlists that open other files) would take plain text for
# theirs: only containers with a signature or a checked frame structure are let in.
CONTAINERS = "mov,matroska,asf,avi,mpegts,mpeg,flv,ogg,wav,caf,aac,ac3,eac3,amr,ape,wv,tta,mp3,flac,aiff"


class Source(Protocol):
    """Sound as it is stored: what a decoder has to offer."""

    rate: int  # Hz
    channels: int
    promised_seconds: float | None  # by the header, where it can be trusted
    damaged: bool  # final once `chunks` is exhausted

    def chunks(self) -> Iterator[NDArray[np.float32]]:
        """All frames in order, (n, channels) each."""


class SoundBytes(io.BufferedReader):
    """A file opened so that soundfile goes by its content alone and stays quiet. Raises OSError as `open` does."""

    name = ""  # no suffix to go by

    def __init__(self, path: str) -> None:
        super().__init__(io.FileIO(path))

    def seek(self, target: int, whence: int = os.SEEK_SET, /) -> int:
        try:
            return super().seek(target, whence)
        except OSError:  # before the beginning, in damaged files: soundfile would print a traceback
            return self.tell()


@contextmanager
def decoder(path: str, file: BinaryIO) -> Iterator[Source]:
    """Choose a decoder by the content of an open file. `path` is for messages.

    Raises AudioError if the file is not sound, has no audio stream, or needs the package `av` and that is absent.
    """
    guessed = _is_mp3_of_unknown_length(file)
    file.seek(0)
    sound = None if guessed and find_spec("av") else _opened_by_libsndfile(file)
    if sound is not None:
        with sound:
            yield SoundFileSource(sound, file, guessed)
        return
    file.seek(0)
    with _opened_by_av(path, file) as container:
        yield AvSource(path, container)


class SoundFileSource:
    """A file that libsndfile decodes, up to the first frame that it cannot."""

    def __init__(self, sound: Any, file: BinaryIO, length_is_guessed: bool) -> None:
        # soundfile seeks after every read of a seekable file: slow in MP3, an error at the end of a FLAC that was
        # written to a pipe and does not know its length.
        sound.seekable = lambda: False
        self.rate: int = sound.samplerate
        self.channels: int = sound.channels
        self._sound, self._file, self._length_is_guessed = sound, file, length_is_guessed
        self.promised_seconds = None if length_is_guessed else self._promise()
        self.damaged = sound.format == "OGG" and _ogg_is_unfinished(file)

    def _promise(self) -> float | None:
        if self._sound.frames >= 2**62:  # libsndfile's "unknown"
            return None
        seconds: float = self._sound.frames / self.rate
        # libsndfile cuts a promise of WAV and AIFF down to the bytes that are there, and notes it in its log.
        note = re.search(r"^ *(?:data|SSND) *: (\d+) \(should be ([1-9]\d*)\)", self._sound.extra_info, re.MULTILINE)
        if note is None or int(note[1]) >= STREAMED_BYTES:
            return seconds
        return seconds * int(note[1]) / int(note[2])

    def chunks(self) -> Iterator[NDArray[np.float32]]:
        done = 0
        while True:
            buffer = np.empty((CHUNK_FRAMES, self.channels), np.float32)
            try:
                chunk: NDArray[np.float32] = self._sound.read(out=buffer)
            except soundfile.SoundFileError:
                self.damaged = True
                yield buffer[: max(0, self._sound.tell() - done)]  # what came before the damage
                return
            if not len(chunk):
                break
            done += len(chunk)
            yield chunk
        if self._length_is_guessed and len(self._file.read(4096)) == 4096:
            self.damaged = True  # libsndfile stops where it guessed the end to be


class AvSource:
    """The first audio stream of a file that FFmpeg decodes through PyAV, without the packets that it cannot decode.

    Raises AudioError where there is no such stream or nothing in it can be decoded.
    """

    def __init__(self, path: str, container: Any) -> None:
        if not container.streams.audio:
            raise AudioError(f"{path}: has no audio stream; name a file with sound")
        self.damaged = False
        self._container = container
        frames = self._decoded()
        first = next(frames, None)  # headers of MP4 may name another rate than the sound has
        if first is None:
            raise _not_sound(path)
        self._frames = chain([first], frames)
        self.rate: int = first.sample_rate
        self.channels: int = first.layout.nb_channels
        self.promised_seconds = self._promise()

    def _promise(self) -> float | None:
        from av.format import Flags

        stream = self._container.streams.audio[0]
        if self._container.format.flags & Flags.generic_index.value:  # no index: FFmpeg guesses from the first packets
            return None
        if stream.duration is not None and stream.time_base is not None:
            return float(stream.duration * stream.time_base)
        alone = len(self._container.streams) == 1  # with pictures, the length may be theirs
        return self._container.duration / 1e6 if alone and self._container.duration else None

    def chunks(self) -> Iterator[NDArray[np.float32]]:
        for frame in self._frames:
            if (frame.sample_rate, frame.layout.nb_channels) != (self.rate, self.channels):
                self.damaged = True
                continue
            samples = frame.to_ndarray()  # (channels, n) or, interleaved, (1, n × channels)
            yield as_float(samples.T if frame.format.is_planar else samples.reshape(-1, self.channels))

    def _decoded(self) -> Iterator[Any]:
        from av import FFmpegError

        try:
            for packet in self._container.demux(self._container.streams.audio[0]):
                try:
                    frames = packet.decode()
                except FFmpegError:
                    self.damaged, frames = True, []
                yield from frames
        except FFmpegError:
            self.damaged = True


def as_float(samples: NDArray[Any]) -> NDArray[np.float32]:
    """Integers of full scale → ±1; floats as they are, above float32's range infinite."""
    if samples.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return samples.astype(np.float32, copy=False)
    half = 2.0 ** (8 * samples.dtype.itemsize - 1)
    middle = half if samples.dtype.kind == "u" else 0.0
    return ((samples - middle) / half).astype(np.float32)


def _opened_by_libsndfile(file: BinaryIO) -> Any | None:
    try:
        return soundfile.SoundFile(file)
    except soundfile.SoundFileError:
        return None


def _opened_by_av(path: str, file: BinaryIO) -> Any:
    try:
        import av
    except ImportError as error:
        remedy = 'for M4A, MP4 and other formats run: pip install "dser-audio2face[av]"'
        raise AudioError(f"{path}: is not WAV, AIFF, FLAC, Ogg or MP3, or is damaged; {remedy}") from error
    limits = {"format_whitelist": CONTAINERS, "protocol_whitelist": "none"}
    try:
        return av.open(file, options=limits, metadata_errors="replace")
    except (av.FFmpegError, ValueError) as error:
        raise _not_sound(path) from error


def _not_sound(path: str) -> AudioError:
    return AudioError(f"{path}: is not sound that can be decoded, or is damaged; give WAV, FLAC, Ogg, MP3, M4A or MP4")


def _ogg_is_unfinished(file: BinaryIO) -> bool:
    """Whether an Ogg's last page is cut or not marked as the last; libsndfile takes what is there for the whole."""
    place = file.tell()  # libsndfile reads on from where it left the file
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - OGG_PAGE_BYTES))
    tail = file.read()
    file.seek(place)
    page = tail[max(0, tail.rfind(b"OggS")) :]
    # Byte 5: flags, 4 = end of stream. Byte 26: the number of segments, whose sizes follow.
    return len(page) < 27 or not page[5] & 4 or len(page) < 27 + page[26] + sum(page[27 : 27 + page[26]])


def _is_mp3_of_unknown_length(file: BinaryIO) -> bool:
    """Whether the file starts like an MP3, but without Xing or Info header after its ID3 tag.

    libsndfile then guesses the length from the first frame's bit rate, and never reads beyond.
    """
    head = file.read(10)
    if len(head) < 10 or not (head.startswith(b"ID3") or (head[0] == 0xFF and head[1] >= 0xE0)):
        return False
    tag_bytes = sum((byte & 127) << 7 * place for place, byte in enumerate(reversed(head[6:])))
    file.seek(10 + tag_bytes if head.startswith(b"ID3") else 0)
    start = file.read(200)
    return b"Xing" not in start and b"Info" not in start
