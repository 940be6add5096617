"""A live line through the service is told as a stream tells it, in order, nothing twice, however it is cut."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Iterator

import grpc
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from service import PATIENCE_SECONDS, method

import dser_ext
from dser_ext import messages
from dser_ext.emotion.names import EMOTIONS
from dser_ext.recognition.recognizer import loaded
from dser_ext.recognition.stream import Stream
from dser_ext.server.journal import Caller

SPEECH, RATE = soundfile.read(dser_ext.sample_line(), dtype="int16")
SPEECH = SPEECH[: 2 * RATE]


def requests(sound: bytes, sizes: list[int], **options) -> Iterator:
    pcm = {"sample_rate_hz": RATE, **options.pop("pcm", {})}
    yield messages.RecognizeStreamRequest(options=messages.StreamOptions(pcm=pcm, **options))
    start, number = 0, 0
    while start < len(sound):
        size = sizes[number % len(sizes)]
        yield messages.RecognizeStreamRequest(audio=sound[start : start + size])
        start, number = start + size, number + 1


def stream(target: str, messages_: Iterator) -> list:
    with grpc.insecure_channel(target) as channel:
        return list(method(channel, "RecognizeStream")(messages_, timeout=PATIENCE_SECONDS))


def frames(answer: list) -> np.ndarray:
    told: list[float] = []
    for part in answer[1:]:
        assert part.frames.first * len(EMOTIONS) == len(told)
        told += part.frames.concentration
    return np.array(told, np.float32).reshape(-1, len(EMOTIONS))


@pytest.fixture(scope="module")
def ours() -> np.ndarray:
    line = Stream(loaded(), None, 0.6, 0.2)
    return np.concatenate([line.feed(SPEECH.astype(np.float32) / np.float32(32768)), line.end()])


def test_the_first_answer_says_how_late_the_others_are(running_service):
    answer = stream(running_service.target, requests(SPEECH.tobytes(), [6400], look_ahead_seconds=0.6))
    assert answer[0].start.look_ahead_seconds == 0.6
    assert answer[0].start.latency_seconds == pytest.approx(0.82)
    assert tuple(answer[0].start.emotions) == EMOTIONS
    assert answer[0].start.frame_rate_hz == 50


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(sizes=st.lists(st.integers(0, 9000), min_size=1, max_size=5).filter(lambda sizes: sum(sizes) > 900))
def test_however_it_is_cut_it_is_told_as_by_a_stream(running_service, ours, sizes):
    answer = stream(running_service.target, requests(SPEECH.tobytes(), sizes, look_ahead_seconds=0.6))
    np.testing.assert_array_equal(frames(answer), ours)


def test_floats_are_heard_like_integers(running_service, ours):
    sound = (SPEECH.astype(np.float32) / np.float32(32768)).tobytes()
    pcm = {"encoding": messages.AudioFormat.Pcm.ENCODING_F32}
    answer = stream(running_service.target, requests(sound, [4096], pcm=pcm, look_ahead_seconds=0.6))
    np.testing.assert_array_equal(frames(answer), ours)


@pytest.mark.parametrize("sample", [np.nan, np.inf, 3e38])
def test_a_sample_that_is_no_sound_is_refused(running_service, sample, violations):
    sound = SPEECH.astype(np.float32) / np.float32(32768)
    sound[9000] = sample
    pcm = {"encoding": messages.AudioFormat.Pcm.ENCODING_F32}
    with pytest.raises(grpc.RpcError, match=r"the sample at 0\.562 s is NaN, infinite") as caught:
        stream(running_service.target, requests(sound.tobytes(), [4096], pcm=pcm))
    assert [violation.field for violation in violations(caught.value)] == ["audio"]


def test_a_live_line_waits_for_no_step_of_a_whole_line(running_service, ours):
    turns, over = running_service.resources.turns, threading.Event()

    async def hold() -> None:
        await asyncio.gather(*(turns.once(Caller(f"{n}"), over.wait) for n in range(4)))

    held = asyncio.run_coroutine_threadsafe(hold(), running_service._loop)
    try:
        answer = stream(running_service.target, requests(SPEECH.tobytes(), [640], look_ahead_seconds=0.6))
        assert not held.done()
    finally:
        over.set()
        held.result(PATIENCE_SECONDS)
    np.testing.assert_array_equal(frames(answer), ours)


def test_frames_come_while_the_line_goes_on(running_service):
    sound: queue.Queue = queue.Queue()
    for message in requests(SPEECH[:RATE].tobytes(), [3200]):
        sound.put(message)
    with grpc.insecure_channel(running_service.target) as channel:
        answer = method(channel, "RecognizeStream")(iter(sound.get, None), timeout=PATIENCE_SECONDS)
        assert next(answer).HasField("start")
        assert next(answer).frames.first == 0  # the line is not over
        sound.put(None)
        assert list(answer)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"pcm": {"sample_rate_hz": 0}}, "options.pcm"),
        ({"pcm": {"channels": 2}}, "options.pcm"),
        ({"look_ahead_seconds": 99.0}, "options.look_ahead_seconds"),
        ({"look_ahead_seconds": float("nan")}, "options.look_ahead_seconds"),
        ({"voice": b"no"}, "options.voice"),
        ({"model": "no"}, "options.model"),
    ],
)
def test_what_is_wrong_is_said_with_its_field(running_service, options, field, violations):
    with pytest.raises(grpc.RpcError) as caught:
        stream(running_service.target, requests(SPEECH.tobytes(), [6400], **options))
    assert [violation.field for violation in violations(caught.value)] == [field]
