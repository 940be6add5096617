"""What `import dser_ext` offers: its documented example runs, and its names are where they are said to be."""

from __future__ import annotations

import doctest
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import dser_ext
from dser_ext.errors import FormatError

ROOT = Path(__file__).parents[1]


def test_every_name_it_lists_is_there():
    for name in dser_ext.__all__:
        assert getattr(dser_ext, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        _ = dser_ext.nonsense


def test_the_example_in_its_documentation_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dser_ext.DserWarning)
        result = doctest.testmod(dser_ext)
    assert result.attempted >= 3
    assert result.failed == 0
    assert dser_ext.load("line.json").style.name == "expressive"


def test_the_heavy_side_is_loaded_by_the_first_call_only():
    code = "import sys, dser_ext; print(sorted({'soundfile', 'soxr', 'onnxruntime', 'torch'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_saved_track_is_loaded_again(tmp_path):
    track = dser_ext.EmotionTrack(np.arange(100) / 50, np.full((100, 6), 2, np.float32))
    written = dser_ext.save(track, tmp_path / "a.json", style=dser_ext.Style(gain=2), fps=24, tolerance=0.1)
    read = dser_ext.load(tmp_path / "a.json")
    assert (read.style, read.fps) == (written.style, 24)
    np.testing.assert_allclose(read.keyframes.values, written.keyframes.values, atol=1e-5)
    np.testing.assert_allclose(read.track.concentration, track.concentration)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"style": "nervous"}, "nervous: neither a style"),
        ({"fps": 0}, "frames a second must be above 0"),
        ({"fps": float("nan")}, "not nan"),
        ({"tolerance": 0}, "tolerance must be at least"),
        ({"format": "fbx"}, "no such format"),
    ],
)
def test_unusable_settings_are_refused_and_nothing_is_written(tmp_path, settings, message):
    track = dser_ext.EmotionTrack(np.zeros(1), np.ones((1, 6), np.float32))
    with pytest.raises(FormatError, match=message):
        dser_ext.save(track, tmp_path / "a.json", **settings)
    assert not list(tmp_path.iterdir())


def test_a_suffix_without_a_format_is_refused(tmp_path):
    track = dser_ext.EmotionTrack(np.zeros(1), np.ones((1, 6), np.float32))
    with pytest.raises(FormatError, match="no format goes by this suffix"):
        dser_ext.save(track, tmp_path / "a.fbx")


def test_a_line_to_try_is_there():
    assert dser_ext.sample_line().is_file()


def test_the_shipped_types_are_marked_as_typed():
    assert (Path(dser_ext.__file__).parent / "py.typed").exists()
