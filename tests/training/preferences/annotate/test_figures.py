"""The figures say what was answered, and agreement is Krippendorff's alpha."""

from __future__ import annotations

import pytest
from dser_training.preferences.annotate.figures import Share, _alpha, figures
from dser_training.preferences.annotate.tables import AGAIN, BROKEN, ORDINARY, Annotator, Answer, Assignment


def said(name, pair, answer, *, left=0, right=1, kind=ORDINARY, seconds=2.0) -> Assignment:
    return Assignment(
        annotator=Annotator(name=name), pair=pair, left=left, right=right, kind=kind,
        answer=Answer(answer=answer, seconds=seconds),
    )  # fmt: skip


def of(sheet, *answered, shared=frozenset(range(12))):
    return figures(sheet, shared, answered)


def test_each_annotators_figures(sheet):
    found = of(
        sheet,
        said("Anna", 0, "one", seconds=1.0),
        said("Anna", 1, "one", seconds=3.0),
        said("Anna", 2, "other", seconds=9.0),
        said("Anna", 3, "cannot tell", seconds=None),
        said("Anna", 0, "other", left=1, right=0, kind=AGAIN),
        said("Anna", 1, "one", left=1, right=0, kind=AGAIN),
        said("Anna", 5, "other", left=-1, kind=BROKEN),
        said("Anna", 6, "same", right=-1, kind=BROKEN),
        said("Anna", 7, "bad clip", right=-1, kind=BROKEN),
    )
    [anna] = found.annotators
    assert (anna.answers, anna.median_seconds) == (4, 3.0)
    assert (anna.left, anna.cannot_tell) == (Share(2, 3), Share(1, 4))
    assert (anna.again, anna.caught) == (Share(1, 2), Share(1, 2))
    assert found.pairs == Share(4, 12)


@pytest.mark.slow  # the library that knows alpha takes seconds to load
def test_agreement_is_about_candidates_and_not_about_sides(sheet):
    pairs = [(sheet.pairs[n].one, sheet.pairs[n].other) for n in range(4)]
    answered = []
    for number, (one, other) in enumerate(pairs):
        better = "one" if number % 2 else "other"
        swapped = {"one": "other", "other": "one"}[better]
        answered.append(said("Anna", number, better, left=one, right=other))
        answered.append(said("Ben", number, swapped, left=other, right=one))
    assert of(sheet, *answered).alpha == 1.0
    assert of(sheet, *answered).shared == Share(4, 12)


def test_agreement_leaves_out_what_says_nothing_and_pairs_that_one_alone_answered(sheet):
    both = [said(name, 0, "one", left=0, right=1) for name in ("Anna", "Ben")]
    alone = [said("Anna", 1, "other"), said("Anna", 2, "one"), said("Ben", 2, "cannot tell")]
    found = of(sheet, *both, *alone)
    assert (found.alpha, found.shared) == (None, Share(1, 12))
    assert of(sheet, *both, shared=frozenset()).shared == Share(0, 0)


@pytest.mark.slow
def test_alpha_is_krippendorffs():
    """The nominal example of Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), part C: 0.743."""
    table = {
        "A": "1 2 3 3 2 1 4 1 2 . . .",
        "B": "1 2 3 3 2 2 4 1 2 5 . 3",
        "C": ". 3 3 3 2 3 4 2 2 5 1 .",
        "D": "1 2 3 3 2 4 4 1 2 5 1 .",
    }
    data = [(who, n, label) for who, row in table.items() for n, label in enumerate(row.split()) if label != "."]
    assert _alpha(data) == pytest.approx(0.743, abs=0.0005)


def test_nothing_answered_yet_is_shown_as_such(sheet):
    assert str(of(sheet)).startswith("0 of 12 pairs answered; agreement (Krippendorff's alpha) not known yet")


def test_the_table_has_a_row_for_each_annotator(sheet):
    lines = str(of(sheet, said("Anna", 0, "one"), said("Ben", 0, "one"))).splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["Anna", "Ben"]
    assert lines[2].split()[1:5] == ["1", "2.0", "100", "%"]
