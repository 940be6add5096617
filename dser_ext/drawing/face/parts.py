"""Pieces of a mesh, and how grids and rings of points become such pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


class Layer(IntEnum):
    """Parts of the head in the order in which they are drawn where there is no depth buffer.

    OUTER are hair, ears and brows; they are drawn among SKIN by depth.
    """

    NECK = 0
    MOUTH = 1
    TEETH = 2
    EYEBALL = 3
    LIGHT = 4
    SKIN = 5
    OUTER = 6


@dataclass(frozen=True, eq=False)
class Part:
    """A piece of the head.

    points: (n, 3). triangles: (t, 3), outward side counter-clockwise. colours: (n, 3), sRGB in [0, 1].
    apart: (n, 3), where the points would be were mouth and eyes wide open; muscles go by this, so that they can tell
    the upper lip from the lower. soft: (n,) in [0, 1], how far a point follows muscles as skin does. jaw: (n,) in
    [0, 1], how far it follows the jaw. lid: (n,) in [0, 1], 1 where a point slides over an eyeball and not over the
    face.
    """

    points: Floats
    triangles: Indices
    colours: Floats
    apart: Floats
    soft: Floats
    jaw: Floats
    lid: Floats
    layer: Layer


def part(
    points: ArrayLike,
    triangles: Indices,
    colours: ArrayLike,
    *,
    layer: Layer,
    apart: Floats | None = None,
    soft: ArrayLike = 0.0,
    jaw: ArrayLike = 0.0,
    lid: ArrayLike = 0.0,
) -> Part:
    """A part; what is said of one point holds for all."""
    flat = np.asarray(points, float).reshape(-1, 3)
    count = len(flat)
    shades = np.broadcast_to(np.asarray(colours, float), (*np.shape(points)[:-1], 3)).reshape(-1, 3)
    told_apart = flat if apart is None else apart.reshape(-1, 3)
    follows = {
        name: np.broadcast_to(np.asarray(value, float), count).copy()
        for name, value in (("soft", soft), ("jaw", jaw), ("lid", lid))
    }
    return Part(flat, triangles, shades.copy(), told_apart, layer=layer, **follows)


def sheet(rows: int, columns: int, *, closed: bool = False) -> Indices:
    """Triangles of a grid of points, row by row; closed: the last column meets the first.

    Their outward side is the one from which rows run down and columns to the right.
    """
    index = np.arange(rows * columns).reshape(rows, columns)
    if closed:
        index = np.concatenate([index, index[:, :1]], axis=1)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    return np.concatenate([np.stack([a, b, c], axis=-1).reshape(-1, 3), np.stack([a, c, d], axis=-1).reshape(-1, 3)])


def fan(hub: int, rim: Sequence[int] | Indices) -> Indices:
    """Triangles from a point to a ring that runs counter-clockwise around it."""
    ring = np.asarray(rim)
    return np.stack([np.full(len(ring), hub), ring, np.roll(ring, -1)], axis=-1)


def with_jaw(piece: Part, share: Floats) -> Part:
    """The same, following the jaw so far, (n,)."""
    return replace(piece, jaw=share)


def mirrored(piece: Part) -> Part:
    """The same on the other side."""
    flip = np.array([-1.0, 1.0, 1.0])
    return Part(
        piece.points * flip,
        piece.triangles[:, ::-1],
        piece.colours,
        piece.apart * flip,
        piece.soft,
        piece.jaw,
        piece.lid,
        piece.layer,
    )


def joined(pieces: Sequence[Part]) -> tuple[Indices, Part]:
    """The layer of each triangle, (T,), and all parts as one, without triangles that have no area and
    points that no triangle has.

    Its own layer says nothing.
    """
    names = ("points", "colours", "apart", "soft", "jaw", "lid")
    every = {name: np.concatenate([getattr(piece, name) for piece in pieces]) for name in names}
    starts = np.cumsum([0, *(len(piece.points) for piece in pieces)])
    triangles = np.concatenate([piece.triangles + start for piece, start in zip(pieces, starts, strict=False)])
    layers = np.concatenate([np.full(len(piece.triangles), piece.layer) for piece in pieces])
    a, b, c = (every["points"][triangles[:, corner]] for corner in range(3))
    solid = np.linalg.norm(np.cross(b - a, c - a), axis=1) > 1e-10  # at poles and between doubled rings are none
    used, renumbered = np.unique(triangles[solid], return_inverse=True)
    arrays = {name: values[used] for name, values in every.items()}
    return layers[solid], Part(triangles=renumbered.reshape(-1, 3), layer=Layer.SKIN, **arrays)
