"""Settings of Audio2Face: NVIDIA's own keys, checked one by one, and what then goes over the wire."""

from __future__ import annotations

import copy
import math

import a2f_rules
import numpy as np
import pytest

from dser_ext.audio2face.animate import animate
from dser_ext.audio2face.protocol import AudioStreamHeader
from dser_ext.audio2face.settings import FACE_PARAMETERS, MAX_EMOTIONS, POST_PROCESSING, Settings
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.errors import DserWarning, FormatError

FULL = {
    "face_parameters": {"upperFaceStrength": 1, "lowerFaceSmoothing": 0.006, "lipOpenOffset": -0.02},
    "blendshape_parameters": {
        "enable_clamping_bs_weight": True,
        "multipliers": {"JawOpen": 0.5, "TongueTipUp": 1.0},
        "offsets": {"EyeBlinkLeft": 0.25},
    },
    "live_transition_time": 0.25,
    "beginning_emotion": {"pain": 0.5},
    "post_processing_parameters": {
        "emotion_contrast": 1.5,
        "live_blend_coef": 0.25,
        "enable_preferred_emotion": True,
        "preferred_emotion_strength": 0.75,
        "emotion_strength": 0.5,
        "max_emotions": 2,
    },
}
"""Every setting there is, in the layout of NVIDIA's sample client, away from every default."""

JOY = Keyframes(np.array([0.0]), np.array([[float(name == "joy") for name in A2F_EMOTIONS]]))


def header(settings: Settings) -> AudioStreamHeader:
    message = AudioStreamHeader()
    settings.fill(message, {"joy": 1.0})
    return message


def changed(**values) -> dict:
    """FULL with one value replaced: `a__b=value` for a key b in section a."""
    document = copy.deepcopy(FULL)
    for path, value in values.items():
        *sections, key = path.split("__")
        place = document
        for section in sections:
            place = place[section]
        place[key] = value
    return document


def test_every_setting_arrives_in_its_field():
    sent = header(Settings.from_config(FULL))
    assert dict(sent.face_params.float_params) == pytest.approx(FULL["face_parameters"])
    shapes = sent.blendshape_params
    assert dict(shapes.bs_weight_multipliers) == {"JawOpen": 0.5, "TongueTipUp": 1.0}
    assert dict(shapes.bs_weight_offsets) == {"EyeBlinkLeft": 0.25}
    assert shapes.enable_clamping_bs_weight is True
    assert sent.emotion_params.live_transition_time == 0.25
    beginning = dict(sent.emotion_params.beginning_emotion)
    assert beginning == {name: 0.5 if name == "pain" else 0.0 for name in A2F_EMOTIONS}
    given = {field.name: value for field, value in sent.emotion_post_processing_params.ListFields()}
    assert given == FULL["post_processing_parameters"]


@pytest.mark.parametrize("document", [None, {}, dict.fromkeys(FULL), {"blendshape_parameters": {"offsets": None}}])
def test_with_nothing_set_the_keys_are_followed_exactly(document):
    assert Settings.from_config(document) == Settings()
    sent = header(Settings())
    given = {field.name: value for field, value in sent.emotion_post_processing_params.ListFields()}
    assert given == {"enable_preferred_emotion": True, "preferred_emotion_strength": 1, "emotion_strength": 1}
    assert sent.emotion_params.live_transition_time == pytest.approx(1e-4)
    assert sent.emotion_params.beginning_emotion["joy"] == 1
    assert sent.HasField("face_params")
    assert sent.HasField("blendshape_params")
    assert not sent.blendshape_params.HasField("enable_clamping_bs_weight")


def test_one_value_set_leaves_the_others_as_they_are():
    settings = Settings.from_config({"post_processing_parameters": {"emotion_strength": 0.5}})
    assert settings.post_processing == {**Settings().post_processing, "emotion_strength": 0.5}


