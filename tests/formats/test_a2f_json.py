"""Animation as the JSON that Audio2Face's importers read, in step with the sound."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dser_ext.formats import save_animation
from dser_ext.formats.blendshapes import Animation

NAMES = ("EyeBlinkLeft", "JawOpen")


def animation(times, *rows) -> Animation:
    return Animation(NAMES, np.array(times, float), np.array(rows, np.float32))


def saved_json(made: Animation, folder) -> dict:
    save_animation(made, folder / "a.json", "a2f-json")
    return json.loads((folder / "a.json").read_text(encoding="utf-8"))


def test_the_json_has_all_that_importers_look_for(tmp_path):
    made = animation(np.arange(3) / 30, [0, 0.1], [0.25, 0.2], [1, 0.3])
    save_animation(made, tmp_path / "line.json", "a2f-json", track_path="voices/lïne.wav")
    assert json.loads((tmp_path / "line.json").read_text(encoding="utf-8")) == {
        "exportFps": 30.0,
        "trackPath": "voices/lïne.wav",
        "numPoses": 2,
        "numFrames": 3,
        "facsNames": ["eyeBlinkLeft", "jawOpen"],
        "weightMat": [[0.0, 0.1], [0.25, 0.2], [1.0, 0.3]],
    }


@pytest.mark.parametrize("fps", [24, 30, 59.94, 60, 16000 / 533])
def test_five_minutes_keep_frame_for_frame_at_any_rate(tmp_path, fps):
    count = int(300 * fps)
    weights = np.random.default_rng(0).random((count, 2)).astype(np.float32)
    document = saved_json(Animation(NAMES, np.arange(count) / fps, weights), tmp_path)
    assert document["exportFps"] == pytest.approx(fps, abs=0.0005)
    assert document["numFrames"] == count
    np.testing.assert_allclose(document["weightMat"], weights, atol=0.01 if fps % 1 else 1e-6)


def test_a_frame_that_the_server_left_out_is_filled_in_so_that_lips_stay_on_the_sound(tmp_path):
    document = saved_json(animation([0, 0.1, 0.2, 0.4, 0.5], [0, 0], [0, 0], [0, 1], [0, 2], [0, 3]), tmp_path)
    assert document["weightMat"] == [[0, 0], [0, 0], [0, 1], [0, 1.5], [0, 2], [0, 3]]


def test_an_animation_that_begins_late_holds_its_first_frame_until_then(tmp_path):
    document = saved_json(animation([0.2, 0.3, 0.4], [0, 1], [0, 2], [0, 3]), tmp_path)
    assert document["weightMat"] == [[0, 1], [0, 1], [0, 1], [0, 2], [0, 3]]


def test_a_single_frame_is_an_animation(tmp_path):
    assert saved_json(animation([0], [0, 0.5]), tmp_path)["weightMat"] == [[0, 0.5]]
