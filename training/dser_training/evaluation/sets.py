"""The sets of lines that a model is measured on, by name."""

from __future__ import annotations

from dser_training.config import Config
from dser_training.corpora.clip import Clip
from dser_training.corpora.clips import read

ACTED = {"develop": "CREMA-D develop", "test": "CREMA-D test", "ravdess": "RAVDESS"}
READ = {"read": "read speech, held out"}
SETS = ACTED | READ
"""What a set is called on the command line, and in reports."""


def clips(name: str, config: Config) -> list[Clip]:
    """The lines of a set that have one of the six emotions; none where the configuration does not say where they are.

    Raises CorpusError if they are not there.
    """
    if name == "ravdess":
        return _with_emotion(read("ravdess", config.validate)) if config.validate else []
    corpus, split = ("read", "develop") if name == "read" else ("crema-d", name)
    if corpus not in config.corpora:
        return []
    return _with_emotion([clip for clip in read(corpus, config.corpora[corpus]) if clip.split == split])


def _with_emotion(found: list[Clip]) -> list[Clip]:
    return [clip for clip in found if clip.emotion is not None]
