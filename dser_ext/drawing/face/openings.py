"""Mouth and eyes: rings of points from the edge of an opening outwards, until they meet the skin around."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dser_ext.drawing.face.parts import Floats, Layer, Part, fan, part, sheet
from dser_ext.drawing.face.surface import SKIN, in_front, mixed, skin_colours, smooth_step

MOUTH = np.array([0.0, -0.312])  # x, y of the middle of its seam
MOUTH_HALF = 0.112  # width from the middle to a corner
MOUTH_REACH = np.array([0.170, 0.084])  # half axes of the ellipse in which its rings lie
UPPER_LIP, LOWER_LIP = 0.034, 0.040  # heights in the middle
FULL_UPPER, FULL_LOWER = 0.014, 0.019  # how far they stand out
EYE = np.array([0.150, -0.005, 0.206])  # centre of the left eyeball
EYE_RADIUS = 0.097
EYE_HALF = 0.083  # width of the opening from the middle to a corner
UPPER_LID, LOWER_LID = 0.041, 0.036  # height of the opening above and below the middle
TILT = 0.06  # of the line between the corners: the outer one is higher
LID = 0.013  # thickness
EYE_REACH = np.array([0.106, 0.088])
MOUTH_POINTS, EYE_POINTS = 48, 32  # of each ring
APART = 0.05  # how far the lips are from their seam where they are told apart; lids half as far from their edges

LIPS = np.array([0.770, 0.455, 0.420])
LID_COLOUR = np.array([0.860, 0.640, 0.535])
DEEP = np.array([0.150, 0.035, 0.045])

# Rings of the lips: how far out from seam to border, how much of the fullness, and the colour.
_LIP_RINGS = (
    *((0.0, -0.80, LIPS * 0.45), (0.20, 0.20, LIPS * 0.80), (0.45, 0.85, LIPS), (0.72, 0.85, LIPS)),
    (1.0, 0.22, 0.55 * LIPS + 0.45 * SKIN),
)
_AROUND_LIPS = (0.14, 0.40, 0.70, 1.0)  # how far out from the border to the ellipse
# Rings of the bag behind the lips, from its end: width, height at each side, depth, how soft, and the colour.
_BAG_RINGS = (
    *((0.75, 0.055, 0.140, 0.2, DEEP * 0.6), (0.9, 0.055, 0.080, 0.4, DEEP)),
    *((0.98, 0.022, 0.028, 0.9, DEEP * 2.2), (1.0, 0.0, 0.0, 1.0, LIPS * 0.45)),
)
# Rings of the lids: how far out from edge to ellipse, how far above the eyeball, and how much they slide over it.
_LID_RINGS = (
    *((0.0, 0.006, 1.0), (0.0, LID * 0.9, 1.0), (0.10, LID, 1.0), (0.28, LID, 0.9)),
    *((0.48, LID * 0.9, 0.6), (0.72, LID * 0.5, 0.2), (1.0, 0.0, 0.0)),
)


@dataclass(frozen=True, eq=False)
class Rings:
    """Rings of points, counter-clockwise, the outermost last: (rings, points, …) each; see `Part` for the names."""

    points: Floats
    apart: Floats
    lid: Floats
    colours: Floats


def seam(x: Floats) -> Floats:
    """The height of the line between the lips at rest."""
    return np.asarray(MOUTH[1] + 0.014 * (x / MOUTH_HALF) ** 2 - 0.002 * np.exp(-((x / 0.028) ** 2)))


def lid_height(x: Floats) -> Floats:
    """How far a lid's edge is from the line between the corners of the eye, 1 in the middle; x from -1 to 1."""
    return np.asarray(np.maximum(1 - np.abs(x) ** 2.2, 0) ** 0.58)


def mouth() -> Rings:
    """The lips, shut, and the skin around them."""
    cosine, sine = _around(MOUTH_POINTS)
    upper = sine > 0
    x = MOUTH_HALF * np.sign(cosine) * np.abs(cosine) ** 0.92
    bow = 1 - 0.15 * np.exp(-((x / 0.018) ** 2))
    height = np.where(upper, UPPER_LIP * bow, -LOWER_LIP) * np.abs(sine) ** 1.25
    full = np.where(upper, FULL_UPPER, FULL_LOWER) * np.abs(sine) ** 0.7
    rows, colours = [], []
    for share, out, colour in _LIP_RINGS:
        row = in_front(np.stack([x * (1 + 0.05 * share), seam(x) + share * height], axis=-1))
        row[:, 2] += out * full
        rows.append(row)
        colours.append(np.broadcast_to(colour, row.shape))
    border, ellipse = rows[-1][:, :2], MOUTH + MOUTH_REACH * np.stack([cosine, sine], axis=-1)
    for share in _AROUND_LIPS:
        rows.append(in_front((1 - share) * border + share * ellipse))
        colours.append(skin_colours(rows[-1]))
    points = np.array(rows)
    apart = points.copy()
    apart[..., 1] += APART * sine * np.sqrt(np.linspace(1, 0, len(rows)))[:, None]
    return Rings(points, apart, np.zeros(points.shape[:2]), np.array(colours))


