"""The preview's head: a mesh made by code, and how each blendshape moves it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from dser_ext.drawing.face.features import features
from dser_ext.drawing.face.muscles import moves
from dser_ext.drawing.face.parts import joined
from dser_ext.drawing.face.skin import skin

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Head:
    """One mesh; eyes, teeth and brows are vertices of it, shared where shading is smooth.

    Units: the head is about 1 high, y is up, the face looks along +z, and x grows to the head's own left, which is
    ARKit's "Left" and the viewer's right.
    vertices: (V, 3) float32. triangles: (T, 3) int32, outward side counter-clockwise. colours: (V, 3) float32, sRGB
    in [0, 1]. shapes: for each of `SHAPES` how far the vertices move at weight 1, (V, 3) float32. layers: (T,), the
    `Layer` of each triangle, for renderers that sort triangles because they have no depth buffer.
    """

    vertices: Floats
    triangles: NDArray[np.int32]
    colours: Floats
    shapes: dict[str, Floats]
    layers: NDArray[np.int64]


@cache
def head() -> Head:
    """The head; made once, in about a second."""
    layers, whole = joined([*skin(), *features()])
    return Head(
        whole.points.astype(np.float32),
        whole.triangles.astype(np.int32),
        np.clip(whole.colours, 0, 1).astype(np.float32),
        {name: delta.astype(np.float32) for name, delta in moves(whole).items()},
        layers,
    )
