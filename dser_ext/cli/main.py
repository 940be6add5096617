"""dser: one command line for animators and pipelines."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from dser_ext import __version__
from dser_ext.cli import (
    batch,
    bench,
    convert,
    emote,
    engine,
    export,
    info,
    panel,
    plot,
    preview,
    push,
    relay,
    serve,
    service,
    voice,
)
from dser_ext.cli.messages import say
from dser_ext.errors import DserError, DserWarning

COMMANDS = (
    *(emote, batch, plot, preview, voice, push, panel, relay, serve, service, convert, export, engine, bench, info),
)
EXAMPLES = """\
examples:
  dser emote line.wav -o line.json                    a track with keyframes
  dser emote *.wav -o keys --voice takes/of/the/actor surer: measured against the speaker's other lines
  dser plot line.wav -o line.png                      the same as a picture
  dser preview line.wav -o line.mp4                   a face with these emotions
  dser push line.wav --a2f localhost:52000 -o face.json
  dser panel line.wav                                 keys by one click, to be edited by hand
  dser relay --a2f localhost:52000                    clients of Audio2Face come to port 52010 instead
  dser serve                                          recognise for other programs, at port 50061

dser COMMAND --help tells a command's options."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Exit code 0 done; 1 something failed, one line on stderr each; 2 wrong usage."""
    typed = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(typed)
    options.typed = typed[1:]  # behind the command's name
    with _warnings_as_lines():
        try:
            return int(options.run(options))
        except DserError as error:
            say(error)
        except KeyboardInterrupt:
            say("stopped")
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dser",
        description="Speech in, emotion keyframes for Audio2Face out.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"dser {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")
    for command in COMMANDS:
        name = command.__name__.rpartition(".")[2]
        summary = (command.__doc__ or "").strip().splitlines()[0].partition(": ")[2].rstrip(".")
        subparser = subparsers.add_parser(name, help=summary, description=f"{summary[:1].upper()}{summary[1:]}.")
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run, usage_error=subparser.error, parser=subparser)
    return parser


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Say our warnings in a line each, none of them twice; keep those of libraries from the user."""
    said: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if issubclass(category, DserWarning) and str(message) not in said:
            said.add(str(message))
            say(f"warning: {message}")

    with warnings.catch_warnings():
        warnings.simplefilter("always", DserWarning)
        warnings.showwarning = show
        yield


if __name__ == "__main__":
    sys.exit(main())
