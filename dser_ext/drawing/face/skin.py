"""The skin of face and skull in one piece: rings around mouth and eyes, and a net between them and around the head."""

from __future__ import annotations

import numpy as np
from matplotlib.tri import Triangulation
from numpy.typing import ArrayLike

from dser_ext.drawing.face.hair import hidden
from dser_ext.drawing.face.parts import Floats, Indices, Layer, Part, fan, part, sheet
from dser_ext.drawing.face.surface import CENTRE, along, distance, in_front, openness, smooth_step

MOUTH = np.array([0.0, -0.312])  # x, y of the middle of its seam
MOUTH_HALF = 0.112  # width from the middle to a corner
MOUTH_REACH = (0.170, 0.084)  # half axes of the ellipse in which its rings lie
EYE = np.array([0.150, -0.005, 0.210])  # centre of the left eyeball
EYE_RADIUS = 0.092
EYE_HALF = 0.078  # width of the opening from the middle to a corner
UPPER_LID, LOWER_LID = 0.038, 0.034  # height of the opening above and below the middle
LID = 0.012  # thickness
EYE_REACH = (0.106, 0.088)
MOUTH_POINTS, EYE_POINTS = 48, 32  # of each ring
APART = 0.05  # how far apart lips and lids are where they are told apart
FINEST, COARSER = 0.036, 0.11  # distance of points in the net: radians at the nose, and growth per radian

SKIN = np.array([0.890, 0.690, 0.575])
BLUSH = np.array([0.840, 0.500, 0.440])
LIPS = np.array([0.770, 0.455, 0.420])
LID_COLOUR = np.array([0.860, 0.640, 0.535])
DEEP = np.array([0.150, 0.035, 0.045])
NOSTRIL = np.array([0.36, 0.17, 0.14])


def skin() -> list[Part]:
    """The skin, and the bag of the mouth behind its lips."""
    mouth, inside = _mouth()
    left = _eye()
    right = _other_side(left)
    patches = [mouth, left, right]
    net = _net([patch.points[-1] for patch in patches])
    rings = [patch.points[-1] for patch in patches]
    starts = np.cumsum([0, *(patch.points[..., 0].size for patch in patches)])
    rims = [start + patch.points[..., 0].size - len(ring) + np.arange(len(ring))
            for start, patch, ring in zip(starts, patches, rings, strict=False)]
    triangles = [start + sheet(*patch.points.shape[:2], closed=True)
                 for start, patch in zip(starts, patches, strict=False)]
    triangles.append(_between(rings, rims, net, starts[-1]))
    points = np.concatenate([*(patch.points.reshape(-1, 3) for patch in patches), net])
    triangles[-1] = triangles[-1][~hidden(points)[triangles[-1]].all(axis=1)]
    free = np.zeros(len(net))
    apart = np.concatenate([*(patch.apart.reshape(-1, 3) for patch in patches), net])
    lid = np.concatenate([*(patch.lid.ravel() for patch in patches), free])
    own = np.concatenate([*(patch.colours.reshape(-1, 3) for patch in patches), skin_colours(net)])
    return [
        part(points, np.concatenate(triangles), own, layer=Layer.SKIN, apart=apart, soft=1.0, jaw=jaw_share(apart), lid=lid),
        inside,
    ]


class _Rings:
    """Rings of points around an opening, from its edge outwards: (rings, points, …) each."""

    def __init__(self, points: Floats, apart: Floats, lid: Floats, colours: Floats) -> None:
        self.points, self.apart, self.lid, self.colours = points, apart, lid, colours


