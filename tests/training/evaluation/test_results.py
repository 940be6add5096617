"""Results of real lines, through the recogniser that users run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dser_training.corpora.clip import Clip
from dser_training.evaluation.results import Measurement, measure
from dser_training.evaluation.voices import ALL, NONE

from dser_ext.audio import AudioFile
from dser_ext.emotion.names import EMOTIONS
from dser_ext.recognition.recognizer import Recognizer
from dser_ext.recognition.voice import VoiceLines

pytestmark = pytest.mark.filterwarnings("ignore::dser_ext.errors.DserWarning")


@pytest.fixture(scope="module")
def measurement(recognizer: Recognizer, clips: list[Clip]) -> Measurement:
    return measure(recognizer, clips, (NONE, "1 other line", ALL))


def test_every_line_is_measured_under_every_setting(measurement: Measurement, clips: list[Clip]) -> None:
    assert measurement.unheard == []
    for setting, size in ((NONE, 0), ("1 other line", 1), (ALL, 7)):
        results = measurement.results[setting]
        assert [result.clip for result in results] == clips
        assert {result.references for result in results} == {size}
        assert all(result.spoken for result in results)


def test_a_result_is_what_a_user_gets(measurement: Measurement, recognizer: Recognizer, clips: list[Clip]) -> None:
    lines, _ = recognizer.voice([clip.path for clip in clips], "actor")
    assert isinstance(lines, VoiceLines)
    track = recognizer.track(recognizer.hear(AudioFile(clips[0].path)), lines)
    result = measurement.results[ALL][0]
    assert np.allclose(result.mixture, track.mean.mean(axis=0), atol=1e-3)
    assert np.allclose(result.concentration, track.concentration.mean(axis=0), rtol=1e-2)
    assert result.guess == result.mixture.argmax()
    assert result.total == pytest.approx(float(np.median(track.total)), rel=1e-2)


def test_the_intended_emotion_is_recognised_in_half_the_lines_at_least(measurement: Measurement) -> None:
    right = [result.guess == result.clip.emotion for result in measurement.results[ALL]]
    assert np.mean(right) >= 0.5


def test_reference_lines_are_no_test_but_part_of_voices(recognizer: Recognizer, clips: list[Clip]) -> None:
    calm = [replace(clip, reference_only=clip is clips[0]) for clip in clips[:3]]
    results = measure(recognizer, calm, (ALL,)).results[ALL]
    assert [result.clip for result in results] == calm[1:]
    assert {result.references for result in results} == {2}


def test_a_line_is_left_out_of_a_setting_that_finds_no_other_line(recognizer: Recognizer, clips: list[Clip]) -> None:
    anger = [clip for clip in clips if clip.emotion == EMOTIONS.index("anger")]
    results = measure(recognizer, [*anger, replace(clips[0], speaker="another")], (NONE, ALL)).results
    assert len(results[NONE]) == 2
    assert results[ALL] == []


def test_a_line_that_cannot_be_heard_is_said_and_the_others_are_measured(
    recognizer: Recognizer, clips: list[Clip], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")
    measurement = measure(recognizer, [replace(clips[0], path=broken), *clips[1:3]], (NONE,))
    assert len(measurement.results[NONE]) == 2
    assert len(measurement.unheard) == 1
    assert measurement.unheard[0].startswith("crema-d/1058, broken.wav: ")


def test_a_condition_changes_the_line_and_its_voice(recognizer: Recognizer, clips: list[Clip]) -> None:
    seeds: list[int] = []

    def doubled(sound: np.ndarray, seed: int) -> np.ndarray:
        seeds.append(seed)
        return np.concatenate([sound, sound])

    results = measure(recognizer, clips[:2], (ALL,), doubled).results[ALL]
    assert len(set(seeds)) == 2
    assert all(result.references == 1 for result in results)
    plain = measure(recognizer, clips[:2], (ALL,)).results[ALL]
    assert not np.allclose(results[0].mixture, plain[0].mixture)
