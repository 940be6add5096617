"""dser convert: keys or an animation from one file format to another."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from dser_ext.cli import options as shared
from dser_ext.errors import FormatError
from dser_ext.formats import ANIMATION_FORMATS, TRACK_FORMATS, read_any, save_animation, track_format
from dser_ext.formats.blendshapes import Animation
from dser_ext.formats.track_json import Performance


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("source", metavar="IN", help="a track, keys, or an animation, in a file of ours or theirs")
    parser.add_argument("output", metavar="OUT", help="the file to write")
    parser.add_argument(
        "--format",
        choices=list(dict.fromkeys([*TRACK_FORMATS, *ANIMATION_FORMATS])),
        help="what to write (default: what OUT ends in)",
    )
    parser.add_argument(
        "--fps",
        type=shared.frames_a_second,
        metavar="RATE",
        help="of the frames that keys are counted in (default: as in IN, where it says so); times stay as they are",
    )


def run(options: argparse.Namespace) -> int:
    """Read the one, write the other."""
    shared.check_outputs(options, [Path(options.output)], [options.source])
    found = read_any(options.source)
    if isinstance(found, Animation):
        if options.fps is not None:
            options.usage_error("--fps is for keys; an animation has a time code for each of its frames")
        save_animation(found, options.output, options.format)
        return 0
    form = track_format(options.output, options.format)
    if not form.of_keys and not isinstance(found, Performance):
        raise FormatError(
            f"{options.source}: holds keys alone, and {options.output} needs the track that was heard; "
            "convert the json of the line, or recognise it anew"
        )
    form.write(replace(found, fps=options.fps) if options.fps else found, options.output)
    return 0
