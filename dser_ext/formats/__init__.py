"""Tracks and keys to files and back; one file a named format; never touches audio."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from dser_ext.errors import FormatError
from dser_ext.formats.a2f_csv import write_csv
from dser_ext.formats.a2f_json import write_json
from dser_ext.formats.a2f_yaml import write_a2f_yaml
from dser_ext.formats.blendshapes import Animation
from dser_ext.formats.files import written_whole
from dser_ext.formats.livelink_csv import write_livelink
from dser_ext.formats.table_csv import write_table
from dser_ext.formats.track_json import Performance, write_track
from dser_ext.formats.usda import write_usda


@dataclass(frozen=True)
class TrackFormat:
    """A named file format for performances."""

    suffix: str
    write: Callable[[Performance, str | os.PathLike[str]], None]


TRACK_FORMATS = {
    "json": TrackFormat(".json", write_track),
    "csv": TrackFormat(".csv", write_table),
    "a2f-yaml": TrackFormat(".yaml", write_a2f_yaml),
}
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


@dataclass(frozen=True)
class AnimationFormat:
    """A named file format for facial animation. write: takes the animation, an open text file, and the sound's name."""

    suffix: str
    write: Callable[[Animation, IO[Any], str], None]


ANIMATION_FORMATS = {
    "a2f-json": AnimationFormat(".json", write_json),
    "a2f-csv": AnimationFormat(".csv", write_csv),
    "usda": AnimationFormat(".usda", write_usda),
    "livelink-csv": AnimationFormat(".csv", write_livelink),
}
"""By name. Several may share a suffix; of those the first is the suffix's default."""


def animation_format(path: str | os.PathLike[str], name: str | None = None) -> str:
    """The name of the format: this one, or else the default of the path's suffix. Raises FormatError if none is."""
    if name is not None:
        if name not in ANIMATION_FORMATS:
            raise FormatError(f"{name!r} is no animation format; choose from {', '.join(ANIMATION_FORMATS)}")
        return name
    for known, candidate in ANIMATION_FORMATS.items():
        if candidate.suffix == Path(path).suffix.lower():
            return known
    suffixes = sorted({known.suffix for known in ANIMATION_FORMATS.values()})
    raise FormatError(f"{path}: an animation ends in {', '.join(suffixes)}, or has its format named with --format")


def save_animation(
    animation: Animation, path: str | os.PathLike[str], format_name: str | None = None, *, track_path: str = ""
) -> None:
    """Write `animation` to `path`, whole or not at all.

    format_name: one of `ANIMATION_FORMATS`; else the path's suffix decides. track_path: the sound file to name inside,
    where the format has a place for it.

    Raises FormatError for an unknown format, for time codes that no frame rate fits, or if `path` cannot be written.
    """
    write = ANIMATION_FORMATS[animation_format(path, format_name)].write
    with written_whole(path) as file:
        write(animation, file, track_path)
