"""Keys survive every file that can be read back, to the frame, over an hour, at every frame rate of film and video."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from dser_ext.emotion.frame_rate import exact_fps, frame_rate
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.errors import FormatError
from dser_ext.formats import TRACK_FORMATS, read_any
from dser_ext.formats.keyed_line import KeyedLine, key_frames, likely_fps

RATES = [23.976, 24, 25, 29.97, 30, 48, 50, 60]
OF_KEYS = [name for name, form in TRACK_FORMATS.items() if form.of_keys and form.read]
KNOW_THE_RATE = ("usda", "usdc", "blender-json")  # the others tell seconds alone


@pytest.fixture(autouse=True)
def _with_usd() -> None:
    pytest.importorskip("pxr", reason="needs usd-core")


def an_hour(fps: float) -> KeyedLine:
    """Keys on the first frames, on odd ones in between, and on the last of an hour."""
    rate = frame_rate(fps)
    last = math.floor(3600 * rate)
    frames = np.unique(np.concatenate([[0, 1, 2, last - 1, last], np.random.default_rng(0).integers(3, last, 40)]))
    values = np.random.default_rng(1).random((len(frames), 10)).astype(np.float32)
    values[3], values[4] = 0, 1
    return KeyedLine(Keyframes(frames / float(rate), values), exact_fps(fps), 3600.0, "hero/line 再.wav")


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("name", OF_KEYS)
def test_they_come_back_on_their_frames(tmp_path, name, fps):
    line, form = an_hour(fps), TRACK_FORMATS[name]
    path = tmp_path / f"line{form.suffix}"
    form.write(line, path)
    found = form.read(path)
    np.testing.assert_array_equal(key_frames(KeyedLine(found.keyframes, line.fps, 3600)), key_frames(line))
    np.testing.assert_allclose(found.keyframes.values, line.keyframes.values, atol=1e-6)
    rate = frame_rate(fps)
    for seconds, frame in zip(found.keyframes.times.tolist(), key_frames(line).tolist(), strict=True):
        assert abs(Fraction(seconds) - Fraction(frame) / rate) < Fraction(1, 10**9)
    assert found.fps == line.fps or name not in KNOW_THE_RATE
    assert isinstance(read_any(path), KeyedLine)


@pytest.mark.parametrize("fps", RATES)
def test_the_rate_is_told_from_seconds_where_it_can_be(fps):
    assert likely_fps(an_hour(fps).keyframes.times) == exact_fps(fps)


def test_times_that_no_rate_fits_are_taken_for_30_frames_a_second():
    assert likely_fps(np.array([0, 0.0123, 0.7777])) == 30


def test_a_key_between_frames_stays_there(tmp_path):
    line = KeyedLine(Keyframes(np.array([0, 0.05, 1]), np.zeros((3, 10), np.float32)), 30, 1.0)
    assert key_frames(line).tolist() == [0, 1.5, 30]
    for name in KNOW_THE_RATE:
        form = TRACK_FORMATS[name]
        form.write(line, tmp_path / f"line{form.suffix}")
        np.testing.assert_allclose(form.read(tmp_path / f"line{form.suffix}").keyframes.times, [0, 0.05, 1], atol=1e-7)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"{}", b"[1, 2]", b"a,b\n1,2\n", b"a: 1\n", b"#usda 1.0\n", b"a" * 200_000]
)
@pytest.mark.parametrize("name", [name for name, form in TRACK_FORMATS.items() if form.read])
def test_what_is_no_such_file_is_named_with_a_remedy(tmp_path, name, content):
    form = TRACK_FORMATS[name]
    path = tmp_path / f"broken{form.suffix}"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"broken.*: .*;"):
        form.read(path)
    with pytest.raises(FormatError, match=r"missing.*: (cannot be read|no USD layer)"):
        form.read(tmp_path / f"missing{form.suffix}")
    with pytest.raises(FormatError, match="broken"):
        read_any(path)
