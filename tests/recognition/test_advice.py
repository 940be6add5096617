"""A voice that rests on little, or on one mood, gets advice that names what is missing."""

from __future__ import annotations

import numpy as np
import pytest

from dser_ext.emotion.names import EMOTIONS
from dser_ext.recognition.advice import MOODS, advice_on
from dser_ext.recognition.voice import VoiceProfile

EVEN = np.full(6, 1 / 6, np.float32)


def voice(lines: int, seconds: float) -> VoiceProfile:
    return VoiceProfile("anna", np.zeros((1, 4)), np.ones(1), lines, seconds, "a" * 64)


def mostly(emotion: str, share: float) -> np.ndarray:
    mixture = np.full(6, (1 - share) / 5, np.float32)
    mixture[EMOTIONS.index(emotion)] = share
    return mixture


@pytest.mark.parametrize(
    ("lines", "seconds", "extent"),
    [
        (1, 2.5, "1 line, 2.5 s of speech"),
        (3, 60.0, "3 lines, 60.0 s of speech"),
        (4, 7.94, "4 lines, 7.9 s of speech"),
    ],
)
def test_few_lines_or_seconds_are_told_with_what_would_be_enough(lines, seconds, extent):
    wanted = f"only {extent}; give at least 4 lines and 8 s, in different moods"
    assert advice_on(voice(lines, seconds), EVEN) == wanted
    assert advice_on(voice(lines, seconds), mostly("anger", 1)) == wanted


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_lines_of_one_mood_are_told_by_its_name(emotion):
    assert advice_on(voice(4, 8), mostly(emotion, 0.51)) == (
        f"its lines sound mostly {MOODS[emotion]}; add lines in other moods, or the model cannot tell the voice "
        "from the mood"
    )


@pytest.mark.parametrize("composition", [EVEN, mostly("neutral", 0.49)])
def test_enough_lines_in_several_moods_need_none(composition):
    assert advice_on(voice(4, 8), composition) is None
