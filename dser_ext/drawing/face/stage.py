"""What is around the face in a preview: the line's name, bars of its emotions, and its curves with a moving cursor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dser_ext.drawing.face.head import head
from dser_ext.drawing.face.render import Pixels, Renderer
from dser_ext.drawing.page import length, own_settings, printable, time_axis
from dser_ext.drawing.panels import SHOWN_FROM
from dser_ext.emotion.colours import A2F_COLOURS, INK, RULE, SOFT_INK, TINT
from dser_ext.emotion.curves import Curves
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.envelope import Envelope

SIZE = 720  # pixels of the square picture
DPI = 100
SCALE, MIDDLE, YAW = 424, (398, 282), -0.22  # of the head: see `Renderer`; turned a little, as in a portrait
MARGIN = 28
PANEL_TOP, PANEL_BOTTOM = 588, 684
PANEL_WIDTH = SIZE - 2 * MARGIN
WAVEFORM_BINS = PANEL_WIDTH  # a bin a column
BARS_TOP, BAR_STEP, BAR_WIDTH, BAR_HEIGHT = 104, 38, 112, 7
MOST_BARS = 6
TO_COME = 0.55  # how much of the panel's colours is left where the cursor has not been

_ABOVE, _BELOW = np.array([240, 243, 247]), np.array([206, 213, 223])  # the wall behind the head
_EDGE = 574  # pixels from the top to the card that the panel is on


class Stage:
    """Draws the frames of one line, SIZE × SIZE pixels.

    name: of the line. seconds: its length. curves: None where no emotions are known. waveform: the outline of its
    sound, of `WAVEFORM_BINS` bins.
    """

    def __init__(self, name: str, seconds: float, curves: Curves | None, waveform: Envelope) -> None:
        self._seconds, self._curves = max(seconds, 1e-3), curves
        self._shown = _strongest(curves) if curves else []
        self._renderer = Renderer(head(), (SIZE, SIZE), SCALE, MIDDLE, yaw=YAW)
        with own_settings():
            self._wall = self._drawn(name, waveform)

    def frame(self, seconds: float, weights: Mapping[str, float]) -> Pixels:
        """The picture at a moment, with these blendshapes, (SIZE, SIZE, 4) RGBA."""
        picture = self._renderer.picture(weights, self._wall)
        picture[_EDGE:] = self._wall[_EDGE:]  # the card hides the shirt
        cursor = MARGIN + round(min(1.0, seconds / self._seconds) * (PANEL_WIDTH - 1))
        panel = picture[PANEL_TOP:PANEL_BOTTOM, :, :3]
        panel[:, cursor:] = 255 - TO_COME * (255.0 - panel[:, cursor:])
        panel[:, cursor - 1 : cursor + 1] = _rgb(INK)
        for row, index in enumerate(self._shown):
            self._bar(picture, row, A2F_EMOTIONS[index], self._value(index, seconds))
        return picture

    def _value(self, index: int, seconds: float) -> float:
        assert self._curves is not None  # there are no bars without curves
        values = self._curves.values[:, index]
        return float(values[min(round(seconds * self._curves.fps), len(values) - 1)])

    def _bar(self, picture: Pixels, row: int, name: str, value: float) -> None:
        top = BARS_TOP + row * BAR_STEP
        bar = picture[top : top + BAR_HEIGHT, MARGIN : MARGIN + BAR_WIDTH, :3]
        bar[:] = 255
        bar[:, : round(min(1.0, max(0.0, value)) * BAR_WIDTH)] = _rgb(A2F_COLOURS[name])

    def _drawn(self, name: str, waveform: Envelope) -> Pixels:
        """All but the head, the bars and the cursor."""
        figure = Figure(figsize=(SIZE / DPI, SIZE / DPI), dpi=DPI, facecolor="none")
        canvas: Any = FigureCanvasAgg(figure)
        _text(figure, MARGIN, 44, printable(name, 48), 13, INK, weight="bold")
        _text(figure, MARGIN, 64, length(self._seconds), 8.5, SOFT_INK)
        for row, index in enumerate(self._shown):
            _text(figure, MARGIN, BARS_TOP + row * BAR_STEP - 7, A2F_EMOTIONS[index], 9, INK)
        if self._curves and not self._shown:
            _text(figure, MARGIN, BARS_TOP, "a neutral face", 9, SOFT_INK)
        height = PANEL_BOTTOM - PANEL_TOP
        box = MARGIN / SIZE, 1 - PANEL_BOTTOM / SIZE, PANEL_WIDTH / SIZE, height / SIZE
        axes = figure.add_axes(box, xlim=(0, self._seconds), ylim=(0, 1), yticks=[])
        axes.set_facecolor("white")
        axes.spines[:].set_visible(False)
        self._panel(axes, waveform)
        time_axis(figure, self._seconds)
        axes.tick_params(axis="x", labelsize=8, labelcolor=SOFT_INK, pad=2)
        axes.set_xlabel("")
        canvas.draw()
        drawn = np.asarray(canvas.buffer_rgba()).astype(float)
        share = drawn[..., 3:] / 255
        fade = np.linspace(0, 1, SIZE)[:, None, None]
        wall = np.broadcast_to((1 - fade) * _ABOVE + fade * _BELOW, (SIZE, SIZE, 3)).copy()
        wall[_EDGE:] = 255
        flat = (drawn[..., :3] * share + wall * (1 - share)).round().astype(np.uint8)
        return np.concatenate([flat, np.full((SIZE, SIZE, 1), 255, np.uint8)], axis=2)

    def _panel(self, axes: Axes, waveform: Envelope) -> None:
        """The sound in the background, and before it the curves that have something to show."""
        moments = (np.arange(len(waveform.low)) + 0.5) * waveform.seconds / len(waveform.low)
        peak = max(float(np.abs([waveform.low, waveform.high]).max()), 1e-3)
        low, high = (0.5 + 0.5 * side.astype(float) / peak for side in (waveform.low, waveform.high))
        axes.fill_between(moments, low, high, color=RULE if self._shown else TINT, linewidth=0)
        if self._curves is None:
            return
        times, values = _thinned(self._curves)
        for index in self._shown[::-1]:
            colour = A2F_COLOURS[A2F_EMOTIONS[index]]
            axes.fill_between(times, 0, values[:, index], color=colour, alpha=0.18, linewidth=0)
            axes.plot(times, values[:, index], color=colour, linewidth=2.0)


def _strongest(curves: Curves) -> list[int]:
    """The columns that have something to show, the highest first."""
    highest = curves.values.max(axis=0)
    return [int(index) for index in np.argsort(-highest, kind="stable")[:MOST_BARS] if highest[index] >= SHOWN_FROM]


def _thinned(curves: Curves) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Times and values, no more than the panel has columns: means of neighbours where there would be."""
    size = -(-len(curves.values) // PANEL_WIDTH)
    starts = np.arange(0, len(curves.values), size)
    counts = np.diff(np.append(starts, len(curves.values)))
    values = np.add.reduceat(curves.values, starts, axis=0) / counts[:, None]
    return np.add.reduceat(curves.times, starts) / counts, values.astype(np.float32)


def _text(figure: Figure, x: float, y: float, words: str, size: float, colour: str, **style: Any) -> None:
    """Words that begin at a pixel from the left and from the top; smaller where they would not fit."""
    text = figure.text(x / SIZE, 1 - y / SIZE, words, size=size, color=colour, **style)
    width = text.get_window_extent().width
    text.set_fontsize(size * min(1.0, (SIZE - 2 * MARGIN) / max(width, 1.0)))


def _rgb(colour: str) -> NDArray[np.uint8]:
    return np.round(np.multiply(to_rgb(colour), 255)).astype(np.uint8)
