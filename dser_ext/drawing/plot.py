"""One picture of a line: what was heard, how sure that is, and the keys that Audio2Face gets."""

from __future__ import annotations

import os
from pathlib import Path

from dser_ext.envelope import Envelope
from dser_ext.errors import FormatError
from dser_ext.formats.files import written_whole
from dser_ext.formats.track_json import Performance

SUFFIXES = (".png", ".svg")
WAVEFORM_BINS = 1200  # as many as the picture has columns for the waveform


def draw(performance: Performance, path: str | os.PathLike[str], *, waveform: Envelope | None = None) -> None:
    """Draw a line as a PNG (1600 × 900 pixels) or SVG, by the suffix of `path`; whole or not at all.

    waveform: `envelope(AudioFile(…).blocks(), WAVEFORM_BINS)`; without it the picture has no waveform.
    The same line gives the same bytes. Raises FormatError for another suffix and if the file cannot be written.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise FormatError(f'{path}: a picture is a PNG or an SVG; end the name in "{SUFFIXES[0]}" or "{SUFFIXES[1]}"')
    from dser_ext.drawing.page import save  # here, because matplotlib costs a third of a second

    with written_whole(path, "wb") as file:
        save(performance, waveform, file, suffix[1:])
