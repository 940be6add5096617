"""dser emote: recognise the emotions of lines and write them as tracks with keyframes."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from dser_ext.cli import options as shared
from dser_ext.cli import remote
from dser_ext.cli.messages import say
from dser_ext.emotion.style import Style
from dser_ext.emotion.track import EmotionTrack
from dser_ext.errors import DserError, FormatError
from dser_ext.formats import TRACK_FORMATS, TrackFormat, track_format
from dser_ext.formats.track_json import Performance


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "audio",
        nargs="+",
        metavar="AUDIO",
        help="lines of speech: WAV, AIFF, FLAC, Ogg, MP3; with the package av also M4A, MP4 and MOV",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="OUT",
        help="a file for one line, a folder for several (made if need be); else results lie beside their lines",
    )
    parser.add_argument(
        "--format", choices=list(TRACK_FORMATS), help="default: what the file -o ends in, for folders json"
    )
    shared.add_recognition(parser, several=True)
    shared.add_performance(parser)
    shared.add_service(parser)


def run(options: argparse.Namespace) -> int:
    """Write every line that can be read, report every other one."""
    format_ = _format(options)
    paths = shared.outputs(options, options.audio, format_.suffix)
    shared.check_outputs(options, paths, [*options.audio, options.style, options.voice])
    style = shared.chosen_style(options)
    if options.service is None:
        lines = _performances(options, style)
    else:
        from dser_ext.client.blocking import Client

        lines = remote.performances(Client(shared.service(options)), options, style)
    if options.output is not None and shared.output_file(options, options.audio) is None:
        shared.make_folder(paths[0].parent)
    failures = 0
    for index, performance in lines:
        try:
            if isinstance(performance, DserError):
                raise performance
            format_.write(performance, paths[index])
        except DserError as error:
            failures += 1
            say(error)
    return 1 if failures else 0


def _performances(options: argparse.Namespace, style: Style) -> Iterator[tuple[int, Performance | DserError]]:
    """Index and performance of each line, or what was wrong with it."""
    from dser_ext.recognition.recognizer import recognize_lines

    recognizer = shared.recognizer(options)
    voice = shared.chosen_voice(options, recognizer)
    tracks = recognize_lines(recognizer, options.audio, voice, same_voice=options.same_voice)

    def styled(track: EmotionTrack | DserError) -> Performance | DserError:
        if isinstance(track, DserError):
            return track
        try:
            return Performance.of(track, style, options.fps, options.tolerance)
        except DserError as error:
            return error

    return ((index, styled(track)) for index, track in tracks)


def _format(options: argparse.Namespace) -> TrackFormat:
    """What --format names, else what the file -o ends in, else JSON."""
    file = shared.output_file(options, options.audio)
    try:
        return track_format(file or "", options.format or ("json" if file is None else None))
    except FormatError as error:
        options.usage_error(str(error))
        raise
