"""Answers leave as `dser-train preference` reads them, and come back without loss."""

from __future__ import annotations

import json

import pytest
from dser_training.preferences import comparisons
from dser_training.preferences.annotate import exchange
from dser_training.preferences.annotate.store import Store
from dser_training.preferences.annotate.tables import BROKEN
from made_sheet import finish

from dser_ext.errors import FormatError


@pytest.fixture(scope="module")
def full(sheet):
    """What two people answered, checks among it; no test changes it."""
    store = Store("sqlite://", sheet, overlap=0.5, checks=0.3)
    finish(store, store.annotator("Anna"), store.annotator("Benoît"))
    return store


def rows(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_round_trip_loses_nothing_that_counts_and_changes_nothing_twice(full, in_memory, tmp_path):
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    exchange.write(full, first)
    other = in_memory(overlap=0.5)
    assert exchange.read(other, first) == f"{first}: 18 new answers of 18"
    assert exchange.read(other, first) == f"{first}: 0 new answers of 18"
    exchange.write(other, second)
    assert second.read_text(encoding="utf-8") == first.read_text(encoding="utf-8")
    assert other.question(other.annotator("Anna"))[0] is None


def test_the_better_candidate_is_the_one_on_the_side_that_was_chosen(in_memory, candidates, tmp_path):
    store = in_memory()
    anna = store.annotator("Anna")
    better = {}
    for answer in ("one", "other"):
        question, _ = store.question(anna)
        better[question.line] = question.left if answer == "one" else question.right
        store.answer(anna, question.id, answer, 2.5)
    exchange.write(store, tmp_path / "out.jsonl")
    read = comparisons.read(tmp_path / "out.jsonl", candidates)
    assert {line.line: line.comparisons[0].candidates[0] for line in read} == better
    assert [row["seconds"] for row in rows(tmp_path / "out.jsonl")] == [2.5, 2.5]


def test_checks_are_left_out(full, tmp_path):
    exchange.write(full, tmp_path / "out.jsonl")
    assert len(rows(tmp_path / "out.jsonl")) == 18 < len(full.answered())


def test_who_did_not_look_can_be_left_out(in_memory, tmp_path):
    store = in_memory(overlap=1.0, checks=0.5)
    careful, careless = store.annotator("careful"), store.annotator("careless")
    for annotator in (careful, careless):
        while (question := store.question(annotator)[0]) is not None:
            caught = "one" if question.right < 0 else "other"
            store.answer(annotator, question.id, caught if annotator == careful else "same", 1.0)
    assert any(each.kind == BROKEN and each.annotator.name == "careless" for each in store.answered())
    told = exchange.write(store, tmp_path / "out.jsonl", least_caught=0.8)
    assert told == f"{tmp_path / 'out.jsonl'}: 12 answers, without those of careless"
    assert {row["annotator"] for row in rows(tmp_path / "out.jsonl")} == {"careful"}


def test_what_is_there_already_counts_more(full, tmp_path):
    path = tmp_path / "out.jsonl"
    exchange.write(full, path)
    turned = [{**row, "answer": "other"} for row in rows(path)[:3]]
    path.write_text("".join(json.dumps(row) + "\n" for row in turned))
    assert exchange.read(full, path).endswith(
        "0 new answers of 3; 3 say something else than the store, which keeps what it has"
    )
    assert {each.answer.answer for each in full.answered()} == {"one"}


def test_the_same_said_from_the_other_side_is_the_same(full, tmp_path):
    path = tmp_path / "out.jsonl"
    exchange.write(full, path)
    turned = [{**row, "answer": "other", "candidates": row["candidates"][::-1]} for row in rows(path)]
    path.write_text("".join(json.dumps(row) + "\n" for row in turned))
    assert exchange.read(full, path).endswith("0 new answers of 18")


def test_an_answer_to_the_question_that_is_open_closes_it(in_memory, tmp_path):
    store = in_memory()
    anna = store.annotator("Anna")
    question, _ = store.question(anna)
    row = {"line": question.line, "candidates": [question.left, question.right], "answer": "one", "annotator": "Anna"}
    (tmp_path / "in.jsonl").write_text(json.dumps(row))
    assert exchange.read(store, tmp_path / "in.jsonl").endswith("1 new answers of 1")
    assert store.question(anna)[0].id != question.id


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"line": "nobody.wav"}, "is about no pair of these candidates"),
        ({"candidates": [0, 9]}, "is about no pair of these candidates"),
        ({"candidates": "ab"}, "is about no pair of these candidates"),
        ({"answer": "better"}, "needs an annotator, and an answer that is one of one, other"),
        ({"annotator": None}, "needs an annotator"),
        ({"annotator": " "}, "its annotator is no name"),
        ({"seconds": -1}, "its seconds are no length of time"),
        ({"seconds": True}, "its seconds are no length of time"),
        ({"answered_at": "yesterday"}, "its answered_at is no time"),
    ],
)
def test_one_row_that_does_not_fit_keeps_all_out(full, in_memory, tmp_path, change, said):
    path = tmp_path / "out.jsonl"
    exchange.write(full, path)
    some = rows(path)[:3]
    path.write_text("".join(json.dumps(row) + "\n" for row in [*some[:2], some[2] | change]))
    other = in_memory()
    with pytest.raises(FormatError, match=rf"out\.jsonl, line 3: {said}"):
        exchange.read(other, path)
    assert not other.answered()
