"""Emotion weights in USD, as Pixar's own library reads them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.formats import TRACK_FORMATS
from dser_ext.formats.keyed_line import KeyedLine
from dser_ext.formats.usd_emotions import write_usd

pxr = pytest.importorskip("pxr", reason="needs usd-core")
LINE = KeyedLine(
    Keyframes(np.array([0, 12, 24]) / 24, np.linspace(0, 1, 30, dtype=np.float32).reshape(3, 10)),
    24,
    1.0,
    "takes/line_1.wav",
)


def stage_of(path):
    from pxr import Usd

    return Usd.Stage.Open(str(path))


@pytest.mark.parametrize("suffix", [".usda", ".usdc"])
def test_names_and_weights_lie_side_by_side_as_in_a_skel_animation(tmp_path, suffix):
    TRACK_FORMATS[suffix[1:]].write(LINE, tmp_path / f"line_1{suffix}")
    stage = stage_of(tmp_path / f"line_1{suffix}")
    prim = stage.GetPrimAtPath("/Emotions/line_1")
    assert tuple(prim.GetAttribute("emotions:names").Get()) == A2F_EMOTIONS
    weights = prim.GetAttribute("emotions:weights")
    assert weights.GetTypeName() == "float[]"
    assert weights.GetTimeSamples() == [0, 12, 24]
    assert prim.GetAttribute("emotions:sound").Get() == "takes/line_1.wav"
    assert (stage.GetTimeCodesPerSecond(), stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (24, 0, 24)
    assert stage.GetDefaultPrim().GetName() == "Emotions"
    assert [path.name for path in tmp_path.iterdir()] == [f"line_1{suffix}"]


def test_between_keys_usd_says_what_audio2face_shows(tmp_path):
    write_usd(LINE, tmp_path / "line.usda")
    stage = stage_of(tmp_path / "line.usda")
    weights = stage.GetPrimAtPath("/Emotions/line_1").GetAttribute("emotions:weights")
    for frame in (3, 6.5, 20):
        np.testing.assert_allclose(weights.Get(frame), LINE.keyframes.at(frame / 24), atol=2e-6)


def test_many_lines_are_sublayers_of_a_scene_of_another_frame_rate(tmp_path):
    from pxr import Sdf, Usd

    for name in ("anna 1", "anna-1", "再", "見"):
        write_usd(replace(LINE, sound=f"{name}.wav"), tmp_path / f"{name}.usda")
    scene = Sdf.Layer.CreateNew(str(tmp_path / "scene.usda"))
    scene.timeCodesPerSecond = 60
    scene.subLayerPaths = [path.name for path in sorted(tmp_path.iterdir()) if path.name != "scene.usda"]
    stage = Usd.Stage.Open(scene)
    prims = stage.GetPrimAtPath("/Emotions").GetChildren()
    assert len(prims) == 4
    assert all(prim.GetAttribute("emotions:weights").GetTimeSamples() == [0, 30, 60] for prim in prims)
