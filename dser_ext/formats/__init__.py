"""Tracks and keys to files and back; one file a named format; never touches audio."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dser_ext.errors import FormatError
from dser_ext.formats.table_csv import write_table
from dser_ext.formats.track_json import Performance, write_track


@dataclass(frozen=True)
class TrackFormat:
    """A named file format for performances."""

    suffix: str
    write: Callable[[Performance, str | os.PathLike[str]], None]


TRACK_FORMATS = {"json": TrackFormat(".json", write_track), "csv": TrackFormat(".csv", write_table)}
"""By name. Several may share a suffix; of those the first is the suffix's default."""


def track_format(path: str | os.PathLike[str], name: str | None = None) -> TrackFormat:
    """The format of this name, or else the default of the path's suffix. Raises FormatError if there is none."""
    if name is not None:
        if name not in TRACK_FORMATS:
            raise FormatError(f"{name}: no such format; choose from {', '.join(TRACK_FORMATS)}")
        return TRACK_FORMATS[name]
    for known in TRACK_FORMATS.values():
        if known.suffix == Path(path).suffix.lower():
            return known
    raise FormatError(f"{path}: no format goes by this suffix; name one of {', '.join(TRACK_FORMATS)} with --format")
