"""Options from a file and from the environment, for commands that run for long: flag before variable before file."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence

from dser_ext.errors import FormatError

PREFIX = "DSER_"
SWITCH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def configured(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """What the arguments say, and where they are silent DSER_* variables, and then the file in --config.

    A file is YAML or JSON; its keys are the names of the flags, without dashes in front; one without a value says
    nothing. A flag without a value is true or false there, and 1 or 0 in the environment; one with several values is a
    list there, and has blanks between them in the environment. Raises FormatError for a file that cannot be read, for
    what is no flag in it, and for a value that its flag does not take.
    """
    flags = {
        action.option_strings[-1].removeprefix("--"): action
        for action in parser._actions
        if action.option_strings and action.dest not in ("help", "config")
    }
    variables = {f"{PREFIX}{name.upper().replace('-', '_')}": name for name in flags}
    path = parser.parse_args(arguments).config or os.environ.get(f"{PREFIX}CONFIG")
    filed = _filed(path, flags) if path else {}
    said = {name: (f"{path}: {name}", value) for name, value in filed.items()}
    said |= {name: (key, os.environ[key]) for key, name in variables.items() if os.environ.get(key)}
    written = [_checked(parser, flags[name], name, *given) for name, given in said.items()]
    return parser.parse_args([*(word for words in written for word in words), *arguments])


def _checked(
    parser: argparse.ArgumentParser, flag: argparse.Action, name: str, origin: str, value: object
) -> list[str]:
    """A flag and its values as they would be typed. origin: of the value, for whoever has to put it right."""
    words = list(_words(flag, name, origin, value))
    parser.exit_on_error = False
    try:
        parser.parse_known_args(words)
    except argparse.ArgumentError as error:
        raise FormatError(f"{origin}: {error.message}") from error
    finally:
        parser.exit_on_error = True
    return words


def _filed(path: str, flags: Mapping[str, argparse.Action]) -> dict[str, object]:
    from dser_ext.config import read_config

    document = read_config(path)
    if not isinstance(document, dict):
        raise FormatError(f"{path}: no table of options; write one a line, such as listen: 127.0.0.1:50061")
    if unknown := [name for name in document if name not in flags]:
        raise FormatError(f"{path}: {str(unknown[0])[:80]!r} is no option; those are {', '.join(sorted(flags))}")
    return document


def _words(action: argparse.Action, name: str, origin: str, value: object) -> Iterator[str]:
    if value is None or value == []:
        return
    if action.nargs == 0:
        if (said := str(value).lower()) not in SWITCH:
            raise FormatError(f"{origin}: {said[:80]!r} is neither true nor false; write one of {', '.join(SWITCH)}")
        if SWITCH[said]:
            yield f"--{name}"
        return
    if action.nargs == "+":
        yield f"--{name}"
        yield from map(str, value if isinstance(value, list) else str(value).split())
        return
    yield f"--{name}={value}"
