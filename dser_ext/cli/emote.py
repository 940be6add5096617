"""dser emote: recognise the emotions of lines and write tracks with keyframes."""

from __future__ import annotations

import argparse
import sys

from dser_ext.cli import options as shared
from dser_ext.errors import DserError
from dser_ext.formats import TRACK_FORMATS, track_format
from dser_ext.formats.track_json import Performance


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("audio", nargs="+", help="lines of speech: WAV, FLAC, Ogg, MP3; M4A, MP4, MOV with av")
    parser.add_argument("-o", "--output", help="a file for one line, a folder for several; else beside each line")
    parser.add_argument("--format", choices=list(TRACK_FORMATS), help="else the suffix of -o decides, else json")
    shared.add_recognition(parser, several=True)
    shared.add_performance(parser)


def run(options: argparse.Namespace) -> int:
    """Write every line that can be read, report every other one."""
    from dser_ext.recognition.recognizer import recognize_lines

    single_file = options.output and len(options.audio) == 1
    if options.format is None and single_file and options.output.lower().endswith(".csv"):
        options.format = "csv"
    format_ = track_format("", options.format or "json")
    paths = shared.outputs(options, options.audio, format_.suffix)
    style = shared.chosen_style(options)
    recognizer = shared.recognizer(options)
    voice = shared.chosen_voice(options, recognizer)
    shared.make_folders(paths, several=options.output is not None and len(paths) > 1)
    failures = 0
    for index, track in recognize_lines(recognizer, options.audio, voice, same_voice=options.same_voice):
        try:
            if isinstance(track, DserError):
                raise track
            format_.write(Performance.of(track, style, options.fps, options.tolerance), paths[index])
        except DserError as error:
            failures += 1
            print(f"dser: {error}", file=sys.stderr)
    return 1 if failures else 0
