"""A line of speech and its keys become the animation that Audio2Face makes of exactly these keys."""

from __future__ import annotations

import time

import a2f_server
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dser_ext.audio2face import protocol
from dser_ext.audio2face.animate import animate
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.errors import Audio2FaceError, AudioError, DserWarning

CALM = Keyframes(np.array([0.0]), np.zeros((1, 10), np.float32))


def one_key(**emotions: float) -> Keyframes:
    return Keyframes(np.array([0.0]), np.array([[emotions.get(name, 0.0) for name in A2F_EMOTIONS]], np.float32))


def noise(seconds: float, loudness: float = 0.1) -> np.ndarray:
    return (loudness * np.random.default_rng(1).standard_normal(round(16_000 * seconds))).astype(np.float32)


@pytest.fixture(scope="module")
def a2f():
    server = a2f_server.A2FServer()
    yield server
    server.stop()


@st.composite
def keyframes(draw: st.DrawFn) -> Keyframes:
    milliseconds = draw(st.lists(st.integers(0, 4000), min_size=1, max_size=6, unique=True))
    rows = st.lists(st.floats(0, 1, width=32), min_size=10, max_size=10)
    values = [draw(rows) for _ in milliseconds]
    return Keyframes(np.sort(np.array(milliseconds)) / 1000, np.array(values, np.float32))


@settings(max_examples=25, deadline=None)
@given(keys=keyframes(), samples=st.integers(1, 50_000))
def test_the_face_is_driven_by_exactly_the_keys(a2f, keys, samples):
    animation = animate(np.zeros(samples, np.float32), keys, a2f.target)
    np.testing.assert_allclose(animation.emotions, keys.at(animation.emotion_times), atol=1e-6)
    np.testing.assert_array_equal(animation.emotion_times, animation.times)


def test_an_animation_has_a_frame_for_every_thirtieth_of_a_second_of_sound(a2f):
    animation = animate(noise(2.5), CALM, a2f.target)
    assert animation.names[0] == "EyeBlinkLeft"
    assert animation.weights.shape == (75, 52)
    np.testing.assert_allclose(animation.times, np.arange(75) / 30)


def test_joy_makes_it_smile_and_anger_lowers_its_brows(a2f):
    glad, cross = (animate(noise(0.5), one_key(**{name: 1.0}), a2f.target) for name in ("joy", "anger"))
    smile, brow = glad.names.index("MouthSmileLeft"), glad.names.index("BrowDownLeft")
    assert glad.weights[:, smile].min() == 1 > cross.weights[:, smile].max()
    assert cross.weights[:, brow].min() == 1 > glad.weights[:, brow].max()


def test_the_sound_arrives_sample_for_sample_in_pieces_of_a_second(start_a2f):
    server = start_a2f()
    pcm = np.random.default_rng(2).integers(-32768, 32768, 40_000).astype("<i2")
    animate((pcm / 32768).astype(np.float32), CALM, server.target)
    assert bytes(server.requests[0].sound) == pcm.tobytes()
    assert server.requests[0].pieces == [32_000, 32_000, 16_000]


def test_sound_beyond_full_scale_is_clipped_not_wrapped(start_a2f):
    server = start_a2f()
    animate(np.array([2.0, -2.0, 1.0, 1e38, -3e38], np.float32), CALM, server.target)
    assert np.frombuffer(bytes(server.requests[0].sound), "<i2").tolist() == [32767, -32768, 32767, 32767, -32768]


def test_every_key_names_all_ten_emotions(start_a2f):
    server = start_a2f()
    animate(noise(0.2), one_key(joy=1.0), server.target)
    assert all(set(emotions) == set(A2F_EMOTIONS) for _, emotions in server.requests[0].keys)
    assert set(server.requests[0].header.emotion_params.beginning_emotion) == set(A2F_EMOTIONS)


def test_more_keys_than_fit_a_message_are_refused_with_a_remedy():
    count = 30_000
    keys = Keyframes(np.arange(count) / 100, np.ones((count, 10), np.float32))
    with pytest.raises(Audio2FaceError, match=r"30000 emotion keys .* larger tolerance"):
        animate(noise(1), keys, "localhost:1")


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros((10, 2)), np.array([0, np.nan]), np.array([np.inf])])
def test_sound_that_cannot_be_sent_is_named_before_anyone_is_called(samples):
    with pytest.raises(AudioError):
        animate(samples.astype(np.float32), CALM, "localhost:1")


@pytest.mark.parametrize(
    "target",
    ["", "localhost", "http://localhost:52000", "localhost:0", "localhost:65536", "a b:1", "unix:/tmp/x", ":1"],
)
def test_an_address_must_be_host_and_port(target):
    with pytest.raises(Audio2FaceError, match="HOST:PORT"):
        animate(noise(0.1), CALM, target)


def test_the_time_to_wait_must_be_above_zero():
    with pytest.raises(Audio2FaceError, match="above zero"):
        animate(noise(0.1), CALM, "localhost:1", timeout_seconds=0)


def test_emotions_are_understood_from_either_generation_of_the_service(start_a2f):
    def rename(answer):
        for message in answer:
            if message.HasField("animation_data"):
                url = "type.googleapis.com/com.nvidia.ace.services.audio2face_3d.v1.EmotionAggregate"
                message.animation_data.metadata["emotion_aggregate"].type_url = url
            yield message

    animation = animate(noise(0.5), one_key(joy=0.5), start_a2f(spoil=rename).target)
    assert animation.emotions[:, A2F_EMOTIONS.index("joy")].tolist() == [0.5] * 15


def test_an_answer_without_emotions_or_with_unknown_metadata_is_an_animation_all_the_same(start_a2f):
    def strip(answer):
        for message in answer:
            if message.HasField("animation_data"):
                message.animation_data.metadata["emotion_aggregate"].type_url = "x/some.Other"
            yield message

    animation = animate(noise(0.5), CALM, start_a2f(spoil=strip).target)
    assert animation.emotions.shape == (0, 10)
    assert len(animation.times) == 15


def test_notes_on_the_way_are_passed_over_and_warnings_handed_on(start_a2f):
    def comment(answer):
        yield a2f_server.status(protocol.Status.INFO, "warming up")
        yield next(answer)
        yield a2f_server.status(protocol.Status.WARNING, "running\nhot")
        yield from answer

    with pytest.warns(DserWarning, match="running hot"):
        animation = animate(noise(0.5), CALM, start_a2f(spoil=comment).target)
    assert len(animation.times) == 15


def test_a_server_that_forgets_to_end_the_call_after_success_does_not_hold_us_up(start_a2f):
    def linger(answer):
        yield from answer
        yield from a2f_server.hang(answer)

    started = time.monotonic()
    animation = animate(noise(0.5), CALM, start_a2f(spoil=linger).target, timeout_seconds=0.3)
    assert len(animation.times) == 15
    assert time.monotonic() - started < 3
