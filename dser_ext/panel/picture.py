"""The curves as a picture: waveform, grid, spans, bands, curves and keys, drawn with numpy alone.

A picture is one array for the UI to show, whatever is in it: ten minutes with five hundred keys cost the UI one widget.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dser_ext.emotion.names import A2F_EMOTIONS, EMOTIONS
from dser_ext.panel import theme
from dser_ext.panel.document import Document
from dser_ext.panel.text import FACE
from dser_ext.panel.view import MARGIN, View

Picture = NDArray[np.uint8]
Floats = NDArray[np.float64]

SAMPLES = 4  # of a curve in a column of pixels
LINE_PIXELS = 1.6
HANDLE_PIXELS = 4.0  # radius
SPARSE_PIXELS = 12.0  # between keys, below which they are only ticks
TICK_PIXELS = 4
BAND = 0.25  # opacity
FAINT = 0.35  # of the curves that the keys follow
STEPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
LABEL_PIXELS = 70.0  # apart at least


def picture(
    document: Document, view: View, chosen: Collection[float] = (), span: tuple[float, float] | None = None
) -> Picture:
    """What is seen of a line, (height, width, 4) RGBA. chosen: times of the keys to stand out. span: that is chosen."""
    image = np.empty((view.height, view.width, 4), np.uint8)
    image[:] = (*theme.PAPER, 255)
    if span is not None:
        _shade(image, view, span, theme.SPAN, 0.8)
    if document.edited is not None:
        for lock in document.edited.locks:
            _shade(image, view, lock, theme.LOCKED, 0.55)
    for seconds in ticks(view):
        _column(image, round(view.x(seconds)), theme.RULE)
    for value in (0.0, 0.5, 1.0):
        image[round(view.y(value)), :, :3] = theme.RULE
    _waveform(image, document, view)
    if document.track is None:
        return image
    if view.kind == FACE:
        _face(image, document, view, chosen)
    else:
        _heard(image, document, view)
    return image


def ticks(view: View) -> list[float]:
    """Seconds at which the grid has a line, and a label has room."""
    span = view.end - view.start
    least = LABEL_PIXELS * span / max(1, view.width)
    step = next((step for step in STEPS if step >= least), STEPS[-1])
    return [number * step for number in range(int(np.ceil(view.start / step)), int(view.end / step) + 1)]


def _heard(image: Picture, document: Document, view: View) -> None:
    track = document.track
    assert track is not None
    for name in view.shown:
        mean, spread = (part[:, EMOTIONS.index(name)] for part in (track.mean, track.std))
        top, _ = _rows(view, track.times, np.minimum(mean + spread, 1))
        _, bottom = _rows(view, track.times, np.maximum(mean - spread, 0))
        _fill(image, top, bottom, theme.EMOTIONS[name], BAND)
    for name in view.shown:
        _line(image, _rows(view, track.times, track.mean[:, EMOTIONS.index(name)]), theme.EMOTIONS[name], 1.0)


def _face(image: Picture, document: Document, view: View, chosen: Collection[float]) -> None:
    curves, edited = document.curves, document.edited
    assert curves is not None
    for name in view.shown:
        rows = _rows(view, curves.times, curves.values[:, A2F_EMOTIONS.index(name)])
        _line(image, rows, theme.EMOTIONS[name], 1.0 if edited is None else FAINT)
    if edited is None:
        return
    keys = edited.keys
    for name in view.shown:
        rows = _rows(view, keys.times, keys.values[:, A2F_EMOTIONS.index(name)])
        _line(image, rows, theme.EMOTIONS[name], 1.0)
    first, last = np.searchsorted(keys.times, [view.start, view.end])
    seen = slice(max(0, first - 1), last + 1)
    times, kept = keys.times[seen], edited.kept[seen]
    stands_out = np.isin(times, list(chosen))
    for seconds, mine, picked in zip(times.tolist(), kept.tolist(), stands_out.tolist(), strict=True):
        colour = theme.TEXT if picked else theme.WARN if mine else theme.SOFT_TEXT
        _column(image, round(view.x(seconds)), colour, view.height - TICK_PIXELS * (2 if picked or mine else 1))
    if len(times) * SPARSE_PIXELS > view.width:
        return
    x = view.x(times)
    for name in view.shown:
        y = view.y(keys.values[seen, A2F_EMOTIONS.index(name)].astype(np.float64))
        colour, other = theme.EMOTIONS[name], ~stands_out
        _handles(image, x[other], y[other], colour, theme.PAPER, HANDLE_PIXELS)
        _handles(image, x[stands_out], y[stands_out], colour, theme.TEXT, HANDLE_PIXELS + 1)


def _waveform(image: Picture, document: Document, view: View) -> None:
    wave = document.waveform
    if wave is None:
        return
    bins = len(wave.low)
    edges = (view.start + (view.end - view.start) * np.arange(view.width + 1) / view.width) / wave.seconds * bins
    first = np.clip(edges[:-1].astype(np.int64), 0, bins - 1)
    beyond = edges[:-1] >= bins
    # of each column the bins from its own first one to before the next one's
    low, high = (
        np.asarray(pick.reduceat(part, first)) for pick, part in ((np.minimum, wave.low), (np.maximum, wave.high))
    )
    loudest = max(float(wave.high.max()), -float(wave.low.min()), 1e-6)
    middle, half = view.height / 2, view.height / 2 - MARGIN
    top, bottom = middle - high / loudest * half, middle - low / loudest * half
    top[beyond] = bottom[beyond] = -1e6
    _solid(image, top, np.maximum(bottom, top + 1), theme.WAVE)


def _rows(view: View, times: Floats, values: NDArray[np.float32]) -> tuple[Floats, Floats]:
    """Highest and lowest place of a curve in each column of pixels, from the top, (width,) each."""
    count = view.width * SAMPLES
    at = view.start + (view.end - view.start) * np.arange(count + 1) / count
    rows = view.y(np.interp(at, times, values))
    parts = np.stack([rows[offset : offset + count : SAMPLES] for offset in range(SAMPLES)] + [rows[SAMPLES::SAMPLES]])
    return parts.min(axis=0), parts.max(axis=0)


def _line(image: Picture, rows: tuple[Floats, Floats], colour: theme.Rgb, opacity: float) -> None:
    half = LINE_PIXELS / 2
    _fill(image, rows[0] - half, rows[1] + half, colour, opacity)


def _fill(image: Picture, top: Floats, bottom: Floats, colour: theme.Rgb, opacity: float) -> None:
    """Paint each column from `top` to `bottom`, (width,) in pixels from the top edge, with soft edges."""
    height = len(image)
    first = np.clip(np.floor(top), 0, height).astype(np.int64)
    count = np.maximum(np.clip(np.ceil(bottom), 0, height).astype(np.int64) - first, 0)
    columns = np.repeat(np.arange(len(top)), count)
    rows = np.arange(len(columns)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    covered = np.minimum(rows + 1, bottom[columns]) - np.maximum(rows, top[columns])
    _blend(image, rows, columns, colour, opacity * np.clip(covered, 0, 1))


def _handles(image: Picture, x: Floats, y: Floats, colour: theme.Rgb, edge: theme.Rgb, radius: float) -> None:
    """Discs with an edge around these places, (K,)."""
    reach = int(radius + 2)
    down, across = (part.ravel() for part in np.mgrid[-reach : reach + 1, -reach : reach + 1])
    distance = np.hypot(down, across)
    for paint, size in ((edge, radius + 1.5), (colour, radius)):
        share = np.clip(size + 0.5 - distance, 0, 1)
        disc = share > 0
        rows = (np.round(y).astype(np.int64)[:, None] + down[disc]).ravel()
        columns = (np.round(x).astype(np.int64)[:, None] + across[disc]).ravel()
        inside = (rows >= 0) & (rows < image.shape[0]) & (columns >= 0) & (columns < image.shape[1])
        _blend(image, rows[inside], columns[inside], paint, np.tile(share[disc], len(x))[inside])


def _solid(image: Picture, top: Floats, bottom: Floats, colour: theme.Rgb) -> None:
    """Paint each column from `top` to `bottom`, (width,) in pixels from the top edge, with hard edges."""
    rows = np.arange(len(image), dtype=np.float32)[:, None]
    np.putmask(
        image.view(np.uint32)[..., 0],
        (rows >= top.astype(np.float32)) & (rows < bottom.astype(np.float32)),
        np.array([*colour, 255], np.uint8).view(np.uint32),
    )


def _blend(
    image: Picture, rows: NDArray[np.int64], columns: NDArray[np.int64], colour: theme.Rgb, share: NDArray[Any]
) -> None:
    """Mix a colour into these pixels. share: 0 to 1 of it, one each or one for all."""
    pixels = image.reshape(-1).view(np.uint32)
    at = rows * image.shape[1] + columns
    below = pixels[at].view(np.uint8).reshape(-1, 4).astype(np.int16)
    part = (np.atleast_1d(share) * 128).astype(np.int16)  # so that products stay within 16 bits
    below += ((np.array([*colour, 255], np.int16) - below) * part[:, None]) >> 7
    pixels[at] = below.astype(np.uint8).view(np.uint32).ravel()


def _shade(image: Picture, view: View, span: tuple[float, float], colour: theme.Rgb, share: float) -> None:
    first, last = (min(max(0, round(view.x(seconds))), view.width) for seconds in span)
    part = image[:, first:last, :3].astype(np.float32)
    image[:, first:last, :3] = part + (np.array(colour, np.float32) - part) * share


def _column(image: Picture, x: int, colour: theme.Rgb, top: int = 0) -> None:
    if 0 <= x < image.shape[1]:
        image[top:, x, :3] = colour
