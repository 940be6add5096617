"""Figures of made results."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from dser_training.corpora.clip import Clip
from dser_training.evaluation.figures import by_actors, by_source, figures, with_and_without
from dser_training.evaluation.results import Result
from dser_training.evaluation.voices import ALL, NONE

from dser_ext.emotion.names import EMOTIONS


def result(emotion: str, guess: str, total: float = 2.0, references: int = 3, **clip: object) -> Result:
    mixture = np.full(6, 0.08)
    mixture[EMOTIONS.index(guess)] = 0.6
    line = Clip(Path("line.wav"), **{"speaker": "made/1", "emotion": EMOTIONS.index(emotion), "split": "test"} | clip)
    return Result(line, mixture, total * mixture, total, 0.1, references, spoken=True)


def test_figures_are_plain_json() -> None:
    said = figures([result("anger", "anger"), result("anger", "fear", references=5)])
    assert json.loads(json.dumps(said)) == said
    assert said["lines"] == 2
    assert said["accuracy"] == 0.5
    assert said["references"] == {"mean": 4.0, "min": 3, "max": 5}
    assert said["recall"] == {"anger": 0.5}
    assert said["confusion"][0] == [1, 0, 1, 0, 0, 0]


def test_floats_are_rounded_to_four_digits() -> None:
    said = figures([result("anger", guess) for guess in ("anger", "fear", "fear")])
    assert said["accuracy"] == 0.3333


def test_neutral_lines_are_told_apart() -> None:
    said = figures([result("neutral", "neutral", total=4), result("anger", "neutral", total=1)])
    assert said["neutral"] == 1.0
    assert said["neutral_share"] == 0.6
    assert said["total"] == 2.5
    assert said["neutral_total"] == 4.0
    assert figures([result("anger", "anger")])["neutral_total"] is None


def test_only_lines_with_votes_count_for_their_likelihood() -> None:
    rated = result("anger", "anger", mixture=(1.0, 0.0, 0.0, 0.0, 0.0, 0.0))
    assert figures([rated, result("anger", "anger")])["votes"] == figures([rated])["votes"]
    assert figures([rated])["votes"]["lines"] == 1
    assert figures([result("anger", "anger")])["votes"] == {"lines": 0, "log_likelihood": None}


def test_actors_are_grouped_by_sex_and_by_age_where_they_are_known() -> None:
    results = [
        result("anger", "anger", sex="female", age=29),
        result("anger", "anger", sex="male", age=45),
        result("anger", "anger", sex="male"),
        result("anger", "anger"),
    ]
    groups = {name: len(found) for name, found in by_actors(results).items()}
    assert groups == {"female": 1, "male": 2, "under 30": 1, "45 and older": 1}


def test_read_speech_is_grouped_by_where_it_comes_from() -> None:
    results = [result("neutral", "neutral", speaker=name) for name in ("vctk/p225", "vctk/p226", "cmu_arctic/bdl")]
    assert {name: len(found) for name, found in by_source(results).items()} == {"all": 3, "vctk": 2, "cmu_arctic": 1}


def test_the_two_settings_that_matter_most_have_words() -> None:
    assert dict(with_and_without({NONE: {"lines": 1}, "16 neutral": {}, ALL: {"lines": 2}})) == {
        "alone": {"lines": 1},
        "with the voice": {"lines": 2},
    }
    assert dict(with_and_without({NONE: {"lines": 1}})) == {"alone": {"lines": 1}}
