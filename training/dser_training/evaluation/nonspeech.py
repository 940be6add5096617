"""Sound that is no speech: whether it comes out neutral and unsure, without a voice and with any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dser_ext.audio import SAMPLE_RATE, AudioArray
from dser_ext.emotion.names import NEUTRAL
from dser_ext.recognition.recognizer import Recognizer
from dser_ext.recognition.voice import VoiceProfile
from dser_training.corpora import nonspeech
from dser_training.evaluation.figures import rounded
from dser_training.evaluation.voices import SEED

SOUNDS = 60
SILENCES = (0.5, 3.0, 30.0)  # s
SHORTEST, LONGEST = 1.0, 8.0  # s, of a made sound
SILENCE, MADE = "silence", "noise, hum, tones, clicks, music"

Samples = NDArray[np.float32]


def sounds() -> dict[str, list[Samples]]:
    """Silence, and sounds made from a seed, (n,) at 16 kHz."""
    random = np.random.default_rng(SEED)
    made = [nonspeech.make(random.uniform(SHORTEST, LONGEST), random) for _ in range(SOUNDS)]
    return {SILENCE: [np.zeros(round(seconds * SAMPLE_RATE), np.float32) for seconds in SILENCES], MADE: made}


def figures(recognizer: Recognizer, kind: Sequence[Samples], voices: Sequence[VoiceProfile | None]) -> dict[str, Any]:
    """What comes of each sound with each voice, None for none.

    neutral: share of tracks in which neutral is strongest. emotional: the largest share of another emotion in any.
    total: Σα of the median track's median frame. spoken: share of sounds in which speech was found.
    """
    hearings = [recognizer.hear(AudioArray(samples, SAMPLE_RATE)) for samples in kind]
    tracks = [recognizer.track(hearing, voice) for hearing in hearings for voice in voices]
    mixtures = np.stack([track.mean.mean(axis=0, dtype=np.float64) for track in tracks])
    return rounded(
        {
            "sounds": len(kind),
            "voices": sum(voice is not None for voice in voices),
            "neutral": np.mean(mixtures.argmax(axis=1) == NEUTRAL),
            "emotional": np.delete(mixtures, NEUTRAL, axis=1).max(),
            "total": np.median([np.median(track.total) for track in tracks]),
            "spoken": np.mean([hearing.speech.any() for hearing in hearings]),
        }
    )
