"""VoiceProfile: what one speaker's lines sound like, whatever is said and felt in them, without labels."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dser_ext.emotion.track import FRAME_RATE, VoiceInfo
from dser_ext.errors import VoiceError
from dser_ext.formats.files import written_whole

SCHEMA = "dser.voice/2"
MAX_BYTES = 4 << 20
MIN_SECONDS = 0.5  # less speech than this says nothing about a voice
PIECE_SECONDS = 4.0  # of speech at most that are averaged: a long line may change its mood
MOST_PIECES = 96  # of a voice that are kept; more tell the model nothing new
LARGEST_FEATURE = 65_504.0  # features are kept as float16: nothing larger can be their mean


@dataclass(frozen=True, eq=False)
class VoiceProfile:
    """The network's features in the speech of some lines of one speaker, piece by piece.

    pieces: (N, D) float32, mean features of up to `PIECE_SECONDS` of speech each. piece_seconds: (N,) float32, how much
    speech is in each. Of more than `MOST_PIECES` a fair sample is kept, and all are put in an order, by nothing but
    what is in them: neither depends on the order in which lines were heard or profiles merged.
    lines: how many lines were heard, seconds: how much speech in all of them.
    features_sha256: the feature network it was heard with; it means nothing to another.

    A profile is derived from a person's voice: treat it as personal data.
    """

    name: str
    pieces: NDArray[np.float32]
    piece_seconds: NDArray[np.float32]
    lines: int
    seconds: float
    features_sha256: str

    def __post_init__(self) -> None:
        # As float16, like the frames, a piece comes back from a file as it was, and so does its place in the order.
        pieces = np.asarray(self.pieces, np.float16).astype(np.float32)
        seconds = np.asarray(self.piece_seconds, np.float32)
        kept = _shuffled(pieces, seconds)[:MOST_PIECES]
        object.__setattr__(self, "pieces", pieces[kept])
        object.__setattr__(self, "piece_seconds", seconds[kept])

    @property
    def info(self) -> VoiceInfo:
        """What a track says about the voice it was measured against."""
        return VoiceInfo(self.name, self.lines, round(self.seconds, 2))

    @property
    def extent(self) -> str:
        """How much was heard, in words."""
        return f"{self.lines} line{'s' if self.lines > 1 else ''}, {self.seconds:.1f} s of speech"

    def merged(self, *others: VoiceProfile) -> VoiceProfile:
        """The profile of the lines of all. Keeps this profile's name.

        Raises VoiceError if they were heard with different models.
        """
        for other in others:
            if other.features_sha256 != self.features_sha256:
                raise VoiceError(f"voices {self.name} and {other.name} were made with different models; make one anew")
        profiles = (self, *others)
        return VoiceProfile(
            self.name,
            np.concatenate([profile.pieces for profile in profiles]),
            np.concatenate([profile.piece_seconds for profile in profiles]),
            sum(profile.lines for profile in profiles),
            sum(profile.seconds for profile in profiles),
            self.features_sha256,
        )

    def to_bytes(self) -> bytes:
        """What a .voice file holds."""
        document = {
            "schema": SCHEMA,
            "name": self.name,
            "lines": self.lines,
            "seconds": round(self.seconds, 3),
            "features_sha256": self.features_sha256,
            "piece_seconds": _six_digits(self.piece_seconds),
            "pieces": [_six_digits(piece) for piece in self.pieces],
        }
        return f"{json.dumps(document)}\n".encode("ascii")  # file names need not be Unicode

    @classmethod
    def from_bytes(cls, data: bytes, called: str) -> VoiceProfile:
        """Read what a .voice file holds; called: the file, in messages. Raises VoiceError as `load` does."""
        try:
            if len(data) > MAX_BYTES:
                raise VoiceError(f"{called}: too large for a voice profile; make it anew with dser voice")
            document = json.loads(data.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise VoiceError(f"{called}: not a voice profile; make one with dser voice LINES -o NAME.voice") from error
        return _profile(called, document)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a .voice file, whole or not at all. Raises FormatError if it cannot be written."""
        with written_whole(path, "wb") as file:
            file.write(self.to_bytes())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> VoiceProfile:
        """Read a .voice file. Raises VoiceError if it is missing, damaged or of another schema."""
        try:
            with Path(path).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise VoiceError(f"{path}: cannot be read ({error.strerror or error}); check the name") from error
        return cls.from_bytes(data, os.fspath(path))


def _shuffled(pieces: NDArray[np.float32], seconds: NDArray[np.float32]) -> NDArray[np.intp]:
    """The pieces in the order of a hash of each, (N,) indices: as good as random, yet the same whatever is beside them.

    So the first ones are a fair sample, and the first of two samples' first ones are that of all.
    """
    hashes = b"".join(hashlib.blake2b(piece.tobytes(), digest_size=8).digest() for piece in pieces)
    return np.lexsort((seconds, np.frombuffer(hashes, np.uint64)))


