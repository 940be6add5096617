"""dser voice: learn a speaker's voice from lines and save it as a profile."""

from __future__ import annotations

import argparse
from pathlib import Path

from dser_ext.cli import options as shared
from dser_ext.cli.messages import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "lines", nargs="+", metavar="LINE", help="lines of one speaker, in different moods; the more the better"
    )
    parser.add_argument("-o", "--output", required=True, metavar="NAME.voice", help="the profile; keep it as private")
    shared.add_model(parser)


def run(options: argparse.Namespace) -> int:
    """Save the profile of every line that can be heard, report every other one."""
    shared.check_outputs(options, [Path(options.output)], options.lines)
    recognizer = shared.recognizer(options)
    lines, errors = recognizer.voice(options.lines, Path(options.output).stem)
    for error in errors:
        say(error)
    if lines.profile is None:
        say(f"{options.output}: not written, because no line has enough speech for a voice; name other lines")
        return 1
    lines.profile.save(options.output)
    say(f"{options.output}: {lines.profile.extent}")
    if advice := recognizer.advice(lines.profile):
        say(f"warning: {options.output}: {advice}")
    return 1 if errors else 0
