"""Where lines come from and results go: paths of this machine, or URLs of any store that fsspec knows (s3://…)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from dser_ext.errors import DserError, FormatError


def is_remote(place: str) -> bool:
    """Whether this is a URL and no path."""
    return "://" in place


def joined(place: str, name: str) -> str:
    """What is called so, with / in between, in a place."""
    if is_remote(place):
        return f"{place.rstrip('/')}/{name}"
    return os.path.join(place, *name.split("/"))  # noqa: PTH118 (Path would change the place as typed)


def file_system(place: str) -> tuple[Any, str]:
    """The fsspec file system of a URL, and its path there. Raises DserError where a package for it is missing."""
    try:
        from fsspec.core import url_to_fs

        system, path = url_to_fs(place)
    except ImportError as error:
        remedy = 'pip install "dser-audio2face[cluster]", and what fsspec asks for'
        raise DserError(f"{place}: such a store needs another package ({error}); {remedy}") from error
    except ValueError as error:
        raise DserError(f"{place}: no such kind of store ({error}); check the URL") from error
    system.invalidate_cache()  # others write there, too
    return system, path


def files_in(place: str) -> dict[str, str]:
    """Stamps of all files in a place of a store, by their names in it."""
    system, root = file_system(place)
    try:
        found = system.find(root, detail=True)
    except Exception as error:  # each store has its own
        raise DserError(f"{place}: cannot be listed ({first_line(error)}); check the URL and the rights") from error
    return {os.path.relpath(path, root).replace(os.sep, "/"): _stamp_of(info) for path, info in found.items()}


def stamp(path: str) -> str:
    """Something short that changes when a file does. Raises OSError if it is not there."""
    if not is_remote(path):
        found = Path(path).stat()
        return f"{found.st_size}-{found.st_mtime_ns}"
    system, inside = file_system(path)
    try:
        return _stamp_of(system.info(inside))
    except OSError:
        raise
    except Exception as error:
        raise OSError(first_line(error)) from error


@contextmanager
def fetched(path: str) -> Iterator[str]:
    """A path to read what is there. Raises OSError if it cannot be had."""
    if not is_remote(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="dser-") as folder:
        beside = Path(folder, "fetched" + PurePosixPath(path).suffix)
        system, inside = file_system(path)
        try:
            system.get_file(inside, str(beside))
        except OSError:
            raise
        except Exception as error:
            raise OSError(first_line(error)) from error
        yield str(beside)


@contextmanager
def delivered(path: str) -> Iterator[str]:
    """A path to write to; what is there when the block ends well goes where it belongs, whole or not at all.

    Raises FormatError if its folder cannot be made, or the store does not take it.
    """
    if not is_remote(path):
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FormatError(
                f"{path}: its folder cannot be made ({error.strerror}); check the output folder"
            ) from error
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="dser-") as folder:
        beside = Path(folder, PurePosixPath(path).name)
        yield str(beside)
        system, inside = file_system(path)
        try:
            system.put_file(str(beside), inside)
        except Exception as error:
            raise FormatError(
                f"{path}: cannot be stored ({first_line(error)}); check the URL and the rights"
            ) from error


def present_in(place: str) -> Callable[[str], bool]:
    """Tells of a name whether a file of it is in a place, and not empty."""
    if is_remote(place):
        known = files_in(place)
        return lambda name: name in known and not known[name].startswith("0-")

    def present(name: str) -> bool:
        try:
            return Path(joined(place, name)).stat().st_size > 0
        except OSError:
            return False

    return present


def first_line(error: Exception) -> str:
    """What an error says, in a line."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _stamp_of(info: dict[str, Any]) -> str:
    known = next((info[key] for key in ("ETag", "etag", "mtime", "LastModified", "created") if info.get(key)), "")
    return f"{info.get('size', 0)}-{str(known).strip(chr(34))}"
