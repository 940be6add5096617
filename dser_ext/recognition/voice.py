"""VoiceProfile: what is usual for one speaker, learned from any of their lines without labels."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dser_ext.emotion.track import VoiceInfo
from dser_ext.errors import VoiceError
from dser_ext.formats.files import written_whole

SCHEMA = "dser.voice/1"
SUFFIX = ".voice"
MAX_BYTES = 4 << 20
MIN_SECONDS = 0.5  # less speech than this says nothing about a voice
LARGEST_FEATURE = 65_504.0  # features are kept as float16: nothing larger can be their mean


@dataclass(frozen=True, eq=False)
class VoiceProfile:
    """The network's features averaged over the speech of some lines.

    mean, spread: (D,) float32, mean and standard deviation of the feature frames that hold speech.
    lines: how many lines were heard, seconds: how much speech in them.
    features_sha256: the feature network it was heard with; it means nothing to another.

    A profile is derived from a person's voice: treat it as personal data.
    """

    name: str
    mean: NDArray[np.float32]
    spread: NDArray[np.float32]
    lines: int
    seconds: float
    features_sha256: str

    @property
    def info(self) -> VoiceInfo:
        """What a track says about the voice it was measured against."""
        return VoiceInfo(self.name, self.lines, round(self.seconds, 2))

    def merged(self, other: VoiceProfile) -> VoiceProfile:
        """The profile of both sets of lines; each second of speech counts the same. Keeps this profile's name.

        Raises VoiceError if the two were heard with different models.
        """
        if other.features_sha256 != self.features_sha256:
            raise VoiceError(f"voices {self.name} and {other.name} were made with different models; make one anew")
        seconds = self.seconds + other.seconds
        share = np.float32(other.seconds / seconds)
        step = other.mean - self.mean
        variance = (1 - share) * self.spread**2 + share * other.spread**2 + share * (1 - share) * step**2
        return VoiceProfile(
            self.name,
            self.mean + share * step,
            np.sqrt(variance),
            self.lines + other.lines,
            seconds,
            self.features_sha256,
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a .voice file, whole or not at all. Raises FormatError if it cannot be written."""
        document = {
            "schema": SCHEMA,
            "name": self.name,
            "lines": self.lines,
            "seconds": round(self.seconds, 3),
            "features_sha256": self.features_sha256,
            "mean": [float(f"{value:.6g}") for value in self.mean.tolist()],
            "spread": [float(f"{value:.6g}") for value in self.spread.tolist()],
        }
        with written_whole(path) as file:
            json.dump(document, file)  # ASCII: file names need not be Unicode
            file.write("\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> VoiceProfile:
        """Read a .voice file. Raises VoiceError if it is missing, damaged or of another schema."""
        try:
            with Path(path).open("rb") as file:
                text = file.read(MAX_BYTES + 1)
            if len(text) > MAX_BYTES:
                raise VoiceError(f"{path}: too large for a voice profile; make it anew with dser voice")
            document = json.loads(text.decode("utf-8"))
        except OSError as error:
            raise VoiceError(f"{path}: cannot be read ({error.strerror or error}); check the name") from error
        except (ValueError, RecursionError) as error:
            raise VoiceError(f"{path}: not a voice profile; make one with dser voice LINES -o NAME.voice") from error
        return _profile(path, document)


def _profile(path: str | os.PathLike[str], document: Any) -> VoiceProfile:
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise VoiceError(f"{path}: not a voice profile of schema {SCHEMA}; make it anew with dser voice")
    try:
        mean, spread = (np.asarray(document[key], np.float64) for key in ("mean", "spread"))
        name, lines, seconds = str(document["name"]), int(document["lines"]), float(document["seconds"])
        features_sha256 = str(document["features_sha256"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise VoiceError(f"{path}: the voice profile is incomplete or damaged; make it anew with dser voice") from error
    whole = mean.ndim == 1 and mean.shape == spread.shape
    sound = (np.abs(mean) <= LARGEST_FEATURE).all() and ((spread >= 0) & (spread <= LARGEST_FEATURE)).all()
    if not (whole and sound and lines >= 1 and 0 < seconds < float("inf")):
        raise VoiceError(f"{path}: the voice profile is damaged; make it anew with dser voice")
    return VoiceProfile(name, mean.astype(np.float32), spread.astype(np.float32), lines, seconds, features_sha256)


def merge(profiles: Iterable[VoiceProfile]) -> VoiceProfile | None:
    """One profile of all lines; None of none."""
    parts = list(profiles)
    return reduce(VoiceProfile.merged, parts) if parts else None


class VoiceLines:
    """The lines of one speaker, told apart by their content, so that no line counts for itself when it is measured.

    name: what tracks call the voice. profiles: of each line that has speech, by the SHA-256 of the line.
    profile: of all lines together; None if there are none.
    """

    def __init__(self, name: str, profiles: Mapping[str, VoiceProfile]) -> None:
        named = [replace(profile, name=name) for profile in profiles.values()]
        self.profile = merge(named)
        self._others = dict(zip(profiles, of_the_others(named), strict=True))

    def without(self, sha256: str) -> VoiceProfile | None:
        """The profile of all lines but this one, whether it is among them or not; None if that leaves none."""
        return self._others.get(sha256, self.profile)


def of_the_others(profiles: Sequence[VoiceProfile | None]) -> list[VoiceProfile | None]:
    """For each line the profile of all other lines, so that no line counts for itself; None where no other has speech.

    Two running merges, from the front and from the back, make the cost grow with the number of lines only.
    """
    before = _running(profiles)
    after = _running(profiles[::-1])[::-1]
    return [merge(part for part in pair if part is not None) for pair in zip(before, after, strict=True)]


def _running(profiles: Sequence[VoiceProfile | None]) -> list[VoiceProfile | None]:
    """At each place the merge of all profiles before it."""
    merged: VoiceProfile | None = None
    result: list[VoiceProfile | None] = []
    for profile in profiles:
        result.append(merged)
        if profile is not None:
            merged = profile if merged is None else merged.merged(profile)
    return result
