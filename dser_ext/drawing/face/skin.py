"""The skin of face and skull in one piece: the rings around mouth and eyes, and a net between and around them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.tri import Triangulation

from dser_ext.drawing.face.hair import hidden
from dser_ext.drawing.face.openings import MOUTH, Rings, bag, left_eye, mouth, right
from dser_ext.drawing.face.parts import Floats, Indices, Layer, Part, fan, part, sheet, with_jaw
from dser_ext.drawing.face.surface import CENTRE, along, skin_colours, smooth_step

FINEST, COARSER, FINE = 0.036, 0.105, 0.22
"""Distance of the net's points at the nose and its growth per radian from there, from `FINE` on; in radians."""
FARTHEST = 3.0  # radians from the nose; one last point lies right behind
CLOSEST = 0.42  # of a point's distance to its next: nearer to a ring it is left out

_POLE = np.array([0.0, -0.10, 0.44]) / np.hypot(0.10, 0.44)  # where the nose is, seen from the centre
_UP = np.array([0.0, _POLE[2], -_POLE[1]])
_ACROSS = np.array([1.0, 0.0, 0.0])


def skin() -> list[Part]:
    """The skin, and the bag of the mouth behind its lips."""
    lips, eye = mouth(), left_eye()
    openings = (lips, eye, right(eye))
    sizes = [opening.lid.size for opening in openings]
    starts = np.cumsum([0, *sizes])
    net = _net([opening.points[-1] for opening in openings])
    rims = [np.arange(end - opening.lid.shape[1], end) for opening, end in zip(openings, starts[1:], strict=True)]
    points = _stacked(openings, "points", net)
    triangles = [start + sheet(*ring.lid.shape, closed=True) for ring, start in zip(openings, starts, strict=False)]
    around = _between(points, rims, int(starts[-1]))
    triangles.append(around[~hidden(points)[around].all(axis=1)])
    face = part(
        points,
        np.concatenate(triangles),
        _stacked(openings, "colours", skin_colours(net)),
        layer=Layer.SKIN,
        apart=_stacked(openings, "apart", net),
        soft=1.0,
        lid=np.concatenate([*(opening.lid.ravel() for opening in openings), np.zeros(len(net))]),
    )
    return [with_jaw(piece, jaw_share(piece.apart)) for piece in (face, bag(lips))]


def jaw_share(apart: Floats) -> Floats:
    """How far points follow the jaw, (n,): all of the lower lip and the chin, little of the cheeks, nothing above."""
    x, y, z = np.abs(apart[:, 0]), apart[:, 1], apart[:, 2]
    above = 0.035 + 0.35 * np.maximum(x - 0.10, 0)
    return np.asarray(smooth_step(-above, 0.045, MOUTH[1] - y) * smooth_step(-0.12, 0.16, z))


def _stacked(openings: Sequence[Rings], name: str, rest: Floats) -> Floats:
    return np.concatenate([*(getattr(opening, name).reshape(-1, 3) for opening in openings), rest])


def _net(rings: Sequence[Floats]) -> Floats:
    """Points all over the head outside of the rings, the closer the nearer to the nose; the last one at the back."""
    radius, circles = 0.0, [np.zeros((1, 2))]
    while True:
        spacing = FINEST + COARSER * max(0.0, radius - FINE)
        radius += 0.9 * spacing
        if radius > FARTHEST:
            break
        count = max(6, 2 * round(np.pi * radius / spacing))
        angle = (np.arange(count) + 0.5 * (len(circles) % 2)) / count * 2 * np.pi + np.pi / 2
        circles.append(radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1))
    points = along(CENTRE, _directions(np.concatenate([*circles, [[0.0, np.pi]]])))
    spacing_there = np.sqrt(np.partition(_squared(points, points), 1, axis=1)[:, 1])
    keep = np.sqrt(_squared(points, np.concatenate(rings)).min(axis=1)) > CLOSEST * spacing_there
    for ring in rings:
        middle, half = (ring.max(axis=0) + ring.min(axis=0)) / 2, (ring.max(axis=0) - ring.min(axis=0)) / 2
        outside = (((points - middle) / half)[:, :2] ** 2).sum(axis=1) > 1
        keep &= outside | (points[:, 2] < 0)
    return np.asarray(points[keep])


def _squared(points: Floats, others: Floats) -> Floats:
    """Squares of the distances between all of the ones and all of the others."""
    own, their = (points**2).sum(axis=1), (others**2).sum(axis=1)
    return np.asarray(np.maximum(own[:, None] + their - 2 * points @ others.T, 0))


def _between(points: Floats, rims: Sequence[Indices], start: int) -> Indices:
    """Delaunay's triangles of the net, which begins at `start`, with the rims as the edges of its holes."""
    net, last = np.arange(start, len(points) - 1), len(points) - 1
    index = np.concatenate([*rims, net])
    rim_of = np.concatenate([*(np.full(len(rim), number) for number, rim in enumerate(rims)), np.full(len(net), -1)])
    flat = _on_a_map(points[index])
    found = Triangulation(flat[:, 0], flat[:, 1]).triangles
    a, b, c = (flat[found[:, corner]] for corner in range(3))
    clockwise = (b - a)[:, 0] * (c - a)[:, 1] < (b - a)[:, 1] * (c - a)[:, 0]
    found[clockwise] = found[clockwise, ::-1]
    hole = (rim_of[found] == rim_of[found[:, :1]]).all(axis=1) & (rim_of[found[:, 0]] >= 0)
    radius = np.linalg.norm(flat, axis=1)
    outermost = np.flatnonzero(radius > radius.max() - 0.05)
    outermost = outermost[np.argsort(np.arctan2(flat[outermost, 1], flat[outermost, 0]))]
    return np.concatenate([index[found[~hole]], fan(last, index[outermost][::-1])])


def _directions(flat: Floats) -> Floats:
    """Unit vectors at points of the map, on which the distance from the middle is the angle to the nose."""
    radius = np.linalg.norm(flat, axis=-1, keepdims=True)
    way = flat / np.maximum(radius, 1e-12)
    return np.asarray(np.cos(radius) * _POLE + np.sin(radius) * (way[:, :1] * _ACROSS + way[:, 1:] * _UP))


def _on_a_map(points: Floats) -> Floats:
    way = points - CENTRE
    way = way / np.linalg.norm(way, axis=-1, keepdims=True)
    flat = np.stack([way @ _ACROSS, way @ _UP], axis=-1)
    radius = np.arccos(np.clip(way @ _POLE, -1, 1))[:, None]
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=-1, keepdims=True), 1e-12) * radius)
