"""dser voice: learn a speaker's voice from lines and save it as a profile."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dser_ext.cli import options as shared


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("lines", nargs="+", help="lines of one speaker, in any emotions; the more the better")
    parser.add_argument("-o", "--output", required=True, metavar="NAME.voice")
    shared.add_model(parser)


def run(options: argparse.Namespace) -> int:
    """Save the profile of every line that can be heard, report every other one."""
    recognizer = shared.recognizer(options)
    profile, errors = recognizer.voice(options.lines, Path(options.output).stem)
    for error in errors:
        print(f"dser: {error}", file=sys.stderr)
    if profile is None:
        print("dser: no line with enough speech for a voice, so none was written", file=sys.stderr)
        return 1
    profile.save(options.output)
    print(f"{options.output}: {profile.lines} lines, {profile.seconds:.1f} s of speech", file=sys.stderr)
    return 1 if errors else 0
