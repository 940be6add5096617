"""Simulated annotators: what they like, how often they are wrong, and the lines that they hear."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from dser_training.corpora.clip import Clip, CorpusError
from dser_training.preferences.simulated import HAPPIER, TRUTH, Annotator, answer, make_lines

PAIRS = 400
COLUMN = {"truth": 5, "far": 0, "happy": 3}
CLIPS = [
    Clip(path, "made/1", {"ANG": 0, "SAD": 5}[path.stem.split("_")[2]], "develop")
    for path in sorted((Path(__file__).resolve().parents[3] / "samples/voice").glob("*.ogg"))
    if path.stem.split("_")[2] in ("ANG", "SAD")
]


def mixtures(strongest: str, frames: int = 20) -> np.ndarray:
    made = np.full((frames, 6), 0.08, np.float32)
    made[:, COLUMN[strongest]] = 0.6
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Candidates of one sad line: one that says so, one that is angry, one that is happy, and one like the first."""
    kinds = ["truth", "far", "happy", "truth"]
    row = {"line": "a", "candidates": [{"mixtures": mixtures(kind).tolist()} for kind in kinds]}
    (tmp_path / "candidates.jsonl").write_text(json.dumps(row) + "\n")
    pairs = [{"line": "a", "candidates": [index % 2, 1 - index % 2]} for index in range(PAIRS)]
    pairs += [{"line": "a", "candidates": [0, 2]}, {"line": "a", "candidates": [0, 3]}]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    return tmp_path


def answers(folder: Path, annotator: Annotator, count: int = PAIRS) -> list[dict]:
    answer(annotator, folder, {"a": np.eye(6, dtype=np.float32)[[5] * 20]}, count, folder / "said.jsonl", seed=1)
    return [json.loads(text) for text in (folder / "said.jsonl").read_text().splitlines()]


def chosen(said: list[dict]) -> list[int | None]:
    return [{"one": row["candidates"][0], "other": row["candidates"][1]}.get(row["answer"]) for row in said]


def test_who_never_errs_takes_the_nearer_one_on_either_side(folder: Path) -> None:
    said = answers(folder, Annotator())
    assert len(said) == PAIRS
    assert set(chosen(said)) == {0}
    assert Counter(row["answer"] for row in said) == {"one": PAIRS // 2, "other": PAIRS // 2}


@pytest.mark.parametrize("wrong", [0.1, 0.25])
def test_so_many_answers_are_the_other_way_round(folder: Path, wrong: float) -> None:
    share = np.mean(np.array(chosen(answers(folder, Annotator(wrong=wrong)))) == 1)
    assert share == pytest.approx(wrong, abs=0.05)
    assert answers(folder, Annotator(wrong=wrong)) == answers(folder, Annotator(wrong=wrong))


def test_a_taste_of_its_own_needs_no_truth(folder: Path) -> None:
    assert chosen(answers(folder, Annotator(HAPPIER), PAIRS + 1))[-1] == 2
    assert chosen(answers(folder, Annotator(TRUTH), PAIRS + 1))[-1] == 0


def test_two_that_are_alike_are_the_same(folder: Path) -> None:
    assert answers(folder, Annotator(same_below=0.02), PAIRS + 2)[-1]["answer"] == "same"
    assert set(chosen(answers(folder, Annotator(same_below=0.02)))) == {0}


def test_lines_are_splices_with_their_truth_and_made_once(tmp_path: Path) -> None:
    truth = make_lines(CLIPS, tmp_path, 2, seed=3)
    assert sorted(truth) == ["made-1/000.flac", "made-1/001.flac"]
    for name, mixture in truth.items():
        assert soundfile.info(tmp_path / name).frames == 320 * len(mixture)
        assert set(np.unique(mixture.argmax(axis=1))) == {0, 5}
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.flac")}
    again = make_lines(CLIPS, tmp_path, 2, seed=3)
    assert all(np.array_equal(again[name], mixture) for name, mixture in truth.items())
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.flac")} == times


def test_without_speakers_there_is_nothing_to_compare(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no speakers"):
        make_lines([], tmp_path, 2, seed=3)
