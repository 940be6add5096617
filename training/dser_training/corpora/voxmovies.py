"""VoxMovies (Brown et al. 2021): celebrities of VoxCeleb as they act in films, without labels."""

from __future__ import annotations

import re
from pathlib import Path

from dser_training.corpora.clip import Clip, CorpusError
from dser_training.corpora.files import media

SPEAKER = re.compile(r"id\d{5}")


def read(folder: Path) -> list[Clip]:
    """voxmovies_{train,test}/SPEAKER/VIDEO/CLIP.wav. All train: the published split is one for speaker verification."""
    clips = []
    for path in media(folder):
        speaker = next((part for part in path.relative_to(folder).parts[:-1] if SPEAKER.fullmatch(part)), None)
        if speaker is None:
            raise CorpusError(f"{path}: in no speaker's folder (idNNNNN); take it out of the corpus")
        clips.append(Clip(path, f"voxmovies/{speaker}", None, "train"))
    return clips
