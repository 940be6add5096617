"""The preview's head: a mesh made by code, and how each blendshape moves it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from dser_ext.drawing.face.shapes import SHAPES

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Head:
    """One mesh; eyes, teeth and brows are vertices of it, shared where shading is smooth.

    Units: the head is about 1 high, y is up, the face looks along +z, and x grows to the head's own left, which is
    ARKit's "Left" and the viewer's right.
    vertices: (V, 3) float32. triangles: (T, 3) int32, outward side counter-clockwise. colours: (V, 3) float32, sRGB
    in [0, 1]. shapes: for each of `SHAPES` how far the vertices move at weight 1, (V, 3) float32.
    """

    vertices: Floats
    triangles: NDArray[np.int32]
    colours: Floats
    shapes: dict[str, Floats]


@cache
def head() -> Head:
    """The head; made once."""
    rows, columns = 40, 60
    v, u = np.meshgrid(np.linspace(0, np.pi, rows), np.arange(columns) / columns * 2 * np.pi, indexing="ij")
    points = np.stack([0.38 * np.sin(v) * np.sin(u), 0.5 * np.cos(v), 0.43 * np.sin(v) * np.cos(u)], axis=-1)
    index = np.arange(rows * columns).reshape(rows, columns)
    right = np.roll(index, -1, axis=1)
    quads = np.stack([index[:-1], index[1:], right[1:], right[:-1]], axis=-1).reshape(-1, 4)
    vertices = points.reshape(-1, 3).astype(np.float32)
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)
    mouth = np.exp(-(((vertices - [0, -0.3, 0.35]) / 0.12) ** 2).sum(axis=1))[:, None]
    deltas = {name: (mouth * [0, -0.1 if name == "JawOpen" else 0.02, 0]).astype(np.float32) for name in SHAPES}
    return Head(vertices, triangles, np.full_like(vertices, 0.7), deltas)
