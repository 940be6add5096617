"""The sheet is read as `dser-train candidates` writes it, and what is wrong in it is named."""

from __future__ import annotations

import json

import numpy as np
import pytest
from dser_training.preferences.annotate import sheet as sheets
from dser_training.preferences.annotate.sheet import BROKEN, SheetPair

from dser_ext.emotion.names import NEUTRAL
from dser_ext.errors import FormatError


def rewritten(candidates, folder, name, change):
    """A copy of the folder with the rows of one file changed."""
    for path in candidates.glob("*.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        if path.name == name:
            change(rows)
        (folder / path.name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_pairs_keep_their_order_and_know_their_lines(sheet, candidates):
    rows = [json.loads(line) for line in (candidates / "pairs.jsonl").read_text().splitlines()]
    assert [(pair.line, [pair.one, pair.other]) for pair in sheet.pairs] == [
        (row["line"], row["candidates"]) for row in rows
    ]
    assert sheet.lines[sheet.pairs[0].line].sequence(1).shape == (100, 6)


def test_the_fingerprint_changes_with_what_people_see(sheet, candidates, tmp_path):
    assert sheets.read(candidates).fingerprint == sheet.fingerprint
    other = rewritten(candidates, tmp_path, "pairs.jsonl", lambda rows: rows.pop())
    assert sheets.read(other).fingerprint != sheet.fingerprint


@pytest.mark.parametrize("share", [0, 0.1, 0.25, 0.5, 1])
def test_pairs_for_everybody_are_spread_over_the_sheet(sheet, share):
    shared = sorted(sheet.for_everybody(share))
    assert len(shared) == int(share * len(sheet.pairs))
    assert len(set(np.diff(shared))) <= 2


def test_a_broken_candidate_flickers_and_is_the_same_every_time(sheet):
    line = next(iter(sheet.lines.values()))
    broken = line.sequence(BROKEN)
    assert broken.shape == line.sequence(0).shape
    assert (broken[:, NEUTRAL] == 0).all()
    changes = np.flatnonzero(np.abs(np.diff(broken, axis=0)).sum(axis=1))
    assert np.diff(changes).tolist() == [sheets.FLICKER_FRAMES] * (len(changes) - 1)
    assert (line.sequence(BROKEN) == broken).all()


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("pairs.jsonl", lambda rows: rows.clear(), "holds no pair to ask about"),
        ("pairs.jsonl", lambda rows: rows.append(rows[0]), "holds a pair twice"),
        ("pairs.jsonl", lambda rows: rows[2].update(line="nobody"), r"line 3: no pair of a line that has candidates"),
        ("pairs.jsonl", lambda rows: rows[0].update(candidates=[0, 3]), "has no such two candidates"),
        ("pairs.jsonl", lambda rows: rows[0].update(candidates=[1, 1]), "has no such two candidates"),
        ("candidates.jsonl", lambda rows: rows[1].update(schema="dser.candidates/9"), "line 2: no dser.candidates/1"),
        ("candidates.jsonl", lambda rows: rows[0].update(sha256="x"), "no line with its candidates"),
        ("candidates.jsonl", lambda rows: rows[0].update(candidates=[{"mixtures": [[1]]}]), "no mixtures of six"),
        (
            "candidates.jsonl",
            lambda rows: rows[0]["candidates"][0]["mixtures"][0].__setitem__(0, None),
            "are no shares",
        ),
    ],
)
def test_what_is_no_sheet_is_named(candidates, tmp_path, name, change, said):
    with pytest.raises(FormatError, match=said):
        sheets.read(rewritten(candidates, tmp_path, name, change))


def test_a_folder_without_candidates_is_said(tmp_path):
    with pytest.raises(FormatError, match="name the folder that dser-train candidates wrote"):
        sheets.read(tmp_path)


def test_a_pair_is_the_same_either_way_round(candidates, tmp_path):
    turned = rewritten(candidates, tmp_path, "pairs.jsonl", lambda rows: rows[0].update(candidates=[1, 0]))
    pairs = sheets.read(turned).pairs
    assert pairs[0] == SheetPair(pairs[0].line, 0, 1)
