"""When changes count, how they are matched with true borders, and how steadiness is measured."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from dser_training.evaluation.changes import Found, changes, figures, flicker, frame_error, match, mean_absolute_error
from hypothesis import given
from hypothesis import strategies as st

TIMES = st.lists(st.floats(0, 30), max_size=8).map(sorted)


def mixtures(*parts: tuple[int, int]) -> np.ndarray:
    """One-hot frames: (emotion, frames) after one another."""
    return np.concatenate([np.tile(np.eye(6)[emotion], (frames, 1)) for emotion, frames in parts])


def test_a_change_is_one_that_holds_for_a_quarter_of_a_second() -> None:
    assert changes(mixtures((0, 50), (3, 50))) == [1.0]
    assert changes(mixtures((0, 50), (3, 11), (0, 50))) == []
    assert changes(mixtures((0, 50), (3, 13), (0, 50))) == [1.0, 1.26]
    assert changes(mixtures((0, 50), (3, 5), (5, 50))) == [1.1]
    assert changes(mixtures((0, 5))) == []


@given(TIMES, TIMES)
def test_borders_and_changes_are_matched_one_to_one(found: list[float], borders: list[float]) -> None:
    matched = match(found, borders, 30)
    assert len(matched.errors) + matched.missed == len(borders)
    assert len(matched.errors) + matched.invented == len(found)
    assert all(0 <= error <= 1 for error in matched.errors)


@given(TIMES, st.floats(-0.9, 0.9))
def test_borders_found_a_little_late_are_all_found(borders: list[float], late: float) -> None:
    assert match([border + late for border in borders], borders, 30).missed == 0


def test_as_many_as_can_be_are_matched_and_then_as_closely() -> None:
    assert match([1.5], [1.0, 2.0], 3) == Found([0.5], 1, 0, 3)
    assert match([0.9, 1.9], [1.0], 3) == Found([pytest.approx(0.1)], 0, 1, 3)
    assert match([1.2, 1.9], [0.5, 1.3], 3).errors == [pytest.approx(0.7), pytest.approx(0.6)]  # not 0.1 and none


def test_errors_leave_neutral_out() -> None:
    truth, told = mixtures((4, 10)), mixtures((0, 10))
    assert mean_absolute_error(told, truth) == pytest.approx(0.2)
    assert frame_error(told, truth) == 1
    assert frame_error(truth, truth) == mean_absolute_error(truth, truth) == 0


def test_flicker_is_how_much_of_the_mixture_moves_in_a_second() -> None:
    assert flicker(mixtures((0, 100))) == 0
    assert flicker(mixtures((0, 25), (1, 25))) == pytest.approx(1)


def test_lines_that_are_told_rightly_have_no_errors() -> None:
    lines = [
        SimpleNamespace(kind="changes", mixtures=mixtures((0, 100), (3, 100)), borders=(2.0,)),
        SimpleNamespace(kind="stay", mixtures=mixtures((5, 600)), borders=()),
    ]
    right = figures([line.mixtures for line in lines], lines)
    assert right["mean_absolute_error"] == right["frame_error"] == right["border_median"] == 0
    assert right["missed"] == right["invented"] == right["invented_in_one"] == right["flicker"] == 0
    assert right["borders"] == pytest.approx(15)
    late = [mixtures((0, 110), (3, 90)), mixtures((5, 300), (0, 300))]
    wrong = figures(late, lines)
    assert wrong["border_median"] == pytest.approx(200)
    assert wrong["invented_in_one"] == pytest.approx(5)
