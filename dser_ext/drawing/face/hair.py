"""A cap of short hair."""

from __future__ import annotations

import numpy as np

from dser_ext.drawing.face.parts import Floats, Layer, Part, part, sheet
from dser_ext.drawing.face.surface import along, openness

HAIR = np.array([0.270, 0.185, 0.150])
MIDDLE = np.array([0.0, 0.06, -0.04])
THICK = 0.048
TURNS = np.array([0.0, 0.35, 0.75, 1.08, 1.30, 1.48, 1.62, 1.85, 2.3, np.pi])  # from the front to the back, radians
RIM = np.array([0.71, 0.72, 0.66, 0.52, 0.08, -0.10, 0.05, -0.36, -0.60, -0.66])  # how high hair begins there, radians
COLUMNS, ROWS = 48, 12
_GRID = np.arange(COLUMNS) / COLUMNS * 2 * np.pi  # 0 in front, growing to the left of the head


def hair() -> Part:
    """The cap: thicker on top, with a soft rim."""
    share = np.linspace(0, 1, ROWS)[:, None] ** 0.85
    elevation = np.pi / 2 - share * (np.pi / 2 - _rim())
    way = np.stack([np.cos(elevation) * np.sin(_GRID), np.sin(elevation), np.cos(elevation) * np.cos(_GRID)], axis=-1)
    scalp = along(MIDDLE, way)
    front = np.exp(-(((_GRID + np.pi) % (2 * np.pi) - np.pi - 0.25) ** 2) / 0.5)
    locks = 0.004 * np.sin(13 * _GRID + 3.0 * share + 1.5 * np.sin(3 * _GRID)) * share * (1 - share**8)
    thick = THICK * (1 - share**6) ** 0.55 * (1 + 0.25 * front * share)
    points = scalp + way * (thick + locks - 0.004 * (share > 0.999))[..., None]
    shade = 0.86 + 0.14 * openness(scalp)[..., None] + 12 * locks[..., None] - 0.18 * share[..., None] ** 8
    return part(points, sheet(ROWS, COLUMNS, closed=True), HAIR * shade, layer=Layer.OUTER)


def hidden(points: Floats, margin: float = 0.08) -> Floats:
    """Which points of the scalp lie well below the hair: `margin` radians from its rim."""
    way = points - MIDDLE
    turn = np.arctan2(way[:, 0], way[:, 2]) % (2 * np.pi)
    elevation = np.arcsin(np.clip(way[:, 1] / np.linalg.norm(way, axis=1), -1, 1))
    return np.asarray(elevation > np.interp(turn, [*_GRID, 2 * np.pi], [*_rim(), _rim()[0]]) + margin)


def _rim() -> Floats:
    """The elevation at which hair begins, for each column, without sharp corners."""
    rim = np.interp(np.abs((_GRID + np.pi) % (2 * np.pi) - np.pi), TURNS, RIM)
    for _ in range(3):
        rim = (np.roll(rim, 1) + 2 * rim + np.roll(rim, -1)) / 4
    return np.asarray(rim)
