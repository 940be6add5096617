"""A whole line through the service is what it is without one."""

from __future__ import annotations

import grpc
import numpy as np
import pytest
from service import line, recognize

import dser_ext
from dser_ext import messages
from dser_ext.emotion.names import A2F_EMOTIONS, EMOTIONS
from dser_ext.formats.track_json import Performance
from dser_ext.recognition.recognizer import loaded
from dser_ext.transfer import TrackParts, keyframes

FILE = dser_ext.sample_line()
SOUND = FILE.read_bytes()


def parts(answer: list, name: str) -> list:
    return [getattr(message, name) for message in answer if message.HasField(name)]


def track(answer: list) -> dser_ext.EmotionTrack:
    (head,) = parts(answer, "head")
    whole = TrackParts(head)
    for frames in parts(answer, "frames"):
        whole.take(frames)
    return whole.track()


@pytest.mark.parametrize("size", [1 << 20, 1000])
def test_a_file_gives_the_track_and_keys_of_the_python_api(running_service, size):
    answer = recognize(running_service.target, line(SOUND, size, name="three.ogg"))
    ours = dser_ext.recognize(FILE)
    got = track(answer)
    np.testing.assert_array_equal(got.concentration, ours.concentration)
    assert got.audio is not None
    assert (got.audio.path, got.audio.sha256) == ("three.ogg", ours.audio.sha256)
    assert got.model == ours.model
    keys, expected = keyframes(parts(answer, "keys")), Performance.of(ours).keyframes
    np.testing.assert_array_equal(keys.times, expected.times)
    np.testing.assert_array_equal(keys.values, expected.values)
    (head,) = parts(answer, "head")
    assert tuple(head.emotions) == EMOTIONS
    assert tuple(head.key_names) == A2F_EMOTIONS
    assert any("without a voice" in warning for warning in head.warnings)


def test_samples_give_the_track_of_an_array(running_service):
    samples = np.random.default_rng(0).normal(0, 0.1, (24_000, 2)).astype(np.float32)
    pcm = messages.AudioFormat.Pcm(encoding=messages.AudioFormat.Pcm.ENCODING_F32, sample_rate_hz=48_000, channels=2)
    answer = recognize(running_service.target, line(samples.tobytes(), audio_format={"pcm": pcm}))
    ours = dser_ext.recognize(samples, 48_000)
    np.testing.assert_array_equal(track(answer).concentration, ours.concentration)
    assert track(answer).audio.sha256 == ours.audio.sha256


def test_a_voice_counts(running_service):
    lines = sorted(FILE.parent.glob("voice/*.ogg"))
    voice, _ = loaded().voice(lines, "the speaker")
    answer = recognize(running_service.target, line(SOUND, voice=voice.profile.to_bytes()))
    assert track(answer).voice == voice.profile.info
    np.testing.assert_allclose(track(answer).mean, dser_ext.recognize(FILE, voice=voice.profile).mean, atol=1e-5)


def test_the_waveform_comes_with_the_track(running_service):
    answer = recognize(running_service.target, line(SOUND, waveform_bins=50))
    (head,) = parts(answer, "head")
    assert len(head.waveform.low) == len(head.waveform.high) == 50
    assert max(head.waveform.high) > 0.1 > -0.1 > min(head.waveform.low)


@pytest.mark.parametrize(
    ("options", "sound", "code", "field"),
    [
        ({"model": "no"}, SOUND, grpc.StatusCode.NOT_FOUND, "options.model"),
        ({"voice": b"no"}, SOUND, grpc.StatusCode.INVALID_ARGUMENT, "options.voice"),
        ({"presentation": {"style": __file__}}, SOUND, grpc.StatusCode.INVALID_ARGUMENT, "options.presentation.style"),
        ({"presentation": {"tolerance": 9}}, SOUND, grpc.StatusCode.INVALID_ARGUMENT, "options.presentation.tolerance"),
        ({"waveform_bins": 1 << 30}, SOUND, grpc.StatusCode.INVALID_ARGUMENT, "options.waveform_bins"),
        ({}, b"", grpc.StatusCode.INVALID_ARGUMENT, "audio"),
        ({}, b"no sound" * 999, grpc.StatusCode.INVALID_ARGUMENT, "audio"),
        ({"audio_format": {"pcm": {}}}, SOUND, grpc.StatusCode.INVALID_ARGUMENT, "audio"),
    ],
)
def test_what_is_wrong_is_said_with_its_field(running_service, options, sound, code, field, violations):
    with pytest.raises(grpc.RpcError) as caught:
        recognize(running_service.target, line(sound, **options))
    assert caught.value.code() is code
    assert [violation.field for violation in violations(caught.value)] == [field]
    assert caught.value.details().count("\n") == 0