def test_no_emotions_at_the_beginning_is_not_the_same_as_not_saying():
    assert header(Settings.from_config({"beginning_emotion": {}})).emotion_params.beginning_emotion["joy"] == 0


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([1], r"the configuration must be names with values, not \[1\]"),
        ("text", "the configuration must be names with values"),
        (changed(face_parameter={}), "the configuration: there is no 'face_parameter'; those are face_parameters, "),
        ({1: 2}, "the configuration: there is no 1"),
        (changed(face_parameters=[1]), "face_parameters must be names with values"),
        (changed(face_parameters__upperFace=1), "face_parameters: there is no 'upperFace'"),
        (changed(face_parameters__skinStrength=2.5), "face_parameters: skinStrength must be a number from 0 to 2, not"),
        (changed(face_parameters__skinStrength="1"), "skinStrength must be a number from 0 to 2, not '1'"),
        (changed(face_parameters__skinStrength=True), "skinStrength must be a number from 0 to 2, not True"),
        (changed(blendshape_parameters__multiplier={}), "blendshape_parameters: there is no 'multiplier'"),
        (changed(blendshape_parameters__multipliers__jawOpen=1), "no 'jawOpen'; those go from EyeBlinkLeft to"),
        (changed(blendshape_parameters__offsets__JawOpen=math.nan), "offsets: JawOpen must be a number"),
        (changed(blendshape_parameters__offsets__JawOpen=10**400), "offsets: JawOpen must be a number"),
        (changed(blendshape_parameters__enable_clamping_bs_weight=1), "must be true or false, not 1"),
        (changed(live_transition_time=0), "live_transition_time must be a number from 1e-06"),
        (changed(live_transition_time=math.inf), "live_transition_time must be a number"),
        (changed(beginning_emotion__happiness=1), "beginning_emotion: there is no 'happiness'; those are amazement"),
        (changed(beginning_emotion__joy=1.5), "beginning_emotion: joy must be a number from 0 to 1"),
        (changed(post_processing_parameters__contrast=1), "no 'contrast'; those are emotion_contrast, .*max_emotions"),
        (changed(post_processing_parameters__emotion_strength=1.01), "emotion_strength must be a number from 0 to 1"),
        (changed(post_processing_parameters__enable_preferred_emotion="no"), "must be true or false, not 'no'"),
        (changed(post_processing_parameters__max_emotions=7), "max_emotions must be a whole number from 1 to 6, not 7"),
        (
            changed(post_processing_parameters__max_emotions=2.0),
            "max_emotions must be a whole number from 1 to 6, not 2.0",
        ),
        (changed(post_processing_parameters__max_emotions=True), "max_emotions must be"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_one_sentence(document, words):
    with pytest.raises(FormatError, match=words) as caught:
        Settings.from_config(document)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_value_of_any_length_is_quoted_briefly():
    with pytest.raises(FormatError) as caught:
        Settings.from_config(changed(face_parameters__skinStrength="x" * 10_000))
    assert len(str(caught.value)) < 200


def test_emotions_of_the_configuration_give_way_to_our_keys_and_that_is_said():
    listed = {"first": {"time_code": 0.0, "emotions": {"joy": 1.0}}}
    with pytest.warns(DserWarning, match="emotion_with_timecode_list is left out"):
        assert Settings.from_config({"emotion_with_timecode_list": listed}) == Settings()


def test_a_switch_that_turns_the_keys_off_wins_and_is_warned_of():
    off = changed(post_processing_parameters__enable_preferred_emotion=False)
    with pytest.warns(DserWarning, match="enable_preferred_emotion is false, so Audio2Face does not use the keys"):
        settings = Settings.from_config(off)
    assert header(settings).emotion_post_processing_params.enable_preferred_emotion is False


def test_the_ranges_are_those_that_the_service_enforces():
    assert FACE_PARAMETERS == a2f_rules.FACE_PARAMETERS
    theirs = {name: ends[:2] for name, ends in a2f_rules.POST_PROCESSING.items()}
    assert theirs.pop("enable_preferred_emotion") == (False, True)
    assert theirs == {**POST_PROCESSING, "max_emotions": MAX_EMOTIONS}


def test_a_service_takes_every_setting_at_once_and_weights_follow_them(start_a2f):
    server = start_a2f()
    plain, shaped = (
        animate(np.full(16_000, 0.1, np.float32), JOY, server.target, settings=settings)
        for settings in (Settings(), Settings.from_config(FULL))
    )
    jaw, blink = plain.names.index("JawOpen"), plain.names.index("EyeBlinkLeft")
    np.testing.assert_allclose(shaped.weights[:, jaw], plain.weights[:, jaw] / 2, atol=1e-6)
    np.testing.assert_allclose(shaped.weights[:, blink], plain.weights[:, blink] + 0.25, atol=1e-6)


def test_strengths_below_one_weaken_the_keys(start_a2f):
    settings = Settings(post_processing={"emotion_strength": 0.6, "preferred_emotion_strength": 0.5})
    animation = animate(np.zeros(16_000, np.float32), JOY, start_a2f().target, settings=settings)
    assert animation.emotions[:, A2F_EMOTIONS.index("joy")].max() < 0.7
