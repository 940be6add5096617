"""Finding lines: in a folder of any depth, by a glob, in a list, or in a table with a row a line."""

from __future__ import annotations

import csv
import glob
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from dser_ext.batch.store import fetched, files_in, is_remote, joined, stamp
from dser_ext.errors import DserError
from dser_ext.recognition.recognizer import SOUND_SUFFIXES

TABLES = {".csv": ",", ".tsv": "\t"}
LISTS = (".txt", ".lst", ".list", *TABLES)
PATH_COLUMNS = ("path", "file", "filename", "audio", "wav")
MAX_LIST_BYTES = 1 << 30


@dataclass(frozen=True)
class Line:
    """A line to be recognised.

    name: its path in the place that is looked through, with /; its results are called so. source: its path or URL.
    stamp: of its file, as `store.stamp`; empty where there is none. columns: what a table says of it.
    """

    name: str
    source: str
    stamp: str
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Found:
    """Lines by name, and in a sentence each what was left out."""

    lines: list[Line] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def find(place: str, root: str | None = None, *, without: str | None = None) -> Found:
    """All lines of a place: a folder (of a store, too), a glob, a list file, or a CSV or TSV table; in order of names.

    root: that the paths of a list are in; else they are in the list's own folder. without: a folder to pass over.
    What is hidden, and links that lead out of the place, are left out. Raises DserError if there is no such place.
    """
    try:
        if is_remote(place) and PurePosixPath(place).suffix.lower() not in LISTS:
            found = Found(list(_in_store(place)))
        elif not is_remote(place) and Path(place).is_dir():
            found = _in_folder(place, without)
        elif not is_remote(place) and not Path(place).exists() and glob.has_magic(place):
            found = _by_glob(place)
        elif PurePosixPath(place).suffix.lower() in LISTS:
            found = _listed(place, root)
        else:
            raise DserError(f"{place}: no folder, list or glob; name a folder, a pattern in quotes, a .txt or a .csv")
    except OSError as error:
        raise DserError(
            f"{place}: cannot be read ({error.strerror or error}); check its name and permissions"
        ) from error
    found.lines.sort(key=lambda line: line.name)
    return found


def _in_store(place: str) -> Iterator[Line]:
    for name, mark in files_in(place).items():
        if _is_sound(name) and not any(part.startswith(".") for part in name.split("/")):
            yield Line(name, joined(place, name), mark)


def _in_folder(place: str, without: str | None) -> Found:
    found = Found()
    inside = os.path.realpath(place)
    passed_over = os.path.realpath(without) if without else None

    def unreadable(error: OSError) -> None:
        found.left_out.append(f"{error.filename}: folder cannot be read ({error.strerror}); check its permissions")

    for folder, folders, files in os.walk(place, onerror=unreadable):
        kept = []
        for name in sorted(folders):
            path = os.path.join(folder, name)  # noqa: PTH118 (a walk over 100,000 files has no time for Path)
            if name.startswith(".") or os.path.realpath(path) == passed_over:
                continue
            if not os.path.islink(path):  # noqa: PTH114
                kept.append(name)
            elif not _is_in(os.path.realpath(path), inside):  # those that lead inside are found where they lead
                found.left_out.append(f"{path}: is a link that leads out of {place}; name that folder by itself")
        folders[:] = kept
        for name in files:
            if _is_sound(name) and not name.startswith("."):
                _take(found, place, os.path.join(folder, name), inside)  # noqa: PTH118
    return found


def _by_glob(pattern: str) -> Found:
    """Names are below the last folder in front of the pattern's first special character."""
    fixed = []
    for part in Path(pattern).parts:
        if glob.has_magic(part):
            break
        fixed.append(part)
    base = str(Path(*fixed)) if fixed else "."
    found = Found()
    for path in glob.iglob(pattern, recursive=True):  # noqa: PTH207 (Path.glob would change the names as typed)
        if Path(path).is_file() and _is_sound(path):
            _take(found, base, path, os.path.realpath(base))
    return found


