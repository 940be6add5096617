"""Vocal bursts: the label is kept, and people are split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from dser_training.corpora.clips import read

from dser_ext.emotion.names import EMOTIONS


def test_a_label_among_the_six_is_an_emotion_and_another_is_kept(lay: Callable[..., Path]) -> None:
    folder = lay("pain/000001-19-1.ogg", "elation/000001-13-1.ogg", "anger/000001-03-2.ogg")
    emotions = {clip.label: clip.emotion for clip in read("bursts", folder)}
    expected = {"anger": EMOTIONS.index("anger"), "elation": EMOTIONS.index("happiness"), "pain": None}
    assert emotions == expected


def test_people_are_split_alike_whoever_else_is_there(lay: Callable[..., Path]) -> None:
    folder = lay(*(f"data/mp3/{person:06}-03-1.mp3" for person in (1, 2, 3, 4, 6, 12, 200)))
    splits = {clip.speaker.removeprefix("bursts/"): clip.split for clip in read("bursts", folder)}
    assert {person for person, split in splits.items() if split == "develop"} == {"000001", "000006"}
    assert {person for person, split in splits.items() if split == "test"} == {"000002", "000012"}


def test_the_labels_at_hand_are_those_of_their_folders(data: Path) -> None:
    clips = read("bursts", data / "bursts" / "emogator")
    assert len(clips) == 2187
    assert all(clip.label == clip.path.parent.name for clip in clips)
    counts = Counter(EMOTIONS[clip.emotion] for clip in clips if clip.emotion is not None)
    assert counts == {"anger": 199, "disgust": 199, "fear": 199, "happiness": 398, "neutral": 199, "sadness": 199}
    people = [{clip.speaker for clip in clips if clip.split == split} for split in ("train", "develop", "test")]
    assert sum(map(len, people)) == len(set().union(*people)) == 199
