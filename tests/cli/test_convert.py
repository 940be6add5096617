"""dser convert: from one file to another, whatever they are."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import dser_ext
from dser_ext.formats import TRACK_FORMATS, read_any, save_animation
from dser_ext.formats.blendshapes import ARKIT_BLENDSHAPES, Animation


@pytest.fixture
def track(dser, line) -> Path:
    dser("emote", line, "-o", "line.json", "--fps", "25")
    return Path("line.json")


@pytest.mark.parametrize("name", [name for name in TRACK_FORMATS if name != "json"])
def test_a_track_becomes_what_the_line_would_have(dser, track, name):
    if name.startswith("usd"):
        pytest.importorskip("pxr", reason="needs usd-core")
    suffix = TRACK_FORMATS[name].suffix
    assert dser("convert", track, f"line{suffix}").code == 0
    performance = dser_ext.load(track)
    TRACK_FORMATS[name].write(performance, f"expected{suffix}")
    assert Path(f"line{suffix}").read_bytes() == Path(f"expected{suffix}").read_bytes()


def test_keys_go_from_any_file_to_any_other(dser, track):
    pytest.importorskip("pxr", reason="needs usd-core")
    chain = [track, "a.yaml", "b.unreal.csv", "c.usda", "d.blender.json", "e.usdc", "f.yaml"]
    for source, target in pairwise(chain):
        assert dser("convert", source, target).code == 0
    first, last = read_any("a.yaml").keyframes, read_any("f.yaml").keyframes
    np.testing.assert_allclose(last.times, first.times, atol=1e-8)
    np.testing.assert_allclose(last.values, first.values, atol=2e-6)


def test_keys_alone_are_no_track(dser, track):
    dser("convert", track, "keys.yaml")
    done = dser("convert", "keys.yaml", "back.json")
    assert done.code == 1
    assert done.line.startswith("dser: keys.yaml: holds keys alone, and back.json needs the track that was heard;")
    assert not Path("back.json").exists()


def test_another_frame_rate_moves_no_key(dser, track):
    dser("convert", track, "line.blender.json", "--fps", "23.976")
    document = json.loads(Path("line.blender.json").read_text())
    assert (document["fps"], document["fps_base"]) == (24.0, 1.001)
    times = np.array(document["frames"]) / (24 / 1.001)
    np.testing.assert_allclose(times, dser_ext.load(track).keyframes.times, atol=1e-6)


def test_an_animation_becomes_one_of_another_program(dser):
    weights = np.random.default_rng(0).random((30, 52)).astype(np.float32)
    before = Animation(ARKIT_BLENDSHAPES, np.arange(30) / 30, weights)
    save_animation(before, "face.json")
    assert dser("convert", "face.json", "face.csv", "--format", "livelink-csv").code == 0
    assert dser("convert", "face.csv", "again.csv", "--format", "a2f-csv").code == 0
    after = read_any("again.csv")
    np.testing.assert_allclose(after.weights[:, [after.names.index(name) for name in before.names]], weights, atol=2e-6)
    assert dser("convert", "face.json", "x.csv", "--fps", "24").code == 2


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nothing.json", "cannot be read"),
        ("words.txt", "nothing of this suffix is read; those are"),
        ("wrong.csv", "is of none of the formats"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_sentence(dser, source, said):
    Path("words.txt").write_text("hello")
    Path("wrong.csv").write_text("a,b\n1,2\n")
    done = dser("convert", source, "out.yaml")
    assert done.code == 1
    assert said in done.line


def test_a_file_is_not_converted_onto_itself(dser, track):
    assert dser("convert", track, track).code == 2
