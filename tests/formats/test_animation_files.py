"""Whichever format is named, an animation is written whole and readable, or refused with a reason."""

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
from dser_ext.formats import ANIMATION_FORMATS, animation_format, save_animation
from dser_ext.formats.blendshapes import Animation

NAMES = ("EyeBlinkLeft", "JawOpen")


def animation(times, *rows) -> Animation:
    return Animation(NAMES, np.array(times, float), np.array(rows, np.float32))


@pytest.mark.parametrize("format_name", sorted(set(ANIMATION_FORMATS) - {"a2f-csv"}))
def test_time_codes_that_no_frame_rate_fits_are_refused_but_by_the_table_with_time_codes(tmp_path, format_name):
    if format_name == "usda":
        pytest.importorskip("pxr")
    made = animation([0, 1e-6, 2e-6, 300], [0, 0], [0, 0], [0, 0], [0, 0])
    with pytest.raises(FormatError, match="a2f-csv"):
        save_animation(made, tmp_path / "a", format_name)
    assert not list(tmp_path.iterdir())
    save_animation(made, tmp_path / "a.csv", "a2f-csv")


def test_the_suffix_names_the_format_unless_one_is_given():
    suffixes = {"a.json": "a2f-json", "b/A.CSV": "a2f-csv", "a.usda": "usda"}
    assert {path: animation_format(path) for path in suffixes} == suffixes
    assert animation_format("a.csv", "livelink-csv") == "livelink-csv"


@pytest.mark.parametrize("path", ["a.fbx", "a", ".json"])
def test_a_suffix_of_no_format_names_the_known_ones(path):
    with pytest.raises(FormatError, match=r"ends in \.csv, \.json, \.usda, or has its format named with --format"):
        animation_format(path)


def test_an_unknown_format_names_the_known_ones(tmp_path):
    known = "a2f-json, a2f-csv, usda, livelink-csv"
    with pytest.raises(FormatError, match=f"'fbx' is no animation format; choose from {known}"):
        save_animation(animation([0], [0, 0]), tmp_path / "a.fbx", "fbx")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FormatError, match=r"missing.a\.json: cannot be written"):
        save_animation(animation([0], [0, 0]), tmp_path / "missing" / "a.json")


@st.composite
def animations(draw: st.DrawFn) -> Animation:
    times = np.sort(draw(st.lists(st.floats(0, 400), min_size=1, max_size=8, unique=True).map(np.array)))
    weights = draw(arrays.arrays(np.float32, (len(times), 2), elements=st.floats(-2, 2, width=32)))
    return Animation(NAMES, times, weights)


@given(animations(), st.sampled_from(["a2f-json", "a2f-csv", "livelink-csv"]))
def test_every_animation_is_written_readable_or_refused_for_its_times(tmp_path_factory, made, format_name):
    path = tmp_path_factory.mktemp("made") / "animation"
    with contextlib.suppress(FormatError):
        save_animation(made, path, format_name)
    if not path.exists():
        assert format_name != "a2f-csv"  # the only one that times cannot be too uneven for
    elif format_name == "a2f-json":
        document = json.loads(path.read_text())
        assert np.shape(document["weightMat"]) == (document["numFrames"], document["numPoses"])
    elif format_name == "a2f-csv":
        rows = list(csv.reader(path.read_text().splitlines()))
        assert [float(row[1]) for row in rows[1:]] == made.times.tolist()
    else:
        assert {len(row) for row in csv.reader(path.read_text().splitlines())} == {63}
