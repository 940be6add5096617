"""The page that `plot.draw` draws: a header and, along one axis of time, four panels.

Sizes are in inches of a page of 8 × 4.5, drawn at 200 dots an inch: 1600 × 900 pixels, sharp at the 800 that a README
shows. Nothing touches pyplot; matplotlib's settings are changed only while a page is saved.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import IO, Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dser_ext.drawing import panels
from dser_ext.emotion.colours import INK, SOFT_INK
from dser_ext.envelope import Envelope
from dser_ext.formats.track_json import Performance

WIDTH, HEIGHT, DPI = 8.0, 4.5, 200
MARGIN, LEFT, RIGHT = 0.3, 1.3, 1.5  # of the page, of the panels
TOP, BOTTOM, GAP = 0.72, 0.44, 0.14
HEIGHTS = {"emotions": 1.22, "waveform": 0.46, "spread": 0.28}  # the keys get what is left
HEIGHTS_WITHOUT_WAVEFORM = {"emotions": 1.46, "spread": 0.36}
LONGEST_NAME = 64  # characters
CLOCK_FROM = 120.0  # s: longer lines get m:ss on their axis
CLOCK_STEPS = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)  # s between ticks

_ONE_AT_A_TIME = Lock()  # matplotlib's settings belong to the whole process
_SETTINGS: dict[Any, Any] = {
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib, so that the picture is the same on every machine
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "dser",  # the same line gives the same bytes
    "text.parse_math": False,  # a dollar in a file name is a dollar
    "axes.unicode_minus": False,
    "path.simplify": True,
}


def save(performance: Performance, waveform: Envelope | None, file: IO[bytes], kind: str) -> None:
    """Draw a page into an open file as "png" or "svg"."""
    with own_settings():
        metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
        page(performance, waveform).savefig(file, format=kind, dpi=DPI, metadata=metadata)


@contextmanager
def own_settings() -> Iterator[None]:
    """Matplotlib as it is drawn with here, whatever the settings around it; for one thread at a time."""
    with _ONE_AT_A_TIME, matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a name in a script that the font lacks: boxes will do
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        yield


def page(performance: Performance, waveform: Envelope | None) -> Figure:
    """The whole figure of a line."""
    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI, facecolor="white")
    heights = dict(HEIGHTS if waveform else HEIGHTS_WITHOUT_WAVEFORM)
    heights["keys"] = HEIGHT - TOP - BOTTOM - sum(heights.values()) - GAP * len(heights)
    _header(figure, performance)
    seconds = max(performance.track.seconds, float(performance.keyframes.times[-1]), 1e-3)
    shares = panels.Shares.of(performance.track, seconds)
    top = HEIGHT - TOP
    for name, height in heights.items():
        top -= height
        axes = _panel(figure, top, height, seconds)
        top -= GAP
        if name == "emotions":
            _caption(axes, "Emotion", "heard in the\nvoice")
            panels.emotions(axes, shares)
        elif name == "waveform" and waveform:
            _caption(axes, "Waveform", "in the colour of\nwhat leads")
            panels.waveform(axes, waveform, shares)
        elif name == "spread":
            _caption(axes, "Spread", "high = unsure")
            panels.spread(axes, shares)
        else:
            averaged = len(performance.keyframes.times) > panels.COLUMNS
            _caption(axes, "Keys", "for Audio2Face" + ",\naveraged" * averaged)
            panels.keys(axes, performance.keyframes)
            time_axis(figure, seconds)
    return figure


def _panel(figure: Figure, bottom: float, height: float, seconds: float) -> Axes:
    box = (LEFT / WIDTH, bottom / HEIGHT, (WIDTH - LEFT - RIGHT) / WIDTH, height / HEIGHT)
    axes = figure.add_axes(box, xlim=(0, seconds))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=6.5, labelcolor=SOFT_INK, pad=3, labelbottom=False)
    return axes


def _caption(axes: Axes, title: str, explanation: str) -> None:
    """Name a panel in the margin to its left, top aligned."""
    figure = axes.figure
    x, y = MARGIN / WIDTH, axes.get_position().y1
    figure.text(x, y, title, size=8, weight="bold", color=INK, va="top")
    figure.text(x, y - 0.15 / HEIGHT, explanation, size=6, color=SOFT_INK, va="top", linespacing=1.3)


def _header(figure: Figure, performance: Performance) -> None:
    audio = performance.track.audio
    name = re.split(r"[\\/]", audio.path)[-1] if audio and audio.path else "Line without a file"
    _line(figure, 0.4, printable(name), 13, weight="bold", color=INK)
    _line(figure, 0.59, "   ·   ".join(_facts(performance)), 7, color=SOFT_INK)


def _line(figure: Figure, top: float, words: str, size: float, **style: Any) -> None:
    """A line of text across the page, smaller where it would not fit."""
    text = figure.text(MARGIN / WIDTH, 1 - top / HEIGHT, words, size=size, **style)
    width = text.get_window_extent().width / DPI
    text.set_fontsize(size * min(1.0, (WIDTH - 2 * MARGIN) / max(width, 0.01)))


def _facts(performance: Performance) -> list[str]:
    track, keys = performance.track, len(performance.keyframes.times)
    model = f"{track.model.name} {track.model.version}" if track.model else "unknown"
    voice = "no voice"
    if track.voice:
        lines = "1 line" if track.voice.lines == 1 else f"{track.voice.lines} lines"
        voice = f"voice {printable(track.voice.name, 28)} ({lines}, {length(track.voice.seconds)})"
    return [
        length(track.seconds),
        f"model {printable(model, 32)}",
        voice,
        f"style {printable(performance.style.name, 24)}",
        f"{keys:,} key{'s' * (keys != 1)} at {performance.fps:g} fps",
    ]


def length(seconds: float) -> str:
    """A length as a person says it: 0.85 s, 6.2 s, 3 min 05 s, 2 h 00 min."""
    if seconds < 0.995:
        return f"{seconds:.2f} s"
    if seconds < 60 - 0.05:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def printable(text: str, longest: int = LONGEST_NAME) -> str:
    """The text without characters that no font or XML has, its middle left out where it is too long."""
    clean = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    if len(clean) <= longest:
        return clean
    return f"{clean[: longest * 2 // 3]}…{clean[-(longest // 3 - 1) :]}"


def time_axis(figure: Figure, seconds: float) -> None:
    """The same ticks for all panels, labelled below the last: seconds, or a clock for long lines."""
    if seconds < CLOCK_FROM:
        ticks, unit = np.asarray(MaxNLocator(10, steps=[1, 2, 2.5, 5, 10]).tick_values(0, seconds)), "seconds"
        labels = [f"{tick:g}" for tick in ticks]
    else:
        step = next((step for step in CLOCK_STEPS if seconds / step <= 12), CLOCK_STEPS[-1])
        ticks, unit = np.arange(0, seconds + step, step), "minutes : seconds" if seconds < 3600 else "hours : minutes"
        labels = [_clock(tick, seconds) for tick in ticks]
    within = int(np.searchsorted(ticks, seconds * (1 + 1e-9), side="right"))
    for axes in figure.axes:
        axes.set_xticks(ticks[:within])
    axes.set_xticklabels(labels[:within])
    axes.tick_params(axis="x", labelbottom=True, length=3, width=0.6, color=SOFT_INK)
    axes.set_xlabel(unit, size=6.5, color=SOFT_INK, labelpad=2)


def _clock(tick: float, seconds: float) -> str:
    large, small = divmod(round(tick) if seconds < 3600 else round(tick / 60), 60)
    return f"{large}:{small:02d}"
