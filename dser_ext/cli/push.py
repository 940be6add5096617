"""dser push: have Audio2Face animate a line with its emotion keys."""

from __future__ import annotations

import argparse
from pathlib import Path

from dser_ext.cli import options as shared
from dser_ext.cli import push_app
from dser_ext.cli.messages import say
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.errors import FormatError
from dser_ext.formats import ANIMATION_FORMATS, animation_format, save_animation
from dser_ext.formats.track_json import Performance, read_track


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("audio", metavar="AUDIO", help="a line of speech; over five minutes go in parts, cut in pauses")
    parser.add_argument(
        "--track",
        metavar="FILE",
        help="a track written by dser emote, whose keys are sent; else the line is recognised now",
    )
    parser.add_argument("--a2f", metavar="HOST:PORT", help="an Audio2Face-3D service (its port usually is 52000)")
    parser.add_argument(
        "--timeout",
        type=shared.seconds,
        default=30.0,
        metavar="SECONDS",
        help="give up when Audio2Face has sent nothing for this long (default 30)",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="ANIMATION",
        help="the animation; .json, .csv or .usda names its format",
    )
    parser.add_argument(
        "--format",
        choices=ANIMATION_FORMATS,
        help="blendshapes for importers (a2f-json), the table that NVIDIA's client writes (a2f-csv), "
        "a USD SkelAnimation (usda), or a recording of Live Link Face (livelink-csv); else by the ending of -o",
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="settings of Audio2Face in YAML or JSON, like the configurations of NVIDIA's sample client; "
        "strengths below 1 weaken the keys",
    )
    push_app.add_arguments(parser)
    shared.add_recognition(parser, several=False)
    shared.add_performance(parser)
    shared.add_connection(parser)


def run(options: argparse.Namespace) -> int:
    """Send sound and keys, save what comes back; or leave them with the older app."""
    if push_app.wanted(options):
        return push_app.run(options, _keyframes)
    if options.output is None:
        options.usage_error("the following arguments are required: -o/--output")
    try:
        format_name = animation_format(options.output, options.format)
    except FormatError as error:
        options.usage_error(f"-o {error}")
    inputs = [options.audio, options.track, options.style, options.voice, options.config]
    shared.check_outputs(options, [Path(options.output)], inputs)
    connection = shared.connection(options)
    settings = shared.a2f_settings(options)
    from dser_ext.audio import read
    from dser_ext.audio2face.animate import animate

    keys = _keyframes(options)
    samples = read(options.audio)
    animation = animate(samples, keys, connection, settings=settings, timeout_seconds=options.timeout)
    save_animation(animation, options.output, format_name, track_path=options.audio)
    say(
        f"{options.output}: {len(animation.times)} frames of {len(animation.names)} blendshapes, "
        f"{len(keys.times)} emotion keys sent"
    )
    return 0


def _keyframes(options: argparse.Namespace) -> Keyframes:
    if options.track is not None:
        return read_track(options.track).keyframes
    from dser_ext.audio import AudioFile

    style = shared.chosen_style(options)
    recognizer = shared.recognizer(options)
    voice = shared.chosen_voice(options, recognizer)
    track = recognizer.track(recognizer.hear(AudioFile(options.audio)), voice)
    return Performance.of(track, style, options.fps, options.tolerance).keyframes
