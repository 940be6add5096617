"""Arguments that several commands share, and what they stand for."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dser_ext.emotion.style import PRESETS, Style, style

if TYPE_CHECKING:
    from dser_ext.recognition.recognizer import Recognizer
    from dser_ext.recognition.voice import VoiceProfile

VOICE_HINT = (
    "no voice given, so the line is measured against a generic one; other lines of the same speaker make it surer "
    "(--voice FOLDER, or several lines with --same-voice)"
)


def add_model(parser: argparse.ArgumentParser) -> None:
    """--model and --device."""
    parser.add_argument("--model", default=None, metavar="NAME|DIR", help="a shipped model or a model folder")
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda", "tensorrt"])


def add_recognition(parser: argparse.ArgumentParser, *, several: bool) -> None:
    """--model, --device, --voice, and --same-voice where a command takes several lines."""
    add_model(parser)
    voice = parser.add_mutually_exclusive_group()
    voice.add_argument("--voice", metavar="PROFILE|FOLDER", help="the speaker's voice: a .voice file or other lines")
    if several:
        voice.add_argument(
            "--same-voice", action="store_true", help="the lines are one speaker's: each is the others' voice"
        )


def add_performance(parser: argparse.ArgumentParser) -> None:
    """--style, --fps and --tolerance."""
    parser.add_argument("--style", default="natural", metavar="NAME|FILE", help=f"{', '.join(PRESETS)}, or a JSON file")
    parser.add_argument("--fps", type=_frames_a_second, default=30.0, help="animation frames a second (default 30)")
    parser.add_argument(
        "--tolerance", type=_tolerance, default=0.02, help="largest error of the keys, in the curves' unit (0.02)"
    )


def chosen_style(options: argparse.Namespace) -> Style:
    """The style that --style names."""
    return style(options.style)


def recognizer(options: argparse.Namespace) -> Recognizer:
    """The recogniser that --model and --device name; only now is the heavy side loaded."""
    from dser_ext.recognition.bundle import DEFAULT_MODEL
    from dser_ext.recognition.recognizer import Recognizer

    return Recognizer(options.model or DEFAULT_MODEL, options.device)


def chosen_voice(options: argparse.Namespace, loaded: Recognizer) -> VoiceProfile | None:
    """The voice that --voice names; a hint on stderr where there is neither --voice nor --same-voice."""
    from dser_ext.recognition.recognizer import load_voice

    if options.voice:
        return load_voice(loaded, options.voice)
    if not getattr(options, "same_voice", False):
        print(f"dser: note: {VOICE_HINT}", file=sys.stderr)
    return None


def outputs(options: argparse.Namespace, sources: list[str], suffix: str) -> list[Path]:
    """Where the result of each source goes: -o itself for one source, in the folder -o for several, else beside it.

    Two results in one file, or a result in place of its source, are a usage error before any work.
    """
    if options.output is None:
        paths = [Path(source).with_suffix(suffix) for source in sources]
    elif len(sources) == 1 and not Path(options.output).is_dir():
        paths = [Path(options.output)]
    else:
        paths = [Path(options.output) / Path(source).with_suffix(suffix).name for source in sources]
    taken: dict[Path, str] = {Path(source).resolve(): source for source in sources}
    for source, path in zip(sources, paths, strict=True):
        place = path.resolve()
        if place in taken:
            options.usage_error(f"{path} would be written for {source} but is also taken by {taken[place]}")
        taken[place] = source
    return paths


def make_folders(paths: list[Path], several: bool) -> None:
    """Make the folder of several results, if need be."""
    from dser_ext.errors import FormatError

    if not several:
        return
    for folder in sorted({path.parent for path in paths}):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FormatError(f"{folder}: cannot be made ({error.strerror}); choose another folder for -o") from error


def _frames_a_second(text: str) -> float:
    return _number(text, 1, 240)


def _tolerance(text: str) -> float:
    return _number(text, 0.0001, 0.5)


def _number(text: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text} is no number from {low:g} to {high:g}")
    return value
