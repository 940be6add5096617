"""JL Corpus, made small in the published layout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from dser_training.corpora.clips import read

from dser_ext.emotion.names import EMOTIONS

PLACE = "Raw JL corpus (unchecked and unannotated)/JL(wav+txt)"
LABELS = ("angry", "sad", "neutral", "happy", "excited")
LABELS += ("anxious", "apologetic", "assertive", "concerned", "encouraging")


def test_excited_counts_as_happiness_and_secondary_emotions_as_none(lay: Callable[..., Path]) -> None:
    names = [f"{PLACE}/{speaker}_{label}_10a_1" for speaker in ("female1", "male2") for label in LABELS]
    clips = read(
        "jl-corpus", lay(f"{PLACE}/../Format_Intro.txt", *(f"{n}{s}" for n in names for s in (".wav", ".txt")))
    )
    emotions = {clip.label: EMOTIONS[clip.emotion] for clip in clips if clip.emotion is not None}
    primary = {"angry": "anger", "sad": "sadness", "neutral": "neutral", "happy": "happiness", "excited": "happiness"}
    assert emotions == primary
    assert Counter(clip.label for clip in clips) == dict.fromkeys(LABELS, 2)
    assert {(clip.speaker, clip.sex) for clip in clips} == {
        ("jl-corpus/female1", "female"),
        ("jl-corpus/male2", "male"),
    }
    assert {clip.split for clip in clips} == {"train"}


def test_a_whole_corpus_has_the_counts_of_the_papers_first_table(lay: Callable[..., Path]) -> None:
    speakers = ("female1", "female2", "male1", "male2")
    sentences = [f"{number}{part}_{session}" for number in range(1, 16) for part in "ab" for session in (1, 2)]
    names = [f"{PLACE}/{who}_{label}_{line}.wav" for who in speakers for label in LABELS for line in sentences]
    clips = read("jl-corpus", lay(*names))
    assert len(clips) == 2400
    counts = Counter(EMOTIONS[clip.emotion] for clip in clips if clip.emotion is not None)
    assert counts == {"anger": 240, "happiness": 480, "neutral": 240, "sadness": 240}
