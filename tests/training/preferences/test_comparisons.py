"""What people answered is read as it is written, and what is wrong in it is named."""

from __future__ import annotations

import json

import numpy as np
import pytest
from dser_training.preferences.candidates import SCHEMA
from dser_training.preferences.comparisons import Comparison, read

from dser_ext.errors import FormatError


@pytest.fixture
def folder(tmp_path):
    """Candidates of two lines, three each."""
    rows = [
        {
            "schema": SCHEMA,
            "line": name,
            "source": f"{name}.wav",
            "sha256": "0" * 64,
            "voice": "hero",
            "candidates": [{"mixtures": np.eye(6)[[n, n]].tolist()} for n in range(3)],
        }
        for name in ("a", "b")
    ]
    (tmp_path / "candidates.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def answered(folder, *rows: object):
    texts = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / "answers.jsonl").write_text("\n".join(texts))
    return read(folder / "answers.jsonl", folder)


def answer(said: str, line: str = "a", pair=(0, 2)) -> dict:
    return {"line": line, "candidates": list(pair), "answer": said, "annotator": "Anna", "more": 1}


def test_the_better_candidate_comes_first(folder):
    lines = answered(folder, answer("one"), answer("other"), answer("same"), answer("other", "b", (1, 0)))
    assert [line.line for line in lines] == ["a", "b"]
    assert lines[0].comparisons == (
        Comparison("a", (0, 2), False),
        Comparison("a", (2, 0), False),
        Comparison("a", (0, 2), True),
    )
    assert lines[1].comparisons == (Comparison("b", (0, 1), False),)
    assert lines[0].sequences[1].tolist() == np.eye(6)[[1, 1]].tolist()


def test_answers_that_tell_nothing_are_left_out(folder):
    lines = answered(folder, answer("cannot tell"), answer("bad clip"), "", answer("one", "b"))
    assert [line.line for line in lines] == ["b"]
    with pytest.raises(FormatError, match="holds no answer that says which of two is better"):
        answered(folder, answer("cannot tell"))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{", r"answers\.jsonl, line 1: not JSON"),
        ("[1]", r"answers\.jsonl, line 1: not a JSON object"),
        ({"line": "a"}, "no line, two candidates and an answer"),
        (answer("better"), "its answer must be one of one, other, same"),
        (answer("one", pair=(0, 0)), "about two candidates by number"),
        (answer("one", pair=(0, 3)), "a has no candidate 3; name the candidates that people were asked about"),
        (answer("one", "c"), "c is no line of"),
    ],
)
def test_what_is_no_answer_is_named(folder, row, said):
    with pytest.raises(FormatError, match=said):
        answered(folder, row)


def test_other_candidates_are_refused(folder):
    (folder / "candidates.jsonl").write_text('{"schema": "dser.candidates/9"}\n')
    with pytest.raises(FormatError, match="make the candidates anew"):
        answered(folder, answer("one"))
