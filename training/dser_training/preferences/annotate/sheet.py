"""The sheet of work: the pairs to ask about, in their order, and the sequences that they are of."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dser_ext.emotion.names import EMOTIONS
from dser_ext.errors import FormatError
from dser_ext.formats.files import MAX_TEXT, bytes_of
from dser_training.preferences.candidates import SCHEMA
from dser_training.preferences.comparisons import rows

BROKEN = -1
"""In place of a candidate's number: a sequence that nobody who looks can prefer."""
FLICKER_FRAMES = 12  # 0.24 s of each emotion: less would be smoothed away on the face

Mixtures = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class SheetLine:
    """A line and its sequences, each (F, 6) at 50 Hz. source: its sound; sha256: of that file when it was heard."""

    name: str
    source: str
    sha256: str
    sequences: tuple[Mixtures, ...]

    def sequence(self, candidate: int) -> Mixtures:
        """A candidate by its number, or the broken one."""
        return self.sequences[candidate] if candidate != BROKEN else flicker(self.sequences[0], self.sha256)


@dataclass(frozen=True)
class SheetPair:
    """Two candidates of a line, by number."""

    line: str
    one: int
    other: int


@dataclass(frozen=True, eq=False)
class Sheet:
    """pairs: those that teach most first. fingerprint: changes with all that people are asked about."""

    lines: dict[str, SheetLine]
    pairs: tuple[SheetPair, ...]
    fingerprint: str

    def for_everybody(self, share: float) -> frozenset[int]:
        """The pairs that every annotator answers, spread evenly over the sheet."""
        return frozenset(n for n in range(len(self.pairs)) if int((n + 1) * share + 1e-9) > int(n * share + 1e-9))


def read(folder: str | Path) -> Sheet:
    """What `dser-train candidates` wrote into a folder. Raises FormatError naming what is wrong."""
    paths = Path(folder, "candidates.jsonl"), Path(folder, "pairs.jsonl")
    if missing := [path for path in paths if not path.is_file()]:
        raise FormatError(f"{missing[0]}: is not there; name the folder that dser-train candidates wrote")
    lines = {line.name: line for line in (_line(place, row) for place, row in rows(paths[0]))}
    pairs = tuple(_pair(place, row, lines) for place, row in rows(paths[1]))
    if not pairs:
        raise FormatError(f"{paths[1]}: holds no pair to ask about; make candidates with a smaller least_difference")
    if len(set(pairs)) < len(pairs):
        raise FormatError(f"{paths[1]}: holds a pair twice; make the candidates anew")
    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(bytes_of(path, MAX_TEXT, "candidates")).digest())
    return Sheet(lines, pairs, digest.hexdigest())


def flicker(like: Mixtures, seed: str) -> Mixtures:
    """Another emotion every 0.24 s, never neutral, as long as a sequence (F, 6); the same for the same seed."""
    random = np.random.default_rng(int(seed[:8], 16))
    strong = [index for index, name in enumerate(EMOTIONS) if name != "neutral"]
    count = -(-len(like) // FLICKER_FRAMES)
    steps = np.cumsum(random.integers(1, len(strong), count)) % len(strong)  # never the same one twice running
    return np.eye(len(EMOTIONS), dtype=np.float32)[np.repeat(np.array(strong)[steps], FLICKER_FRAMES)[: len(like)]]


def _line(place: str, row: dict[str, Any]) -> SheetLine:
    if row.get("schema") != SCHEMA:
        raise FormatError(f"{place}: no {SCHEMA}; make the candidates anew")
    try:
        sequences = tuple(np.array(each["mixtures"], np.float32) for each in row["candidates"])
        line = SheetLine(str(row["line"]), str(row["source"]), str(row["sha256"]), sequences)
        int(line.sha256[:8], 16)
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{place}: no line with its candidates; make the candidates anew") from error
    for mixtures in sequences:
        if mixtures.ndim != 2 or mixtures.shape[1] != len(EMOTIONS) or not len(mixtures):
            raise FormatError(f"{place}: a candidate has no mixtures of six; make the candidates anew")
        if not (np.isfinite(mixtures).all() and (mixtures >= 0).all() and (mixtures.sum(axis=1) > 0.5).all()):
            raise FormatError(f"{place}: a candidate's mixtures are no shares; make the candidates anew")
    return line


def _pair(place: str, row: dict[str, Any], lines: dict[str, SheetLine]) -> SheetPair:
    try:
        line, (one, other) = lines[row["line"]], row["candidates"]
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{place}: no pair of a line that has candidates; make both files anew") from error
    known = all(type(number) is int and 0 <= number < len(line.sequences) for number in (one, other))
    if not known or one == other:
        raise FormatError(f"{place}: {line.name} has no such two candidates; make both files anew")
    return SheetPair(line.name, min(one, other), max(one, other))