def _six_digits(values: NDArray[np.float32]) -> list[float]:
    return [float(f"{value:.6g}") for value in values.tolist()]


def _profile(path: str, document: Any) -> VoiceProfile:
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise VoiceError(f"{path}: not a voice profile of schema {SCHEMA}; make it anew with dser voice")
    try:
        pieces, piece_seconds = (np.asarray(document[key], np.float64) for key in ("pieces", "piece_seconds"))
        name, lines, seconds = str(document["name"]), int(document["lines"]), float(document["seconds"])
        features_sha256 = str(document["features_sha256"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise VoiceError(f"{path}: the voice profile is incomplete or damaged; make it anew with dser voice") from error
    whole = pieces.ndim == 2 and pieces.size and piece_seconds.shape == pieces.shape[:1] and len(pieces) <= MOST_PIECES
    sound = (np.abs(pieces) <= LARGEST_FEATURE).all() and ((piece_seconds > 0) & (piece_seconds <= PIECE_SECONDS)).all()
    if not (whole and sound and lines >= 1 and 0 < seconds < float("inf")):
        raise VoiceError(f"{path}: the voice profile is damaged; make it anew with dser voice")
    return VoiceProfile(
        name, pieces.astype(np.float32), piece_seconds.astype(np.float32), lines, seconds, features_sha256
    )


def merge(profiles: Iterable[VoiceProfile]) -> VoiceProfile | None:
    """One profile of all lines; None of none."""
    parts = list(profiles)
    return parts[0].merged(*parts[1:]) if parts else None


class VoiceGatherer:
    """Makes the profile of one line while it is heard: of its speech no more is kept than the pieces' means."""

    def __init__(self) -> None:
        self._pieces: list[NDArray[np.float32]] = []
        self._speech: list[NDArray[np.float32]] = []  # of the piece that is not full yet
        self._count = self._frames = 0

    def add(self, speech: NDArray[np.float32]) -> None:
        """More frames of speech, (n, D)."""
        size = round(PIECE_SECONDS * FRAME_RATE)
        self._frames += len(speech)
        while self._count + len(speech) >= size:
            self._speech.append(speech[: size - self._count])
            speech = speech[size - self._count :]
            self._close()
        if len(speech):
            self._speech.append(speech.copy())  # a view would keep what it is cut from
            self._count += len(speech)

    def profile(self, name: str, features_sha256: str) -> VoiceProfile | None:
        """What was gathered; None if that is less than half a second of speech."""
        if self._frames < MIN_SECONDS * FRAME_RATE:
            return None
        seconds = [PIECE_SECONDS] * len(self._pieces)
        if self._count:
            seconds.append(self._count / FRAME_RATE)
            self._close()
        return VoiceProfile(
            name, np.stack(self._pieces), np.array(seconds, np.float32), 1, self._frames / FRAME_RATE, features_sha256
        )

    def _close(self) -> None:
        self._pieces.append(np.concatenate(self._speech).mean(axis=0))
        self._speech, self._count = [], 0


class VoiceLines:
    """The lines of one speaker, told apart by their content, so that no line counts for itself when it is measured.

    name: what tracks call the voice. profiles: of each line that has speech, by the SHA-256 of the line.
    profile: of all lines together; None if there are none.
    """

    def __init__(self, name: str, profiles: Mapping[str, VoiceProfile]) -> None:
        self._lines = dict(profiles)
        merged = merge(profiles.values())
        self.profile = replace(merged, name=name) if merged else None

    def without(self, sha256: str) -> VoiceProfile | None:
        """The profile of all lines but this one, whether it is among them or not; None if that leaves none."""
        own = self._lines.get(sha256)
        if self.profile is None or own is None:
            return self.profile
        if len(self._lines) == 1:
            return None
        pieces, seconds, owners = self._first
        others = owners != sha256
        return replace(
            self.profile,
            pieces=pieces[others],
            piece_seconds=seconds[others],
            lines=self.profile.lines - own.lines,
            seconds=self.profile.seconds - own.seconds,
        )

    @cached_property
    def _first(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.str_]]:
        """Twice as many pieces as a profile keeps, their seconds, and whose they are.

        A line has at most half of them, so without it enough are left: no need to go over all lines for each.
        """
        profiles = self._lines.values()
        pieces = np.concatenate([profile.pieces for profile in profiles])
        seconds = np.concatenate([profile.piece_seconds for profile in profiles])
        owners = np.repeat(list(self._lines), [len(profile.pieces) for profile in profiles])
        first = _shuffled(pieces, seconds)[: 2 * MOST_PIECES]
        return pieces[first], seconds[first], owners[first]
