"""When the emotion changes: splices of each speaker's lines, whose borders are known, as recognition tells them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from dser_ext.audio import SAMPLE_RATE, AudioArray, AudioFile
from dser_ext.errors import AudioError
from dser_ext.recognition.recognizer import Recognizer
from dser_ext.recognition.voice import VoiceProfile, merge
from dser_training.corpora.clip import Clip, acted
from dser_training.corpora.splices import draw, render
from dser_training.evaluation import changes
from dser_training.evaluation.voices import ALL, NONE, SEED

SPLICES = {"changes": 6, "stay": 3, "glide": 2}
"""Of each speaker, by kind."""
SOME = "16 other lines"
VOICES: dict[str, int | None] = {NONE: 0, SOME: 16, ALL: None}
"""How many of the speaker's lines that do not stand in a splice make its voice."""


def figures(recognizer: Recognizer, clips: Sequence[Clip]) -> dict[str, Any]:
    """`changes.figures` of each voice setting. Lines that cannot be heard are left out of voices."""
    speakers: dict[str, list[Clip]] = defaultdict(list)
    for clip in acted(clips):
        speakers[clip.speaker].append(clip)
    tracks: dict[str, list[changes.Floats]] = {setting: [] for setting in VOICES}
    lines = []
    for number, own in enumerate(speakers.values()):
        random = np.random.default_rng([SEED, number])
        profiles = _profiles(recognizer, own)
        for kind, count in SPLICES.items():
            for _ in range(count):
                splice = draw(kind, [clip for clip in own if not clip.reference_only], random)
                spliced = render(splice, random)
                heard = recognizer.hear(AudioArray(spliced.samples, SAMPLE_RATE))
                others = [profile for clip, profile in profiles.items() if clip not in splice.clips]
                order = random.permutation(len(others))
                lines.append(changes.Known(kind, spliced.mixtures, spliced.borders))
                for setting, most in VOICES.items():
                    voice = merge(others[index] for index in order[:most])
                    tracks[setting].append(recognizer.track(heard, voice).mean.astype(np.float64))
    if not lines:
        return {}
    return {setting: {"lines": len(lines), **_known(changes.figures(told, lines))} for setting, told in tracks.items()}


def _known(figures: dict[str, float]) -> dict[str, float | None]:
    """Figures that nothing could be measured for are None."""
    return {name: None if np.isnan(value) else value for name, value in figures.items()}


def _profiles(recognizer: Recognizer, clips: Sequence[Clip]) -> dict[Clip, VoiceProfile]:
    found = {}
    for clip in clips:
        try:
            profile = recognizer.hear(AudioFile(clip.path)).profile
        except AudioError:
            continue
        if profile is not None:
            found[clip] = profile
    return found
