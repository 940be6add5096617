"""Figures: how far the work is, and how far the answers can be relied on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from dser_training.preferences.annotate import sheet as sheets
from dser_training.preferences.annotate.sheet import Sheet
from dser_training.preferences.annotate.tables import AGAIN, BROKEN, ORDINARY, Assignment
from dser_training.preferences.comparisons import ONE, OTHER, SAME

BAD_CLIP = "bad clip"


@dataclass(frozen=True)
class Share:
    """So many of so many."""

    count: int
    of: int

    @property
    def value(self) -> float | None:
        """From 0 to 1; None of nothing."""
        return self.count / self.of if self.of else None


@dataclass(frozen=True)
class AnnotatorFigures:
    """answers: checks left out. left: of the answers for one side. cannot_tell: of all. again: pairs that were asked
    about again and answered alike. caught: broken candidates that the real one was preferred to."""

    name: str
    answers: int
    median_seconds: float | None
    left: Share
    cannot_tell: Share
    again: Share
    caught: Share


@dataclass(frozen=True)
class Figures:
    """pairs: of the sheet that have an answer. shared: pairs for everybody that two or more have answered, of those
    for everybody. alpha: Krippendorff's, nominal, over these; None where there is nothing to tell it from."""

    pairs: Share
    shared: Share
    alpha: float | None
    annotators: tuple[AnnotatorFigures, ...]

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)

    def __str__(self) -> str:
        agreement = "not known yet" if self.alpha is None else f"{self.alpha:.2f}"
        head = ("annotator", "answers", "median s", "left", "cannot tell", "again alike", "broken caught")
        table = [head, *(_row(each) for each in self.annotators)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) if not n else cell.rjust(width) for n, (cell, width) in enumerate(cells))
            for cells in (list(zip(row, widths, strict=True)) for row in table)
        ]
        return "\n".join(
            [
                f"{_said(self.pairs)} pairs answered; agreement (Krippendorff's alpha) {agreement}, over "
                f"{_said(self.shared)} pairs for everybody",
                *lines,
            ]
        )


def figures(sheet: Sheet, shared: frozenset[int], answered: Sequence[Assignment]) -> Figures:
    """The figures of all that was answered."""
    ordinary = [each for each in answered if each.kind == ORDINARY]
    by_name: defaultdict[str, list[Assignment]] = defaultdict(list)
    for each in answered:
        by_name[each.annotator.name].append(each)
    voices: defaultdict[int, list[tuple[str, str]]] = defaultdict(list)
    for each in ordinary:
        if each.pair in shared and (verdict := _verdict(each)) in (*_better(sheet, each), SAME):
            voices[each.pair].append((each.annotator.name, str(verdict)))
    several = {pair: said for pair, said in voices.items() if len(said) > 1}
    return Figures(
        Share(len({each.pair for each in ordinary}), len(sheet.pairs)),
        Share(len(several), len(shared)),
        _alpha((name, pair, said) for pair, heard in several.items() for name, said in heard),
        tuple(_of_annotator(name, own) for name, own in sorted(by_name.items())),
    )


def _of_annotator(name: str, own: list[Assignment]) -> AnnotatorFigures:
    ordinary = [each for each in own if each.kind == ORDINARY]
    first = {each.pair: _verdict(each) for each in ordinary}
    sided = [each.answer.answer for each in ordinary if each.answer.answer in (ONE, OTHER)]
    seconds = [each.answer.seconds for each in ordinary if each.answer.seconds is not None]
    repeated = [each for each in own if each.kind == AGAIN and each.pair in first]
    return AnnotatorFigures(
        name,
        len(ordinary),
        median(seconds) if seconds else None,
        Share(sided.count(ONE), len(sided)),
        Share(sum(each.answer.answer == "cannot tell" for each in ordinary), len(ordinary)),
        Share(sum(_verdict(each) == first[each.pair] for each in repeated), len(repeated)),
        caught(own),
    )


def caught(own: Iterable[Assignment]) -> Share:
    """The broken candidates among an annotator's questions that were caught; a clip that is bad catches nobody."""
    broken = [each for each in own if each.kind == BROKEN and each.answer.answer != BAD_CLIP]
    right = [each for each in broken if _verdict(each) not in (sheets.BROKEN, SAME, "cannot tell")]
    return Share(len(right), len(broken))


def _verdict(each: Assignment) -> int | str:
    """The candidate that is better, whichever side it was on, or what else was answered."""
    answer: str = each.answer.answer
    return {ONE: each.left, OTHER: each.right}.get(answer, answer)


def _better(sheet: Sheet, each: Assignment) -> tuple[int, int]:
    return sheet.pairs[each.pair].one, sheet.pairs[each.pair].other


def _alpha(said: Iterable[tuple[str, int, str]]) -> float | None:
    data = list(said)
    if len({label for _, _, label in data}) < 2:  # all said the same: by chance they would have, too
        return None
    from nltk.metrics.agreement import AnnotationTask  # takes a second to load

    return float(AnnotationTask(data=data).alpha())


def _said(share: Share) -> str:
    return f"{share.count} of {share.of}"


def _row(of: AnnotatorFigures) -> tuple[str, ...]:
    return (
        of.name,
        str(of.answers),
        "–" if of.median_seconds is None else f"{of.median_seconds:.1f}",
        "–" if of.left.value is None else f"{100 * of.left.value:.0f} %",
        "–" if of.cannot_tell.value is None else f"{100 * of.cannot_tell.value:.0f} %",
        _said(of.again),
        _said(of.caught),
    )
