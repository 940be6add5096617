"""Tracks, keys and animations to files and back; one file a named format; never touches audio."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

from dser_ext.errors import FormatError
from dser_ext.formats.a2f_csv import read_csv, write_csv
from dser_ext.formats.a2f_json import read_json, write_json
from dser_ext.formats.a2f_yaml import read_a2f_yaml, write_a2f_yaml
from dser_ext.formats.blender_json import read_blender, write_blender
from dser_ext.formats.blendshapes import Animation
from dser_ext.formats.files import written_whole
from dser_ext.formats.keyed_line import KeyedLine
from dser_ext.formats.livelink_csv import read_livelink, write_livelink
from dser_ext.formats.maya_anim import write_anim
from dser_ext.formats.table_csv import read_long_table, read_table, write_long_table, write_table
from dser_ext.formats.track_json import Performance, read_track, write_track
from dser_ext.formats.unreal_csv import read_curve_table, write_curve_table
from dser_ext.formats.usd_emotions import read_usd, write_usd
from dser_ext.formats.usda import read_usda, write_usda


@dataclass(frozen=True)
class TrackFormat:
    """A named file format for performances.

    write: takes a Performance, or, where keys are enough (`of_keys`), any `Keyed`. read: gives back what is in a file;
    None where nobody needs that. version: grows when the same line would be written in another way.
    """

    suffix: str
    write: Callable[[Any, str | os.PathLike[str]], None]
    read: Callable[[str | os.PathLike[str]], Performance | KeyedLine] | None = None
    of_keys: bool = True
    version: int = 1


TRACK_FORMATS = {
    "json": TrackFormat(".json", write_track, read_track, of_keys=False),
    "csv": TrackFormat(".csv", write_table, read_table, of_keys=False),
    "csv-long": TrackFormat(".long.csv", write_long_table, read_long_table, of_keys=False),
    "a2f-yaml": TrackFormat(".yaml", write_a2f_yaml, read_a2f_yaml),
    "usda": TrackFormat(".usda", write_usd, read_usd),
    "usdc": TrackFormat(".usdc", partial(write_usd, binary=True), read_usd),
    "maya-anim": TrackFormat(".anim", write_anim),
    "unreal-csv": TrackFormat(".unreal.csv", write_curve_table, read_curve_table),
    "blender-json": TrackFormat(".blender.json", write_blender, read_blender),
}
"""By name. No two have the same suffix, so that a line can be written in all of them; the longest that fits counts."""


def track_format(path: str | os.PathLike[str], name: str | None = None) -> TrackFormat:
    """The format of this name, or else that of the path's suffix. Raises FormatError if there is none."""
    if name is not None:
        if name not in TRACK_FORMATS:
            raise FormatError(f"{name}: no such format; choose from {', '.join(TRACK_FORMATS)}")
        return TRACK_FORMATS[name]
    if fitting := _longest_first(TRACK_FORMATS.values(), path):
        return fitting[0]
    raise FormatError(f"{path}: no format goes by this suffix; name one of {', '.join(TRACK_FORMATS)} with --format")


@dataclass(frozen=True)
class AnimationFormat:
    """A named file format for facial animation. write: takes the animation, an open text file, and the sound's name."""

    suffix: str
    write: Callable[[Animation, IO[Any], str], None]
    read: Callable[[str | os.PathLike[str]], Animation]


ANIMATION_FORMATS = {
    "a2f-json": AnimationFormat(".json", write_json, read_json),
    "a2f-csv": AnimationFormat(".csv", write_csv, read_csv),
    "usda": AnimationFormat(".usda", write_usda, read_usda),
    "livelink-csv": AnimationFormat(".csv", write_livelink, read_livelink),
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


def read_any(path: str | os.PathLike[str]) -> Performance | KeyedLine | Animation:
    """What is in a file of any of the formats that its suffix allows.

    Raises FormatError if it cannot be read, is of none of them, or the format is one that is written only.
    """
    known: list[TrackFormat | AnimationFormat] = [*TRACK_FORMATS.values(), *ANIMATION_FORMATS.values()]
    readers = [form.read for form in _longest_first(known, path) if form.read]
    if not readers:
        names = ", ".join(sorted({form.suffix for form in known if form.read}))
        raise FormatError(f"{path}: nothing of this suffix is read; those are {names}")
    refusals = []
    for read in readers:
        try:
            return read(path)
        except FormatError as error:
            refusals.append(error)
    if len(refusals) == 1 or not Path(path).is_file():
        raise refusals[0]
    raise FormatError(f"{path}: is of none of the formats of this suffix; write it anew, or name it as what it is")


_Any = TypeVar("_Any", TrackFormat, TrackFormat | AnimationFormat)


def _longest_first(formats: Iterable[_Any], path: str | os.PathLike[str]) -> list[_Any]:
    """Those of the formats that the path's name ends in."""
    name = Path(path).name.lower()
    return sorted((form for form in formats if name.endswith(form.suffix)), key=lambda form: -len(form.suffix))
