"""The client's keys and ours become one strictly growing row of keys, with the header with which they show."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from relayed import header, piece

from dser_ext.audio2face import protocol
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.server.mixing import MIXES, Mixer
from dser_ext.server.refusal import RefusalError

JOY = A2F_EMOTIONS.index("joy")
CALM = np.zeros(10, np.float32)


def ours(*keys: tuple[float, float]) -> Keyframes:
    values = np.zeros((len(keys), 10), np.float32)
    values[:, JOY] = [joy for _, joy in keys]
    return Keyframes(np.array([time for time, _ in keys]), values)


def mixer(mix, *keys, **parts) -> Mixer:
    made = Mixer(mix, header(**parts).audio_stream_header)
    made.take(piece(b"", *keys).audio_with_emotion.emotions)
    return made


def joys(keys) -> list[tuple[float, float]]:
    return [(key.time_code, round(key.emotion["joy"], 6)) for key in keys]


def sent(made: Mixer):
    return protocol.AudioStream.FromString(made.header(CALM)).audio_stream_header


THEIRS = [(0.0, {"joy": 0.2}), (1.0, {"joy": 0.4})]
SETTINGS = {
    "emotion_post_processing_params": {"emotion_strength": 0.3, "emotion_contrast": 2.0, "max_emotions": 2},
    "emotion_params": {"live_transition_time": 0.7, "beginning_emotion": {"pain": 1.0}},
    "face_params": {"float_params": {"blinkOffset": 0.5}},
    "blendshape_params": {"bs_weight_offsets": {"JawOpen": 0.1}},
}


def test_replace_sends_ours_alone():
    assert joys(mixer("replace", *THEIRS).keys(ours((0, 0.5), (2, 1)), np.inf)) == [(0, 0.5), (2, 1)]


def test_replace_changes_what_keys_need_to_show_exactly_and_nothing_else():
    expected = header(**SETTINGS).audio_stream_header
    post, emotions = expected.emotion_post_processing_params, expected.emotion_params
    post.enable_preferred_emotion, post.preferred_emotion_strength, post.emotion_strength = True, 1, 1
    emotions.live_transition_time = 1e-4
    emotions.beginning_emotion.clear()
    emotions.beginning_emotion.update(dict.fromkeys(A2F_EMOTIONS, 0.0))
    assert sent(mixer("replace", *THEIRS, **SETTINGS)) == expected


def test_add_sends_the_sum_at_the_times_of_both_and_never_more_than_one():
    keys = mixer("add", *THEIRS).keys(ours((0, 0.5), (0.5, 0.5), (2, 1)), np.inf)
    assert joys(keys) == [(0, 0.7), (0.5, 0.8), (1, 1), (2, 1)]


def test_add_leaves_the_clients_settings():
    assert sent(mixer("add", *THEIRS, **SETTINGS)) == header(**SETTINGS).audio_stream_header


def test_add_switches_keys_on_where_they_are_off_and_then_the_clients_own_stay_out():
    made = mixer("add", *THEIRS, emotion_post_processing_params={"enable_preferred_emotion": False})
    assert sent(made).emotion_post_processing_params.enable_preferred_emotion
    assert joys(made.keys(ours((0, 0.5)), np.inf)) == [(0, 0.5)]


def test_only_if_absent_leaves_a_client_with_keys_alone():
    made = mixer("only-if-absent", *THEIRS, **SETTINGS)
    assert sent(made) == header(**SETTINGS).audio_stream_header
    assert made.passes


def test_only_if_absent_is_replace_for_a_client_without_keys():
    made = mixer("only-if-absent")
    assert sent(made).emotion_post_processing_params.preferred_emotion_strength == 1
    assert not made.passes
    assert joys(made.keys(ours((0, 0.5), (2, 1)), np.inf)) == [(0, 0.5), (2, 1)]


def test_only_if_absent_hands_over_to_keys_that_come_late():
    made = mixer("only-if-absent")
    made.header(CALM)
    assert joys(made.keys(ours((0, 0.5), (1, 0.5)), 1.0)) == [(0, 0.5), (1, 0.5)]
    made.take(piece(b"", (2.0, {"joy": 0.1})).audio_with_emotion.emotions)
    assert joys(made.keys(ours((1, 0.5), (1.5, 0.6), (3, 1)), np.inf)) == [(1.5, 0.6), (2, 0.1), (3, 0.1)]


def test_keys_that_may_fall_on_the_same_sample_become_one():
    keys = mixer("add", (0.5, {"joy": 0.25})).keys(ours((0, 0), (0.500001, 0.5)), np.inf)
    assert [key.time_code for key in keys] == [0, 0.5]


def test_the_same_key_twice_counts_once_and_keys_that_go_back_are_refused():
    made = mixer("add", *THEIRS, THEIRS[-1])
    assert [key.time_code for key in made.keys(ours((0, 0)), np.inf)] == [0, 1]
    with pytest.raises(RefusalError, match=r"the key at 0\.5 s comes after one at 1 s"):
        made.take(piece(b"", (0.5, {})).audio_with_emotion.emotions)


@given(
    mix=st.sampled_from(MIXES),
    their_times=st.lists(st.floats(0, 9), max_size=8, unique=True),
    our_times=st.lists(st.integers(1, 270), min_size=1, max_size=8, unique=True),
    cuts=st.lists(st.floats(0, 9), max_size=4),
)
def test_times_only_grow_and_all_ten_are_named_however_keys_are_told(mix, their_times, our_times, cuts):
    made = mixer(mix, *[(time, {"joy": 0.5}) for time in sorted(their_times)])
    mine = ours((0, 0), *[(frame / 30, 0.25) for frame in sorted(our_times)])
    told = [key for until in [*sorted(cuts), np.inf] for key in made.keys(mine, until)]
    assert (np.diff([key.time_code for key in told]) > 0).all()
    assert all(set(key.emotion) == set(A2F_EMOTIONS) for key in told)
    if mix == "add":
        assert {key.time_code for key in told} >= set(their_times)
