"""NVIDIA's post-processing, by values that its steps give and by the traits that it is known for."""

from __future__ import annotations

import numpy as np
import pytest

from dser_ext.emotion.audio2emotion import Audio2Emotion
from dser_ext.emotion.names import A2F_EMOTIONS, EMOTIONS

LOGITS = np.tile([2, -1, 0.5, 3, 1, -0.5], (3, 1))
FPS = 1 / 0.033
SHOWN = [A2F_EMOTIONS.index(name) for name in ("anger", "disgust", "fear", "joy", "pain", "sadness")]


def vector(**values: float) -> np.ndarray:
    return np.array([values.get(name, 0.0) for name in A2F_EMOTIONS])


@pytest.mark.parametrize(
    ("steps", "preferred", "expected"),
    [
        (
            Audio2Emotion(max_emotions=6),
            vector(),
            [
                [0.040530, 0.002018, 0.009043, 0.110172, 0, 0.003327],
                [0.042402, 0.002111, 0.009461, 0.115262, 0, 0.003481],
                [0.045462, 0.002263, 0.010144, 0.123579, 0, 0.003732],
            ],
        ),
        (
            Audio2Emotion(
                max_emotions=2, emotion_contrast=2, beginning_emotion={"pain": 0.5}, enable_preferred_emotion=True
            ),
            vector(joy=1),
            [
                [0.010485, 0, 0, 0.377477, 0.150000, 0],
                [0.010970, 0, 0, 0.381056, 0.147921, 0],
                [0.011761, 0, 0, 0.386905, 0.144512, 0],
            ],
        ),
    ],
)
def test_three_frames_of_the_same_sound(steps: Audio2Emotion, preferred: np.ndarray, expected: list) -> None:
    told = steps.apply(LOGITS, preferred, FPS)
    np.testing.assert_allclose(told[:, SHOWN], expected, atol=1e-6)
    assert not np.delete(told, SHOWN, axis=1).any()


def certain(emotion: str, frames: int) -> np.ndarray:
    logits = np.full((frames, 6), -50.0)
    logits[:, EMOTIONS.index(emotion)] = 50
    return logits


def test_the_surest_happiness_ends_at_the_strength_and_takes_a_second_to_get_there() -> None:
    logits = np.concatenate([certain("neutral", 30), certain("happiness", 300)])
    joy = Audio2Emotion().apply(logits, vector(), 30)[30:, A2F_EMOTIONS.index("joy")]
    assert joy[-1] == pytest.approx(0.6, abs=1e-3)
    assert np.argmax(joy > 0.9 * 0.6) / 30 == pytest.approx(1.23, abs=0.04)


def test_a_preferred_emotion_of_zero_halves_what_was_heard() -> None:
    plain, halved = (
        Audio2Emotion(enable_preferred_emotion=enabled).apply(certain("anger", 300), vector(), 30)
        for enabled in (False, True)
    )
    np.testing.assert_allclose(halved, plain / 2, atol=1e-6)


def test_the_exact_keys_recipe_shows_the_preferred_emotion_alone() -> None:
    steps = Audio2Emotion(
        enable_preferred_emotion=True, preferred_emotion_strength=1, emotion_strength=1, live_transition_time=1e-4
    )
    keys = np.random.default_rng(0).random((50, 10))
    np.testing.assert_allclose(steps.apply(certain("fear", 50), keys, 30), keys, atol=1e-9)


def test_what_is_no_longer_among_the_strongest_fades() -> None:
    logits = np.concatenate([certain("sadness", 100), certain("neutral", 200)])
    sadness = Audio2Emotion(max_emotions=1).apply(logits, vector(), 30)[:, A2F_EMOTIONS.index("sadness")]
    assert sadness[99] > 0.5
    assert sadness[-1] < 1e-3
