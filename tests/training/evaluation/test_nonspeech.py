"""What is no speech, measured."""

from __future__ import annotations

import numpy as np
import pytest
from dser_training.corpora.clip import Clip
from dser_training.evaluation import nonspeech

from dser_ext.audio import AudioFile, read
from dser_ext.recognition.recognizer import Recognizer

pytestmark = pytest.mark.filterwarnings("ignore::dser_ext.errors.DserWarning")


@pytest.mark.slow
def test_the_sounds_are_the_same_every_time() -> None:
    first, again = nonspeech.sounds(), nonspeech.sounds()
    assert {kind: len(sounds) for kind, sounds in first.items()} == {nonspeech.SILENCE: 3, nonspeech.MADE: 60}
    assert not any(sound.any() for sound in first[nonspeech.SILENCE])
    assert all(np.array_equal(*pair) for pair in zip(first[nonspeech.MADE], again[nonspeech.MADE], strict=True))


def test_silence_is_neutral_and_unsure_and_speech_would_be_told(recognizer: Recognizer, clips: list[Clip]) -> None:
    voice = recognizer.hear(AudioFile(clips[0].path)).profile
    silence = nonspeech.figures(recognizer, [np.zeros(16_000, np.float32)], [None, voice])
    assert silence["neutral"] == 1
    assert silence["spoken"] == 0
    anger = next(clip for clip in clips if "ANG" in clip.path.stem)
    speech = nonspeech.figures(recognizer, [read(anger.path)], [voice])
    assert speech["spoken"] == 1
    assert speech["neutral"] == 0
    assert speech["emotional"] > silence["emotional"]
    assert speech["total"] > silence["total"]
