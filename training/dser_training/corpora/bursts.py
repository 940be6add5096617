"""Vocal bursts without words: EmoGator (Buhl 2023), 357 people who voice 30 feelings into their own microphones."""

from __future__ import annotations

import re
from pathlib import Path

from dser_training.corpora.clip import Clip, CorpusError, index
from dser_training.corpora.files import by_stem, media

NAME = re.compile(r"(?P<person>\d{6})-(?P<label>\d\d)-\d")
LABELS = (  # 01 to 30; 27 is surprise at something bad, 28 at something good
    "adoration", "amusement", "anger", "awe", "confusion", "contempt", "contentment", "desire", "disappointment",
    "disgust", "distress", "ecstasy", "elation", "embarrassment", "fear", "guilt", "interest", "neutral", "pain",
    "pride", "realization", "relief", "romantic love", "sadness", "serenity", "shame", "surprise", "surprise",
    "sympathy", "triumph",
)  # fmt: skip
EMOTION = {"anger": "anger", "disgust": "disgust", "fear": "fear", "neutral": "neutral", "sadness": "sadness"}
EMOTION |= {"amusement": "happiness", "elation": "happiness"}


def read(folder: Path) -> list[Clip]:
    """PERSON-LABEL-REPETITION under any folders. Of five people in a row one develops, one tests, and three train.

    The label is kept where it is none of the six emotions (pain, awe), and then there is no emotion.
    """
    clips = []
    for path in sorted(by_stem(media(folder)).values()):
        name = NAME.fullmatch(path.stem)
        if name is None or not 1 <= int(name["label"]) <= len(LABELS):
            raise CorpusError(f"{path}: no EmoGator name (PERSON-LABEL-REPETITION); take it out of the corpus")
        label = LABELS[int(name["label"]) - 1]
        # By number and not by place in a list, so that a part of the corpus is split like the whole.
        split = {1: "develop", 2: "test"}.get(int(name["person"]) % 5, "train")
        clips.append(Clip(path, f"bursts/{name['person']}", index(EMOTION.get(label)), split, label=label))
    return clips
