"""Laughs, sobs and gasps beside the words: whether they colour what the words express."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dser_ext.audio import SAMPLE_RATE, AudioArray, read
from dser_ext.emotion.names import EMOTIONS
from dser_ext.recognition.recognizer import Recognizer
from dser_ext.recognition.speech import HOP
from dser_training.corpora.augmentation import speech_power
from dser_training.corpora.clip import Clip
from dser_training.evaluation.figures import rounded
from dser_training.evaluation.results import Result
from dser_training.evaluation.voices import seed

GAP_SECONDS = 0.1  # between burst and words
LONGEST_SECONDS = 2.0  # of a burst; of longer ones the end
HAPPINESS = EMOTIONS.index("happiness")


def figures(recognizer: Recognizer, results: Sequence[Result], bursts: Sequence[Clip]) -> dict[str, Any]:
    """What the words of lines express by themselves and with a burst right before them, by the burst's feeling.

    results: of lines without a voice; each line gets one of the bursts, brought to its level. alone, beside: share of
    lines whose intended emotion is the strongest in the words. moved: half the summed differences of the words'
    mixture. happiness: how much its share grows.
    """
    told: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for result in results:
        line, alone = result.clip, result.mixture
        burst = bursts[np.random.default_rng(seed(line)).integers(len(bursts))]
        words = read(line.path)
        before = _before(burst, words)
        track = recognizer.track(recognizer.hear(AudioArray(np.concatenate([before, words]), SAMPLE_RATE)))
        beside = track.mean[len(before) // HOP :].mean(axis=0, dtype=np.float64)
        right = float(alone.argmax() == line.emotion), float(beside.argmax() == line.emotion)
        moved = float(np.abs(beside - alone).sum()) / 2, float(beside[HAPPINESS] - alone[HAPPINESS])
        told[burst.label].append((*right, *moved))
    columns = "alone", "beside", "moved", "happiness"
    return {
        label: rounded({"lines": len(rows), **dict(zip(columns, np.mean(rows, axis=0), strict=True))})
        for label, rows in sorted(told.items())
    }


def _before(burst: Clip, words: NDArray[np.float32]) -> NDArray[np.float32]:
    """The burst at the level of the words, and a gap; whole frames."""
    sound = read(burst.path)[-round(LONGEST_SECONDS * SAMPLE_RATE) :]
    sound = sound * np.float32(np.sqrt(speech_power(words) / max(speech_power(sound), 1e-12)))
    gap = round(GAP_SECONDS * SAMPLE_RATE)
    return np.pad(sound, (-(len(sound) + gap) % HOP, gap))
