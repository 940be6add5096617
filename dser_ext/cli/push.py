"""dser push: have Audio2Face animate a line with its emotion keys, and save the animation."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from dser_ext.cli import options as shared
from dser_ext.cli.messages import say
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.formats import save_animation
from dser_ext.formats.track_json import Performance, read_track

ANIMATION_SUFFIXES = {".json": "a2f-json", ".csv": "a2f-csv"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("audio", metavar="AUDIO", help="a line of speech of up to five minutes")
    parser.add_argument(
        "--track",
        metavar="FILE",
        help="a track written by dser emote, whose keys are sent; else the line is recognised now",
    )
    parser.add_argument(
        "--a2f", required=True, metavar="HOST:PORT", help="an Audio2Face-3D service (its port usually is 52000)"
    )
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
        required=True,
        metavar="ANIM.json|ANIM.csv",
        help="the animation: blendshapes for importers, or the table that NVIDIA's client writes",
    )
    shared.add_recognition(parser, several=False)
    shared.add_performance(parser)


def run(options: argparse.Namespace) -> int:
    """Send sound and keys, save what comes back."""
    suffix = Path(options.output).suffix.lower()
    if suffix not in ANIMATION_SUFFIXES:
        options.usage_error(f"-o {options.output}: an animation ends in {' or '.join(ANIMATION_SUFFIXES)}")
    inputs = [options.audio, options.track, options.style, options.voice]
    shared.check_outputs(options, [Path(options.output)], inputs)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # gRPC's own notes on stderr are not the user's
    from dser_ext.audio import read
    from dser_ext.audio2face.animate import animate

    keys = _keyframes(options)
    animation = animate(read(options.audio), keys, options.a2f, timeout_seconds=options.timeout)
    save_animation(animation, options.output, ANIMATION_SUFFIXES[suffix], track_path=options.audio)
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
