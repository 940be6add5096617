"""Words beside a vocal burst, measured; another line of the voice stands in for the burst."""

from __future__ import annotations

from dataclasses import replace

import pytest
from dser_training.corpora.clip import Clip
from dser_training.evaluation.beside_bursts import figures
from dser_training.evaluation.results import measure
from dser_training.evaluation.voices import NONE

from dser_ext.recognition.recognizer import Recognizer

pytestmark = pytest.mark.filterwarnings("ignore::dser_ext.errors.DserWarning")


@pytest.mark.slow
def test_words_are_told_by_themselves_and_beside_each_feeling(recognizer: Recognizer, clips: list[Clip]) -> None:
    bursts = [
        replace(clip, speaker="bursts/1", label=label) for clip, label in zip(clips, ("awe", "pain"), strict=False)
    ]
    results = measure(recognizer, clips, (NONE,)).results[NONE]
    told = figures(recognizer, results, bursts)
    assert list(told) == ["awe", "pain"]
    assert sum(each["lines"] for each in told.values()) == len(clips)
    for each in told.values():
        assert 0 < each["moved"] < 1  # what stands before the words is heard, and the words still are
        assert -1 < each["happiness"] < 1
        right = [each[side] * each["lines"] for side in ("alone", "beside")]
        assert right == pytest.approx([round(lines) for lines in right], abs=0.01)
    assert told == figures(recognizer, results, bursts)
