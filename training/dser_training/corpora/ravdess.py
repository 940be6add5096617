"""RAVDESS (Livingstone and Russo 2018), speech: 24 actors, two statements, eight emotions. For validation only."""

from __future__ import annotations

import re
from pathlib import Path

from dser_training.corpora.clip import Clip, CorpusError, index
from dser_training.corpora.files import by_stem, media

NAME = re.compile(r"\d\d-(?P<channel>\d\d)-(?P<label>\d\d)-\d\d-\d\d-\d\d-(?P<actor>\d\d)")
SPEECH = "01"  # the channel; 02 is song
LABELS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")  # 01 to 08
EMOTION = {"neutral": "neutral", "calm": "neutral", "happy": "happiness", "sad": "sadness", "angry": "anger"}
EMOTION |= {"fearful": "fear", "disgust": "disgust"}


def read(folder: Path) -> list[Clip]:
    """MODALITY-CHANNEL-EMOTION-LEVEL-STATEMENT-REPETITION-ACTOR under any folders; song is left out.

    Calm counts as neutral in a voice profile, but is not asked for; surprise has no emotion here. Odd actors are male.
    """
    clips = []
    for path in sorted(by_stem(media(folder)).values()):
        name = NAME.fullmatch(path.stem)
        if name is None or not 1 <= int(name["label"]) <= len(LABELS):
            raise CorpusError(f"{path}: no RAVDESS name (seven numbers joined by -); take it out of the corpus")
        if name["channel"] == SPEECH:
            label, actor = LABELS[int(name["label"]) - 1], name["actor"]
            emotion, sex = index(EMOTION.get(label)), "male" if int(actor) % 2 else "female"
            clips.append(Clip(path, f"ravdess/{actor}", emotion, "validate", label == "calm", sex=sex, label=label))
    return clips
