"""Figures: what a report says of some results, as JSON can hold it, rounded so that the same model gives the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from dser_ext.emotion.names import NEUTRAL
from dser_training.corpora.clip import Clip
from dser_training.evaluation import metrics
from dser_training.evaluation.results import Result
from dser_training.evaluation.voices import ALL, NONE

Figures = dict[str, Any]

DIGITS = 4
AGES = {"under 30": range(30), "30 to 44": range(30, 45), "45 and older": range(45, 200)}  # years
WORDS = {NONE: "alone", ALL: "with the voice"}
"""What reports call the two voice settings that matter most."""


def figures(results: list[Result]) -> Figures:
    """Every metric of some lines under one voice setting, at least one.

    references: the sizes of the voices really used. neutral: share of lines in which neutral is strongest, and
    neutral_share: its mean share of the mixture. unspoken: lines in which no speech was found.
    votes: how many lines raters' votes are at hand for, and the mean log-likelihood of these in nats.
    total: Σα of the median line, neutral_total of the median neutral line. Whatever no line tells is None.
    """
    emotions = np.array([result.clip.emotion for result in results])
    guesses = np.array([result.guess for result in results])
    speakers = [result.clip.speaker for result in results]
    mixtures = np.stack([result.mixture for result in results])
    references = [result.references for result in results]
    totals = np.array([result.total for result in results])
    return rounded(
        {
            "lines": len(results),
            "speakers": len(set(speakers)),
            "references": {"mean": np.mean(references), "min": min(references), "max": max(references)},
            "accuracy": metrics.accuracy(emotions, guesses),
            "std": metrics.deviation(speakers, emotions, guesses),
            "calibration_error": metrics.calibration_error(mixtures, emotions),
            "votes": _votes(results),
            "neutral": np.mean(guesses == NEUTRAL),
            "neutral_share": mixtures[:, NEUTRAL].mean(),
            "spread": np.median([result.spread for result in results]),
            "total": np.median(totals),
            "neutral_total": np.median(totals[emotions == NEUTRAL]) if (emotions == NEUTRAL).any() else None,
            "unspoken": sum(not result.spoken for result in results),
            "recall": metrics.recall(emotions, guesses),
            "confusion": metrics.confusion(emotions, guesses).tolist(),
        }
    )


def _votes(results: list[Result]) -> Figures:
    rated = [(result.concentration, result.clip.mixture) for result in results if result.clip.mixture is not None]
    if not rated:
        return {"lines": 0, "log_likelihood": None}
    concentration, shares = (np.array(column) for column in zip(*rated, strict=True))
    return {"lines": len(rated), "log_likelihood": metrics.log_likelihood(concentration, shares)}


def with_and_without(settings: dict[str, Figures]) -> Iterator[tuple[str, Figures]]:
    """The figures without a voice and with all other lines, as far as there are any, each after words for it."""
    for setting, words in WORDS.items():
        if setting in settings:
            yield words, settings[setting]


def by_actors(results: Iterable[Result]) -> dict[str, list[Result]]:
    """The results of women, of men, and of each age of actors."""
    groups: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        for name in _groups(result.clip):
            groups[name].append(result)
    return {name: groups[name] for name in ("female", "male", *AGES) if name in groups}


def _groups(clip: Clip) -> list[str]:
    ages = [name for name, years in AGES.items() if clip.age in years]
    return [clip.sex, *ages] if clip.sex else ages


def by_source(results: Iterable[Result]) -> dict[str, list[Result]]:
    """All results, and those of each corpus that read speech comes from."""
    groups: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        groups["all"].append(result)
        groups[result.clip.speaker.partition("/")[0]].append(result)
    return dict(groups)


def rounded(figures: Figures) -> Figures:
    """Floats to four digits behind the point, those of figures within figures, too."""
    return {name: _rounded(value) for name, value in figures.items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return rounded(value)
    return round(float(value), DIGITS) if isinstance(value, (float, np.floating)) else value
