"""Hearing: the feature frames of one line, of any length, in bounded memory.

Lines much longer than the model's window are heard in windows that overlap. In the middle of each overlap one window's
frames fade into the next one's, and the outer parts of both, which lack context on one side, are left out: there is no
seam, because no frame is ever switched, only faded.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Generator, Iterator
from itertools import groupby, islice

import numpy as np
from numpy.typing import NDArray

from dser_ext.audio import Audio
from dser_ext.emotion.track import FRAME_RATE
from dser_ext.errors import AudioError, ModelError
from dser_ext.recognition.backends import Network
from dser_ext.recognition.bundle import ModelBundle
from dser_ext.recognition.speech import HOP, loud_frames, speech_frames
from dser_ext.recognition.voice import MIN_SECONDS, PIECE_SECONDS, VoiceProfile

SHORTEST_FRAMES = 25  # the network hears at least this much; shorter lines are followed by silence
KEPT_BYTES = 32 << 20  # frames of a line beyond this go to a temporary file
READ_FRAMES = 4096  # that are read back at a time
SECONDS_AT_ONCE = 16.0  # of windows in one run of the network, which a single one does not fill
MARGIN = 0.25  # of an overlap, at either end, that is left out for its lack of context

Frames = NDArray[np.float32]
Window = tuple[Frames, int, bool]
"""Samples, how many frames of them to skip, and whether it is a line's last window."""


class Hearing:
    """The frames of one line, kept as float16 in memory or, where there are many, in a temporary file.

    audio: the sound, read to its end. count: F, frames. speech: (F,) bool, where speech is.
    profile: what the line tells about its speaker; None with less than half a second of speech.

    Made by `hear`.
    """

    def __init__(self, audio: Audio, feature_size: int) -> None:
        self.audio = audio
        self._size = feature_size
        self._file = tempfile.SpooledTemporaryFile(KEPT_BYTES)  # noqa: SIM115 (lives as long as this object)
        self.count = 0
        self.speech = np.zeros(0, np.bool_)
        self.profile: VoiceProfile | None = None

    def add(self, features: Frames) -> None:
        """Keep the next features, (n, D)."""
        try:
            self._file.write(features.astype(np.float16).tobytes())
        except OSError as error:
            raise AudioError(
                f"{self.audio.path or 'the array given'}: no room for what was heard in it ({error.strerror}); free "
                f"some in {tempfile.gettempdir()}, or set TMPDIR to another folder"
            ) from error
        self.count += len(features)

    def frames(self, start: int, stop: int) -> Frames:
        """Feature frames start … stop, (stop - start, D)."""
        self._file.seek(start * self._size * 2)
        data = self._file.read((stop - start) * self._size * 2)
        return np.frombuffer(data, np.float16).reshape(-1, self._size).astype(np.float32)

    def kept(self) -> bytes:
        """All frames, to be had back by `again`."""
        self._file.seek(0)
        return self._file.read()

    @classmethod
    def again(cls, audio: Audio, kept: bytes, speech: NDArray[np.bool_], bundle: ModelBundle) -> Hearing:
        """The hearing of a line that was heard before with the same model; its sound is not read."""
        hearing = cls(audio, bundle.feature_size)
        hearing._file.write(kept)
        hearing.count, hearing.speech = len(speech), speech
        hearing.profile = hearing.voice(bundle)
        return hearing

    def voice(self, bundle: ModelBundle) -> VoiceProfile | None:
        """What the line, heard to its end, tells about its speaker."""
        spoken = np.flatnonzero(self.speech)
        if len(spoken) < MIN_SECONDS * FRAME_RATE:
            return None
        count = math.ceil(len(spoken) / (PIECE_SECONDS * FRAME_RATE))
        piece = np.full(self.count, -1)  # that each frame is part of
        piece[spoken] = np.arange(len(spoken)) * count // len(spoken)
        total = np.zeros((count, self._size))
        for start in range(0, self.count, READ_FRAMES):
            stop = min(start + READ_FRAMES, self.count)
            frames, part = self.frames(start, stop), piece[start:stop]
            for number in np.unique(part[part >= 0]):
                total[number] += frames[part == number].sum(axis=0, dtype=np.float64)
        length = np.bincount(piece[spoken])
        return VoiceProfile(
            name=self.audio.path or "array",
            pieces=(total / length[:, None]).astype(np.float32),
            piece_seconds=(length / FRAME_RATE).astype(np.float32),
            lines=1,
            seconds=len(spoken) / FRAME_RATE,
            features_sha256=bundle.features_sha256,
        )


