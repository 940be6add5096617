"""Clip: one recorded line of a corpus."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dser_ext.emotion.names import EMOTIONS
from dser_ext.errors import DserError


class CorpusError(DserError):
    """A corpus that is not where it should be, or not laid out as published."""


@dataclass(frozen=True)
class Clip:
    """A line by one speaker in one emotion.

    speaker: corpus/speaker, as in "crema-d/1001".
    emotion: the intended one, an index into EMOTIONS; None where there is no label or it is not among the six.
    split: "train", "develop", "test" or "validate".
    reference_only: may stand in a voice profile as `emotion`, but is no test of it (RAVDESS' calm).
    mixture: six shares in the order of EMOTIONS, summing to 1: what raters heard or a manifest says; None if unknown.
    sex: "female" or "male", empty if unknown. age: years, None if unknown.
    label: the corpus' own word for the emotion, in corpora that tell more apart than the six; empty elsewhere.
    corpus: the name of its reader, as in READERS.
    """

    path: Path
    speaker: str
    emotion: int | None
    split: str
    reference_only: bool = False
    mixture: tuple[float, ...] | None = None
    sex: str = ""
    age: int | None = None
    label: str = ""
    corpus: str = ""


def index(emotion: str | None) -> int | None:
    """Where an emotion stands in EMOTIONS; None stays None."""
    return None if emotion is None else EMOTIONS.index(emotion)


def by_speaker(clips: Iterable[Clip]) -> dict[str, list[Clip]]:
    """The clips of each speaker, in the order given."""
    voices: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        voices[clip.speaker].append(clip)
    return dict(voices)


def acted(clips: Sequence[Clip]) -> list[Clip]:
    """Labelled clips of speakers who have clips of several emotions."""
    emotions: dict[str, set[int]] = defaultdict(set)
    for clip in clips:
        if clip.emotion is not None:
            emotions[clip.speaker].add(clip.emotion)
    return [clip for clip in clips if clip.emotion is not None and len(emotions[clip.speaker]) > 1]
