"""From emotions and the loudness of speech to blendshapes."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dser_ext.audio import SAMPLE_RATE
from dser_ext.drawing.face.levels import levels
from dser_ext.drawing.face.shapes import LOOKS, SHAPES, TABLE, animated
from dser_ext.emotion.curves import Curves
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.formats.blendshapes import ARKIT_BLENDSHAPES, Animation

WANTED = {
    *("BrowInnerUp", "CheekPuff", "JawOpen", "MouthRollLower", "MouthRollUpper", "MouthShrugLower", "MouthShrugUpper"),
    *("MouthPucker", "MouthFunnel", "MouthClose"),
    *(
        f"{name}{side}"
        for side in ("Left", "Right")
        for name in (
            *("BrowDown", "BrowOuterUp", "EyeBlink", "EyeSquint", "EyeWide", "CheekSquint", "NoseSneer"),
            *("MouthSmile", "MouthFrown", "MouthDimple", "MouthStretch", "MouthPress", "MouthLowerDown"),
            *("MouthUpperUp", "EyeLookUp", "EyeLookDown", "EyeLookIn", "EyeLookOut"),
        )
    ),
}


def curves(seconds: float = 3.0, fps: float = 30.0, **strengths: float) -> Curves:
    row = [strengths.get(name, 0.0) for name in A2F_EMOTIONS]
    return Curves(fps, np.tile(np.array(row, np.float32), (round(seconds * fps) + 1, 1)))


def speech(seconds: float = 3.0, loud_from: float = 1.0, loud_to: float = 2.0) -> np.ndarray:
    """A voice-like sound between two moments, and silence around it."""
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    sound = sum(np.sin(2 * np.pi * 140 * harmonic * times) / harmonic for harmonic in range(1, 9)) * 0.2
    return (sound * ((times >= loud_from) & (times < loud_to))).astype(np.float32)


def column(animation: Animation, name: str) -> np.ndarray:
    return animation.weights[:, animation.names.index(name)]


def test_the_shapes_are_arkits_and_hold_all_that_emotions_and_speech_need() -> None:
    assert set(SHAPES) >= WANTED
    assert [name for name in ARKIT_BLENDSHAPES if name in SHAPES] == list(SHAPES)


def test_each_emotion_has_a_look_of_its_own() -> None:
    assert tuple(LOOKS) == A2F_EMOTIONS
    assert ((TABLE >= 0) & (TABLE <= 1)).all()
    for one, other in combinations(range(len(A2F_EMOTIONS)), 2):
        assert np.linalg.norm(TABLE[one] - TABLE[other]) > 0.5, (A2F_EMOTIONS[one], A2F_EMOTIONS[other])


@pytest.mark.parametrize("emotion", [name for name in A2F_EMOTIONS if name != "cheekiness"])
def test_both_halves_of_the_face_show_an_emotion_alike(emotion: str) -> None:
    row = dict(zip(SHAPES, TABLE[A2F_EMOTIONS.index(emotion)], strict=True))
    assert all(row[name] == row[name.replace("Left", "Right")] for name in SHAPES)


@pytest.mark.parametrize(
    ("emotion", "units"),
    [  # the action units that all lists of prototypes have (Ekman, Friesen and Hager 2002)
        ("amazement", "BrowInnerUp BrowOuterUpLeft EyeWideLeft JawOpen"),
        ("anger", "BrowDownLeft EyeWideLeft EyeSquintLeft MouthPressLeft"),
        ("disgust", "NoseSneerLeft MouthUpperUpLeft"),
        ("fear", "BrowInnerUp BrowOuterUpLeft BrowDownLeft EyeWideLeft MouthStretchLeft"),
        ("joy", "CheekSquintLeft MouthSmileLeft"),
        ("sadness", "BrowInnerUp MouthFrownLeft"),
    ],
)
def test_the_prototypes_of_the_basic_emotions_are_there(emotion: str, units: str) -> None:
    row = dict(zip(SHAPES, TABLE[A2F_EMOTIONS.index(emotion)], strict=True))
    assert all(row[name] > 0.2 for name in units.split())


def test_the_guide_has_the_same_table() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "PREVIEW.md").read_text(encoding="utf-8")
    for name, (units, weights) in LOOKS.items():
        shapes = ", ".join(f"{shape} {weight:g}" for shape, weight in weights.items())
        assert f"| {name} | {units} | {shapes} |\n" in guide


def test_there_is_a_frame_for_each_of_the_curves() -> None:
    given_curves = curves(2.0, 24000 / 1001, joy=0.5)
    animation = animated(given_curves, speech(2.0))
    assert animation.names == SHAPES
    assert animation.times == pytest.approx(given_curves.times)
    assert animation.weights.dtype == np.float32
    assert (animation.emotions == given_curves.values).all()


def test_in_silence_the_face_is_what_the_table_says() -> None:
    animation = animated(curves(1.5, joy=0.6), np.zeros(24_000, np.float32))
    assert animation.weights == pytest.approx(np.tile(0.6 * TABLE[A2F_EMOTIONS.index("joy")], (46, 1)), abs=1e-6)


def test_the_mouth_opens_where_speech_is_and_is_shut_before_and_after() -> None:
    jaw = column(animated(curves(), speech()), "JawOpen")
    assert (jaw[:29] == 0).all()
    assert (jaw[32:59] > 0.2).all()
    assert (jaw[62:] == 0).all()


def test_what_counts_is_the_lines_own_level() -> None:
    loud, soft = (column(animated(curves(), gain * speech()), "JawOpen") for gain in (1.0, 0.02))
    assert soft == pytest.approx(loud, abs=1e-3)


def test_lips_that_an_emotion_presses_open_for_speech() -> None:
    press = column(animated(curves(anger=1.0), speech()), "MouthPressLeft")
    assert press[45] < 0.5 * press[10]


def test_bright_sounds_spread_the_lips_and_dark_ones_round_them() -> None:
    times = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    dark, bright = (
        animated(curves(2.0), np.sin(2 * np.pi * hertz * times).astype(np.float32)) for hertz in (150, 3000)
    )
    assert column(dark, "MouthFunnel")[30] > 0.1 > column(bright, "MouthFunnel")[30]
    assert column(bright, "MouthStretchLeft")[30] > 0.05 > column(dark, "MouthStretchLeft")[30]


def test_the_eyes_blink_now_and_then_and_always_at_the_same_moments() -> None:
    lids = column(animated(curves(30.0), speech(30.0)), "EyeBlinkLeft")
    blinks = np.flatnonzero(np.diff((lids > 0.5).astype(int)) == 1)
    assert 5 <= len(blinks) <= 9
    assert len(set(np.diff(blinks))) > 3, "they have a rhythm"
    assert (lids == 0).mean() > 0.85
    assert (lids == column(animated(curves(30.0, amazement=0.2), speech(30.0)), "EyeBlinkLeft")).all()


@settings(max_examples=30, deadline=None)
@given(
    values=hnp.arrays(np.float32, st.tuples(st.integers(1, 40), st.just(10)), elements=st.floats(0, 1, width=32)),
    samples=hnp.arrays(np.float32, st.integers(0, 3000), elements=st.floats(-1e6, 1e6, width=32)),
    fps=st.sampled_from([1.0, 24000 / 1001, 30.0, 240.0]),
)
def test_weights_are_shares_whatever_is_heard(values: np.ndarray, samples: np.ndarray, fps: float) -> None:
    weights = animated(Curves(fps, values), samples).weights
    assert weights.shape == (len(values), len(SHAPES))
    assert weights.min() >= 0
    assert weights.max() <= 1


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 8000), max_size=5), length=st.integers(0, 8000))
def test_how_sound_is_divided_into_blocks_makes_no_difference(cuts: list[int], length: int) -> None:
    samples = np.random.default_rng(length).standard_normal(length).astype(np.float32)
    whole, parts = levels([samples]), levels(np.split(samples, sorted(cut for cut in cuts if cut <= length)))
    assert parts.power == pytest.approx(whole.power)
    assert parts.differences == pytest.approx(whole.differences)
    assert len(whole.power) == length // 160