def hear(audio: Audio, network: Network, bundle: ModelBundle) -> Generator[float, None, Hearing]:
    """Hear a line a few windows at a time, saying between them how many seconds of it were heard so far.

    Raises AudioError if the sound cannot be read or the temporary file cannot be written, and ModelError if the network
    does not do what the bundle's card says.
    """
    hearing = Hearing(audio, bundle.feature_size)
    probability: list[Frames] = []
    for frames in _joined(audio, network, bundle):
        if frames.shape[1] != bundle.feature_size + 1:
            raise ModelError(f"{bundle.folder}: its networks do not fit its card; copy the model folder again")
        if probability:
            yield hearing.count / FRAME_RATE
        hearing.add(frames[:, :-1])
        probability.append(frames[:, -1].copy())  # a view would keep all of `frames`
    hearing.speech = speech_frames(np.concatenate(probability))
    hearing.profile = hearing.voice(bundle)
    return hearing


def _joined(audio: Audio, network: Network, bundle: ModelBundle) -> Iterator[Frames]:
    """Pieces of all frames of a line, (n, D + 1); the last column is the probability of speech."""
    window = round(bundle.card["window_seconds"] * FRAME_RATE)
    overlap = round(bundle.card["overlap_seconds"] * FRAME_RATE)
    ramp = fade_in(overlap)
    fading = np.zeros((0, 0), np.float32)
    windows = _windows(audio, window * HOP, overlap * HOP, longest_window(window) * HOP)
    for group in _alike(windows, windows_at_once(window)):
        heard = _hear(network, np.stack([samples for samples, _, _ in group]))
        pieces = []
        for (_, skipped, last), whole in zip(group, heard, strict=True):
            frames = whole[skipped:]
            if len(fading):
                frames[:overlap] = ramp * frames[:overlap] + fading
            if last:
                pieces.append(frames)
            else:
                pieces.append(frames[:-overlap])
                fading = (1 - ramp) * frames[-overlap:]
        yield np.concatenate(pieces)


def windows_at_once(window: int) -> int:
    """How many whole windows of so many frames are heard in one run of the network."""
    return max(1, round(SECONDS_AT_ONCE * FRAME_RATE / window))


def longest_window(window: int) -> int:
    """How many frames the last window of a line may have, where the others have `window`."""
    return window * 5 // 4


def fade_in(overlap: int) -> Frames:
    """How much a window counts in each of the frames that it shares with the one before it, (overlap, 1)."""
    place = (np.arange(overlap, dtype=np.float32)[:, None] + 0.5) / overlap
    return np.clip((place - MARGIN) / (1 - 2 * MARGIN), 0, 1)


def _windows(audio: Audio, size: int, overlap: int, longest: int) -> Iterator[Window]:
    """Windows of `size` samples.

    What is left at the end is one window of up to `longest` samples, or shared by two evenly: nothing but the overlap
    is heard twice, and no window of a long line is much shorter than the others.
    """
    held = np.zeros(0, np.float32)
    for block in audio.blocks():
        held = np.concatenate([held, block])
        while len(held) > 2 * size - overlap:
            yield held[:size], 0, False
            held = held[size - overlap :]
    held = np.pad(held, (0, -len(held) % HOP))
    if len(held) <= longest:
        yield held, 0, True
        return
    half = -(-(len(held) + overlap) // (2 * HOP)) * HOP
    yield held[:half], 0, False
    yield held[-half:], (2 * half - overlap - len(held)) // HOP, True


def _alike(windows: Iterator[Window], most: int) -> Iterator[list[Window]]:
    """Windows that follow one another and are of one length, at most so many together."""
    for _, alike in groupby(windows, lambda window: len(window[0])):
        while group := list(islice(alike, most)):
            yield group


def hear_window(network: Network, samples: Frames) -> Frames:
    """Frames of samples (320 n,): features and the probability of speech, which is none in a pause, (n, D + 1)."""
    frames: Frames = _hear(network, samples[None])[0]
    return frames


def _hear(network: Network, windows: Frames) -> Frames:
    """As `hear_window`, of windows of one length at once, (windows, 320 n) to (windows, n, D + 1)."""
    count = windows.shape[1] // HOP
    padded = np.pad(windows, ((0, 0), (0, max(0, SHORTEST_FRAMES * HOP - windows.shape[1]))))
    heard = network.run({"waveform": padded})
    speech = heard["speech"] * np.stack([loud_frames(samples) for samples in padded])
    return np.concatenate([heard["features"], speech[..., None]], axis=2)[:, :count]
