"""Our tables as pandas reads them: what statistics and spreadsheets are made with."""

from __future__ import annotations

import numpy as np
import pytest

from dser_ext.emotion.names import A2F_EMOTIONS, EMOTIONS
from dser_ext.emotion.style import Style
from dser_ext.emotion.track import EmotionTrack
from dser_ext.formats import TRACK_FORMATS
from dser_ext.formats.keyed_line import key_frames
from dser_ext.formats.track_json import Performance

pandas = pytest.importorskip("pandas")


@pytest.fixture(params=[23.976, 24, 30, 60])
def performance(request) -> Performance:
    concentration = np.random.default_rng(0).gamma(1, 5, (100, 6)) + 1e-6
    return Performance.of(EmotionTrack(np.arange(100) / 50, concentration), Style(), fps=request.param)


def test_the_long_table_holds_what_the_wide_one_does(performance, tmp_path):
    TRACK_FORMATS["csv"].write(performance, tmp_path / "line.csv")
    TRACK_FORMATS["csv-long"].write(performance, tmp_path / "line.long.csv")
    wide, long = pandas.read_csv(tmp_path / "line.csv"), pandas.read_csv(tmp_path / "line.long.csv")
    heard, shown = (long[long["kind"] == kind] for kind in ("heard", "audio2face"))
    for names, rows, column, prefix, suffix in (
        (EMOTIONS, heard, "value", "", ""),
        (EMOTIONS, heard, "std", "", "_std"),
        (A2F_EMOTIONS, shown, "value", "a2f_", ""),
    ):
        table = rows.pivot_table(index="frame", columns="emotion", values=column)
        expected = wide[[f"{prefix}{name}{suffix}" for name in names]]
        np.testing.assert_array_equal(table[list(names)].to_numpy(), expected.to_numpy())
    assert heard["is_key"].isna().all()
    assert shown["std"].isna().all()
    assert len(shown[shown["is_key"] == 1]) == 10 * len(performance.keyframes.times)


@pytest.mark.parametrize("name", ["csv", "csv-long"])
def test_keys_come_back_from_a_table(performance, tmp_path, name):
    form = TRACK_FORMATS[name]
    form.write(performance, tmp_path / f"line{form.suffix}")
    found = form.read(tmp_path / f"line{form.suffix}")
    assert found.fps == performance.fps
    np.testing.assert_array_equal(key_frames(found), key_frames(performance))
    np.testing.assert_allclose(found.keyframes.values, performance.keyframes.values, rtol=1e-5)


def test_the_curve_table_has_a_row_an_emotion_and_a_column_a_key(performance, tmp_path):
    TRACK_FORMATS["unreal-csv"].write(performance, tmp_path / "line.unreal.csv")
    table = pandas.read_csv(tmp_path / "line.unreal.csv", index_col=0)
    assert tuple(table.index) == A2F_EMOTIONS
    np.testing.assert_allclose([float(name) for name in table.columns], performance.keyframes.times, atol=1e-9)
    np.testing.assert_allclose(table.to_numpy().T, performance.keyframes.values, atol=1e-6)
