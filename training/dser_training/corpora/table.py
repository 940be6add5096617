"""Row: a line of a corpus' CSV table, which says where it stands when something in it is wrong."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dser_training.corpora.clip import CorpusError


@dataclass(frozen=True)
class Row:
    """Cells by column. line: where in the file the row ends; the header is line 1."""

    table: Path
    line: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        """A cell, empty where the table has no such column."""
        return self.cells.get(column, "")

    def number(self, column: str) -> float:
        """A cell's finite number of at least 0. Raises CorpusError for anything else."""
        try:
            number = float(self[column])
        except ValueError:
            number = math.nan
        if not 0 <= number < math.inf:
            raise self.error(f"{column} is {self[column]!r}; write a number of at least 0")
        return number

    def mixture(self, columns: Sequence[str]) -> tuple[float, ...]:
        """The columns' numbers, scaled to sum to 1. Raises CorpusError where they cannot be."""
        shares = [self.number(column) for column in columns]
        total = sum(shares)
        if not 0 < total < math.inf:
            raise self.error(f"{', '.join(columns)} sum to {total:g}; write shares with a finite sum above 0")
        return tuple(share / total for share in shares)

    def error(self, problem: str) -> CorpusError:
        return CorpusError(f"{self.table}, line {self.line}: {problem}")


def rows(table: Path, columns: Sequence[str]) -> Iterator[Row]:
    """The rows of a CSV file in UTF-8. Raises CorpusError if it cannot be read or lacks one of the columns."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as lines:
            yield from _rows(table, csv.DictReader(lines, restval="", skipinitialspace=True), columns)
    except UnicodeDecodeError as error:
        raise CorpusError(f"{table}: not in UTF-8; save it as CSV in UTF-8") from error
    except OSError as error:
        raise CorpusError(f"{table}: cannot be read ({error.strerror}); make it readable") from error


def _rows(table: Path, reader: csv.DictReader[str], columns: Sequence[str]) -> Iterator[Row]:
    try:
        if missing := [column for column in columns if column not in (reader.fieldnames or ())]:
            raise CorpusError(f"{table}, line 1: no column {missing[0]}; name the columns there: {', '.join(columns)}")
        for cells in reader:
            row = Row(table, reader.line_num, cells)
            if None in cells:
                raise row.error("more cells than columns; put quotes around a cell that has a comma in it")
            yield row
    except csv.Error as error:
        raise CorpusError(f"{table}, line {reader.line_num + 1}: no CSV ({error}); close its quotes") from error
