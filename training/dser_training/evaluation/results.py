"""Result: what the recogniser says of one line under one voice setting."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dser_ext.audio import SAMPLE_RATE, Audio, AudioArray, AudioFile, read
from dser_ext.emotion.track import EmotionTrack
from dser_ext.errors import AudioError
from dser_ext.recognition.hearing import Hearing
from dser_ext.recognition.recognizer import Recognizer
from dser_ext.recognition.voice import VoiceProfile, merge
from dser_training.corpora.clip import Clip, by_speaker
from dser_training.corpora.conditions import Condition
from dser_training.evaluation.voices import NONE, draw, seed


@dataclass(frozen=True, eq=False)
class Result:
    """One line, measured.

    mixture, concentration: (6,), the expected mixture and the concentration, averaged over the line's frames.
    total: Σα of the median frame. spread: standard deviation of a share, averaged over frames and emotions.
    references: lines in the voice, 0 without one. spoken: whether speech was found in the line.
    """

    clip: Clip
    mixture: NDArray[np.float64]
    concentration: NDArray[np.float64]
    total: float
    spread: float
    references: int
    spoken: bool

    @classmethod
    def of(cls, clip: Clip, track: EmotionTrack, spoken: bool) -> Result:
        """Average a line's track."""
        return cls(
            clip,
            track.mean.mean(axis=0, dtype=np.float64),
            track.concentration.mean(axis=0, dtype=np.float64),
            float(np.median(track.total)),
            float(track.std.mean(dtype=np.float64)),
            track.voice.lines if track.voice else 0,
            spoken,
        )

    @property
    def guess(self) -> int:
        """The strongest emotion, an index into EMOTIONS."""
        return int(self.mixture.argmax())


@dataclass(frozen=True)
class Measurement:
    """The results of a set by voice setting, what each line with enough speech tells of its speaker's voice, and a
    sentence on each line that cannot be heard."""

    results: dict[str, list[Result]]
    profiles: dict[Clip, VoiceProfile]
    unheard: list[str]

    @property
    def voices(self) -> list[VoiceProfile]:
        """Of each speaker who has one, of all lines."""
        own = (merge(self.profiles[clip] for clip in clips) for clips in by_speaker(self.profiles).values())
        return [voice for voice in own if voice is not None]


def measure(
    recognizer: Recognizer, clips: Iterable[Clip], settings: Sequence[str], condition: Condition | None = None
) -> Measurement:
    """Hear every line once, its speaker's other lines in the same condition, and track it under each voice setting.

    A line that a setting finds no other line for is left out of that setting.
    """
    measurement = Measurement({setting: [] for setting in settings}, {}, [])
    for lines in by_speaker(clips).values():
        heard: list[tuple[Clip, Hearing]] = []
        for clip in lines:
            try:
                heard.append((clip, recognizer.hear(_audio(clip, condition))))
            except AudioError as error:
                measurement.unheard.append(f"{clip.speaker}, {clip.path.name}: {error}")
        for setting, results in measurement.results.items():
            results += _results(recognizer, heard, setting)
        measurement.profiles.update((clip, hearing.profile) for clip, hearing in heard if hearing.profile is not None)
    return measurement


def _audio(clip: Clip, condition: Condition | None) -> Audio:
    if condition is None:
        return AudioFile(clip.path)
    return AudioArray(condition(read(clip.path), seed(clip)), SAMPLE_RATE)


def _voice(hearings: Iterable[Hearing]) -> VoiceProfile | None:
    """The voice of all lines that have enough speech; None if none has."""
    return merge(hearing.profile for hearing in hearings if hearing.profile is not None)


def _results(recognizer: Recognizer, heard: Sequence[tuple[Clip, Hearing]], setting: str) -> list[Result]:
    """Those of one speaker's lines that are a test."""
    clips, hearings = [clip for clip, _ in heard], {clip.path: hearing for clip, hearing in heard}
    results = []
    for clip, hearing in heard:
        if clip.reference_only:
            continue
        profile = _voice(hearings[other.path] for other in draw(setting, clip, clips))
        if profile is None and setting != NONE:
            continue
        results.append(Result.of(clip, recognizer.track(hearing, profile), bool(hearing.speech.any())))
    return results
