"""What comes back is taken for an animation only if it is one."""

from __future__ import annotations

import contextlib
import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dser_ext.audio2face.answer import MAX_FRAMES, MAX_MESSAGES, Answer
from dser_ext.audio2face.protocol import AnimationData, AnimationDataStream, EmotionAggregate, Status
from dser_ext.errors import Audio2FaceError

HEADER = {"animation_data_stream_header": {"skel_animation_header": {"blend_shapes": ["JawOpen", "MouthClose"]}}}
SUCCESS = {"status": {"code": Status.SUCCESS}}


def frame(seconds: float, *weights: float) -> dict:
    return {"animation_data": {"skel_animation": {"blend_shape_weights": [{"time_code": seconds, "values": weights}]}}}


def emotions(*seconds: float, value: float = 0.5) -> dict:
    rows = [{"time_code": time, "emotion": {"joy": value, "boredom": 1.0}} for time in seconds]
    data = AnimationData()
    data.metadata["emotion_aggregate"].type_url = "/EmotionAggregate"
    data.metadata["emotion_aggregate"].value = EmotionAggregate(a2f_smoothed_output=rows).SerializeToString()
    return {"animation_data": data}


def read(*messages: dict, clip_seconds: float = 10.0):
    answer = Answer("host:1", clip_seconds)
    for message in messages:
        answer.take(AnimationDataStream(**message).SerializeToString())
    return answer.animation()


def test_frames_come_in_any_grouping():
    both = frame(0.0, 0.1, 0.2)
    both["animation_data"]["skel_animation"]["blend_shape_weights"] += [{"time_code": 0.1, "values": [0.3, 0.4]}]
    animation = read(HEADER, both, frame(0.2, 0.5, 0.6), {"event": {}}, SUCCESS)
    assert animation.times.tolist() == [0.0, 0.1, 0.2]
    assert animation.weights.ravel() == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])


def test_weights_beyond_one_are_kept_as_the_service_may_leave_them_unlimited():
    assert read(HEADER, frame(0.0, 1.5, -0.25), SUCCESS).weights.tolist() == [[1.5, -0.25]]


def test_emotions_repeated_with_every_frame_count_once_and_unknown_ones_not_at_all():
    animation = read(HEADER, frame(0.0, 0, 0), emotions(0.0), emotions(0.0), emotions(0.0, 0.5), SUCCESS)
    assert animation.emotion_times.tolist() == [0.0, 0.5]
    assert animation.emotions.sum(axis=1).tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([frame(0.0, 0, 0)], "animation before its header"),
        ([HEADER, HEADER], "a second header"),
        ([{"animation_data_stream_header": {}}], "0 blendshape names"),
        ([HEADER, frame(0.0, 0)], "1 weights for 2 blendshapes"),
        ([HEADER, frame(0.0, 0, math.nan)], "not a finite number"),
        ([HEADER, frame(0.0, math.inf, 0)], "not a finite number"),
        ([HEADER, frame(0.5, 0, 0), frame(0.5, 0, 0)], "0.5 s after one at 0.5 s"),
        ([HEADER, frame(0.5, 0, 0), frame(0.4, 0, 0)], "0.4 s after one at 0.5 s"),
        ([HEADER, frame(0.5, 0, 0), frame(math.nan, 0, 0)], "nan s after"),
        ([HEADER, frame(math.nan, 0, 0)], "outside of the clip"),
        ([HEADER, frame(-0.1, 0, 0)], "outside of the clip"),
        ([HEADER, frame(20.1, 0, 0)], "outside of the clip"),
        ([HEADER, SUCCESS], "without a single frame"),
        ([SUCCESS], "without a single frame"),
        ([HEADER, frame(0.0, 0, 0), emotions(-1.0), SUCCESS], "not negative"),
        ([HEADER, frame(0.0, 0, 0), emotions(0.0, value=math.nan), SUCCESS], "finite"),
    ],
)
def test_what_breaks_the_protocol_is_named(messages, words):
    with pytest.raises(Audio2FaceError, match="does not keep Audio2Face's protocol") as caught:
        read(*messages)
    assert words in str(caught.value)


def test_two_blendshapes_of_one_name_are_no_animation():
    twice = {"animation_data_stream_header": {"skel_animation_header": {"blend_shapes": ["JawOpen", "JawOpen"]}}}
    with pytest.raises(Audio2FaceError, match="none twice"):
        read(twice, frame(0.0, 0, 0), SUCCESS)


def test_a_server_that_never_ends_is_stopped():
    endless = (frame(index / 200, 0, 0) for index in itertools.count())
    with pytest.raises(Audio2FaceError, match=f"more than {MAX_FRAMES} frames"):
        read(HEADER, *itertools.islice(endless, MAX_FRAMES + 1), clip_seconds=300.0)


def test_a_server_that_only_chats_is_stopped():
    with pytest.raises(Audio2FaceError, match="messages for one clip"):
        read(HEADER, *[{"status": {"code": Status.INFO}}] * MAX_MESSAGES)


floats = st.floats(width=32)
parts = st.one_of(
    st.just(HEADER),
    st.just(SUCCESS),
    st.builds(frame, st.floats(), floats, floats),
    st.builds(frame, st.floats(0, 10), st.floats(0, 1, width=32), st.floats(0, 1, width=32)),
    st.builds(lambda times, value: emotions(*times, value=value), st.lists(st.floats(), max_size=3), floats),
    st.builds(lambda code, text: {"status": {"code": code, "message": text}}, st.integers(0, 5), st.text()),
)


@pytest.mark.filterwarnings("ignore::dser_ext.errors.DserWarning")
@given(st.lists(parts, max_size=8))
def test_any_order_of_messages_is_an_animation_or_an_error_of_ours(messages):
    with contextlib.suppress(Audio2FaceError):
        animation = read(HEADER, *messages)
        assert animation.weights.shape == (len(animation.times), 2)


@pytest.mark.filterwarnings("ignore::dser_ext.errors.DserWarning")
@given(st.binary(max_size=200))
def test_any_bytes_are_taken_or_refused_as_ours(data):
    with contextlib.suppress(Audio2FaceError):
        Answer("host:1", 1.0).take(data)
