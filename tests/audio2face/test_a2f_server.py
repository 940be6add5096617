"""The stand-in keeps Audio2Face-3D's rules, so that passing against it means something."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from a2f_face import BLENDSHAPES
from a2f_rules import Limits

from dser_ext.audio2face import protocol
from dser_ext.emotion.names import A2F_EMOTIONS

PCM = {"channel_count": 1, "samples_per_second": 16_000, "bits_per_sample": 16}
SECOND = bytes(32_000)
END = protocol.AudioStream(end_of_audio={})
JOY = A2F_EMOTIONS.index("joy")


def header(**parts: Any) -> Any:
    return protocol.AudioStream(audio_stream_header={"audio_header": PCM, **parts})


def piece(sound: bytes = SECOND, *keys: tuple[float, dict[str, float]]) -> Any:
    emotions = [{"time_code": time, "emotion": emotion} for time, emotion in keys]
    return protocol.AudioStream(audio_with_emotion={"audio_buffer": sound, "emotions": emotions})


def call(target: str, messages: Iterable[Any]) -> list[Any]:
    with grpc.insecure_channel(target) as channel:
        process = channel.stream_stream(
            protocol.PROCESS_AUDIO_STREAM,
            protocol.AudioStream.SerializeToString,
            protocol.AnimationDataStream.FromString,
        )
        return list(process(iter(messages), timeout=20))


def frames(answer: list[Any]) -> list[Any]:
    return [message.animation_data for message in answer if message.HasField("animation_data")]


def smoothed(answer: list[Any], emotion: str = "joy") -> np.ndarray:
    packed = [frame.metadata["emotion_aggregate"].value for frame in frames(answer)]
    aggregates = [protocol.EmotionAggregate.FromString(value) for value in packed]
    return np.array([row.emotion[emotion] for aggregate in aggregates for row in aggregate.a2f_smoothed_output])


def test_an_answer_is_a_header_then_frames_then_the_event_then_success(start_a2f):
    answer = call(start_a2f().target, [header(), piece(), END])
    kinds = [message.WhichOneof("stream_part") for message in answer]
    assert kinds == ["animation_data_stream_header", *["animation_data"] * 30, "event", "status"]
    assert answer[-1].status.code == protocol.Status.SUCCESS
    opening = answer[0].animation_data_stream_header
    assert tuple(opening.skel_animation_header.blend_shapes) == BLENDSHAPES
    assert (opening.audio_header.samples_per_second, opening.audio_header.bits_per_sample) == (16_000, 16)


def test_the_52_blendshapes_are_in_the_order_of_the_wire():
    assert len(set(BLENDSHAPES)) == 52
    assert BLENDSHAPES[14:25] == (
        *("JawForward", "JawLeft", "JawRight", "JawOpen", "MouthClose", "MouthFunnel", "MouthPucker"),
        *("MouthLeft", "MouthRight", "MouthSmileLeft", "MouthSmileRight"),
    )
    assert BLENDSHAPES[-1] == "TongueOut"


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_the_sound_comes_back_unchanged_at_any_rate(start_a2f, rate):
    sound = np.random.default_rng(0).integers(-9999, 9999, rate + 77).astype("<i2").tobytes()
    opening = header(audio_header={**PCM, "samples_per_second": rate})
    answer = call(start_a2f().target, [opening, piece(sound[:50_000]), piece(sound[50_000:]), END])
    assert b"".join(frame.audio.audio_buffer for frame in frames(answer)) == sound


def test_success_ends_the_call_for_a_client_that_never_half_closes(start_a2f):
    never: queue.Queue[Any] = queue.Queue()

    def messages() -> Iterator[Any]:
        yield from (header(), piece(), END)
        never.get()

    answer = call(start_a2f().target, messages())
    never.put(None)
    assert answer[-1].status.code == protocol.Status.SUCCESS


def test_an_empty_last_piece_is_accepted_as_nvidias_client_sends_one(start_a2f):
    assert len(frames(call(start_a2f().target, [header(), piece(), piece(b""), END]))) == 30


def test_the_detectors_opinion_stays_empty_for_it_breaks_nvidias_clients(start_a2f):
    for frame in frames(call(start_a2f().target, [header(), piece(), END])):
        assert not protocol.EmotionAggregate.FromString(frame.metadata["emotion_aggregate"].value).a2e_output


def test_with_the_services_defaults_a_key_of_one_becomes_0_3(start_a2f):
    answer = call(start_a2f().target, [header(), piece(SECOND, (0.0, {"joy": 1.0})), END])
    assert smoothed(answer) == pytest.approx(0.3)


def test_with_the_services_defaults_a_step_takes_about_a_second_to_arrive(start_a2f):
    keys = [(0.0, {}), (1.0, {}), (1.0 + 1 / 30, {"joy": 1.0})]
    arrived = smoothed(call(start_a2f().target, [header(), piece(3 * SECOND, *keys), END])) > 0.9 * 0.3
    assert np.argmax(arrived) / 30 - 1 == pytest.approx(1.1, abs=0.1)


def test_a_name_that_a_key_leaves_out_is_zero_there(start_a2f):
    exact = {"preferred_emotion_strength": 1, "emotion_strength": 1}
    opening = header(emotion_post_processing_params=exact, emotion_params={"live_transition_time": 1e-4})
    answer = call(start_a2f().target, [opening, piece(SECOND, (0.0, {"joy": 1.0}), (0.5, {"anger": 1.0})), END])
    assert smoothed(answer)[[0, 15, 29]] == pytest.approx([1, 0, 0])


def test_keys_may_come_with_later_sound(start_a2f):
    pieces = [piece(SECOND, (0.0, {"joy": 1.0})), piece(2 * SECOND, (1.1, {"joy": 0.0})), END]
    arrived = smoothed(call(start_a2f().target, [header(), *pieces]))
    assert arrived[29] == pytest.approx(0.3)
    assert arrived[-1] < 0.03


def test_blendshapes_are_multiplied_shifted_and_limited_as_asked(start_a2f):
    shapes = {
        "bs_weight_multipliers": {"MouthSmileLeft": 2.0},
        "bs_weight_offsets": {"JawOpen": -1.0, "TongueOut": 3.0},
    }
    keys = piece(SECOND, (0.0, {"joy": 1.0}))
    for clamp in (False, True):
        opening = header(blendshape_params={**shapes, "enable_clamping_bs_weight": clamp})
        pose = frames(call(start_a2f().target, [opening, keys, END]))[0].skel_animation.blend_shape_weights[0].values
        posed = dict(zip(BLENDSHAPES, pose, strict=True))
        assert posed["MouthSmileLeft"] == pytest.approx(0.6)
        assert (posed["JawOpen"], posed["TongueOut"]) == ((0, 1) if clamp else (-1, 3))


def test_louder_sound_opens_the_jaw_wider(start_a2f):
    target = start_a2f().target
    sound = np.random.default_rng(0).standard_normal(16_000)
    openings = []
    for loudness in (0, 500, 5000):
        answer = call(target, [header(), piece((loudness * sound).astype("<i2").tobytes()), END])
        jaws = [
            frame.skel_animation.blend_shape_weights[0].values[BLENDSHAPES.index("JawOpen")] for frame in frames(answer)
        ]
        openings.append(np.mean(jaws))
    assert openings[0] == 0 < openings[1] < openings[2] < 1


REFUSED = {
    "sound before the header": ([piece()], "header must come first"),
    "the end before the header": ([END], "header must come first"),
    "two headers": ([header(), header()], "only one header"),
    "no sound": ([header(), END], "no audio"),
    "only empty sound": ([header(), piece(b""), END], "no audio"),
    "no end mark": ([header(), piece()], "without EndOfAudio"),
    "nothing at all": ([], "without EndOfAudio"),
    "sound after the end": ([header(), piece(), END, piece()], "nothing may follow"),
    "a message without content": ([header(), protocol.AudioStream()], "without content"),
    "no audio header": ([protocol.AudioStream(audio_stream_header={})], "no audio header"),
    "stereo": ([header(audio_header={**PCM, "channel_count": 2})], "mono 16-bit"),
    "24 bits": ([header(audio_header={**PCM, "bits_per_sample": 24})], "mono 16-bit"),
    "another format": ([header(audio_header={**PCM, "audio_format": 7})], "mono 16-bit"),
    "8 kHz": ([header(audio_header={**PCM, "samples_per_second": 8_000})], "sample rate"),
    "192 kHz": ([header(audio_header={**PCM, "samples_per_second": 192_000})], "sample rate"),
    "half a sample": ([header(), piece(b"abc")], "half a sample"),
    "11 s in a message": ([header(), piece(11 * SECOND)], "more than 10 s"),
    "301 s": ([header(), *[piece(10 * SECOND)] * 30, piece()], "longer than 300 s"),
    "a negative time": ([header(), piece(SECOND, (-0.1, {}))], "negative"),
    "a time that is no number": ([header(), piece(SECOND, (float("nan"), {}))], "not finite"),
    "two keys at one time": ([header(), piece(SECOND, (0.5, {}), (0.5, {}))], "does not follow"),
    "keys out of order": ([header(), piece(SECOND, (0.5, {})), piece(SECOND, (0.4, {}))], "does not follow"),
    "more than 1": ([header(), piece(SECOND, (0.0, {"joy": 1.01}))], "outside of 0 to 1"),
    "less than 0": ([header(), piece(SECOND, (0.0, {"joy": -0.01}))], "outside of 0 to 1"),
    "no number": ([header(), piece(SECOND, (0.0, {"joy": float("nan")}))], "outside of 0 to 1"),
    "a misspelt emotion": ([header(), piece(SECOND, (0.0, {"out_of_breath": 1}))], "no emotion 'out_of_breath'"),
    "a wrong beginning": ([header(emotion_params={"beginning_emotion": {"joy": 2}})], "outside of 0 to 1"),
    "no transition time": ([header(emotion_params={"live_transition_time": 0})], "live_transition_time"),
    "too much contrast": ([header(emotion_post_processing_params={"emotion_contrast": 3.5})], "emotion_contrast"),
    "seven emotions": ([header(emotion_post_processing_params={"max_emotions": 7})], "max_emotions"),
    "a strength over 1": ([header(emotion_post_processing_params={"emotion_strength": 1.1})], "emotion_strength"),
    "an unknown parameter": ([header(face_params={"float_params": {"nose": 1}})], "face parameter nose"),
    "a parameter too large": ([header(face_params={"float_params": {"blinkOffset": 2}})], "blinkOffset"),
    "an endless offset": ([header(blendshape_params={"bs_weight_offsets": {"JawOpen": float("inf")}})], "finite"),
}


@pytest.mark.parametrize(("messages", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_it_refuses(start_a2f, messages, words):
    with pytest.raises(grpc.RpcError) as caught:
        call(start_a2f().target, messages)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert words in caught.value.details()


def test_it_gives_up_on_a_client_that_falls_silent(start_a2f):
    def messages() -> Iterator[Any]:
        yield header()
        time.sleep(1)

    with pytest.raises(grpc.RpcError) as caught:
        call(start_a2f(limits=Limits(idle_seconds=0.2)).target, messages())
    assert "nothing came in for 0.2 s" in caught.value.details()


def test_it_gives_up_on_a_client_slower_than_speech(start_a2f):
    def messages() -> Iterator[Any]:
        yield header()
        for _ in range(50):
            time.sleep(0.02)
            yield piece(bytes(320))

    with pytest.raises(grpc.RpcError) as caught:
        call(start_a2f(limits=Limits(slow_seconds=0.2)).target, messages())
    assert "too slowly" in caught.value.details()


def test_it_serves_ten_streams_and_turns_the_eleventh_away(start_a2f):
    target, done = start_a2f().target, threading.Event()

    def messages() -> Iterator[Any]:
        yield header()
        done.wait()
        yield from (piece(), END)

    with grpc.insecure_channel(target) as channel:
        process = channel.stream_stream(protocol.PROCESS_AUDIO_STREAM, protocol.AudioStream.SerializeToString)
        calls = [process(messages()) for _ in range(10)]
        for opened in calls:
            next(opened)
        with pytest.raises(grpc.RpcError) as caught:
            call(target, [header(), piece(), END])
        done.set()
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert [len(list(opened)) for opened in calls] == [32] * 10
