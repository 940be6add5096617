"""dser plot: draw a line's emotions, waveform, spread and keys as a picture."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from dser_ext.cli import options as shared
from dser_ext.errors import AudioError
from dser_ext.formats.track_json import Performance, read_track

if TYPE_CHECKING:
    from dser_ext.audio import AudioFile


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "source",
        metavar="AUDIO|TRACK.json",
        help="a line of speech, or a track written by dser emote, drawn as it is: the options below are for lines",
    )
    parser.add_argument("-o", "--output", required=True, metavar="OUT.png|OUT.svg", help="the picture")
    shared.add_recognition(parser, several=False)
    shared.add_performance(parser)


def run(options: argparse.Namespace) -> int:
    """Draw a track, or recognise a line and draw it."""
    from dser_ext.drawing.plot import SUFFIXES, WAVEFORM_BINS, draw
    from dser_ext.envelope import envelope

    if not options.output.lower().endswith(SUFFIXES):
        options.usage_error(f"-o {options.output}: a picture ends in {' or '.join(SUFFIXES)}")
    shared.check_outputs(options, [Path(options.output)], [options.source, options.style, options.voice])
    if Path(options.source).suffix.lower() == ".json":
        performance = read_track(options.source)
        audio = _sound_of(performance)
    else:
        performance, audio = _recognized(options)
    waveform = envelope(audio.blocks(), WAVEFORM_BINS) if audio else None
    draw(performance, options.output, waveform=waveform)
    return 0


def _recognized(options: argparse.Namespace) -> tuple[Performance, AudioFile]:
    from dser_ext.audio import AudioFile

    style = shared.chosen_style(options)
    recognizer = shared.recognizer(options)
    voice = shared.chosen_voice(options, recognizer)
    audio = AudioFile(options.source)
    track = recognizer.track(recognizer.hear(audio), voice)
    return Performance.of(track, style, options.fps, options.tolerance), audio


def _sound_of(performance: Performance) -> AudioFile | None:
    """The sound a track was made from, if it is still where it was and has not changed."""
    from dser_ext.audio import AudioFile

    made_from = performance.track.audio
    if made_from is None or made_from.path is None:
        return None
    try:
        audio = AudioFile(made_from.path)
        return audio if audio.sha256 == made_from.sha256 else None
    except AudioError:
        return None
