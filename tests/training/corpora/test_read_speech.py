"""Read speech: neutral, split by speaker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dser_training.corpora.clips import read

from dser_ext.emotion.names import NEUTRAL


def test_every_fifth_speaker_develops(lay: Callable[..., Path]) -> None:
    folder = lay(*(f"arctic/speaker{number}/{line}.wav" for number in range(6) for line in "ab"))
    clips = read("read", folder)
    assert len(clips) == 12
    assert {clip.emotion for clip in clips} == {NEUTRAL}
    develop = {clip.speaker for clip in clips if clip.split == "develop"}
    assert develop == {"arctic/speaker0", "arctic/speaker5"}


def test_no_speaker_at_hand_both_trains_and_develops(data: Path) -> None:
    clips = read("read", data / "read")
    train, develop = ({clip.speaker for clip in clips if clip.split == split} for split in ("train", "develop"))
    assert not train & develop
    assert (len(train), len(develop)) == (316, 79)
