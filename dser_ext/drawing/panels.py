"""The four panels of a picture, each drawn into axes whose x is the line's time in seconds.

Whatever the length of the line, a panel holds no more points than the picture has columns for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from dser_ext.emotion.colours import A2F_COLOURS, EMOTION_COLOURS, INK, RULE, SOFT_INK, TINT
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS, EMOTIONS
from dser_ext.emotion.track import EmotionTrack
from dser_ext.envelope import Envelope

Floats = NDArray[np.float64]

COLUMNS = 500  # points along time; more would make a long line a noise of spikes
STACK = ("sadness", "disgust", "fear", "anger", "happiness", "neutral")
"""From the bottom up. Neutral comes last: the coloured mass below it is how much emotion there is."""
SHOWN_FROM = 0.1  # a curve that never reaches this has nothing to show
SEPARATED_FROM = 0.015  # share; between thinner areas a white line would hide them
SEPARATED_UNTIL = 60.0  # s; in longer lines the areas are too steep for it
WIDEST_SPREAD = 0.25  # top of the spread's scale, unless a line exceeds it
HAIRLINES = 60  # keys; more would hide what is behind them
DIAMONDS = 150  # keys; more would touch on the curves
LABEL_SIZE = 7.0  # points


@dataclass(frozen=True)
class Shares:
    """What was heard, thinned to the columns of a picture.

    times: (N,) s, from 0 to the end of the line. mean: (N, 6), rows sum to 1. spread: (N,), the standard deviation of
    the share of the emotion that leads. average: (6,), the mean over all frames.
    """

    times: Floats
    mean: Floats
    spread: Floats
    average: Floats

    @classmethod
    def of(cls, track: EmotionTrack, seconds: float) -> Shares:
        mean = track.mean
        spread = np.take_along_axis(track.std, mean.argmax(axis=1)[:, None], axis=1)
        times, columns = _thinned(track.times, np.concatenate([mean, spread], axis=1), seconds)
        times = np.concatenate([[0.0], times, [seconds]])  # the outermost frames hold to the ends
        columns = np.concatenate([columns[:1], columns, columns[-1:]])
        return cls(times, columns[:, :-1], columns[:, -1], mean.mean(axis=0, dtype=np.float64))

    def leading(self, moments: Floats) -> NDArray[np.int64]:
        """Index of the emotion with the largest share at each moment."""
        mean = np.stack([np.interp(moments, self.times, column) for column in self.mean.T], axis=1)
        leading: NDArray[np.int64] = mean.argmax(axis=1)
        return leading


def _thinned(times: Floats, values: NDArray[np.float32], seconds: float) -> tuple[Floats, Floats]:
    """Means over equal parts of the line where there are more frames than columns."""
    if len(times) <= COLUMNS:
        return times, values.astype(np.float64)
    starts = np.unique(np.searchsorted(times, np.linspace(0, seconds, COLUMNS, endpoint=False)))
    starts = starts[starts < len(times)]
    counts = np.diff(np.append(starts, len(times)))
    sums = np.add.reduceat(values, starts, axis=0, dtype=np.float64)
    return np.add.reduceat(times, starts) / counts, sums / counts[:, None]


def emotions(axes: Axes, shares: Shares) -> None:
    """Stacked areas in six colours, named inside where there is room, and all of them with their share at the right."""
    axes.set(ylim=(0, 1), yticks=[0, 0.5, 1], yticklabels=["0", "50 %", "100 %"])
    order = [EMOTIONS.index(name) for name in STACK]
    tops = np.cumsum(shares.mean[:, order], axis=1)
    bottoms = np.concatenate([np.zeros((len(tops), 1)), tops[:, :-1]], axis=1)
    for name, bottom, top in zip(STACK, bottoms.T, tops.T, strict=True):
        axes.fill_between(shares.times, bottom, top, color=EMOTION_COLOURS[name], linewidth=0, gid=f"area-{name}")
        if shares.times[-1] <= SEPARATED_UNTIL:
            border = np.where(top - bottom < SEPARATED_FROM, np.nan, top)
            axes.plot(shares.times, border, color="white", linewidth=0.5)
        _name_inside(axes, name, shares.times, bottom, top)
    labels = [(EMOTION_COLOURS[name], name, f"{100 * shares.average[EMOTIONS.index(name)]:.0f} %") for name in STACK]
    _legend(axes, labels[::-1])


def _name_inside(axes: Axes, name: str, times: Floats, bottom: Floats, top: Floats) -> None:
    """Write an area's name where the area is highest over the whole width of the text, if it is high enough."""
    width, height = _inches(axes)
    grid = np.linspace(times[0], times[-1], 400)
    window = int(len(grid) * (0.075 * len(name) + 0.1) / width)
    floor = sliding_window_view(np.interp(grid, times, bottom), window).max(axis=1)
    ceiling = sliding_window_view(np.interp(grid, times, top), window).min(axis=1)
    off_centre = np.abs(np.linspace(-1, 1, len(floor)))  # decides where an area is as high in many places
    best = int((ceiling - floor - 0.02 * off_centre).argmax())
    if (ceiling - floor)[best] * height < 0.17:
        return
    x, y = grid[best + window // 2], (ceiling + floor)[best] / 2
    colour = "white" if name in ("anger", "sadness") else INK
    axes.text(x, y, name, size=8, weight="bold", color=colour, ha="center", va="center_baseline")


def waveform(axes: Axes, envelope: Envelope, shares: Shares) -> None:
    """The sound, loudest moment to full height, in the colour of the emotion that leads at each moment."""
    low, high = envelope.low.astype(np.float64), envelope.high.astype(np.float64)
    peak = max(float(np.abs([low, high]).max()), 1e-3)
    axes.set(ylim=(-peak, peak), yticks=[])
    moments = (np.arange(len(low)) + 0.5) * envelope.seconds / len(low)
    leading = shares.leading(moments)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(leading)) + 1])
    shapes, colours = [], []
    for start, end in zip(starts, np.append(starts[1:], len(low)), strict=True):
        run = slice(start, end + 1)  # one bin more, so that no gap shows between two colours
        x = moments[run]
        shapes.append(np.concatenate([np.stack([x, low[run]], axis=1), np.stack([x, high[run]], axis=1)[::-1]]))
        colours.append(_on_white(EMOTIONS[leading[start]]))
    axes.add_collection(PolyCollection(shapes, facecolors=colours, edgecolors=colours, linewidths=0.5, gid="waveform"))


