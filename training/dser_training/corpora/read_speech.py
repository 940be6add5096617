"""Read speech, taken as neutral: LibriSpeech, CMU ARCTIC, VCTK, speechocean762, or any other so laid out."""

from __future__ import annotations

from pathlib import Path

from dser_ext.emotion.names import NEUTRAL
from dser_training.corpora.clip import Clip
from dser_training.corpora.files import media


def read(folder: Path) -> list[Clip]:
    """CORPUS/SPEAKER/*. Every fifth speaker of the sorted list develops, the others train."""
    paths = media(folder)
    develop = set(sorted({path.parent for path in paths})[::5])
    clips = []
    for path in paths:
        split = "develop" if path.parent in develop else "train"
        clips.append(Clip(path, f"{path.parent.parent.name}/{path.parent.name}", NEUTRAL, split))
    return clips