def _take(found: Found, place: str, path: str, inside: str) -> None:
    """A file that was come across. inside: the real path of the place."""
    name = os.path.relpath(path, place).replace(os.sep, "/")
    if os.path.islink(path) and not _is_in(os.path.realpath(path), inside):  # noqa: PTH114
        found.left_out.append(f"{path}: is a link that leads out of {place}; copy the file, or name its folder")
        return
    try:
        found.lines.append(Line(name, path, stamp(path)))
    except OSError as error:
        found.left_out.append(f"{path}: cannot be read ({error.strerror}); check its permissions, or the link")


def _listed(place: str, root: str | None) -> Found:
    base = root if root is not None else _folder_of(place)
    found = Found()
    known: set[str] = set()
    for number, path, columns in _rows(place):
        try:
            name = _name_in(base, path)
        except ValueError:
            remedy = f"leads out of {base}; name a folder that holds all lines with --root"
            found.left_out.append(f"{place}, line {number}: {path}: {remedy}")
            continue
        if name in known:
            found.left_out.append(f"{place}, line {number}: {path}: is in the list twice; the first counts")
            continue
        known.add(name)
        source = joined(base, name)
        try:
            mark = stamp(source)
        except (OSError, ValueError):
            mark = ""  # recognising it will tell what is wrong
        found.lines.append(Line(name, source, mark, columns))
    return found


def _rows(place: str) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Number, path and columns of every line of a list."""
    text = _text(place)
    delimiter = TABLES.get(PurePosixPath(place).suffix.lower())
    if delimiter is None:
        for number, row in enumerate(text.splitlines(), 1):
            if row.strip() and not row.startswith("#"):
                yield number, row.strip(), {}
        return
    try:
        yield from _records(place, text, delimiter)
    except csv.Error as error:
        raise DserError(f"{place}: no table that can be read ({error}); export it again") from error


def _records(place: str, text: str, delimiter: str) -> Iterator[tuple[int, str, dict[str, str]]]:
    """The same of a table."""
    table = csv.DictReader(text.splitlines(), delimiter=delimiter)  # a cell with a line break in it is no path
    names = {(name or "").strip().lower(): name for name in table.fieldnames or ()}
    column = next((names[name] for name in PATH_COLUMNS if name in names), None)
    if column is None:
        raise DserError(f"{place}: has no column {' or '.join(PATH_COLUMNS[:2])}; name the lines' paths in one")
    for record in table:
        path = (record[column] or "").strip()
        if path:
            cells = {str(key).strip().lower(): str(value).strip() for key, value in record.items() if key and value}
            yield table.line_num, path, {key: value for key, value in cells.items() if key != column.strip().lower()}


def _text(place: str) -> str:
    with fetched(place) as path, Path(path).open("rb") as file:
        data = file.read(MAX_LIST_BYTES + 1)
    if len(data) > MAX_LIST_BYTES:
        raise DserError(f"{place}: larger than {MAX_LIST_BYTES >> 30} GiB, which no list is; split it")
    return data.decode("utf-8-sig", "surrogateescape")


def _name_in(base: str, path: str) -> str:
    """The name of a path in a place. Raises ValueError if it leads out of it."""
    if is_remote(base):
        inside = path.removeprefix(base.rstrip("/") + "/")
        if is_remote(inside) or ".." in inside.split("/") or inside.startswith("/"):
            raise ValueError
        return inside
    if is_remote(path):
        raise ValueError
    if os.sep == "/" and "\\" in path and not Path(base, path).exists():
        path = path.replace("\\", "/")  # a list that was made on Windows
    name = os.path.relpath(os.path.join(base, path), base)  # noqa: PTH118
    real = os.path.realpath(os.path.join(base, name))  # noqa: PTH118
    if name.startswith("..") or os.path.isabs(name) or not _is_in(real, os.path.realpath(base)):  # noqa: PTH117
        raise ValueError
    return name.replace(os.sep, "/")


def _folder_of(place: str) -> str:
    return place.rpartition("/")[0] if is_remote(place) else str(Path(place).parent)


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _is_sound(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in SOUND_SUFFIXES


def clashes(outputs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Results that several lines would share. outputs: name of the result, name of the line."""
    owners: dict[str, list[str]] = {}
    for output, line in outputs:
        owners.setdefault(os.path.normcase(output), []).append(line)
    return {output: lines for output, lines in owners.items() if len(lines) > 1}