def spread(axes: Axes, shares: Shares) -> None:
    """How far the leading emotion's share may be off: one standard deviation."""
    most = max(WIDEST_SPREAD, float(shares.spread.max()))
    axes.set(ylim=(0, most), yticks=[0, most], yticklabels=["0", f"± {100 * most:.0f} %"])
    axes.fill_between(shares.times, 0, shares.spread, color=TINT, alpha=0.35, linewidth=0, gid="spread")
    axes.plot(shares.times, shares.spread, color=SOFT_INK, linewidth=0.8)


def keys(axes: Axes, keyframes: Keyframes) -> None:
    """The curves that have something to show, a diamond on them for every key, and the keys' times above."""
    axes.set(ylim=(0, 1.2), yticks=[0, 0.5, 1], yticklabels=["0", "0.5", "1"])
    axes.hlines([0, 0.5, 1], *axes.get_xlim(), color=RULE, linewidth=0.6, zorder=0)
    _key_times(axes, keyframes.times)
    highest = keyframes.values.max(axis=0)
    shown = [index for index in np.argsort(-highest, kind="stable") if highest[index] >= SHOWN_FROM]
    for index in shown[::-1]:
        _curve(axes, keyframes, A2F_EMOTIONS[index])
    if not shown:
        text = f"All ten emotions stay below {SHOWN_FROM:g}: a neutral face"
        axes.text(
            *(0.5, 0.5 / 1.2),
            text,
            transform=axes.transAxes,
            size=8,
            color=SOFT_INK,
            ha="center",
            va="center_baseline",
            backgroundcolor="white",
        )
    labels = [(_on_white(A2F_EMOTIONS[index]), A2F_EMOTIONS[index], f"≤ {highest[index]:.2f}") for index in shown]
    _legend(axes, labels)


