"""Advice: which lines would make a voice tell more, in an animator's words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dser_ext.emotion.names import EMOTIONS
from dser_ext.recognition.voice import VoiceProfile

ENOUGH_LINES, ENOUGH_SECONDS = 4, 8.0  # of speech; with less, what is usual for a voice is a guess
ONE_SIDED = 0.5  # share of one emotion from which on lines tell an unusual voice as well as an unusual mood
MOODS = dict(zip(EMOTIONS, ("angry", "disgusted", "fearful", "happy", "neutral", "sad"), strict=True))


def advice_on(voice: VoiceProfile, composition: NDArray[np.float32]) -> str | None:
    """One sentence on a voice that rests on little, or on lines of one mood; None for any other.

    composition: what share of each emotion its lines seem to have, (6,).
    """
    if voice.lines < ENOUGH_LINES or round(voice.seconds, 1) < ENOUGH_SECONDS:
        return f"only {voice.extent}; give at least {ENOUGH_LINES} lines and {ENOUGH_SECONDS:g} s, in different moods"
    strongest = int(composition.argmax())
    if composition[strongest] < ONE_SIDED:
        return None
    return (
        f"its lines sound mostly {MOODS[EMOTIONS[strongest]]}; add lines in other moods, or the model cannot tell "
        "the voice from the mood"
    )
