"""The sculpture under the skin: a smooth union of a few ellipsoids, as a field of signed distances.

Points are (…, 3) in the head's units, see `head.Head`. Distances are below 0 inside, and about right near the surface.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

CENTRE = np.array([0.0, -0.04, 0.0])
"""A point from which every part of the skin can be seen."""
STEP = 1e-3  # of numerical gradients

SKIN = np.array([0.890, 0.690, 0.575])  # colours are sRGB
BLUSH = np.array([0.840, 0.500, 0.440])
NOSTRIL = np.array([0.360, 0.170, 0.140])


def distance(points: Floats) -> Floats:
    """How far the points are outside of the skin."""
    p = np.concatenate([np.abs(points[..., :1]), points[..., 1:]], axis=-1)  # both halves are alike
    skin = _ellipsoid(p, (0, 0.115, -0.05), (0.36, 0.38, 0.42))  # cranium
    skin = _joined(skin, _ellipsoid(p, (0, -0.12, 0.06), (0.295, 0.35, 0.30)), 0.12)  # face
    skin = _joined(skin, _ellipsoid(p, (0.0, -0.33, 0.13), (0.212, 0.16, 0.20)), 0.12)  # jaw
    skin = _joined(skin, _ellipsoid(p, (0, -0.435, 0.262), (0.085, 0.062, 0.075)), 0.11)  # chin
    skin = _joined(skin, _ellipsoid(p, (0.16, -0.15, 0.235), (0.11, 0.10, 0.09)), 0.10)  # cheek
    skin = _joined(skin, _capsule(p, (0.04, 0.085, 0.325), (0.19, 0.08, 0.27), 0.04, 0.035), 0.09)  # brow
    skin = _carved(skin, _ellipsoid(p, (0.155, -0.005, 0.42), (0.095, 0.058, 0.095)), 0.09)  # eye socket
    skin = _joined(skin, _ellipsoid(p, (0, -0.305, 0.25), (0.13, 0.09, 0.095)), 0.09)  # what lies on the teeth
    skin = _joined(skin, _capsule(p, (0, 0.03, 0.335), (0, -0.135, 0.425), 0.026, 0.042), 0.055)  # nose
    return _joined(skin, _ellipsoid(p, (0.046, -0.162, 0.375), (0.034, 0.03, 0.042)), 0.035)  # its wing


def normals(points: Floats) -> Floats:
    """Unit vectors outwards."""
    here = distance(points)
    gradient = np.stack([distance(points + step) - here for step in STEP * np.eye(3)], axis=-1)
    return np.asarray(gradient / np.maximum(_length(gradient), 1e-9)[..., None])


def along(origins: ArrayLike, directions: ArrayLike, nearest: float = 0.05, farthest: float = 1.2) -> Floats:
    """Where rays leave the head: between `nearest`, inside, and `farthest`, outside, of their unit directions."""
    start, way = np.broadcast_arrays(np.asarray(origins, float), np.asarray(directions, float))
    low, high = np.full(way.shape[:-1], nearest), np.full(way.shape[:-1], farthest)
    for _ in range(26):
        middle = (low + high) / 2
        inside = distance(start + middle[..., None] * way) < 0
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return np.asarray(start + low[..., None] * way)


def in_front(xy: ArrayLike) -> Floats:
    """The points of the face at these x and y, (…, 2)."""
    flat = np.asarray(xy, float)
    start = np.concatenate([flat, np.full((*flat.shape[:-1], 1), -0.1)], axis=-1)
    return along(start, (0.0, 0.0, 1.0))


def slid(points: Floats, moved: Floats) -> Floats:
    """The moved points, each brought back to the height above the skin that it had before."""
    height = distance(points)
    for _ in range(2):
        moved = moved - (distance(moved) - height)[..., None] * normals(moved)
    return moved


def openness(points: Floats) -> Floats:
    """How much light of a white sky reaches the points, [0, 1]: little in creases."""
    outwards = normals(points)
    hidden = np.zeros(points.shape[:-1])
    for share, reach in ((0.5, 0.03), (0.3, 0.07), (0.2, 0.14)):
        hidden += share * np.clip(1 - (distance(points + reach * outwards) - distance(points)) / reach, 0, 1)
    return np.asarray(1 - hidden)


def skin_colours(points: Floats) -> Floats:
    """Skin with some blood in cheeks, nose and chin, and less light where the sky hardly reaches, (n, 3)."""
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    blood = 0.52 * np.exp(-(((x - 0.19) / 0.085) ** 2) - ((y + 0.155) / 0.07) ** 2) * (z > 0)
    blood += 0.42 * np.exp(-((x / 0.06) ** 2) - ((y + 0.145) / 0.05) ** 2 - ((z - 0.45) / 0.08) ** 2)
    blood += 0.18 * np.exp(-((x / 0.07) ** 2) - ((y + 0.44) / 0.05) ** 2) * (z > 0)
    hole = np.exp(-(((x - 0.026) / 0.017) ** 2) - ((y + 0.190) / 0.012) ** 2 - ((z - 0.392) / 0.03) ** 2)
    colours = mixed(mixed(SKIN, BLUSH, np.minimum(blood, 1)), NOSTRIL, hole)
    return np.asarray(colours * (0.70 + 0.30 * openness(points))[:, None])


def mixed(one: Floats, other: Floats, share: ArrayLike) -> Floats:
    """Colours between two, (…, 3): the second one to the shares (…)."""
    weight = np.asarray(share, float)[..., None]
    return np.asarray((1 - weight) * one + weight * other)


def smooth_step(low: ArrayLike, high: ArrayLike, values: ArrayLike) -> Floats:
    """0 up to `low`, 1 from `high` on, smooth between."""
    share = np.clip((np.asarray(values) - low) / (np.asarray(high) - low), 0, 1)
    return np.asarray(share * share * (3 - 2 * share))


def _ellipsoid(p: Floats, centre: ArrayLike, radii: ArrayLike) -> Floats:
    scaled = (p - np.asarray(centre)) / np.asarray(radii)
    near = _length(scaled)
    return np.asarray(near * (near - 1) / np.maximum(_length(scaled / np.asarray(radii)), 1e-9))


def _capsule(p: Floats, start: ArrayLike, end: ArrayLike, thick: float, thin: float) -> Floats:
    """From a ball of radius `thick` at the start to one of radius `thin` at the end."""
    first = np.asarray(start, float)
    way = np.asarray(end) - first
    share = np.clip((p - first) @ way / (way @ way), 0, 1)
    return np.asarray(_length(p - first - share[..., None] * way) - thick - share * (thin - thick))


def _length(vectors: Floats) -> Floats:
    return np.asarray(np.sqrt(np.einsum("...i,...i", vectors, vectors)))


def _joined(one: Floats, other: Floats, blend: float) -> Floats:
    """Smooth union (Quilez's polynomial)."""
    near = np.maximum(blend - np.abs(one - other), 0) / blend
    return np.asarray(np.minimum(one, other) - near * near * blend / 4)


def _carved(one: Floats, other: Floats, blend: float) -> Floats:
    """The one without the other."""
    return -_joined(-one, other, blend)
