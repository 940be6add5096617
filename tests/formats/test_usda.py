"""Animation as a USD SkelAnimation, opened with USD itself."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from dser_ext.errors import FormatError
from dser_ext.formats import save_animation
from dser_ext.formats.blendshapes import ARKIT_BLENDSHAPES, Animation


def animation(frames: int, fps: float = 30) -> Animation:
    weights = np.random.default_rng(0).random((frames, len(ARKIT_BLENDSHAPES)))
    return Animation(ARKIT_BLENDSHAPES, np.arange(frames) / fps, weights)


@pytest.fixture
def opened(tmp_path):
    """Saves an animation and opens it as a stage."""
    usd = pytest.importorskip("pxr.Usd")

    def save(made: Animation):
        save_animation(made, tmp_path / "face.usda", track_path='voices/"lïne".wav')
        return usd.Stage.Open(str(tmp_path / "face.usda"))

    return save


@pytest.mark.parametrize("fps", [24, 29.97, 30, 60])
def test_every_frame_comes_back_under_the_name_of_its_blendshape(opened, fps):
    from pxr import UsdSkel

    made = animation(90, fps)
    stage = opened(made)
    face = UsdSkel.Animation(stage.GetPrimAtPath("/World/anim_a2f_export"))
    names = [name[0].lower() + name[1:] for name in ARKIT_BLENDSHAPES]
    assert list(face.GetBlendShapesAttr().Get()) == names
    curves = face.GetBlendShapeWeightsAttr()
    assert curves.GetTimeSamples() == list(range(90))
    read = np.array([curves.Get(frame) for frame in range(90)])
    np.testing.assert_allclose(read, made.weights, atol=1e-6)


def test_the_stage_plays_from_the_first_to_the_last_frame_at_the_rate_of_the_animation(opened):
    from pxr import Usd, UsdGeom

    stage = opened(animation(120, 60))
    assert stage.GetDefaultPrim().GetPath() == "/World"
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (0, 119)
    assert (stage.GetTimeCodesPerSecond(), stage.GetFramesPerSecond()) == (60, 60)
    assert UsdGeom.GetStageMetersPerUnit(stage) == 0.01
    assert [prim.GetTypeName() for prim in Usd.PrimRange(stage.GetDefaultPrim())] == ["Xform", "SkelAnimation"]
    assert stage.GetRootLayer().comment == 'voices/"lïne".wav'


def test_the_file_is_text_that_people_can_read(opened, tmp_path):
    opened(Animation(("JawOpen",), np.arange(2) / 30, np.array([[0.1], [0.25]])))
    text = (tmp_path / "face.usda").read_text(encoding="utf-8")
    assert text.startswith("#usda 1.0")
    assert 'uniform token[] blendShapes = ["jawOpen"]' in text
    assert "0: [0.1]," in text


def test_without_usd_the_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pxr", None)
    with pytest.raises(FormatError, match="USD files need usd-core, which is not installed; pip install"):
        save_animation(animation(2), tmp_path / "face.usda")
    assert not list(tmp_path.iterdir())


def test_usd_is_loaded_for_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pxr", None)
    for name in ("face.json", "face.csv"):
        save_animation(animation(2), tmp_path / name)
