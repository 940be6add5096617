"""dser preview: a video of a face that shows a line's emotions."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dser_ext.cli import options as shared
from dser_ext.errors import DserWarning, FormatError
from dser_ext.formats import read_any
from dser_ext.formats.blendshapes import Animation
from dser_ext.formats.track_json import Performance

if TYPE_CHECKING:
    from dser_ext.audio import AudioFile
    from dser_ext.emotion.keyframes import Keyframes

OFF_BY = 0.5  # s that sound and what is shown may differ in length without a word


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("audio", metavar="AUDIO", help="a line of speech")
    parser.add_argument("-o", "--output", required=True, metavar="OUT.mp4", help="the video")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument(
        "--track",
        metavar="FILE",
        help="the line's keys, from dser emote or another program; else the line is recognised now",
    )
    shown.add_argument(
        "--animation",
        metavar="FILE",
        help="the line's facial animation, as dser push saves it (JSON, CSV, USD, Live Link Face), to be shown instead",
    )
    shared.add_recognition(parser, several=False)
    shared.add_performance(parser)


def run(options: argparse.Namespace) -> int:
    """Film the face with a track's keys, an animation's blendshapes, or what is recognised now."""
    from dser_ext.audio import AudioFile
    from dser_ext.drawing.face.preview import SUFFIX, preview
    from dser_ext.drawing.face.video import check_av

    if Path(options.output).suffix.lower() != SUFFIX:
        options.usage_error(f"-o {options.output}: a preview ends in {SUFFIX}")
    inputs = [options.audio, options.track, options.animation, options.style, options.voice]
    shared.check_outputs(options, [Path(options.output)], inputs)
    check_av()
    audio = AudioFile(options.audio)
    shown = _shown(options, audio)
    with _progress() as report:
        preview(options.output, audio, shown, options.fps, report)
    _compare_lengths(options, audio.seconds, shown)
    return 0


def _shown(options: argparse.Namespace, audio: AudioFile) -> Keyframes | Animation:
    if options.animation is not None:
        found = read_any(options.animation)
        if not isinstance(found, Animation):
            raise FormatError(f"{options.animation}: holds emotions and no facial animation; give it as --track")
        return found
    if options.track is not None:
        keyed = read_any(options.track)
        if isinstance(keyed, Animation):
            raise FormatError(f"{options.track}: holds a facial animation and no emotions; give it as --animation")
        return keyed.keyframes
    style = shared.chosen_style(options)
    recognizer = shared.recognizer(options)
    voice = shared.chosen_voice(options, recognizer)
    track = recognizer.track(recognizer.hear(audio), voice)
    return Performance.of(track, style, options.fps, options.tolerance).keyframes


def _compare_lengths(options: argparse.Namespace, seconds: float, shown: Keyframes | Animation) -> None:
    """Warn where keys or frames go on after the line, or a face stands still before its end."""
    end = float(shown.times[-1])
    if end > seconds + OFF_BY or (isinstance(shown, Animation) and end < seconds - OFF_BY):
        given = options.animation or options.track
        warnings.warn(
            f"{given}: goes to {end:.1f} s and {options.audio} to {seconds:.1f} s; is it of another line?",
            DserWarning,
            stacklevel=2,
        )


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """A bar on a terminal, and nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("frames", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
