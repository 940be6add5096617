"""Animation as a recording of Live Link Face: every curve in the column of its name."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from dser_ext.errors import DserWarning, FormatError
from dser_ext.formats import save_animation
from dser_ext.formats.blendshapes import ARKIT_BLENDSHAPES, TONGUE_BLENDSHAPES, Animation

HEADER = (
    "Timecode,BlendShapeCount,EyeBlinkLeft,EyeLookDownLeft,EyeLookInLeft,EyeLookOutLeft,EyeLookUpLeft,EyeSquintLeft,"
    "EyeWideLeft,EyeBlinkRight,EyeLookDownRight,EyeLookInRight,EyeLookOutRight,EyeLookUpRight,EyeSquintRight,"
    "EyeWideRight,JawForward,JawRight,JawLeft,JawOpen,MouthClose,MouthFunnel,MouthPucker,MouthRight,MouthLeft,"
    "MouthSmileLeft,MouthSmileRight,MouthFrownLeft,MouthFrownRight,MouthDimpleLeft,MouthDimpleRight,"
    "MouthStretchLeft,MouthStretchRight,MouthRollLower,MouthRollUpper,MouthShrugLower,MouthShrugUpper,"
    "MouthPressLeft,MouthPressRight,MouthLowerDownLeft,MouthLowerDownRight,MouthUpperUpLeft,MouthUpperUpRight,"
    "BrowDownLeft,BrowDownRight,BrowInnerUp,BrowOuterUpLeft,BrowOuterUpRight,CheekPuff,CheekSquintLeft,"
    "CheekSquintRight,NoseSneerLeft,NoseSneerRight,TongueOut,HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,LeftEyePitch,"
    "LeftEyeRoll,RightEyeYaw,RightEyePitch,RightEyeRoll"
)
"""As recordings of the app have it."""


def saved(made: Animation, folder) -> list[dict[str, str]]:
    save_animation(made, folder / "face.csv", "livelink-csv")
    return list(csv.DictReader((folder / "face.csv").read_text(encoding="utf-8").splitlines()))


def animation(names, frames: int = 1, fps: float = 30) -> Animation:
    """Every curve of a value of its own."""
    row = np.linspace(0.01, 0.99, len(names))
    return Animation(tuple(names), np.arange(frames) / fps, np.tile(row, (frames, 1)))


def test_the_columns_are_those_of_the_app(tmp_path):
    saved(animation(ARKIT_BLENDSHAPES), tmp_path)
    lines = (tmp_path / "face.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == HEADER
    assert lines[1].startswith("00:00:00:00.000,61,0.01,")
    assert len(lines[1].split(",")) == 63


@pytest.mark.parametrize("seed", range(3))
def test_each_curve_goes_by_its_name_in_whatever_order_the_service_has_them(tmp_path, seed):
    names = np.random.default_rng(seed).permutation(ARKIT_BLENDSHAPES).tolist()
    made = animation(names)
    (row,) = saved(made, tmp_path)
    for name, value in zip(names, made.weights[0], strict=True):
        assert float(row[name]) == pytest.approx(value, abs=1e-6)


def test_jaw_and_mouth_to_the_left_stay_left_though_the_columns_are_swapped(tmp_path):
    names = ("JawLeft", "JawRight", "MouthLeft", "MouthRight")
    (row,) = saved(Animation(names, np.zeros(1), np.array([[0.1, 0.2, 0.3, 0.4]])), tmp_path)
    assert [float(row[name]) for name in names] == [0.1, 0.2, 0.3, 0.4]


def test_what_the_animation_does_not_have_is_zero_and_other_spellings_are_understood(tmp_path):
    (row,) = saved(Animation(("jawOpen",), np.zeros(1), np.array([[0.5]])), tmp_path)
    values = {name: float(row[name]) for name in HEADER.split(",")[2:]}
    assert values.pop("JawOpen") == 0.5
    assert set(values.values()) == {0.0}


def test_the_tongue_has_no_columns_and_that_is_said(tmp_path):
    with pytest.warns(DserWarning, match="no place for 16 of 68 blendshapes"):
        saved(animation((*ARKIT_BLENDSHAPES, *TONGUE_BLENDSHAPES)), tmp_path)


def test_a_face_with_none_of_the_names_is_refused(tmp_path):
    with pytest.raises(FormatError, match="none of Live Link Face's blendshapes; save it as"):
        saved(animation(("head_lod0_mesh",)), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("fps", "frame", "timecode"),
    [
        (30, 0, "00:00:00:00.000"),
        (30, 29, "00:00:00:29.000"),
        (30, 30, "00:00:01:00.000"),
        (60, 3659, "00:01:00:59.000"),
        (29.97, 1800, "00:01:00:00.000"),  # counts frames and drops none
        (1, 3661, "01:01:01:00.000"),
    ],
)
def test_time_codes_count_frames_at_the_rate_of_the_animation(tmp_path, fps, frame, timecode):
    assert saved(animation(("JawOpen",), frame + 1, fps), tmp_path)[frame]["Timecode"] == timecode
