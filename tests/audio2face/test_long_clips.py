"""Clips of any length: cut in pauses, animated part by part, and joined without a seam."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import a2f_server
import grpc
import numpy as np
import pytest
from a2f_rules import Limits, RefusedError
from hypothesis import given, settings
from hypothesis import strategies as st

from dser_ext.audio2face import animate as animate_module
from dser_ext.audio2face import long_clips, protocol
from dser_ext.audio2face.animate import animate
from dser_ext.audio2face.long_clips import joined, parts
from dser_ext.audio2face.settings import Settings
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.errors import Audio2FaceError, FormatError
from dser_ext.formats.blendshapes import Animation

RATE = 16_000
JOY = A2F_EMOTIONS.index("joy")
CALM = Keyframes(np.array([0.0]), np.zeros((1, 10), np.float32))


def ramp(seconds: float) -> Keyframes:
    """Joy from 0 to 1 over this time."""
    values = np.zeros((2, 10), np.float32)
    values[1, JOY] = 1
    return Keyframes(np.array([0.0, seconds]), values)


def speech(seconds: float, pauses: list[tuple[float, float]] = [], seed: int = 0) -> np.ndarray:  # noqa: B006
    """Sound as loud as speech, with closures of 120 ms such as words have, over a room's noise; quiet in pauses."""
    random = np.random.default_rng(seed)
    times = np.arange(round(seconds * RATE)) / RATE
    loud = np.full(len(times), 0.1, np.float32)
    loud[(times % 0.7) < 0.12] = 0.001
    for start, end in pauses:
        loud[round(start * RATE) : round(end * RATE)] = 0.001
    return (loud * random.standard_normal(len(times))).astype(np.float32)


def borders(sound: np.ndarray, most_seconds: float = 300) -> list[float]:
    return [piece.end_seconds for piece in parts(sound, CALM, RATE, most_seconds)[:-1]]


@pytest.mark.parametrize("seconds", [0.1, 300])
def test_a_clip_that_fits_stays_as_it_is(seconds):
    sound, keys = np.zeros(round(seconds * RATE), np.float32), ramp(400)
    (piece,) = parts(sound, keys, RATE, 300)
    assert piece.sound is sound
    assert piece.keyframes is keys


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(start=st.floats(240, 299.8), length=st.floats(0.2, 3), seed=st.integers(0, 9))
def test_the_cut_goes_into_the_only_pause_of_the_last_minute(start, length, seed):
    end = min(start + length, 300)
    (cut,) = borders(speech(310, [(start, end)], seed))
    assert start <= cut <= end


def test_without_a_pause_the_cut_goes_where_it_is_quietest():
    sound = speech(330)
    (cut,) = borders(sound)
    assert 240 <= cut <= 300
    around = sound[round((cut - 0.05) * RATE) : round((cut + 0.05) * RATE)]
    assert np.square(around).mean() < np.square(sound).mean()


def test_of_equally_quiet_places_the_last_is_taken_so_that_parts_are_few():
    assert len(parts(np.zeros(1000 * RATE, np.float32), CALM, RATE, 300)) == 4


@settings(max_examples=40, deadline=None)
@given(
    samples=st.integers(1, 20 * RATE),
    most=st.sampled_from([0.3, 1.0, 3.0, 7.7]),
    milliseconds=st.lists(st.integers(0, 25_000), min_size=1, max_size=12, unique=True),
)
def test_the_parts_are_the_clip_and_their_keys_its_keys(samples, most, milliseconds):
    sound = np.random.default_rng(samples).standard_normal(samples).astype(np.float32)
    times = np.sort(np.array(milliseconds)) / 1000
    keys = Keyframes(times, np.random.default_rng(1).random((len(times), 10)))
    pieces = parts(sound, keys, RATE, most)
    np.testing.assert_array_equal(np.concatenate([piece.sound for piece in pieces]), sound)
    assert all(0 < len(piece.sound) <= most * RATE for piece in pieces)
    for piece in pieces:
        assert piece.start_seconds * 10 == pytest.approx(round(piece.start_seconds * 10))
        within = np.linspace(0, piece.end_seconds - piece.start_seconds, 50)
        np.testing.assert_allclose(piece.keyframes.at(within), keys.at(piece.start_seconds + within), atol=1e-5)