def _curve(axes: Axes, keyframes: Keyframes, name: str) -> None:
    """One emotion as Audio2Face interpolates it; where keys are too many to be seen, its mean in each column."""
    count, colour = len(keyframes.times), _on_white(name)
    values = keyframes.values[:, A2F_EMOTIONS.index(name)].astype(np.float64)
    seconds = float(axes.get_xlim()[1])
    times = np.concatenate([[0.0], keyframes.times, [seconds]])  # the outermost keys hold to the ends
    shown = np.concatenate([values[:1], values, values[-1:]])
    if count > COLUMNS:
        moments = (np.arange(COLUMNS * 32) + 0.5) * seconds / (COLUMNS * 32)
        shown = np.interp(moments, times, shown).reshape(COLUMNS, -1).mean(axis=1)
        times = moments.reshape(COLUMNS, -1).mean(axis=1)
    axes.fill_between(times, 0, shown, color=colour, alpha=0.1, linewidth=0)
    axes.plot(times, shown, color=colour, linewidth=1.2 if count <= DIAMONDS else 0.8, gid=f"curve-{name}")
    if count <= DIAMONDS:
        high = values >= SHOWN_FROM  # at the bottom the diamonds of several curves would cover each other
        _diamonds(axes, keyframes.times[high], values[high], colour, 3.2 if count <= HAIRLINES else 2)


def _key_times(axes: Axes, times: Floats) -> None:
    """A diamond for each key; for many keys a tick, the higher the more of them share a column."""
    if len(times) <= HAIRLINES:
        axes.vlines(times, 0, 1.1, color=INK, alpha=0.18, linewidth=0.5)
    if len(times) <= DIAMONDS:
        _diamonds(axes, times, np.full(len(times), 1.1), INK, 4 if len(times) <= HAIRLINES else 3)
        return
    columns = np.floor(times / axes.get_xlim()[1] * COLUMNS)
    _, first, counts = np.unique(columns, return_index=True, return_counts=True)
    axes.vlines(times[first], 1.04, 1.04 + 0.14 * counts / counts.max(), color=INK, linewidth=0.5, gid="keys")


def _diamonds(axes: Axes, x: Floats, y: Floats, colour: str, size: float) -> None:
    points = axes.plot(x, y, "D", color=colour, markersize=size, clip_on=False, zorder=5)[0]
    points.set(markeredgecolor="white", markeredgewidth=0.4)


def _on_white(name: str) -> str:
    """The colour of a thin shape; neutral's own is too pale for one."""
    return TINT if name == "neutral" else (EMOTION_COLOURS | A2F_COLOURS)[name]


def _legend(axes: Axes, labels: Sequence[tuple[str, str, str]]) -> None:
    """Colour, name and figure of each entry, from the top, in the margin to the right."""
    width, height = _inches(axes)
    step = min(0.2, height / max(len(labels), 1))
    size = min(LABEL_SIZE, step * 72 * 0.8)
    for row, (colour, name, figure) in enumerate(labels):
        y = 1 - (row + 0.5) * step / height
        style: dict[str, Any] = {"transform": axes.transAxes, "va": "center_baseline", "size": size}
        axes.plot(
            [1 + 0.16 / width], [y], "s", transform=axes.transAxes, color=colour, markersize=size * 0.8, clip_on=False
        )
        axes.text(1 + 0.26 / width, y, name, color=INK, **style)
        axes.text(1 + 1.2 / width, y, figure, color=SOFT_INK, ha="right", **style)


def _inches(axes: Axes) -> tuple[float, float]:
    """Width and height of the axes on the page."""
    box = axes.get_window_extent()
    dpi = axes.figure.dpi
    return box.width / dpi, box.height / dpi
