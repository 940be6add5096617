"""Sentences on what an evaluation shows to be weak."""

from __future__ import annotations

from typing import Any

import pytest
from dser_training.evaluation.failures import failures
from dser_training.evaluation.voices import ALL, NONE

GOOD: dict[str, Any] = {
    "lines": 100,
    "speakers": 4,
    "accuracy": 0.8,
    "calibration_error": 0.02,
    "votes": {"lines": 10, "log_likelihood": 6.0},
    "neutral": 1.0,
    "neutral_total": 2.0,
    "unspoken": 0,
    "recall": {"anger": 0.8, "fear": 0.8},
}
QUIET = {"neutral": 1.0, "total": 0.3}


def document(**parts: Any) -> dict[str, Any]:
    sets = {"Acted": {NONE: GOOD, ALL: GOOD}}
    empty = {part: {} for part in ("actors", "robustness", "read", "nonspeech")}
    return {"sets": sets, **empty, "unheard": [], **parts}


def test_nothing_is_said_of_a_good_model() -> None:
    good = document(
        actors={"Acted": {group: {NONE: GOOD, ALL: GOOD} for group in ("female", "male", "under 30")}},
        robustness={"Acted": {"20 dB noise": {NONE: GOOD, ALL: GOOD}}},
        read={"all": {NONE: GOOD, ALL: GOOD}},
        nonspeech={"silence": {"alone": QUIET}},
    )
    assert failures(good) == []


@pytest.mark.parametrize(
    ("worse", "said"),
    [
        ({"accuracy": 0.7}, "Acted: accuracy is 0.800 without a voice, but 0.700 with all other lines."),
        ({"calibration_error": 0.2}, "Acted: the expected calibration error is 0.200 with all other lines."),
        (
            {"votes": {"lines": 10, "log_likelihood": -1.0}},
            "Acted, with the voice: the raters' votes have -1.00 nats, less than by chance (4.79).",
        ),
        (
            {"recall": {"anger": 0.9, "fear": 0.25}},
            "Acted, with the voice: fear is recognised in 25 % of its lines.",
        ),
    ],
)
def test_a_voice_that_makes_it_worse_is_told(worse: dict[str, Any], said: str) -> None:
    assert failures(document(sets={"Acted": {NONE: GOOD, ALL: GOOD | worse}})) == [said]


def test_lines_that_were_not_heard_and_lines_without_speech_are_told() -> None:
    sets = {"Acted": {NONE: GOOD | {"unspoken": 2}}}
    assert failures(document(sets=sets, unheard=["made/1, line.wav: is empty"])) == [
        "made/1, line.wav: is empty",
        "Acted: no speech is found in 2 of 100 lines.",
    ]


def test_the_widest_gap_between_actors_is_told_for_sexes_and_for_ages() -> None:
    groups = {"female": 0.8, "male": 0.7, "under 30": 0.6, "30 to 44": 0.8, "45 and older": 0.9}
    actors = {name: {NONE: GOOD | {"accuracy": accuracy}} for name, accuracy in groups.items()}
    assert failures(document(actors={"Acted": actors})) == [
        "Acted, alone: accuracy is 0.700 for male and 0.800 for female.",
        "Acted, alone: accuracy is 0.600 for under 30 and 0.900 for 45 and older.",
    ]


def test_what_a_condition_costs_is_told() -> None:
    worse = {"Acted": {"5 dB noise": {NONE: GOOD | {"accuracy": 0.5}, ALL: GOOD}}}
    assert failures(document(robustness=worse)) == [
        "Acted, alone: accuracy falls from 0.800 to 0.500 with 5 dB noise.",
    ]


def test_read_speech_that_is_not_neutral_and_noise_that_is_sure_are_told() -> None:
    read = {"vctk": {ALL: GOOD | {"neutral": 0.6}}}
    assert failures(document(read=read, nonspeech={"noise": {"alone": {"neutral": 0.75, "total": 1.5}}})) == [
        "Read speech, vctk, with the voice: neutral is strongest in 60 % of 100 lines.",
        "Noise, alone: neutral is strongest in only 75 % of the tracks.",
        "Noise, alone: Σα is 1.50, neutral lines allow 1.00.",
    ]
