"""Failures: what an evaluation shows to be wrong or weak, one sentence each."""

from __future__ import annotations

from collections.abc import Iterator
from math import factorial, inf, log
from typing import Any

from dser_training.evaluation.figures import with_and_without
from dser_training.evaluation.voices import NONE

Document = dict[str, Any]

VOICE_COSTS = 0.01  # of accuracy, more than which no voice may cost
CONDITION_COSTS = 0.05  # of accuracy, more than which no condition should cost
GAP = 0.05  # of accuracy, wider than which none should be between groups of actors
CALIBRATION = 0.1  # expected calibration error
UNIFORM = log(factorial(5))  # nats, the log-density of a mixture that any is as likely as
RECALL = 0.5
NEUTRAL_SHARE = 0.9  # of lines of read speech
NONSPEECH_TOTAL = 0.5  # Σα of what is no speech, relative to neutral lines

SEXES = ("female", "male")


def failures(document: Document) -> list[str]:
    """A sentence for each line that could not be heard and for whatever is worse than the limits above."""
    questions = (_unspoken, _voices, _calibration, _votes, _recall, _actors, _conditions, _read, _nonspeech)
    return [*document["unheard"], *(sentence for question in questions for sentence in question(document))]


def _unspoken(document: Document) -> Iterator[str]:
    for name, settings in document["sets"].items():
        if count := settings[NONE]["unspoken"]:
            yield f"{name}: no speech is found in {count} of {settings[NONE]['lines']} lines."


def _voices(document: Document) -> Iterator[str]:
    for name, settings in document["sets"].items():
        accuracy = {setting: figures["accuracy"] for setting, figures in settings.items()}
        worse = {setting: value for setting, value in accuracy.items() if value < accuracy[NONE] - VOICE_COSTS}
        if worse:
            yield f"{name}: accuracy is {accuracy[NONE]:.3f} without a voice, but {_listed(worse)}."


def _calibration(document: Document) -> Iterator[str]:
    for name, settings in document["sets"].items():
        errors = {setting: figures["calibration_error"] for setting, figures in settings.items()}
        if large := {setting: error for setting, error in errors.items() if error > CALIBRATION}:
            yield f"{name}: the expected calibration error is {_listed(large)}."


def _listed(values: dict[str, float]) -> str:
    return "; ".join(f"{value:.3f} with {'no voice' if name == NONE else name}" for name, value in values.items())


def _votes(document: Document) -> Iterator[str]:
    for name, settings in document["sets"].items():
        for words, figures in with_and_without(settings):
            nats = figures["votes"]["log_likelihood"]
            if nats is not None and nats < UNIFORM:
                yield f"{name}, {words}: the raters' votes have {nats:.2f} nats, less than by chance ({UNIFORM:.2f})."


def _recall(document: Document) -> Iterator[str]:
    for name, settings in document["sets"].items():
        for words, figures in with_and_without(settings):
            for emotion, recall in figures["recall"].items():
                if recall < RECALL and len(figures["recall"]) > 1:
                    yield f"{name}, {words}: {emotion} is recognised in {100 * recall:.0f} % of its lines."


def _actors(document: Document) -> Iterator[str]:
    for name, groups in document["actors"].items():
        found = {group: dict(with_and_without(settings)) for group, settings in groups.items()}
        for alike in ([group for group in found if (group in SEXES) == sex] for sex in (True, False)):
            for words in found[alike[0]] if alike else ():
                accuracy = {group: float(found[group][words]["accuracy"]) for group in alike if words in found[group]}
                worst, best = min(accuracy, key=accuracy.__getitem__), max(accuracy, key=accuracy.__getitem__)
                if accuracy[best] - accuracy[worst] > GAP:
                    said = f"{accuracy[worst]:.3f} for {worst} and {accuracy[best]:.3f} for {best}"
                    yield f"{name}, {words}: accuracy is {said}."


def _conditions(document: Document) -> Iterator[str]:
    for name, conditions in document["robustness"].items():
        changed = {condition: dict(with_and_without(settings)) for condition, settings in conditions.items()}
        for words, figures in with_and_without(document["sets"][name]):
            before = figures["accuracy"]
            after = {condition: found[words]["accuracy"] for condition, found in changed.items() if words in found}
            worse = {condition: value for condition, value in after.items() if value < before - CONDITION_COSTS}
            if worse:
                yield f"{name}, {words}: accuracy falls from {before:.3f} to {_listed(worse)}."


def _read(document: Document) -> Iterator[str]:
    for source, settings in document["read"].items():
        for words, figures in with_and_without(settings):
            if figures["neutral"] < NEUTRAL_SHARE:
                said = f"{100 * figures['neutral']:.0f} % of {figures['lines']} lines"
                yield f"Read speech, {source}, {words}: neutral is strongest in {said}."


def _nonspeech(document: Document) -> Iterator[str]:
    totals = [figures["neutral_total"] for settings in document["sets"].values() for figures in settings.values()]
    limit = NONSPEECH_TOTAL * min((total for total in totals if total is not None), default=inf)
    for kind, voices in document["nonspeech"].items():
        for words, figures in voices.items():
            if figures["neutral"] < 1:
                said = f"{100 * figures['neutral']:.0f} %"
                yield f"{kind.capitalize()}, {words}: neutral is strongest in only {said} of the tracks."
            if figures["total"] > limit:
                yield f"{kind.capitalize()}, {words}: Σα is {figures['total']:.2f}, neutral lines allow {limit:.2f}."
