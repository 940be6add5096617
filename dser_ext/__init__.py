"""Dynamic speech emotion recognition for NVIDIA Audio2Face.

    >>> import dser_ext
    >>> track = dser_ext.recognize(dser_ext.sample_line())
    >>> performance = dser_ext.save(track, "line.json", style="expressive")
    >>> performance.keyframes.values.shape[1]  # the ten emotions of Audio2Face
    10

`recognize` needs the heavy side (soundfile, soxr, onnxruntime) and loads it when first called; all else imports with
numpy, grpcio and protobuf alone.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dser_ext.emotion.curves import Curves
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.style import Style
from dser_ext.emotion.style import style as _style
from dser_ext.emotion.track import EmotionTrack
from dser_ext.errors import DserError, DserWarning
from dser_ext.formats import track_format
from dser_ext.formats.track_json import Performance

if TYPE_CHECKING:
    from dser_ext.recognition.recognizer import Recognizer, recognize
    from dser_ext.recognition.voice import VoiceProfile

__version__ = "0.1.0"
SAMPLE_LINE = "three_moods.ogg"
__all__ = [
    "Curves",
    "DserError",
    "DserWarning",
    "EmotionTrack",
    "Keyframes",
    "Performance",
    "Recognizer",
    "Style",
    "VoiceProfile",
    "load",
    "recognize",
    "sample_line",
    "save",
]

_HEAVY = {"Recognizer": "recognizer", "recognize": "recognizer", "VoiceProfile": "voice"}


def save(
    track: EmotionTrack,
    path: str | os.PathLike[str],
    *,
    style: Style | str = "natural",
    fps: float = 30,
    tolerance: float = 0.02,
    format: str | None = None,
) -> Performance:
    """Style a track, reduce it to keyframes, and write both; returns what was written.

    style: a Style, a preset's name, or a JSON file with one. fps: animation frames a second, the grid of the keys.
    tolerance: the largest error of the keys over all ten curves, at every frame. format: "json" (dser.track/1) or
    "csv"; else the path's suffix decides. Raises FormatError for unusable settings or a file that cannot be written.
    """
    chosen = track_format(path, format)
    performance = Performance.of(track, style if isinstance(style, Style) else _style(style), fps, tolerance)
    chosen.write(performance, path)
    return performance


def load(path: str | os.PathLike[str]) -> Performance:
    """Read a dser.track document back. Raises FormatError if it is none."""
    from dser_ext.formats.track_json import read_track

    return read_track(path)


def sample_line() -> Path:
    """A short line of speech to try things with, shipped with the package."""
    package = Path(__file__).resolve().parent
    inside = package / "samples" / SAMPLE_LINE
    return inside if inside.exists() else package.parent / "samples" / SAMPLE_LINE


def __getattr__(name: str) -> Any:
    if name not in _HEAVY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"dser_ext.recognition.{_HEAVY[name]}"), name)
