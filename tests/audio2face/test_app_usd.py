"""Keys become time samples in a layer over the app's scene, and the scene's own files stay as they are."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dser_ext.audio2face.app_usd import key_open_scene, write_keyed_scene
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.errors import Audio2FaceError, FormatError

pxr = pytest.importorskip("pxr", reason="needs usd-core")

PLACE = "/World/audio2face/CoreFullface.state:setting_emotion"
SCENE = """#usda 1.0
(
    customLayerData = {{ dictionary audio2faceSettings = {{ double export_fps = 60 }} }}
    defaultPrim = "World"
    endTimeCode = 300
    framesPerSecond = 30
    metersPerUnit = 0.01
    startTimeCode = 15
    timeCodesPerSecond = 30
    upAxis = "Y"
)
def Xform "World" (references = @missing.usd@)
{{
    def Xform "audio2face"
    {{
        def OmniGraphNode "CoreFullface"
        {{
            custom token node:type = "omni.audio2face.core.CoreFullface"
            {emotion}
            {fps}
            double moves.timeSamples = {{ 0: 0, 30: 1 }}
        }}
    }}
}}
"""
EMOTION = "custom float[] state:setting_emotion = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]"
FPS = "custom float state:setting_keyframer_fps = 60"
KEYS = Keyframes(np.array([0, 0.5, 1 / 3, 2.25])[[0, 2, 1, 3]], np.linspace(0, 1, 40, dtype=np.float32).reshape(4, 10))


def make_scene(folder: Path, emotion: str = EMOTION, fps: str = FPS) -> Path:
    path = folder / "scene.usda"
    path.write_text(SCENE.format(emotion=emotion, fps=fps))
    return path


@pytest.fixture
def scene(tmp_path) -> Path:
    return make_scene(tmp_path)


def opened(path: Path):
    from pxr import Usd

    return Usd.Stage.Open(str(path))


def test_the_face_feels_the_keys_at_their_seconds(scene, tmp_path):
    assert write_keyed_scene(KEYS, scene, tmp_path / "keyed.usda") == PLACE
    stage = opened(tmp_path / "keyed.usda")
    attribute = stage.GetAttributeAtPath(PLACE)
    assert attribute.GetTimeSamples() == [0, 20, 30, 135]
    for seconds in np.linspace(0, 3, 40):
        felt = attribute.Get(seconds * stage.GetTimeCodesPerSecond())
        np.testing.assert_allclose(felt, KEYS.at(seconds), atol=1e-6)


def test_a_time_code_is_a_frame_of_the_keyframer_and_what_the_scene_holds_keeps_its_time(scene, tmp_path):
    write_keyed_scene(KEYS, scene, tmp_path / "keyed.usda")
    stage = opened(tmp_path / "keyed.usda")
    assert stage.GetTimeCodesPerSecond() == 60
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode(), stage.GetFramesPerSecond()) == (30, 600, 30)
    assert stage.GetAttributeAtPath("/World/audio2face/CoreFullface.moves").Get(60) == 1
    assert (stage.GetDefaultPrim().GetPath(), stage.GetMetadata("metersPerUnit")) == ("/World", 0.01)
    assert stage.GetMetadata("customLayerData")["audio2faceSettings"]["export_fps"] == 60


@pytest.mark.parametrize(
    ("fps", "code"), [("", 60), ("custom float state:setting_keyframer_fps", 60), (FPS[:-2] + "24", 24)]
)
def test_the_frames_are_those_that_the_scene_tells_or_sixty_a_second(tmp_path, fps, code):
    write_keyed_scene(Keyframes(np.array([1.0]), np.zeros((1, 10))), make_scene(tmp_path, fps=fps), tmp_path / "k.usda")
    stage = opened(tmp_path / "k.usda")
    assert stage.GetAttributeAtPath(PLACE).GetTimeSamples() == [code]
    assert stage.GetTimeCodesPerSecond() == code


def test_the_scene_stays_as_it_is_and_both_can_be_moved_together(scene, tmp_path):
    before = scene.read_bytes()
    (tmp_path / "keyed").mkdir()
    write_keyed_scene(KEYS, scene, tmp_path / "keyed" / "keyed.usda")
    assert scene.read_bytes() == before
    assert "@../scene.usda@" in (tmp_path / "keyed" / "keyed.usda").read_text()
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("scene.usda", "keyed"):
        (tmp_path / name).rename(moved / name)
    assert opened(moved / "keyed" / "keyed.usda").GetPrimAtPath("/World/audio2face/CoreFullface").IsDefined()


def test_keys_in_the_scene_are_overruled_all_of_them(tmp_path):
    samples = "custom float[] state:setting_emotion.timeSamples = { 7: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1] }"
    write_keyed_scene(KEYS, make_scene(tmp_path, samples), tmp_path / "keyed.usda")
    assert opened(tmp_path / "keyed.usda").GetAttributeAtPath(PLACE).GetTimeSamples() == [0, 20, 30, 135]


def test_keys_may_go_to_another_attribute(tmp_path):
    scene = make_scene(tmp_path, "float[] feelings")
    target = "/World/audio2face/CoreFullface.feelings"
    assert write_keyed_scene(KEYS, scene, tmp_path / "keyed.usda", target) == target
    assert len(opened(tmp_path / "keyed.usda").GetAttributeAtPath(target).GetTimeSamples()) == 4


def test_a_scene_in_the_binary_format_will_do(scene, tmp_path):
    stage = opened(scene)  # held: a layer lives no longer than its stage
    stage.GetRootLayer().Export(str(tmp_path / "binary.usd"))
    assert write_keyed_scene(KEYS, tmp_path / "binary.usd", tmp_path / "keyed.usda") == PLACE


@pytest.mark.parametrize(
    ("scene_text", "target", "message"),
    [
        ({}, "/World/ann/CoreFullface", "has no prim /World/ann/CoreFullface; choose with --instance among /World/a"),
        ({"emotion": ""}, None, "has no attribute state:setting_emotion, so this is no scene that keys can be"),
        ({"emotion": "float[] state:setting_emotion = [0]"}, None, r"is float\[\] of 1 and not float\[\] of 10"),
        ({"emotion": 'token[] state:setting_emotion = ["a"]'}, None, r"is token\[\] of 1 and not float\[\] of 10"),
        ({"emotion": "float state:setting_emotion"}, None, r"is float and not float\[\] of 10"),
        ({"emotion": "rel state:setting_emotion"}, None, "has no attribute state:setting_emotion"),
        ({"fps": "custom float state:setting_keyframer_fps = 0"}, None, "is 0.0 and no number of frames a second"),
        ({"fps": "custom float state:setting_keyframer_fps = nan"}, None, "is nan and no number"),
        ({"fps": 'custom token state:setting_keyframer_fps = "x"'}, None, "is x and no number"),
        ({}, "CoreFullface", "no path of a prim"),
        ({}, "/World/{", "no path of a prim"),
        ({}, "/", "no path of a prim"),
    ],
)
def test_a_scene_that_cannot_hold_the_keys_is_said_to_and_nothing_is_written(tmp_path, scene_text, target, message):
    with pytest.raises(Audio2FaceError, match=message) as caught:
        write_keyed_scene(KEYS, make_scene(tmp_path, **scene_text), tmp_path / "keyed.usda", target)
    assert str(caught.value).isprintable()
    assert [path.name for path in tmp_path.iterdir()] == ["scene.usda"]


def test_a_scene_that_is_open_is_keyed_in_place(scene):
    stage = pxr.Usd.Stage.Open(str(scene))
    attribute = stage.GetAttributeAtPath(PLACE)
    attribute.Set([1.0] * 10, 7)
    assert key_open_scene(stage, KEYS) == PLACE
    assert attribute.GetTimeSamples() == pytest.approx([60 * seconds for seconds in KEYS.times])
    np.testing.assert_allclose([attribute.Get(60 * seconds) for seconds in KEYS.times], KEYS.values, atol=1e-6)


def test_an_open_scene_without_a_face_is_told():
    with pytest.raises(Audio2FaceError, match="the open scene has 0 faces"):
        key_open_scene(pxr.Usd.Stage.CreateInMemory(), KEYS)


def test_a_scene_without_a_face_is_named(tmp_path):
    (tmp_path / "empty.usda").write_text("#usda 1.0\n")
    with pytest.raises(Audio2FaceError, match="save the scene from Audio2Face with a character"):
        write_keyed_scene(KEYS, tmp_path / "empty.usda", tmp_path / "keyed.usda")


@pytest.mark.parametrize("name", ["missing.usd", ".", "text.txt", "broken.usda", "broken.usd", "empty.usdc"])
def test_what_is_no_scene_is_named(tmp_path, name, capfd):
    for broken in ("text.txt", "broken.usda", "broken.usd"):
        (tmp_path / broken).write_text("#usda 1.0\ndef {" if broken == "broken.usda" else "no scene")
    (tmp_path / "empty.usdc").write_bytes(b"")
    with pytest.raises(FormatError, match=r"(is no USD scene|cannot be read)"):
        write_keyed_scene(KEYS, tmp_path / name, tmp_path / "keyed.usda")
    assert capfd.readouterr().err == ""


def test_a_part_of_the_scene_is_never_replaced(scene, tmp_path):
    (tmp_path / "shot.usda").write_text("#usda 1.0\n(subLayers = [@scene.usda@])\n")
    for path in (scene, tmp_path / "shot.usda"):
        with pytest.raises(FormatError, match="is a part of the scene"):
            write_keyed_scene(KEYS, tmp_path / "shot.usda", path)


def test_usd_says_nothing_of_its_own(scene, tmp_path, capfd):
    write_keyed_scene(KEYS, scene, tmp_path / "keyed.usda")
    assert capfd.readouterr() == ("", "")


def test_a_folder_that_is_not_there_is_named(scene, tmp_path):
    with pytest.raises(FormatError, match="cannot be written"):
        write_keyed_scene(KEYS, scene, tmp_path / "no" / "keyed.usda")


def test_without_usd_core_the_remedy_is_named(scene, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pxr", None)
    with pytest.raises(Audio2FaceError, match=r"usd-core; install it with"):
        write_keyed_scene(KEYS, scene, tmp_path / "keyed.usda")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    frames=st.lists(st.integers(0, 100_000), min_size=1, max_size=8, unique=True), rate=st.sampled_from([24, 30, 50])
)
def test_any_keys_come_back(scene, tmp_path, frames, rate):
    times = np.sort(np.array(frames)) / rate
    values = np.random.default_rng(len(frames)).uniform(0, 1, (len(frames), 10)).astype(np.float32)
    write_keyed_scene(Keyframes(times, values), scene, tmp_path / "keyed.usda")
    stage = opened(tmp_path / "keyed.usda")
    stage.Reload()  # USD keeps a layer that it has open
    attribute = stage.GetAttributeAtPath(PLACE)
    np.testing.assert_allclose(np.array(attribute.GetTimeSamples()) / 60, times, atol=1e-6)
    np.testing.assert_array_equal([attribute.Get(code) for code in attribute.GetTimeSamples()], values)