def skin_colours(points: Floats) -> Floats:
    """Skin with some blood in cheeks, nose and chin, and less light where the sky hardly reaches, (n, 3)."""
    x, y, z = np.abs(points[:, 0]), points[:, 1], points[:, 2]
    warm = 0.75 * np.exp(-(((x - 0.19) / 0.085) ** 2) - ((y + 0.155) / 0.07) ** 2) * (z > 0)
    warm += 0.60 * np.exp(-((x / 0.06) ** 2) - ((y + 0.145) / 0.05) ** 2 - ((z - 0.45) / 0.08) ** 2)
    warm += 0.25 * np.exp(-((x / 0.07) ** 2) - ((y + 0.44) / 0.05) ** 2) * (z > 0)
    colours = _mixed(SKIN, BLUSH, np.clip(warm, 0, 1) * 0.7)
    hole = np.exp(-(((x - 0.026) / 0.017) ** 2) - ((y + 0.190) / 0.012) ** 2 - ((z - 0.392) / 0.03) ** 2)
    colours = colours + np.clip(hole, 0, 1)[:, None] * (NOSTRIL - colours)
    return np.asarray(colours * (0.70 + 0.30 * openness(points))[:, None])


def jaw_share(apart: Floats) -> Floats:
    """How far points follow the jaw: all of the lower lip and the chin, little of the cheeks, nothing above."""
    x, y, z = np.abs(apart[..., 0]), apart[..., 1], apart[..., 2]
    above = 0.035 + 0.35 * np.maximum(x - 0.10, 0)
    return np.asarray(smooth_step(-above, 0.045, MOUTH[1] - y) * smooth_step(-0.12, 0.16, z))


def _mouth() -> tuple[_Rings, Part]:
    angle = np.arange(MOUTH_POINTS) / MOUTH_POINTS * 2 * np.pi
    cosine, sine = np.cos(angle), np.sin(angle)
    upper = sine > 1e-9
    seam_x = MOUTH_HALF * np.sign(cosine) * np.abs(cosine) ** 0.92
    seam_y = MOUTH[1] + 0.014 * (seam_x / MOUTH_HALF) ** 2 - 0.004 * np.exp(-((seam_x / 0.028) ** 2))
    full = np.abs(sine) ** 1.25
    bow = 1 - 0.20 * np.exp(-((seam_x / 0.018) ** 2))
    height = np.where(upper, 0.034 * bow, -0.040) * full
    rows, lids, colours, apart = [], [], [], []
    bulge = np.where(upper, 0.017, 0.024) * np.abs(sine) ** 0.7
    for share, out in ((0.0, -0.75), (0.12, 0.10), (0.40, 0.85), (0.72, 0.85), (1.0, 0.22)):
        xy = np.stack([seam_x * (1 + 0.05 * share), seam_y + share * height], axis=-1)
        row = in_front(xy)
        row[:, 2] += out * bulge - (0.004 if share == 0 else 0)
        rows.append(row)
        dark = {0.0: 0.45, 0.12: 0.72}.get(share, 1.0)
        colours.append(np.broadcast_to((LIPS if share < 1 else _mixed(LIPS, SKIN, 0.45)) * dark, row.shape))
    border = rows[-1]
    ellipse = np.stack([MOUTH_REACH[0] * cosine, MOUTH[1] + MOUTH_REACH[1] * sine], axis=-1)
    for share in (0.14, 0.40, 0.70, 1.0):
        xy = (1 - share) * border[:, :2] + share * ellipse
        row = in_front(xy)
        row[:, 2] += (0.003 * np.abs(sine) if share < 0.2 else 0.0)
        rows.append(row)
        colours.append(skin_colours(row))
    ring = np.arange(len(rows)) / (len(rows) - 1)
    for row, out in zip(rows, ring, strict=True):
        lifted = row.copy()
        lifted[:, 1] += APART * sine * (1 - out) ** 0.5
        apart.append(lifted)
        lids.append(np.zeros(MOUTH_POINTS))
    bag = []
    inner = rows[0]
    for shrink, lift, back in ((0.75, 0.055, 0.14), (0.9, 0.055, 0.08), (0.98, 0.022, 0.028), (1.0, 0.0, 0.0)):
        row = inner * [shrink, 1, 1]
        row[:, 1] += lift * sine
        row[:, 2] -= back
        bag.append(row)
    hollow = np.array(bag)
    middle = hollow[0].mean(axis=0, keepdims=True) - [0, 0, 0.02]
    points = np.concatenate([hollow.reshape(-1, 3), middle])
    open_rows = hollow.copy()
    open_rows[..., 1] += APART * sine
    dark = np.repeat([DEEP * 0.6, DEEP, DEEP * 2.2, LIPS * 0.45], MOUTH_POINTS, axis=0)
    open_points = np.concatenate([open_rows.reshape(-1, 3), middle])
    near = np.concatenate([np.repeat([0.2, 0.4, 0.9, 1.0], MOUTH_POINTS), [0.0]])
    inside = part(
        points,
        np.concatenate([sheet(4, MOUTH_POINTS, closed=True), fan(len(points) - 1, np.arange(MOUTH_POINTS))]),
        np.concatenate([dark, [DEEP * 0.5]]),
        layer=Layer.MOUTH, apart=open_points, soft=near, jaw=jaw_share(open_points),
    )  # fmt: skip
    return _Rings(np.array(rows), np.array(apart), np.array(lids), np.array(colours)), inside


