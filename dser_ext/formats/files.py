"""Writing files so that they appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from dser_ext.errors import FormatError


@contextmanager
def written_whole(path: str | os.PathLike[str], mode: str = "w") -> Iterator[IO[Any]]:
    """Open a file beside `path` for writing and rename it to `path` when the block ends well.

    mode: "w" (UTF-8 text) or "wb". If the block raises, `path` stays as it was and nothing is left beside it.
    Raises FormatError where the folder is missing or not writable, the disk is full, or `path` is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise FormatError(f"{path}: cannot be written because it is a folder; name a file")
    try:
        descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        text: dict[str, Any] = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
        with os.fdopen(descriptor, mode, **text) as file:
            yield file
        Path(beside).chmod(0o666 & ~_umask())
        Path(beside).replace(path)
    except OSError as error:
        Path(beside).unlink(missing_ok=True)
        raise _cannot_write(path, error) from error
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _cannot_write(path: Path, error: OSError) -> FormatError:
    reason = error.strerror or str(error)
    return FormatError(f"{path}: cannot be written ({reason}); check the folder, its permissions and the free space")
