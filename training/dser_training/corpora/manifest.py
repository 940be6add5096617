"""A researcher's own corpus: a CSV table with a line for each clip."""

from __future__ import annotations

from pathlib import Path

from dser_ext.emotion.names import EMOTIONS
from dser_training.corpora.clip import Clip, CorpusError
from dser_training.corpora.table import Row, rows

NAME = "manifest.csv"  # the table in a folder
SPLITS = ("train", "develop", "test", "validate")


def read(place: Path) -> list[Clip]:
    """The clips of a CSV file, or of manifest.csv in a folder. Columns, in any order:

    path: relative to the table, or absolute, since the table need not travel. speaker: any name.
    emotion: one of the six; or six columns named for them: a mixture, scaled to sum to 1, whose largest share is the
    emotion. With both, `emotion` is the intended one. split: "train" where the cell or the column is missing.
    """
    table = place / NAME if place.is_dir() else place
    if not table.is_file():
        raise CorpusError(f"{table}: no such table; write one or name another CSV file in the configuration")
    clips = [_clip(row) for row in rows(table, ("path", "speaker"))]
    if not clips:
        raise CorpusError(f"{table}, line 2: no clips below the columns' names; add a line for each")
    return clips


def _clip(row: Row) -> Clip:
    if not row["speaker"]:
        raise row.error("no speaker; name who speaks, lines of one voice alike")
    split = row["split"] or "train"
    if split not in SPLITS:
        raise row.error(f"split is {split!r}; it must be one of {', '.join(SPLITS)}")
    mixture = row.mixture(EMOTIONS) if any(row[name] for name in EMOTIONS) else None
    return Clip(_path(row), f"manifest/{row['speaker']}", _emotion(row, mixture), split, mixture=mixture)


def _path(row: Row) -> Path:
    path = row.table.parent / row["path"]
    try:
        found = path.is_file()
    except OSError:  # a name longer than the system allows
        found = False
    if not found:
        raise row.error(f"path is {row['path']!r}, where there is no file; give it relative to the table, or absolute")
    return path


def _emotion(row: Row, mixture: tuple[float, ...] | None) -> int | None:
    if row["emotion"]:
        if row["emotion"] not in EMOTIONS:
            raise row.error(f"emotion is {row['emotion']!r}; it must be one of {', '.join(EMOTIONS)}")
        return EMOTIONS.index(row["emotion"])
    if mixture is None:
        raise row.error(f"no emotion; fill in the column emotion, or all of {', '.join(EMOTIONS)}")
    largest = max(mixture)
    return mixture.index(largest) if mixture.count(largest) == 1 else None