def _eye() -> _Rings:
    angle = np.arange(EYE_POINTS) / EYE_POINTS * 2 * np.pi
    cosine, sine = np.cos(angle), np.sin(angle)
    upper = sine > 1e-9
    x = EYE_HALF * np.sign(cosine) * np.abs(cosine) ** 0.9
    y = np.where(upper, UPPER_LID, LOWER_LID) * np.sign(sine) * np.abs(sine) ** 1.15 + 0.06 * x
    opening = np.stack([x, y], axis=-1)
    ellipse = np.stack([EYE_REACH[0] * cosine, EYE_REACH[1] * sine], axis=-1)
    rows, lids, colours, apart = [], [], [], []
    for share, height, slides in (
        (0.0, 0.001, 1.0), (0.0, LID * 0.8, 1.0), (0.10, LID, 1.0), (0.28, LID, 0.9), (0.48, LID * 0.9, 0.6),
        (0.72, LID * 0.5, 0.2), (1.0, 0.0, 0.0),
    ):  # fmt: skip
        offset = (1 - share) * opening + share * ellipse
        radius = EYE_RADIUS + height
        over = EYE[2] + np.sqrt(np.maximum(radius**2 - (offset**2).sum(axis=-1), 1e-6))
        face = in_front(EYE[:2] + offset)
        blend = smooth_step(0.45, 1.0, share)
        ball = np.concatenate([EYE[:2] + offset, over[:, None]], axis=-1)
        outer = np.maximum(ball, face)  # x and y are the same
        row = (1 - blend) * (ball if share < 0.2 else outer) + blend * face
        row[:, 2] -= np.where(upper, 0.006, 0.003) * np.exp(-(((share - 0.5) / 0.13) ** 2)) * np.abs(sine)
        rows.append(row)
        lids.append(np.full(EYE_POINTS, slides))
        tint = _mixed(LID_COLOUR, SKIN, smooth_step(0.1, 0.7, share))
        crease = 1 - np.where(upper, 0.16, 0.07) * np.exp(-(((share - 0.48) / 0.12) ** 2)) * np.abs(sine)
        lash = np.where(upper, 0.42, 0.80) if share == 0 else np.ones(EYE_POINTS)
        shade = skin_colours(row) if share > 0.9 else tint * (crease * lash)[:, None]
        colours.append(np.broadcast_to(shade, row.shape))
        lifted = row.copy()
        lifted[:, 1] += APART * 0.5 * sine * (1 - share)
        apart.append(lifted)
    return _Rings(np.array(rows), np.array(apart), np.array(lids), np.array(colours))


def _other_side(eye: _Rings) -> _Rings:
    """The right eye, its rings again counter-clockwise."""
    flip = np.array([-1.0, 1.0, 1.0])
    return _Rings(eye.points[:, ::-1] * flip, eye.apart[:, ::-1] * flip, eye.lid[:, ::-1], eye.colours[:, ::-1])


