"""Splices of real lines as the shipped model tells them: whole, live, and drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dser_training.corpora.clip import Clip
from dser_training.evaluation import spliced_lines
from dser_training.evaluation.results import measure
from dser_training.evaluation.spliced_lines import LOOK_AHEADS, SPLICES, VOICES, Told

from dser_ext.recognition.recognizer import Recognizer, loaded
from dser_ext.recognition.stream import Stream

EMOTION = {"ANG": 0, "DIS": 1, "FEA": 2, "HAP": 3, "NEU": 4, "SAD": 5}
CLIPS = [
    Clip(path, "made/1", EMOTION[path.stem.split("_")[2]], "test")
    for path in sorted((Path(__file__).resolve().parents[3] / "samples/voice").glob("*.ogg"))
]


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return loaded()


@pytest.fixture(scope="module")
def spliced(recognizer: Recognizer) -> list[Told]:
    return spliced_lines.splices(recognizer, measure(recognizer, CLIPS, ()).profiles)


def test_no_line_of_a_splice_stands_in_its_voice(spliced: list[Told]) -> None:
    assert len(spliced) == sum(SPLICES.values())
    for splice in spliced:
        assert splice.voices["none"] is None
        assert 0 < splice.voices["all other lines"].lines < len(CLIPS)


def test_every_voice_setting_has_figures_of_all_splices(recognizer: Recognizer, spliced: list[Told]) -> None:
    found = spliced_lines.figures(recognizer, spliced)
    assert found.keys() == VOICES.keys()
    for said in found.values():
        assert said["lines"] == len(spliced)
        assert 0 < said["mean_absolute_error"] < 0.35
        assert 0 <= said["frame_error"] <= 1
    assert spliced_lines.figures(recognizer, []) == {}


@pytest.mark.slow
def test_live_lines_are_told_as_a_stream_tells_them(recognizer: Recognizer, spliced: list[Told]) -> None:
    splice = spliced[0]
    heard: dict[bytes, np.ndarray] = {}
    for seconds in (0.3, 1.0):
        plain, replayed = Stream(recognizer, None, seconds), spliced_lines._Replayed(recognizer, None, seconds, heard)
        told = [np.concatenate([each.feed(splice.samples), each.end()]) for each in (plain, replayed)]
        assert np.array_equal(*told)
    assert heard


@pytest.mark.slow
def test_every_look_ahead_has_figures(recognizer: Recognizer) -> None:
    found = spliced_lines.live(recognizer, measure(recognizer, CLIPS, ()).profiles)
    assert list(found) == [f"{seconds:g} s" for seconds in LOOK_AHEADS] + ["the whole line"]
    assert len({said["lines"] for said in found.values()}) == 1


def test_the_line_that_is_drawn_has_several_borders(recognizer: Recognizer, spliced: list[Told]) -> None:
    tracks, borders = spliced_lines.example(recognizer, spliced)
    assert len(borders) >= 3
    assert len({track.shape for track in tracks.values()}) == 1
    assert all(np.allclose(track.sum(axis=1), 1, atol=1e-5) for track in tracks.values())
    assert spliced_lines.example(recognizer, []) is None
