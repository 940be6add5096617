"""Voices are learned for each speaker, and no more of them are kept than the limits say."""

from __future__ import annotations

import numpy as np

from dser_ext.recognition.voice import VoiceProfile
from dser_ext.server.limits import Limits
from dser_ext.server.voices import Voices


def profile(seconds: float = 2.0, seed: int = 0) -> VoiceProfile:
    pieces = np.random.default_rng(seed).standard_normal((1, 4)).astype(np.float32)
    return VoiceProfile("line", pieces, np.array([seconds], np.float32), 1, seconds, "model")


def learning(given: VoiceProfile | None = None, **limits: int) -> Voices:
    return Voices(given, learn=True, limits=Limits(**limits))


def test_nobody_has_a_voice_at_first_but_the_one_given():
    assert learning().of("hero") is None
    assert learning(profile(3.0)).of("hero").profile.seconds == 3.0


def test_lines_add_up_on_top_of_the_voice_given_and_the_same_line_counts_once():
    voices = learning(profile(3.0))
    for seed, sha256 in ((1, "a"), (2, "b"), (1, "a")):
        voices.learn("hero", sha256, profile(seed=seed))
    assert voices.of("hero").profile.lines == 3
    assert voices.of("hero").without("a").lines == 2
    assert voices.of("villain").profile.lines == 1


def test_without_learning_nothing_is_kept():
    voices = Voices(None, learn=False, limits=Limits())
    voices.learn("hero", "a", profile())
    assert voices.of("hero") is None


def test_a_line_with_too_little_speech_teaches_nothing():
    voices = learning()
    voices.learn("hero", "a", None)
    assert voices.of("hero") is None


def test_the_latest_lines_and_the_speakers_heard_last_are_kept():
    voices = learning(voices=2, voice_lines=3)
    for number in range(5):
        voices.learn("hero", str(number), profile(seed=number))
    assert voices.of("hero").profile.lines == 3
    assert voices.of("hero").without("1").lines == 3  # forgotten
    voices.learn("villain", "x", profile())
    voices.of("hero")
    voices.learn("extra", "y", profile())
    assert voices.of("villain") is None
    assert voices.of("hero") is not None
