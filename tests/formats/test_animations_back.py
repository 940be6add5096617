"""Animations are read back from every format, and as other programs write and read them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dser_ext.errors import FormatError
from dser_ext.formats import ANIMATION_FORMATS, read_any, save_animation
from dser_ext.formats.a2f_json import read_json
from dser_ext.formats.blendshapes import ARKIT_BLENDSHAPES, Animation

RATES = [24, 25, 30, 50, 60]


def animation(fps: float = 30, frames: int = 100) -> Animation:
    weights = np.random.default_rng(0).random((frames, 52)).astype(np.float32)
    return Animation(ARKIT_BLENDSHAPES, np.arange(frames) / fps, weights)


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("name", ANIMATION_FORMATS)
def test_every_weight_comes_back_at_its_time(tmp_path, name, fps):
    if name == "usda":
        pytest.importorskip("pxr", reason="needs usd-core")
    before = animation(fps)
    path = tmp_path / f"face{ANIMATION_FORMATS[name].suffix}"
    save_animation(before, path, name)
    for after in (ANIMATION_FORMATS[name].read(path), read_any(path)):
        assert isinstance(after, Animation)
        order = [after.names.index(shape) for shape in before.names]
        np.testing.assert_allclose(after.weights[:, order], before.weights, atol=1e-6)
        np.testing.assert_allclose(after.times, before.times, atol=1e-9)


@pytest.mark.parametrize("name", ANIMATION_FORMATS)
def test_what_is_none_is_named_with_a_remedy(tmp_path, name):
    if name == "usda":
        pytest.importorskip("pxr", reason="needs usd-core")
    path = tmp_path / f"broken{ANIMATION_FORMATS[name].suffix}"
    for content in (b"", b"{}", b"a,b\n1\n", b"#usda 1.0\n", b"\xff\xff", b"a" * 200_000):
        path.write_bytes(content)
        with pytest.raises(FormatError, match=r"broken.*;"):
            ANIMATION_FORMATS[name].read(path)


@pytest.mark.parametrize(("names", "rate"), [("facsNames", "exportFps"), ("faceNames", "fps")])
def test_both_spellings_of_a_blendshape_file_are_read(tmp_path, names, rate):
    document = {rate: 60.0, names: ["jawOpen", "mouthSmileLeft"], "weightMat": [[0, 0.5], [0.25, 1]]}
    (tmp_path / "face.json").write_text(json.dumps(document))
    found = read_json(tmp_path / "face.json")
    assert found.names == ("JawOpen", "MouthSmileLeft")
    assert found.fps == 60
    np.testing.assert_allclose(found.weights, [[0, 0.5], [0.25, 1]])


class TestOpenFaceFX:
    """A reader and writer of these files that others wrote."""

    @pytest.fixture(autouse=True)
    def _peer(self) -> None:
        self.peer = pytest.importorskip("openfacefx")

    def test_it_reads_what_we_write(self, tmp_path):
        before = animation(frames=20)
        save_animation(before, tmp_path / "face.json", "a2f-json")
        track, warned = self.peer.read_a2f(str(tmp_path / "face.json"), epsilon=1e-4)
        assert not warned
        channels = {channel.name: channel for channel in track.channels}
        for number, shape in enumerate(before.names):
            channel = channels[shape[0].lower() + shape[1:]]
            keys = [(key.time, key.value) for key in channel.keys]
            shown = np.interp(before.times, [time for time, _ in keys], [value for _, value in keys])
            np.testing.assert_allclose(shown, before.weights[:, number], atol=1e-3)  # it leaves out keys that it can

    def test_it_reads_our_recording_of_live_link_face(self, tmp_path):
        before = animation(frames=70)
        save_animation(before, tmp_path / "face.csv", "livelink-csv")
        track, _ = self.peer.read_csv(str(tmp_path / "face.csv"), fps=30.0, epsilon=1e-4)
        channels = {channel.name: channel for channel in track.channels}
        for shape in ("JawOpen", "JawLeft", "MouthRight", "EyeBlinkLeft", "TongueOut"):
            keys = [(key.time, key.value) for key in channels[shape].keys]
            shown = np.interp(before.times, [time for time, _ in keys], [value for _, value in keys])
            np.testing.assert_allclose(shown, before.weights[:, before.names.index(shape)], atol=1e-3)

    def test_we_read_what_it_writes(self, tmp_path):
        before = animation(frames=20)
        save_animation(before, tmp_path / "face.json", "a2f-json")
        track, _ = self.peer.read_a2f(str(tmp_path / "face.json"), epsilon=1e-4)
        self.peer.write_a2f(track, str(tmp_path / "theirs.json"), fps=30.0)
        after = read_json(tmp_path / "theirs.json")
        order = [after.names.index(shape) for shape in before.names]
        np.testing.assert_allclose(after.weights[:20, order], before.weights, atol=2e-3)
