"""Answers to and from JSON Lines, as `dser-train preference` reads them."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from dser_ext.errors import FormatError
from dser_ext.formats.files import unicode_text, written_whole
from dser_training.preferences.annotate.figures import caught
from dser_training.preferences.annotate.store import RefusedError, Store
from dser_training.preferences.annotate.tables import ORDINARY, Answer, Assignment
from dser_training.preferences.comparisons import ANSWERS, rows

LONGEST_SECONDS = 86_400.0  # that an answer can take


def write(store: Store, path: str | Path, least_caught: float = 0.0) -> str:
    """Write all answers but those to checks; a sentence that says how many.

    least_caught: annotators who caught a smaller share of the broken candidates are left out.
    Raises FormatError if the file cannot be written.
    """
    answered = store.answered()
    own: defaultdict[str, list[Assignment]] = defaultdict(list)
    for each in answered:
        own[each.annotator.name].append(each)
    shares = {name: caught(questions).value for name, questions in own.items()}
    failed = {name for name, share in shares.items() if share is not None and share < least_caught}
    chosen = [each for each in answered if each.kind == ORDINARY and each.annotator.name not in failed]
    with written_whole(path) as file:
        for each in chosen:
            file.write(unicode_text(json.dumps(_document(store, each), ensure_ascii=False)) + "\n")
    without = f", without those of {', '.join(sorted(failed))}" if failed else ""
    return f"{path}: {len(chosen)} answers{without}"


def read(store: Store, path: str | Path) -> str:
    """Take up the answers of a file that are not there yet; a sentence that says how many. All of them or none.

    Raises FormatError naming the line of the file that does not fit.
    """
    numbers = {(pair.line, pair.one, pair.other): number for number, pair in enumerate(store.sheet.pairs)}
    answers = [(place, *_taken(place, row, numbers)) for place, row in rows(path)]

    def take_up(session: Session) -> tuple[int, int]:
        new = other = 0
        for place, name, assignment, answer in answers:
            annotator = _annotator(session, place, name)
            found = session.scalar(
                select(Assignment).where(
                    Assignment.annotator_id == annotator,
                    Assignment.pair == assignment["pair"],
                    Assignment.kind == ORDINARY,
                )
            )
            if found is None or found.answer is None:
                _keep(session, annotator, found, assignment, answer)
                new += 1
            else:
                other += _better(found.left, found.right, found.answer.answer) != _better(
                    assignment["left"], assignment["right"], answer["answer"]
                )
        return new, other

    new, other = store.transaction(take_up)
    kept = f"; {other} say something else than the store, which keeps what it has" if other else ""
    return f"{path}: {new} new answers of {len(answers)}{kept}"


def _document(store: Store, each: Assignment) -> dict[str, Any]:
    return {
        "line": store.sheet.pairs[each.pair].line,
        "candidates": [each.left, each.right],
        "answer": each.answer.answer,
        "annotator": each.annotator.name,
        "seconds": each.answer.seconds,
        "answered_at": each.answer.answered_at.isoformat(),
    }


def _taken(
    place: str, row: dict[str, Any], numbers: dict[tuple[str, int, int], int]
) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Annotator, question and answer of a row. Raises FormatError naming what is wrong."""
    try:
        left, right = row["candidates"]
        pair = numbers[(row["line"], min(left, right), max(left, right))]
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{place}: is about no pair of these candidates; name those that it is about") from error
    name, answer, seconds, at = (row.get(key) for key in ("annotator", "answer", "seconds", "answered_at"))
    if not isinstance(name, str) or answer not in ANSWERS:
        raise FormatError(f"{place}: needs an annotator, and an answer that is one of {', '.join(ANSWERS)}")
    number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and math.isfinite(seconds)
    if seconds is not None and not (number and 0 <= seconds <= LONGEST_SECONDS):
        raise FormatError(f"{place}: its seconds are no length of time; leave them out")
    try:
        answered_at = datetime.fromisoformat(at) if at is not None else datetime.now(timezone.utc)
    except (TypeError, ValueError) as error:
        raise FormatError(f"{place}: its answered_at is no time; write it like 2026-01-31T12:00:00+00:00") from error
    if answered_at.tzinfo is None:
        answered_at = answered_at.replace(tzinfo=timezone.utc)
    question = {"pair": pair, "left": left, "right": right}
    return name, question, {"answer": answer, "seconds": seconds, "answered_at": answered_at}


def _annotator(session: Session, place: str, name: str) -> int:
    try:
        return Store.named(session, name)
    except RefusedError as error:
        raise FormatError(f"{place}: its annotator is no name; {error}") from error


def _keep(
    session: Session, annotator: int, found: Assignment | None, question: dict[str, Any], answer: dict[str, Any]
) -> None:
    if found is None:
        last = session.scalar(select(func.max(Assignment.number)).where(Assignment.annotator_id == annotator))
        found = Assignment(annotator_id=annotator, number=(last or 0) + 1, kind=ORDINARY, put_at=answer["answered_at"])
        session.add(found)
    found.pair, found.left, found.right = question["pair"], question["left"], question["right"]
    session.flush()
    session.add(Answer(assignment_id=found.id, **answer))
    session.flush()


def _better(left: int, right: int, answer: str) -> int | str:
    return {"one": left, "other": right}.get(answer, answer)
