"""RAVDESS: for validation only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from dser_training.corpora.clips import read

from dser_ext.emotion.names import EMOTIONS, NEUTRAL


def test_clips_are_read_by_their_published_names(lay: Callable[..., Path]) -> None:
    folder = lay("Actor_01/03-01-05-01-01-01-01.wav", "Actor_12/03-01-02-01-01-02-12.wav")
    angry, calm = read("ravdess", folder)
    assert (angry.speaker, angry.sex, angry.label) == ("ravdess/01", "male", "angry")
    assert (angry.emotion, angry.split, angry.reference_only) == (EMOTIONS.index("anger"), "validate", False)
    assert (calm.speaker, calm.sex, calm.emotion, calm.reference_only) == ("ravdess/12", "female", NEUTRAL, True)


def test_song_is_left_out(lay: Callable[..., Path]) -> None:
    folder = lay("speech/03-01-05-01-01-01-01.wav", "song/03-02-05-01-01-01-01.wav")
    assert len(read("ravdess", folder)) == 1


def test_the_corpus_at_hand_validates_only_and_its_calm_is_a_reference_only(data: Path) -> None:
    clips = read("ravdess", data / "ravdess")
    assert len(clips) == 1440
    assert {clip.split for clip in clips} == {"validate"}
    assert Counter(clip.sex for clip in clips) == {"female": 720, "male": 720}
    asked = Counter(EMOTIONS[clip.emotion] for clip in clips if clip.emotion is not None and not clip.reference_only)
    # The counts of the paper's table 1.
    assert asked == {"anger": 192, "disgust": 192, "fear": 192, "happiness": 192, "neutral": 96, "sadness": 192}
    assert {clip.label for clip in clips if clip.reference_only} == {"calm"}
    assert {clip.label for clip in clips if clip.emotion is None} == {"surprised"}
