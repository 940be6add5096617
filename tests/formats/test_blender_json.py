"""Keys for Blender; where it is installed as a module (bpy), the documented script is run in it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.formats.blender_json import write_blender
from dser_ext.formats.keyed_line import KeyedLine

DOCS = Path(__file__).parents[2] / "docs" / "FORMATS.md"
(SCRIPT,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
VALUES = np.random.default_rng(0).random((4, 10)).astype(np.float32)


@pytest.mark.parametrize(
    ("fps", "whole", "base"), [(24, 24, 1), (24000 / 1001, 24, 1.001), (30000 / 1001, 30, 1.001), (12.5, 13, 1.04)]
)
def test_the_rate_is_a_whole_number_over_a_base(tmp_path, fps, whole, base):
    write_blender(KeyedLine(Keyframes(np.arange(4) / fps, VALUES), fps, 1.0), tmp_path / "line.blender.json")
    document = json.loads((tmp_path / "line.blender.json").read_text())
    assert (document["fps"], document["fps_base"]) == (whole, pytest.approx(base, abs=1e-12))
    assert document["frames"] == [0, 1, 2, 3]
    assert tuple(document["curves"]) == A2F_EMOTIONS


def test_the_script_is_short():
    assert len(SCRIPT.splitlines()) <= 30


def test_the_script_makes_curves_in_blender(tmp_path):
    bpy = pytest.importorskip("bpy", reason="needs Blender as a module")
    rate = 24000 / 1001
    frames = np.array([0, 7, 8, 120])
    line = KeyedLine(Keyframes(frames / rate, VALUES), rate, 121 / rate)
    write_blender(line, tmp_path / "line.blender.json")
    bpy.ops.wm.read_factory_settings()
    cube = bpy.data.objects["Cube"]
    bpy.context.view_layer.objects.active = cube
    cube.shape_key_add(name="Basis")
    cube.shape_key_add(name="joy")
    exec(SCRIPT.replace("/path/to/line.blender.json", str(tmp_path / "line.blender.json")), {})
    scene = bpy.context.scene
    assert scene.render.fps / scene.render.fps_base == pytest.approx(rate, abs=1e-5)
    for frame in (0, 3, 7, 8, 60, 120):
        scene.frame_set(frame + 1)
        expected = np.stack([np.interp(frame, frames, column) for column in VALUES.T])
        evaluated = cube.evaluated_get(bpy.context.evaluated_depsgraph_get())
        shown = [
            evaluated.data.shape_keys.key_blocks["joy"].value if name == "joy" else evaluated[name]
            for name in A2F_EMOTIONS
        ]
        np.testing.assert_allclose(shown, expected, atol=1e-4)
