"""Configuration files: YAML, and JSON, which is YAML too."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import yaml

from dser_ext.errors import FormatError

MAX_BYTES = 1 << 20
"""Of a configuration; NVIDIA's have 8 kB."""


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """YAML, but for 1e-4, which it takes for text."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def read_config(path: str | os.PathLike[str]) -> Any:
    """The document in a file, as plain values. Raises FormatError if it cannot be read or is none."""
    try:
        if not Path(path).is_file():
            raise FormatError(f"{path}: is no file; name a configuration in YAML or JSON")
        if Path(path).stat().st_size > MAX_BYTES:
            raise FormatError(f"{path}: is larger than {MAX_BYTES >> 20} MiB, which no configuration is; name another")
        return parse_config(Path(path).read_text(encoding="utf-8"), os.fspath(path))
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror}); check its name and permissions") from error
    except ValueError as error:
        raise FormatError(f"{path}: no YAML or JSON that can be read; write it as UTF-8 text") from error


def parse_config(text: str, called: str) -> Any:
    """The document in a text, as plain values. called: what it is, in messages. Raises FormatError if it is none."""
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        place = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise FormatError(f"{called}: no YAML{place} ({error.problem}); check indents and brackets there") from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise FormatError(f"{called}: no YAML or JSON that can be read; write it as UTF-8 text") from error