def _net(rings: list[Floats]) -> Floats:
    """Points all over the head outside of the rings, the closer the nearer to the nose; the last one at the back."""
    radius, circles = 0.0, [np.zeros((1, 2))]
    while True:
        spacing = FINEST + COARSER * max(0.0, radius - 0.22)
        radius += spacing * 0.9
        if radius > 3.0:
            break
        count = max(6, 2 * round(np.pi * radius / spacing))
        angle = (np.arange(count) + 0.5 * (len(circles) % 2)) / count * 2 * np.pi + np.pi / 2
        circles.append(radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1))
    points = along(CENTRE, _directions(np.concatenate([*circles, [[0.0, np.pi]]])))
    near = np.min([np.linalg.norm(points[:, None] - ring, axis=-1).min(axis=1) for ring in rings], axis=0)
    away = np.linalg.norm(points[:, None] - points[None], axis=-1)
    np.fill_diagonal(away, 9.0)
    keep = near > 0.42 * np.sort(away, axis=1)[:, 1]
    for ring in rings:
        middle, half = (ring.max(axis=0) + ring.min(axis=0)) / 2, (ring.max(axis=0) - ring.min(axis=0)) / 2
        keep &= (points[:, 2] < 0.05) | ((((points - middle) / half)[:, :2] ** 2).sum(axis=1) > 1)
    return points[keep]


def _between(rings: list[Floats], rims: list[Indices], net: Floats, start: int) -> Indices:
    """Triangles of the net, by Delaunay, with the rings as its holes."""
    flat = _on_a_map(np.concatenate([*rings, net[:-1]]))
    index = np.concatenate([*rims, start + np.arange(len(net) - 1)])
    owner = np.concatenate([*(np.full(len(ring), number) for number, ring in enumerate(rings)), -np.ones(len(net) - 1)])
    found = Triangulation(flat[:, 0], flat[:, 1]).triangles
    a, b, c = (flat[found[:, corner]] for corner in range(3))
    turn = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    found = np.where((turn > 0)[:, None], found, found[:, ::-1])
    inside = (owner[found] == owner[found[:, :1]]).all(axis=1) & (owner[found[:, 0]] >= 0)
    found = found[~inside]
    outermost = np.flatnonzero(np.linalg.norm(flat, axis=1) > 2.0)
    radius = np.linalg.norm(flat, axis=1)
    rim = outermost[radius[outermost] > radius.max() - 0.05]
    rim = rim[np.argsort(np.arctan2(flat[rim, 1], flat[rim, 0]))]
    closing = fan(start + len(net) - 1, index[rim][::-1])
    return np.concatenate([index[found], closing])


_POLE = np.array([0.0, -0.10, 0.44])
_POLE = _POLE / np.linalg.norm(_POLE)
_UP = np.array([0.0, _POLE[2], -_POLE[1]])
_ACROSS = np.array([1.0, 0.0, 0.0])


def _directions(flat: Floats) -> Floats:
    """Unit vectors at points of the map, on which the distance from the middle is the angle to the nose."""
    radius = np.linalg.norm(flat, axis=-1, keepdims=True)
    way = flat / np.maximum(radius, 1e-12)
    sideways = way[..., :1] * _ACROSS + way[..., 1:] * _UP
    return np.asarray(np.cos(radius) * _POLE + np.sin(radius) * sideways)


def _on_a_map(points: Floats) -> Floats:
    way = points - CENTRE
    way = way / np.linalg.norm(way, axis=-1, keepdims=True)
    flat = np.stack([way @ _ACROSS, way @ _UP], axis=-1)
    radius = np.arccos(np.clip(way @ _POLE, -1, 1))[:, None]
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=-1, keepdims=True), 1e-12) * radius)


def _mixed(one: Floats, other: Floats, share: ArrayLike) -> Floats:
    weight = np.asarray(share, float)[..., None]
    return np.asarray((1 - weight) * one + weight * other)
