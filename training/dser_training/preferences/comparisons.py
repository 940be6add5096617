"""Comparisons: what people answered about pairs of candidates, one JSON object a line.

    {"line": "hero/12.wav", "candidates": [0, 3], "answer": "one", "annotator": "Anna"}

`answer` is "one" or "other" (which of the two is better), "same", "cannot tell", or "bad clip".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dser_ext.errors import FormatError
from dser_ext.formats.files import text_of
from dser_training.preferences.candidates import SCHEMA

ONE, OTHER, SAME = "one", "other", "same"
ANSWERS = (ONE, OTHER, SAME, "cannot tell", "bad clip")

Mixtures = NDArray[np.float32]


@dataclass(frozen=True)
class Comparison:
    """An answer. candidates: the better first; of "same" in any order."""

    line: str
    candidates: tuple[int, int]
    tie: bool


@dataclass(frozen=True, eq=False)
class Compared:
    """A line, its sequences, each (F, 6) at 50 Hz, and what was answered about them; never empty."""

    line: str
    source: str
    sha256: str
    voice: str | None
    sequences: tuple[Mixtures, ...]
    comparisons: tuple[Comparison, ...]


def read(comparisons: str | Path, candidates: str | Path) -> list[Compared]:
    """Lines with answers, in the order of the candidates. Answers that tell nothing are left out.

    comparisons: a file; candidates: a folder that `candidates.make` wrote. Raises FormatError naming what is wrong.
    """
    answers: dict[str, list[Comparison]] = {}
    for place, row in rows(comparisons):
        found = _comparison(place, row)
        if found is not None:
            answers.setdefault(found.line, []).append(found)
    lines = []
    for place, row in rows(Path(candidates, "candidates.jsonl")):
        if row.get("schema") != SCHEMA:
            raise FormatError(f"{place}: no {SCHEMA}; make the candidates anew")
        own = answers.pop(row["line"], [])
        if not own:
            continue
        sequences = tuple(np.array(each["mixtures"], np.float32) for each in row["candidates"])
        if wrong := [answer for answer in own if max(answer.candidates) >= len(sequences)]:
            raise FormatError(f"{comparisons}: {row['line']} has no candidate {max(wrong[0].candidates)}; {REMEDY}")
        lines.append(Compared(row["line"], row["source"], row["sha256"], row["voice"], sequences, tuple(own)))
    if answers:
        raise FormatError(f"{comparisons}: {next(iter(answers))} is no line of {candidates}; {REMEDY}")
    if not lines:
        raise FormatError(f"{comparisons}: holds no answer that says which of two is better, or that they are the same")
    return lines


REMEDY = "name the candidates that people were asked about"


def _comparison(place: str, row: dict[str, Any]) -> Comparison | None:
    try:
        line, (one, other), answer = row["line"], row["candidates"], row["answer"]
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{place}: no line, two candidates and an answer; see what the others have") from error
    whole = all(type(number) is int and number >= 0 for number in (one, other))
    if not isinstance(line, str) or not whole or one == other or answer not in ANSWERS:
        raise FormatError(f"{place}: its answer must be one of {', '.join(ANSWERS)}, about two candidates by number")
    if answer not in (ONE, OTHER, SAME):
        return None
    return Comparison(line, (other, one) if answer == OTHER else (one, other), answer == SAME)


def rows(path: str | Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a file of JSON Lines, each with where it stands. Raises FormatError naming what is wrong."""
    for number, text in enumerate(text_of(path).splitlines(), 1):
        if not text.strip():
            continue
        place = f"{path}, line {number}"
        try:
            row = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise FormatError(f"{place}: not JSON; write one object a line") from error
        if not isinstance(row, dict):
            raise FormatError(f"{place}: not a JSON object; write one a line")
        yield place, row
