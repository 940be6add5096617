"""JL Corpus (James et al. 2018): two women and two men of New Zealand, five primary and five secondary emotions."""

from __future__ import annotations

import re
from pathlib import Path

from dser_training.corpora.clip import Clip, CorpusError, index
from dser_training.corpora.files import by_stem, media

NAME = re.compile(r"(?P<speaker>(?P<sex>female|male)\d)_(?P<label>[a-z]+)_\d+[a-z]_\d+")
# Excited counts as happiness, as in the paper's table 1: 480 clips of happiness and 240 of each other emotion.
EMOTION = {"angry": "anger", "excited": "happiness", "happy": "happiness", "neutral": "neutral", "sad": "sadness"}
LABELS = (*EMOTION, "anxious", "apologetic", "assertive", "concerned", "encouraging")


def read(folder: Path) -> list[Clip]:
    """SPEAKER_EMOTION_SENTENCE_SESSION, as in "JL(wav+txt)/female1_angry_10a_1.wav", under any folders.

    All train: four voices are too few to hold some out. Secondary emotions have none here.
    """
    clips = []
    for path in sorted(by_stem(media(folder)).values()):
        name = NAME.fullmatch(path.stem)
        if name is None or name["label"] not in LABELS:
            raise CorpusError(f"{path}: no JL Corpus name (as female1_angry_10a_1); take it out of the corpus")
        emotion = index(EMOTION.get(name["label"]))
        speaker = f"jl-corpus/{name['speaker']}"
        clips.append(Clip(path, speaker, emotion, "train", sex=name["sex"], label=name["label"]))
    return clips
