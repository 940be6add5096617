"""Metrics on toys whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
from dser_training.evaluation.metrics import accuracy, calibration_error, confusion, deviation, log_likelihood, recall
from scipy.stats import dirichlet

from dser_ext.emotion.names import EMOTIONS

EMOTION = np.array([0, 0, 0, 4, 4, 5])
GUESS = np.array([0, 0, 1, 4, 5, 5])


def sure(confidence: float, guesses: np.ndarray) -> np.ndarray:
    """Mixtures whose strongest emotion has this share, the others alike."""
    mixtures = np.full((len(guesses), 6), (1 - confidence) / 5)
    mixtures[np.arange(len(guesses)), guesses] = confidence
    return mixtures


def test_accuracy_counts_lines_and_its_deviation_speakers() -> None:
    assert accuracy(EMOTION, GUESS) == pytest.approx(4 / 6)
    assert deviation(["a", "a", "b", "a", "b", "b"], EMOTION, GUESS) == pytest.approx(np.std([1, 1 / 3]))


def test_confusion_has_the_intended_emotion_in_rows() -> None:
    counts = confusion(EMOTION, GUESS)
    assert counts.sum() == 6
    assert counts[0].tolist() == [2, 1, 0, 0, 0, 0]
    assert counts[4].tolist() == [0, 0, 0, 0, 1, 1]


def test_recall_leaves_out_emotions_without_lines() -> None:
    assert recall(EMOTION, GUESS) == {"anger": pytest.approx(2 / 3), "neutral": 0.5, "sadness": 1.0}


def test_who_is_right_as_often_as_sure_is_calibrated() -> None:
    emotions = np.zeros(10, int)
    guesses = np.array([0] * 7 + [3] * 3)
    assert calibration_error(sure(0.7, guesses), emotions) == pytest.approx(0, abs=1e-12)


def test_who_is_surer_than_right_is_off_by_the_difference() -> None:
    guesses = np.array([0] * 5 + [3] * 5)
    assert calibration_error(sure(0.95, guesses), np.zeros(10, int)) == pytest.approx(0.45)


def test_too_sure_and_too_unsure_do_not_cancel() -> None:
    guesses = np.zeros(8, int)
    emotions = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    mixtures = np.concatenate([sure(0.4, guesses[:4]), sure(0.8, guesses[4:])])
    assert calibration_error(mixtures, emotions) == pytest.approx(0.5 * 0.6 + 0.5 * 0.8)


def test_bins_are_fifteen_and_equally_wide() -> None:
    emotions = np.array([0, 1])  # right, wrong: within a bin their errors would cancel
    apart = np.concatenate([sure(9.9 / 15, np.zeros(1, int)), sure(10.1 / 15, np.zeros(1, int))])
    together = np.concatenate([sure(10.1 / 15, np.zeros(1, int)), sure(10.9 / 15, np.zeros(1, int))])
    assert calibration_error(apart, emotions) == pytest.approx((5.1 / 15 + 10.1 / 15) / 2)
    assert calibration_error(together, emotions) == pytest.approx((10.1 + 10.9) / 30 - 0.5)
    assert calibration_error(sure(1.0, np.zeros(1, int)), np.zeros(1, int)) == 0


def test_the_likelihood_of_votes_is_that_of_their_smoothed_shares() -> None:
    concentration = np.array([[0.5, 0.2, 0.1, 3.0, 1.0, 0.4], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]])
    shares = np.array([[0.0, 0.0, 0.0, 0.8, 0.2, 0.0], [1.0, 0.0, 0.0, 0.0, 0.0, 0.0]])
    expected = [
        dirichlet(alpha).logpdf(0.9 * share + 0.1 / 6) for alpha, share in zip(concentration, shares, strict=True)
    ]
    assert log_likelihood(concentration, shares) == pytest.approx(np.mean(expected), rel=1e-5)
    assert log_likelihood(np.ones((1, len(EMOTIONS))), shares[:1]) == pytest.approx(np.log(120))
