"""Writing files so that they appear whole or not at all, and reading small ones."""

from __future__ import annotations

import csv
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from dser_ext.errors import FormatError

UNFINISHED = ".part"
MAX_TEXT = 1 << 28  # bytes of a file that is read whole: an hour of 68 blendshapes at 60 frames a second is less


@contextmanager
def written_whole(path: str | os.PathLike[str], mode: str = "w") -> Iterator[IO[Any]]:
    """Open a file beside `path` for writing and rename it to `path` when the block ends well.

    mode: "w" (UTF-8 text) or "wb". If the block raises, `path` stays as it was and nothing is left beside it.
    A symbolic link stays one: the file it leads to is replaced. What cannot be renamed to, such as a pipe or
    /dev/stdout, is written to directly.
    Raises FormatError where the folder is missing or not writable, the disk is full, or `path` is a folder.
    """
    text: dict[str, Any] = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    try:
        if Path(path).is_dir():
            raise FormatError(f"{path}: cannot be written because it is a folder; name a file")
        if Path(path).exists() and not Path(path).is_file():
            with Path(path).open(mode, **text) as file:
                yield file
            return
        target = Path(os.path.realpath(path))
        with _removed_if_left(target.with_name(f".{target.name[:32]}.{secrets.token_hex(4)}{UNFINISHED}")) as beside:
            with beside.open(mode.replace("w", "x"), **text) as file:
                yield file
            beside.replace(target)
    except OSError as error:
        reason = error.strerror or str(error)
        raise FormatError(
            f"{path}: cannot be written ({reason}); check the folder, its permissions and the free space"
        ) from error


def remove_unfinished(folder: str | os.PathLike[str]) -> None:
    """Remove what writers left in a folder when they were killed. Nobody may be writing there."""
    try:
        left = [
            path for path in Path(folder).iterdir() if re.fullmatch(rf"\..+\.[0-9a-f]{{8}}\{UNFINISHED}", path.name)
        ]
    except OSError:
        return
    for path in left:
        with suppress(OSError):
            path.unlink()


def bytes_of(path: str | os.PathLike[str], most: int, kind: str) -> bytes:
    """What a file holds. most: bytes; kind: what it should be, in messages.

    Raises FormatError if it cannot be read or holds more, and ValueError for a name that none can have.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror or error}); check the name") from error
    if len(data) > most:
        raise FormatError(f"{path}: too large for {kind} (over {most >> 20} MiB)")
    return data


def rows_of(path: str | os.PathLike[str]) -> list[list[str]]:
    """The rows of a table in CSV. Raises FormatError as `text_of` does, and if it is no such table."""
    try:
        return list(csv.reader(text_of(path).splitlines()))
    except csv.Error as error:
        raise FormatError(f"{path}: no table in CSV ({error}); export it again") from error


def text_of(path: str | os.PathLike[str]) -> str:
    """What a text file holds. Raises FormatError if it cannot be read, is no UTF-8, or is larger than `MAX_TEXT`."""
    try:
        return bytes_of(path, MAX_TEXT, "keys or an animation").decode("utf-8-sig")
    except ValueError as error:  # no UTF-8, or a NUL in the name
        raise FormatError(
            f"{path}: no text that can be read; name a file that a format of ours or theirs is in"
        ) from error


def unicode_text(text: str) -> str:
    """Text as UTF-8 can hold it: the bytes of a file name that are no letters become \\udcXX."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


@contextmanager
def _removed_if_left(path: Path) -> Iterator[Path]:
    try:
        yield path
    finally:
        with suppress(OSError):
            path.unlink()
