"""Pictures of an evaluation: confusion matrices, and a line whose emotion changes, as it is and as it was told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dser_ext.drawing.panels import Shares, emotions
from dser_ext.emotion.colours import EMOTION_COLOURS, INK, SOFT_INK
from dser_ext.emotion.names import EMOTIONS
from dser_ext.emotion.track import FRAME_RATE
from dser_ext.formats.files import written_whole

Floats = NDArray[np.float64]

WIDTH, HEIGHT, DPI = 8.0, 4.5, 200  # inches; 1600 × 900 pixels
SHADES = LinearSegmentedColormap.from_list("shades", ["#F4F6F9", "#8FA6C4", "#1D3557"])
LIGHT_FROM = 0.45  # share of a row from which on its cell is dark enough for white figures
SETTINGS: dict[Any, Any] = {"font.family": ["sans-serif"], "font.sans-serif": ["DejaVu Sans"], "text.parse_math": False}


def draw(title: str, confusions: Mapping[str, Sequence[Sequence[int]]], path: Path) -> None:
    """Write a PNG with a matrix (6, 6) of numbers of lines for each voice, intended emotions in rows.

    The same matrices give the same bytes. Raises FormatError if it cannot be written.
    """
    _save(lambda: _figure(title, confusions), path)


def draw_changes(title: str, mixtures: Mapping[str, Floats], borders: Sequence[float], path: Path) -> None:
    """Write a PNG with the mixtures of one line, (F, 6) each, below one another, and its true borders, in seconds.

    Raises FormatError if it cannot be written.
    """
    _save(lambda: _changes_figure(title, mixtures, borders), path)


def _save(draw_it: Callable[[], Figure], path: Path) -> None:
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        figure = draw_it()
        with written_whole(path, "wb") as file:
            figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})


def _changes_figure(title: str, mixtures: Mapping[str, Floats], borders: Sequence[float]) -> Figure:
    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI, facecolor="white")
    figure.text(0.3 / WIDTH, 1 - 0.4 / HEIGHT, title, size=13, weight="bold", color=INK)
    height = (HEIGHT - 1.0) / len(mixtures)
    for place, (words, shares) in enumerate(mixtures.items()):
        bottom = HEIGHT - 0.75 - height * (place + 1) + 0.35
        axes = figure.add_axes((0.75 / WIDTH, bottom / HEIGHT, (WIDTH - 2.2) / WIDTH, (height - 0.3) / HEIGHT))
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0, labelsize=7, labelcolor=SOFT_INK)
        times = np.arange(len(shares)) / FRAME_RATE
        axes.set_xlim(0, times[-1])
        emotions(axes, Shares(times, shares, np.zeros(len(shares)), shares.mean(axis=0)))
        axes.vlines(borders, 0, 1, color=INK, linewidth=1, linestyle=(0, (2, 2)))
        axes.set_title(words, size=8, weight="bold", color=INK, loc="left", pad=3)
        if place < len(mixtures) - 1:
            axes.set_xticklabels([])
        else:
            axes.set_xlabel("seconds", size=7, color=SOFT_INK, labelpad=1)
    return figure


def _figure(title: str, confusions: Mapping[str, Sequence[Sequence[int]]]) -> Figure:
    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI, facecolor="white")
    figure.text(0.3 / WIDTH, 1 - 0.4 / HEIGHT, title, size=13, weight="bold", color=INK)
    words = "per cent of the lines of each intended emotion (rows) in which an emotion is strongest (columns)"
    figure.text(0.3 / WIDTH, 1 - 0.6 / HEIGHT, words, size=7, color=SOFT_INK)
    for place, (voice, counts) in enumerate(confusions.items()):
        left, side = 1.05 + place * 3.55, 3.05
        axes = figure.add_axes((left / WIDTH, 0.3 / HEIGHT, side / WIDTH, side / HEIGHT))
        _matrix(axes, voice, np.array(counts), named=not place)
    return figure


def _matrix(axes: Axes, voice: str, counts: np.ndarray[Any, np.dtype[np.int64]], named: bool) -> None:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.pcolormesh(shares, cmap=SHADES, vmin=0, vmax=1, edgecolors="white", linewidth=1.5)
    axes.invert_yaxis()
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=7, labelcolor=INK, pad=3, labeltop=True, labelbottom=False)
    middles = np.arange(len(EMOTIONS)) + 0.5
    axes.tick_params(axis="y", pad=9)
    axes.set_xticks(middles, EMOTIONS)
    axes.set_yticks(middles, EMOTIONS if named else [""] * len(EMOTIONS))
    right = np.trace(counts) / max(counts.sum(), 1)
    axes.set_title(
        f"{voice.capitalize()}: {100 * right:.0f} % of {counts.sum():,} lines are right",
        size=8,
        weight="bold",
        color=INK,
        loc="left",
        pad=9,
    )
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share >= LIGHT_FROM else INK if share >= 0.005 else SOFT_INK
        style: dict[str, Any] = {"ha": "center", "va": "center_baseline", "size": 8, "color": colour}
        axes.text(column + 0.5, row + 0.5, f"{100 * share:.0f}", weight="bold" if row == column else "normal", **style)
    for row, emotion in enumerate(EMOTIONS):
        axes.plot(
            [-0.06, -0.06], [row + 0.12, row + 0.88], color=EMOTION_COLOURS[emotion], linewidth=2.5, clip_on=False
        )
    axes.set(xlim=(0, len(EMOTIONS)), ylim=(len(EMOTIONS), 0))