@pytest.fixture
def short_limit(monkeypatch, start_a2f):
    """A service that takes 3 s at most, and a client that knows it."""
    monkeypatch.setattr(animate_module, "MAX_CLIP_SECONDS", 3)
    return lambda **more: start_a2f(limits=Limits(clip_seconds=3), **more)


@pytest.mark.parametrize("seconds", [3.05, 6, 8.37])
def test_a_long_clip_has_every_frame_once_and_every_emotion_where_it_belongs(short_limit, seconds):
    server, keys = short_limit(), ramp(seconds)
    animation = animate(speech(seconds, [(2, 2.3), (4.5, 4.8)]), keys, server.target)
    assert len(server.requests) >= 2
    np.testing.assert_allclose(animation.times, np.arange(np.ceil(seconds * 30)) / 30, atol=1e-9)
    np.testing.assert_allclose(animation.emotion_times, animation.times)
    np.testing.assert_allclose(animation.emotions, keys.at(animation.times), atol=1e-5)
    assert animation.fps == 30


def test_the_sound_of_the_parts_is_the_sound_of_the_clip(short_limit):
    server = short_limit()
    pcm = np.random.default_rng(2).integers(-3000, 3000, 100_000).astype("<i2")
    animate((pcm / 32768).astype(np.float32), CALM, server.target)
    assert b"".join(bytes(request.sound) for request in server.requests) == pcm.tobytes()


def test_a_beginning_that_the_settings_ask_for_is_that_of_the_clip_and_not_of_every_part(short_limit):
    server = short_limit()
    animate(speech(5), ramp(5), server.target, settings=Settings(beginning_emotion={"pain": 1}))
    begun = [dict(request.header.emotion_params.beginning_emotion) for request in server.requests]
    assert begun[0]["pain"] == 1
    assert begun[1]["pain"] == 0 < begun[1]["joy"]


def test_silence_that_the_service_adds_to_each_part_is_cut_off_but_at_the_end(short_limit):
    def padded(answer):
        last = None
        for message in answer:
            if message.HasField("animation_data"):
                last = message
            elif message.HasField("event"):
                for frame in range(1, 46):
                    more = type(last)()
                    more.CopyFrom(last)
                    weights = more.animation_data.skel_animation.blend_shape_weights[0]
                    weights.time_code += frame / 30
                    more.animation_data.metadata.clear()
                    yield more
            yield message

    animation = animate(speech(5), CALM, short_limit(spoil=padded).target)
    np.testing.assert_allclose(animation.times, np.arange(150 + 45) / 30, atol=1e-9)


def test_a_part_that_fails_is_named_by_its_seconds(short_limit):
    calls = []

    def second_fails(answer):
        calls.append(1)
        if len(calls) == 2:
            raise RefusedError("the moon is in the wrong phase")
        yield from answer

    server = short_limit(spoil=second_fails)
    with pytest.raises(Audio2FaceError, match=rf"^2\.\d s to 5\.0 s of the line: {server.target}: .* wrong phase"):
        animate(speech(5, [(2.4, 2.8)]), CALM, server.target)


def test_parts_with_different_blendshapes_are_no_animation(short_limit):
    calls = []

    def renaming(answer):
        calls.append(1)
        header = next(answer)
        if len(calls) == 2:
            header.animation_data_stream_header.skel_animation_header.blend_shapes[0] = "Other"
        yield header
        yield from answer

    with pytest.raises(Audio2FaceError, match="parts of the animation have different blendshapes"):
        animate(speech(5), CALM, short_limit(spoil=renaming).target)


@pytest.mark.parametrize("fps", [24, 25, 29.97, 16000 / 533, 60])
def test_frames_of_any_rate_join_in_order_without_a_frame_too_near_or_far(fps):
    pieces = parts(speech(7), CALM, RATE, 3)

    def made(piece: long_clips.Part) -> Animation:
        times = np.arange(np.ceil((piece.end_seconds - piece.start_seconds) * fps)) / fps
        return Animation(("JawOpen",), times, np.zeros((len(times), 1)))

    whole = joined(pieces, [made(piece) for piece in pieces])
    steps = np.diff(whole.times) * fps
    assert 0.49 < steps.min() <= steps.max() < 1.51
    assert whole.fps == pytest.approx(fps, abs=0.001)


