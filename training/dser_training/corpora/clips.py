"""Clip: one recorded line of a corpus, and the readers of the corpora at hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dser_ext.emotion.names import EMOTIONS, NEUTRAL
from dser_ext.errors import DserError
from dser_training.corpora.split import actors

SOUNDS = {".ogg", ".wav", ".flac", ".mp3"}


class CorpusError(DserError):
    """A corpus that is not where it should be, or not laid out as published."""


@dataclass(frozen=True)
class Clip:
    """A line by one speaker in one emotion.

    emotion: index into EMOTIONS, or None where the corpus names one that is not among them.
    split: "train", "develop", "test" or "validate".
    reference_only: may stand in a voice profile as `emotion`, but is no test of it (RAVDESS' calm).
    """

    path: Path
    speaker: str
    emotion: int | None
    split: str
    reference_only: bool = False


CREMA_D = {"ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happiness", "NEU": "neutral", "SAD": "sadness"}
RAVDESS = {"01": "neutral", "02": "neutral", "03": "happiness", "04": "sadness", "05": "anger", "06": "fear"}
RAVDESS |= {"07": "disgust"}
RAVDESS_CALM = "02"


def crema_d(folder: Path) -> list[Clip]:
    """CREMA-D: ACTOR_SENTENCE_EMOTION_LEVEL under any folders, split by actors.yaml; other actors are left out."""
    split = {actor: name for name, list_ in actors().items() for actor in list_}
    clips = []
    for path in _sounds(folder):
        fields = path.stem.split("_")
        if len(fields) != 4 or fields[2] not in CREMA_D:
            raise CorpusError(f"{path}: no CREMA-D name (ACTOR_SENTENCE_EMOTION_LEVEL); take it out of the corpus")
        if fields[0] in split:
            clips.append(Clip(path, f"crema-d/{fields[0]}", EMOTIONS.index(CREMA_D[fields[2]]), split[fields[0]]))
    return clips


def ravdess(folder: Path) -> list[Clip]:
    """RAVDESS speech: 03-01-EMOTION-…-ACTOR under any folders, for validation only. Surprise has no emotion here."""
    clips = []
    for path in _sounds(folder):
        fields = path.stem.split("-")
        if len(fields) != 7:
            raise CorpusError(f"{path}: no RAVDESS name (seven numbers joined by -); take it out of the corpus")
        name = RAVDESS.get(fields[2])
        emotion = EMOTIONS.index(name) if name else None
        clips.append(Clip(path, f"ravdess/{fields[6]}", emotion, "validate", fields[2] == RAVDESS_CALM))
    return clips


def read_speech(folder: Path) -> list[Clip]:
    """CORPUS/SPEAKER/*: read, neutral speech. Every fifth speaker of the sorted list develops, the others train."""
    clips = []
    speakers = sorted({path.parent for path in _sounds(folder)})
    develop = set(speakers[::5])
    for path in _sounds(folder):
        split = "develop" if path.parent in develop else "train"
        clips.append(Clip(path, f"{path.parent.parent.name}/{path.parent.name}", NEUTRAL, split))
    return clips


READERS = {"crema-d": crema_d, "ravdess": ravdess, "read": read_speech}


def read(corpus: str, folder: str | Path) -> list[Clip]:
    """The clips of a corpus by its name. Raises CorpusError if the folder is missing or has no clips."""
    if corpus not in READERS:
        raise CorpusError(f"{corpus}: no reader for this corpus; there are {', '.join(READERS)}")
    if not Path(folder).is_dir():
        raise CorpusError(f"{folder}: no folder with {corpus}; set its place in the configuration")
    clips = READERS[corpus](Path(folder))
    if not clips:
        raise CorpusError(f"{folder}: no clips of {corpus} in it; set its place in the configuration")
    return clips


def _sounds(folder: Path) -> Iterable[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SOUNDS)
