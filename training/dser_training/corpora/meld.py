"""MELD (Poria et al. 2019): lines of the series Friends with their dialogues, seven emotions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dser_training.corpora.clip import Clip, CorpusError, index
from dser_training.corpora.files import MEDIA, by_stem, media, table
from dser_training.corpora.table import Row, rows

SPLITS = {  # split → table and folder, as MELD.Raw.tar.gz and the archives in it unpack
    "train": ("train_sent_emo.csv", "train_splits"),
    "develop": ("dev_sent_emo.csv", "dev_splits_complete"),
    "test": ("test_sent_emo.csv", "output_repeated_splits_test"),
}
COLUMNS = ("Speaker", "Emotion", "Dialogue_ID", "Utterance_ID")
EMOTION = {"anger": "anger", "disgust": "disgust", "fear": "fear", "joy": "happiness", "neutral": "neutral"}
EMOTION |= {"sadness": "sadness"}
LABELS = (*EMOTION, "surprise")
# 132 lines of the test split were cut anew, and are there under the second name, too.
STEMS = ("final_videos_testdia{}_utt{}", "dia{}_utt{}")
BROKEN = {("train", "125", "3")}  # published damaged (MELD issue 39); dev 110 7 is missing (issue 22)
SEX = {"Chandler": "male", "Joey": "male", "Monica": "female", "Phoebe": "female", "Rachel": "female", "Ross": "male"}


def read(folder: Path) -> list[Clip]:
    """Lines whose media are there, split as published; sound extracted beside the videos is preferred to them.

    The six leads are one speaker each in all splits. Any other name ("Woman", "All") is one only within its dialogue.
    """
    clips, lines = [], 0
    for split, (name, place) in SPLITS.items():
        files = by_stem(media(folder, f"{place}/*", MEDIA))
        for row in _rows(folder, name):
            lines += 1
            if (path := _media(files, split, row)) is not None:
                clips.append(_clip(path, split, row))
    if lines and not clips:
        places = ", ".join(place for _, place in SPLITS.values())
        raise CorpusError(f"{folder}: no sound or video for any of its {lines} lines; unpack {places} into it")
    return clips


def _rows(folder: Path, name: str) -> Iterator[Row]:
    found = table(folder, name)
    return rows(found, COLUMNS) if found else iter(())


def _media(files: dict[str, Path], split: str, row: Row) -> Path | None:
    dialogue, utterance = row["Dialogue_ID"], row["Utterance_ID"]
    if (split, dialogue, utterance) in BROKEN:
        return None
    stems = (stem.format(dialogue, utterance) for stem in STEMS)
    return next((files[stem] for stem in stems if stem in files), None)


def _clip(path: Path, split: str, row: Row) -> Clip:
    name, label = row["Speaker"], row["Emotion"]
    if label not in LABELS:
        raise row.error(f"Emotion is {label!r}; it must be one of {', '.join(LABELS)}")
    speaker = name if name in SEX else f"{split}-{row['Dialogue_ID']}/{name}"
    return Clip(path, f"meld/{speaker}", index(EMOTION.get(label)), split, sex=SEX.get(name, ""), label=label)
