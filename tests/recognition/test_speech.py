"""Speech is told from what is not, and its emotion holds through short pauses and fades in long ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dser_ext.recognition.speech import held, speech_frames

NONSPEECH = np.array([0.1, 0.1, 0.1, 0.1, 1.5, 0.1], np.float32)
GLAD = np.array([0.5, 0.5, 0.5, 9.0, 2.0, 0.5], np.float32)
SAD = np.array([0.5, 0.5, 0.5, 0.5, 2.0, 9.0], np.float32)
SECOND = 50  # frames


def with_pause(frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Two seconds of joy, a pause in which the network says anything, two seconds of sadness."""
    noise = np.random.default_rng(1).uniform(0.1, 20, (frames, 6)).astype(np.float32)
    concentration = np.concatenate([np.tile(GLAD, (2 * SECOND, 1)), noise, np.tile(SAD, (2 * SECOND, 1))])
    speech = np.ones(len(concentration), bool)
    speech[2 * SECOND : 2 * SECOND + frames] = False
    return concentration, speech


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=80))
def test_every_frame_is_either_speech_or_not_however_few_there_are(probability):
    assert speech_frames(np.array(probability, np.float32)).shape == (len(probability),)


@pytest.mark.parametrize("count", [10, 14, 15, 16, 200])
def test_what_is_speech_throughout_is_speech_from_the_first_to_the_last_frame(count):
    assert speech_frames(np.ones(count, np.float32)).all()
    assert not speech_frames(np.zeros(count, np.float32)).any()


def test_a_click_is_no_speech_and_a_stop_consonant_no_silence():
    probability = np.concatenate([np.zeros(100), np.ones(4), np.zeros(100), np.ones(50), np.zeros(5), np.ones(50)])
    speech = speech_frames(probability.astype(np.float32))
    assert not speech[:200].any()
    assert speech[206:].all()


def test_a_sound_of_less_than_a_fifth_of_a_second_is_no_speech():
    probability = np.zeros(200, np.float32)
    probability[100:109] = 1
    assert not speech_frames(probability).any()


def test_where_speech_is_the_concentrations_are_the_networks_own():
    concentration, speech = with_pause(30)
    np.testing.assert_array_equal(held(concentration, speech, NONSPEECH)[speech], concentration[speech])


@pytest.mark.parametrize("frames", [1, 10, 25, 49, 50])
def test_through_a_pause_of_up_to_a_second_the_emotion_glides_from_before_to_after(frames):
    concentration, speech = with_pause(frames)
    pause = held(concentration, speech, NONSPEECH)[~speech]
    share = np.arange(1, frames + 1)[:, None] / (frames + 1)
    np.testing.assert_allclose(pause, (1 - share) * GLAD + share * SAD, atol=1e-4)


def test_deep_in_a_long_pause_there_is_no_speech_and_no_emotion():
    concentration, speech = with_pause(3 * SECOND)
    pause = held(concentration, speech, NONSPEECH)[~speech]
    np.testing.assert_array_equal(pause[38:-38], np.tile(NONSPEECH, (3 * SECOND - 76, 1)))
    assert np.abs(np.diff(pause, axis=0)).max() < 1


@pytest.mark.parametrize("frames", range(30, 90, 3))
def test_a_pause_that_is_a_little_longer_sounds_only_a_little_different(frames):
    shorter, longer = (held(*with_pause(count), NONSPEECH) for count in (frames, frames + 1))
    half = 2 * SECOND + frames // 2
    assert np.abs(shorter[:half] - longer[:half]).max() < 0.6  # of 9
    assert np.abs(shorter[half:] - longer[half + 1 :]).max() < 0.6


def test_silence_around_a_line_first_holds_its_emotion_and_then_fades():
    speech = np.zeros(6 * SECOND, bool)
    speech[2 * SECOND : 4 * SECOND] = True
    concentration = np.where(speech[:, None], GLAD, 20).astype(np.float32)
    result = held(concentration, speech, NONSPEECH)
    near = slice(SECOND, 5 * SECOND)
    np.testing.assert_allclose(result[near], np.tile(GLAD, (4 * SECOND, 1)), rtol=1e-6)
    far = SECOND - 13
    np.testing.assert_array_equal(result[:far], np.tile(NONSPEECH, (far, 1)))
    np.testing.assert_array_equal(result[-far:], np.tile(NONSPEECH, (far, 1)))


def test_without_any_speech_every_frame_says_so():
    concentration = np.full((7, 6), 5, np.float32)
    np.testing.assert_array_equal(held(concentration, np.zeros(7, bool), NONSPEECH), np.tile(NONSPEECH, (7, 1)))
