"""Pictures of the head without GPU or browser: lit in numpy, its triangles drawn from back to front by Agg."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.transforms import IdentityTransform
from numpy.typing import NDArray

from dser_ext.drawing.face.head import Head
from dser_ext.drawing.face.parts import Layer

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]

CAMERA = 4.2  # distance from the middle of the head, in heads
OUTER_NEARER = 0.08  # hair, ears and brows lie on larger triangles of skin: this much in front of them when sorted
GAMMA = 2.2

_LAMPS = (  # from where (towards), colour, as linear light: key, fill, rim
    ((-0.55, 0.65, 0.75), (0.85, 0.80, 0.74)),
    ((0.85, 0.05, 0.45), (0.22, 0.25, 0.30)),
    ((0.40, 0.55, -0.80), (0.40, 0.38, 0.36)),
)
_SKY, _GROUND = np.array([0.30, 0.31, 0.34]), np.array([0.20, 0.15, 0.13])
_WRAP = np.array([0.35, 0.22, 0.18])  # how far light goes around edges: skin lets red through
_SHINE, _SHARPNESS = 0.06, 24


class Renderer:
    """Draws one head from one side, as often as wanted.

    size: (width, height) in pixels. scale: pixels a head's height. middle: where x = y = 0 of the head comes to lie,
    in pixels from the left and from the top. yaw, pitch: radians that the head turns to its own left, and up.
    """

    def __init__(
        self,
        head: Head,
        size: tuple[int, int],
        scale: float,
        middle: tuple[float, float],
        *,
        yaw: float = 0.0,
        pitch: float = 0.0,
    ) -> None:
        self.size, self._scale, self._middle = size, scale, np.asarray(middle)
        self._shapes = head.shapes
        self._vertices, self._triangles = head.vertices, head.triangles
        self._turn = _turn(yaw, pitch).astype(np.float32)
        self._linear = head.colours.astype(np.float64) ** GAMMA
        self._shine = np.full(len(head.vertices), _SHINE)
        self._shine[head.triangles[head.layers == Layer.MOUTH]] = 0.0  # what is deep in the mouth reflects no lamp
        self._outer = np.where(head.layers == Layer.OUTER, OUTER_NEARER, 0.0)
        self._layers = np.minimum(head.layers, Layer.SKIN)
        corners = head.triangles.ravel()
        self._by_vertex = np.argsort(corners, kind="stable")
        self._starts = np.searchsorted(corners[self._by_vertex], np.arange(len(head.vertices)))
        agg: Any = RendererAgg  # has no types
        self._agg = agg(*size, 72)

    def picture(self, weights: Mapping[str, float], background: Pixels) -> Pixels:
        """The face with these blendshapes over a background, (height, width, 4) RGBA, as is what comes back.

        Shapes that the head does not have change nothing.
        """
        posed = self._vertices.copy()
        for name, delta in self._shapes.items():
            if weight := weights.get(name, 0.0):
                posed += np.float32(weight) * delta
        posed = np.einsum("vi,ji->vj", posed, self._turn)  # and not BLAS, whose threads would spin for so little
        near = CAMERA / (CAMERA - posed[:, 2])
        flat = posed[:, :2] * (near * self._scale)[:, None]
        flat = np.stack([self._middle[0] + flat[:, 0], self.size[1] - self._middle[1] + flat[:, 1]], axis=1)
        shown = self._sorted(posed, flat)
        colours = self._lit(posed)
        context = self._agg.new_gc()
        self._agg.clear()
        self._agg.draw_image(context, 0, 0, background[::-1])
        self._agg.draw_gouraud_triangles(context, flat[shown].astype(float), colours[shown], IdentityTransform())
        return np.array(self._agg.buffer_rgba())

    def _sorted(self, posed: NDArray[np.float32], flat: Floats) -> NDArray[np.int32]:
        """The triangles that face the camera, from the farthest to the nearest, part after part."""
        a, b, c = (flat[self._triangles[:, corner]] for corner in range(3))
        facing = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0] > 0
        depth = posed[self._triangles, 2].mean(axis=1) + self._outer
        order = np.lexsort((depth, self._layers))
        return self._triangles[order[facing[order]]]

    def _lit(self, posed: NDArray[np.float32]) -> Floats:
        """The colour of each vertex under the lamps, (V, 4) RGBA."""
        a, b, c = (posed[self._triangles[:, corner]] for corner in range(3))
        faces = np.cross(b - a, c - a)
        normals = np.add.reduceat(np.repeat(faces, 3, axis=0)[self._by_vertex], self._starts, axis=0)
        normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        up = normals[:, 1:2] / 2
        light = (0.5 + up) * _SKY + (0.5 - up) * _GROUND
        for towards, colour in _LAMPS:
            way = np.asarray(towards) / np.linalg.norm(towards)
            facing = np.einsum("vi,i->v", normals, way)[:, None]
            light = light + np.clip((facing + _WRAP) / (1 + _WRAP), 0, 1) ** 1.3 * colour
        half = np.asarray(_LAMPS[0][0]) / np.linalg.norm(_LAMPS[0][0]) + (0, 0, 1)
        glint = np.einsum("vi,i->v", normals, half / np.linalg.norm(half))
        shine = self._shine * np.clip(glint, 0, 1) ** _SHARPNESS
        lit = np.clip(self._linear * light + shine[:, None], 0, 1) ** (1 / GAMMA)
        return np.concatenate([lit, np.ones((len(lit), 1))], axis=1)


def _turn(yaw: float, pitch: float) -> Floats:
    about_y = [[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]]
    about_x = [[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]]
    return np.asarray(about_x) @ np.asarray(about_y)
