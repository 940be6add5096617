"""dser: one command line for animators and pipelines."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from typing import TextIO

from dser_ext import __version__
from dser_ext.cli import emote, info, plot, push, voice
from dser_ext.errors import DserError, DserWarning

COMMANDS = (emote, plot, voice, push, info)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Exit code 0 done; 1 something failed, one line on stderr each; 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="dser", description="Speech in, emotion keyframes for Audio2Face out.")
    parser.add_argument("--version", action="version", version=f"dser {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        name = command.__name__.rpartition(".")[2]
        summary = (command.__doc__ or "").strip().splitlines()[0].partition(": ")[2]
        subparser = subparsers.add_parser(name, help=summary, description=summary)
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run, usage_error=subparser.error)
    options = parser.parse_args(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("always", DserWarning)
        warnings.showwarning = _show_warning
        try:
            return int(options.run(options))
        except DserError as error:
            return failed(error)
        except KeyboardInterrupt:
            print("dser: stopped", file=sys.stderr)
            return 1


def failed(error: DserError) -> int:
    """Say what went wrong in one line; the exit code of it."""
    print(f"dser: {error}", file=sys.stderr)
    return 1


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    del filename, lineno, file, line
    if issubclass(category, DserWarning):
        print(f"dser: warning: {message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