def bag(lips: Rings) -> Part:
    """What is seen behind open lips. It knows nothing of the jaw yet."""
    sine = _around(MOUTH_POINTS)[1]
    rows = []
    for width, height, depth, _, _ in _BAG_RINGS:
        row = lips.points[0] * [width, 1, 1] - [0, 0, depth]
        row[:, 1] += height * sine
        rows.append(row)
    end = rows[0].mean(axis=0) - [0, 0, 0.02]
    points = np.concatenate([*rows, end[None]])
    apart = points.copy()
    apart[:-1, 1] += APART * np.tile(sine, len(rows))
    soft = np.append(np.repeat([ring[3] for ring in _BAG_RINGS], MOUTH_POINTS), 0.0)
    colours = np.concatenate([np.repeat([ring[4] for ring in _BAG_RINGS], MOUTH_POINTS, axis=0), [DEEP * 0.5]])
    triangles = [sheet(len(rows), MOUTH_POINTS, closed=True), fan(len(points) - 1, np.arange(MOUTH_POINTS))]
    return part(points, np.concatenate(triangles), colours, layer=Layer.MOUTH, apart=apart, soft=soft)


def left_eye() -> Rings:
    """The lids of the left eye, open, and the skin around them."""
    cosine, sine = _around(EYE_POINTS)
    upper = sine > 0
    x = EYE_HALF * np.sign(cosine) * np.abs(cosine) ** 0.9
    y = np.where(upper, UPPER_LID, LOWER_LID) * np.sign(sine) * lid_height(x / EYE_HALF) + TILT * x
    opening, ellipse = np.stack([x, y], axis=-1), EYE_REACH * np.stack([cosine, sine], axis=-1)
    rows, colours, apart, lids = [], [], [], []
    for share, above, slides in _LID_RINGS:
        offset = (1 - share) * opening + share * ellipse
        row, face = _on_ball(offset, EYE_RADIUS + above), in_front(EYE[:2] + offset)
        blend = smooth_step(0.45, 1.0, share)
        lid = row if share < 0.2 else np.maximum(row, face)  # which differ in z alone
        row = (1 - blend) * lid + blend * face
        crease = np.exp(-(((share - 0.5) / 0.13) ** 2)) * np.abs(sine)
        row[:, 2] -= np.where(upper, 0.006, 0.003) * crease
        shade = 1 - np.where(upper, 0.16, 0.07) * crease
        if share == 0:
            shade = np.where(upper, 0.42, 0.80)  # lashes
        tint = mixed(LID_COLOUR, SKIN, smooth_step(0.1, 0.7, share)) * shade[:, None]
        rows.append(row)
        colours.append(skin_colours(row) if share == 1 else tint)
        apart.append(row + [0, 1, 0] * (APART / 2 * (1 - share) * sine)[:, None])
        lids.append(np.full(EYE_POINTS, slides))
    return Rings(np.array(rows), np.array(apart), np.array(lids), np.array(colours))


def right(eye: Rings) -> Rings:
    """The same on the other side, its rings again counter-clockwise."""
    flip = np.array([-1.0, 1.0, 1.0])
    return Rings(eye.points[:, ::-1] * flip, eye.apart[:, ::-1] * flip, eye.lid[:, ::-1], eye.colours[:, ::-1])


def _around(count: int) -> tuple[Floats, Floats]:
    """Cosine and sine of the angles of a ring's points, of which two are the corners: there the sine is 0."""
    angle = np.arange(count) / count * 2 * np.pi
    return np.cos(angle), np.where(np.arange(count) % (count // 2) == 0, 0.0, np.sin(angle))


def _on_ball(offset: Floats, radius: float) -> Floats:
    """Points of a ball around the left eyeball's centre, in front of these offsets in x and y from it."""
    depth = np.sqrt(np.maximum(radius**2 - (offset**2).sum(axis=-1, keepdims=True), 1e-6))
    return np.asarray(np.concatenate([offset, depth], axis=-1) + EYE)
