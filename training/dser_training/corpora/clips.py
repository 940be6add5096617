"""The readers of the corpora, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from dser_training.corpora import bursts, crema_d, jl_corpus, manifest, meld, ravdess, read_speech, voxmovies
from dser_training.corpora.clip import Clip, CorpusError

READERS: dict[str, Callable[[Path], list[Clip]]] = {
    "crema-d": crema_d.read,
    "ravdess": ravdess.read,
    "jl-corpus": jl_corpus.read,
    "meld": meld.read,
    "voxmovies": voxmovies.read,
    "read": read_speech.read,
    "bursts": bursts.read,
    "manifest": manifest.read,
}


def read(corpus: str, folder: str | Path) -> list[Clip]:
    """The clips of a corpus by its name. Raises CorpusError if the folder is missing or has no clips.

    folder: where the corpus is; for a manifest the CSV file, too.
    """
    if corpus not in READERS:
        raise CorpusError(f"{corpus}: no reader for this corpus; there are {', '.join(READERS)}")
    if not Path(folder).exists():
        raise CorpusError(f"{folder}: no folder with {corpus}; set its place in the configuration")
    clips = READERS[corpus](Path(folder))
    if not clips:
        raise CorpusError(f"{folder}: no clips of {corpus} in it; set its place in the configuration")
    return [replace(clip, corpus=corpus) for clip in clips]
