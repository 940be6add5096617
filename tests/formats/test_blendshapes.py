"""Facial animation reaches files that Audio2Face's importers and NVIDIA's scripts read."""

from __future__ import annotations

import contextlib
import csv
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dser_ext.errors import FormatError
from dser_ext.formats.blendshapes import ANIMATION_FORMATS, Animation, save_animation

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


def test_the_csv_is_the_table_that_nvidias_client_writes(tmp_path):
    save_animation(animation([0, 0.04], [0, 0.1], [0.25, 0.2]), tmp_path / "line.csv", "a2f-csv")
    assert (tmp_path / "line.csv").read_text() == (
        ",timeCode,blendShapes.EyeBlinkLeft,blendShapes.JawOpen\n0,0.0,0.0,0.1\n1,0.04,0.25,0.2\n"
    )


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


def test_time_codes_that_no_frame_rate_fits_are_refused_as_json_but_not_as_csv(tmp_path):
    made = animation([0, 1e-6, 2e-6, 300], [0, 0], [0, 0], [0, 0], [0, 0])
    with pytest.raises(FormatError, match="a2f-csv"):
        save_animation(made, tmp_path / "a.json", "a2f-json")
    assert not list(tmp_path.iterdir())
    save_animation(made, tmp_path / "a.csv", "a2f-csv")


def test_a_single_frame_is_an_animation(tmp_path):
    assert saved_json(animation([0], [0, 0.5]), tmp_path)["weightMat"] == [[0, 0.5]]


def test_an_unknown_format_names_the_known_ones(tmp_path):
    with pytest.raises(FormatError, match="'fbx' is no animation format; choose from a2f-json, a2f-csv"):
        save_animation(animation([0], [0, 0]), tmp_path / "a.fbx", "fbx")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FormatError, match=r"missing.a\.json: cannot be written"):
        save_animation(animation([0], [0, 0]), tmp_path / "missing" / "a.json", "a2f-json")


@pytest.mark.parametrize(
    ("names", "times", "weights"),
    [
        ((), [0], np.zeros((1, 0))),
        (("a", "a"), [0], np.zeros((1, 2))),
        (("a", ""), [0], np.zeros((1, 2))),
        (NAMES, [], np.zeros((0, 2))),
        (NAMES, [0], np.zeros((1, 3))),
        (NAMES, [0, 0], np.zeros((2, 2))),
        (NAMES, [-1], np.zeros((1, 2))),
        (NAMES, [np.nan], np.zeros((1, 2))),
        (NAMES, [0], np.full((1, 2), np.nan)),
    ],
)
def test_arrays_that_are_no_animation_are_refused(names, times, weights):
    with pytest.raises(FormatError):
        Animation(names, np.array(times, float), weights)


def test_emotions_that_do_not_fit_are_refused():
    with pytest.raises(FormatError, match="emotions do not fit"):
        Animation(NAMES, np.zeros(1), np.zeros((1, 2), np.float32), np.zeros(2), np.zeros((1, 10), np.float32))


@st.composite
def animations(draw: st.DrawFn) -> Animation:
    times = np.sort(draw(st.lists(st.floats(0, 400), min_size=1, max_size=8, unique=True).map(np.array)))
    weights = draw(arrays.arrays(np.float32, (len(times), 2), elements=st.floats(-2, 2, width=32)))
    return Animation(NAMES, times, weights)


@given(animations(), st.sampled_from(sorted(ANIMATION_FORMATS)))
def test_every_animation_is_written_readable_or_refused_for_its_times(tmp_path_factory, made, format_name):
    path = tmp_path_factory.mktemp("made") / "animation"
    with contextlib.suppress(FormatError):
        save_animation(made, path, format_name)
    if not path.exists():
        assert format_name == "a2f-json"  # the only one to whom times can be too uneven
    elif format_name == "a2f-json":
        document = json.loads(path.read_text())
        assert np.shape(document["weightMat"]) == (document["numFrames"], document["numPoses"])
    else:
        rows = list(csv.reader(path.read_text().splitlines()))
        assert [float(row[1]) for row in rows[1:]] == made.times.tolist()
