"""Writing files so that they appear whole or not at all."""

from __future__ import annotations

import os
import secrets
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
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    text: dict[str, Any] = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    try:
        with beside.open(mode.replace("w", "x"), **text) as file:
            yield file
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        reason = error.strerror or str(error)
        raise FormatError(
            f"{path}: cannot be written ({reason}); check the folder, its permissions and the free space"
        ) from error
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
