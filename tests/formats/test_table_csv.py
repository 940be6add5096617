"""The CSV table has a row for every animation frame, as spreadsheets and pipelines read it."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from dser_ext.emotion.names import A2F_EMOTIONS, EMOTIONS
from dser_ext.emotion.style import Style
from dser_ext.emotion.track import EmotionTrack
from dser_ext.errors import FormatError
from dser_ext.formats.table_csv import write_table
from dser_ext.formats.track_json import Performance


@pytest.fixture
def performance() -> Performance:
    concentration = np.random.default_rng(0).gamma(1, 5, (100, 6)) + 1e-6
    return Performance.of(EmotionTrack(np.arange(100) / 50, concentration), Style(), fps=24)


@pytest.fixture
def rows(performance, tmp_path) -> list[dict[str, str]]:
    write_table(performance, tmp_path / "line.csv")
    with (tmp_path / "line.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def numbers(rows: list[dict[str, str]], names: list[str]) -> np.ndarray:
    return np.array([[float(row[name]) for name in names] for row in rows])


def test_the_header_names_each_column_once(rows):
    stds, shown = [f"{name}_std" for name in EMOTIONS], [f"a2f_{name}" for name in A2F_EMOTIONS]
    assert list(rows[0]) == ["frame", "seconds", *EMOTIONS, *stds, *shown, "is_key"]


def test_every_frame_has_a_row_with_its_time(rows, performance):
    assert [row["frame"] for row in rows] == [str(frame) for frame in range(49)]
    np.testing.assert_allclose(numbers(rows, ["seconds"])[:, 0], performance.curves.times, atol=1e-6)


def test_the_emotions_are_those_of_the_track_at_that_time(rows, performance):
    track, seconds = performance.track, performance.curves.times
    np.testing.assert_allclose(numbers(rows, list(EMOTIONS)), track.at(seconds), rtol=1e-5)
    found = numbers(rows, [f"{name}_std" for name in EMOTIONS])
    np.testing.assert_allclose(found[0], track.std[0], rtol=1e-5)
    np.testing.assert_allclose(found[12], track.std[25], rtol=1e-5)  # both at 0.5 s


def test_the_values_are_what_audio2face_shows_between_the_keys(rows, performance):
    shown = numbers(rows, [f"a2f_{name}" for name in A2F_EMOTIONS])
    np.testing.assert_allclose(shown, performance.keyframes.at(performance.curves.times), rtol=1e-5)


def test_keys_are_marked_on_their_frames(rows, performance):
    marked = [int(row["frame"]) for row in rows if row["is_key"] == "1"]
    np.testing.assert_allclose(marked, performance.keyframes.times * 24, atol=1e-6)
    assert {row["is_key"] for row in rows} == {"0", "1"}


def test_lines_end_plainly_and_hold_six_digits_at_most(rows, tmp_path):
    text = (tmp_path / "line.csv").read_bytes()
    assert b"\r" not in text
    assert text.endswith(b"\n")
    mantissas = [value.split("e")[0] for row in rows for name, value in row.items() if name in EMOTIONS]
    assert max(len(mantissa.replace(".", "").lstrip("0")) for mantissa in mantissas) == 6


def test_it_is_written_whole_or_not_at_all(performance, tmp_path):
    with pytest.raises(FormatError, match="cannot be written"):
        write_table(performance, tmp_path / "missing" / "line.csv")
    assert not list(tmp_path.iterdir())