def test_one_part_is_the_animation_itself():
    only = Animation(("JawOpen",), np.arange(3) / 30, np.zeros((3, 1)))
    assert joined(parts(np.zeros(1600, np.float32), CALM, RATE, 300), [only]) is only


def test_joining_what_differs_is_a_format_error():
    pieces = parts(speech(5), CALM, RATE, 3)
    first = Animation(("JawOpen",), np.zeros(1), np.zeros((1, 1)))
    with pytest.raises(FormatError, match="different blendshapes"):
        joined(pieces, [first, replace(first, names=("JawLeft",))])


@pytest.mark.slow
def test_six_minutes_are_animated_within_the_services_real_limits(start_a2f):
    """Twice a second only, so that it is quick: what matters here is how long the parts are."""
    server = start_a2f(spoil=a2f_server.every(15))
    animation = animate(speech(360, [(270, 271)]), ramp(360), server.target)
    assert [request.seconds for request in server.requests] == pytest.approx([270.5, 89.5], abs=0.5)
    assert animation.times[-1] > 359
    assert (np.diff(animation.times) > 0).all()


def test_a_slow_service_gets_the_sound_as_it_takes_it_and_never_in_one_message(monkeypatch):
    """The whole clip neither is in one message nor waits in a queue on our side."""
    made, largest, over = [], [], threading.Event()
    encode = animate_module._pcm16
    monkeypatch.setattr(animate_module, "_pcm16", lambda sound: made.append(len(sound)) or encode(sound))

    def process(incoming, _):
        largest.extend(len(next(incoming)) for _ in range(3))
        over.wait(10)
        largest.extend(len(message) for message in incoming)
        yield a2f_header()
        yield a2f_frame()
        yield a2f_server.status(protocol.Status.SUCCESS, "").SerializeToString()

    server, target = raw_server(process, ("grpc.http2.bdp_probe", 0))  # has room for what gRPC has room for at first
    result: list[Animation] = []
    caller = threading.Thread(target=lambda: result.append(animate(np.zeros(300 * RATE, np.float32), CALM, target)))
    caller.start()
    settled = -1
    while settled != len(made):
        settled = len(made)
        time.sleep(0.3)
    over.set()
    caller.join(20)
    assert settled < 15, "of 300 pieces, when the service has taken two"
    assert len(made) == 300
    assert max(largest) < 33_000
    assert len(result[0].times) == 1
    server.stop(None)


def test_the_stream_is_half_closed_after_the_end_of_the_audio():
    """Some services answer only when the request is over."""
    ended = []

    def process(incoming, _):
        ended.append(protocol.AudioStream.FromString(list(incoming)[-1]).WhichOneof("stream_part"))
        yield a2f_header()
        yield a2f_frame()
        yield a2f_server.status(protocol.Status.SUCCESS, "").SerializeToString()

    server, target = raw_server(process)
    assert len(animate(np.zeros(1000, np.float32), CALM, target, timeout_seconds=5).times) == 1
    assert ended == ["end_of_audio"]
    server.stop(None)


def raw_server(process, *options) -> tuple[grpc.Server, str]:
    """A service that does with its messages, as bytes, what the test says."""
    server = grpc.server(ThreadPoolExecutor(1), options=options)
    method = grpc.stream_stream_rpc_method_handler(process)
    handler = grpc.method_handlers_generic_handler(protocol.SERVICE, {"ProcessAudioStream": method})
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, f"127.0.0.1:{port}"


def a2f_header() -> bytes:
    shapes = {"skel_animation_header": {"blend_shapes": ["JawOpen"]}}
    return protocol.AnimationDataStream(animation_data_stream_header=shapes).SerializeToString()


def a2f_frame() -> bytes:
    frame = {"skel_animation": {"blend_shape_weights": [{"time_code": 0.0, "values": [0.5]}]}}
    return protocol.AnimationDataStream(animation_data=frame).SerializeToString()
