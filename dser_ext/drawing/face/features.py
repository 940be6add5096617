"""What sits in and on the skin: eyeballs, teeth, tongue, brows, ears, hair, and the neck in its shirt."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from dser_ext.drawing.face.hair import HAIR, hair
from dser_ext.drawing.face.openings import EYE, EYE_RADIUS, MOUTH
from dser_ext.drawing.face.parts import Floats, Layer, Part, fan, mirrored, part, sheet
from dser_ext.drawing.face.surface import BLUSH, SKIN, along, in_front, normals, smooth_step

IRIS, PUPIL = 0.47, 0.21  # their radii as angles on the eyeball
IRIS_COLOURS = np.array([[0.42, 0.55, 0.50], [0.20, 0.33, 0.32]])  # around the pupil, at the rim
LIGHTS = (((-0.155, 0.20), 0.08, 1.0), ((0.15, -0.18), 0.04, 0.95))
"""Of two lamps on the eyeballs: where on the unit ball, how large, and how bright."""
SCLERA = np.array([0.955, 0.945, 0.930])
BLACK = np.array([0.035, 0.03, 0.03])
TOOTH = np.array([0.955, 0.935, 0.890])
GUM = np.array([0.55, 0.26, 0.26])
TONGUE = np.array([0.700, 0.330, 0.330])
SHIRT = np.array([0.255, 0.400, 0.470])


def features() -> list[Part]:
    """All of them."""
    eye, ear, brow = _eyeball(), _ear(), _brow()
    return [
        _neck(),
        _shirt(),
        _tongue(),
        _teeth(upper=False),
        _teeth(upper=True),
        *(eye, mirrored(eye)),
        *(_light(side, *light) for side in (1, -1) for light in LIGHTS),
        *(ear, mirrored(ear)),
        hair(),
        *(brow, mirrored(brow)),
    ]


def _eyeball() -> Part:
    """The left one, with pupil and iris; its colours change at doubled rings."""
    count = 26
    around = np.arange(count) / count * 2 * np.pi
    rings = (
        *((0.02, BLACK), (PUPIL, BLACK), (PUPIL, IRIS_COLOURS[0]), (0.33, (IRIS_COLOURS[0] + IRIS_COLOURS[1]) / 2)),
        *((IRIS - 0.03, IRIS_COLOURS[1]), (IRIS, IRIS_COLOURS[1] * 0.45), (IRIS, SCLERA * 0.90), (0.55, SCLERA)),
        *((0.80, SCLERA), (1.20, SCLERA), (1.57, SCLERA * 0.85)),
    )
    angle = np.array([angle for angle, _ in rings])[:, None, None]
    sideways = np.stack([np.cos(around), np.sin(around)], axis=-1)
    unit = np.concatenate([np.sin(angle) * sideways, np.broadcast_to(np.cos(angle), (len(rings), count, 1))], axis=-1)
    colours = np.array([np.tile(colour, (count, 1)) for _, colour in rings])
    shadow = 1 - 0.28 * smooth_step(0.25, 0.60, unit[..., 1])  # of the upper lid
    points, shades = EYE + EYE_RADIUS * unit, colours * shadow[..., None]
    pupil = fan(0, np.arange(1, count))[:-1]  # from one point of the innermost ring to the others
    return part(points, np.concatenate([sheet(len(unit), count, closed=True), pupil]), shades, layer=Layer.EYEBALL)


def _light(side: int, middle: tuple[float, float], radius: float, shade: float) -> Part:
    """What a lamp leaves on the left (1) or right (-1) eyeball: a disc, at the same place on both."""
    count = 12
    around = np.arange(count) / count * 2 * np.pi
    rim = np.stack([np.cos(around), np.sin(around)], axis=-1)
    flat = np.asarray(middle) + radius * np.concatenate([np.zeros((1, 2)), rim])
    unit = np.concatenate([flat, np.sqrt(1 - (flat**2).sum(axis=-1, keepdims=True))], axis=-1)
    points = EYE * [side, 1, 1] + 1.012 * EYE_RADIUS * unit
    return part(points, fan(0, np.arange(1, count + 1)), [shade] * 3, layer=Layer.LIGHT)


def _teeth(*, upper: bool) -> Part:
    """An arch of eight teeth with dark lines between them."""
    count, columns = 8, 8 * 4 + 1
    place = np.linspace(-1, 1, columns)
    angle = place * 1.15
    half = 0.082 if upper else 0.074
    front = in_front(MOUTH)[2] - (0.030 if upper else 0.036)
    edge = MOUTH[1] + (-0.012 if upper else -0.016)
    root = edge + (0.050 if upper else -0.042)
    between = np.abs(((place + 1) / 2 * count) % 1 - 0.5) * 2  # 1 between two teeth
    gap = between**8
    rows, colours = [], []
    for share in (0.0, 0.5, 0.85, 1.0):
        height = root + share * (edge - root) + (share == 1) * 0.004 * gap * (1 if upper else -1)
        round_off = 0.006 * (share == 1) + 0.004 * gap + 0.003 * (1 - share)
        x, z = half * np.sin(angle), front - 0.095 * (1 - np.cos(angle)) - round_off
        rows.append(np.stack([x, np.broadcast_to(height, x.shape), z], axis=-1))
        tint = (1 - smooth_step(0.0, 0.35, share)) * GUM + smooth_step(0.0, 0.35, share) * TOOTH
        far = 1 - 0.55 * place**2 - 0.22 * gap
        colours.append(tint * far[:, None] * (1.0 if upper else 0.86))
    if not upper:
        rows, colours = rows[::-1], colours[::-1]
    jaw = 0.0 if upper else 1.0
    return part(np.array(rows), sheet(len(rows), columns), np.array(colours), layer=Layer.TEETH, jaw=jaw)


def _tongue() -> Part:
    rows, columns = 7, 13
    length, across = np.meshgrid(np.linspace(0, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
    width = 0.055 * np.sqrt(1 - 0.98 * length**4)
    front = float(in_front(MOUTH)[2])
    x = across * width
    y = MOUTH[1] - 0.034 - 0.018 * across**2 - 0.020 * length**3 + 0.005 * np.abs(across) ** 0.5
    z = front - 0.17 + 0.115 * length - 0.02 * across**2 * length
    shade = 0.45 + 0.45 * length[..., None] - 0.12 * np.exp(-((across[..., None] / 0.15) ** 2))
    return part(np.stack([x, y, z], axis=-1), sheet(rows, columns), TONGUE * shade, layer=Layer.TEETH, jaw=1.0)


def _brow() -> Part:
    """A band over the left eye, thick at the nose and thin at the temple, that follows the skin below."""
    columns, rows = 15, 5
    along_it = np.linspace(0, 1, columns)
    x = 0.062 + 0.182 * along_it
    middle = 0.103 + 0.030 * np.sin(np.pi * (0.12 + 0.72 * along_it)) - 0.022 * along_it**2
    ends = np.minimum(1, np.minimum(4 * along_it + 0.55, 5 * (1 - along_it) + 0.1))
    half = 0.0165 * (1 - 0.5 * along_it**1.6) * ends**0.7
    across = np.linspace(1, -1, rows)
    y = middle + across[:, None] * half
    face = in_front(np.stack([np.broadcast_to(x, y.shape), y], axis=-1))
    raised = 0.012 * (1 - across**2)[:, None] * (1 - 0.5 * along_it) * ends
    points = face + normals(face) * (raised[..., None] + 0.0015)
    return part(points, sheet(rows, columns), HAIR * 0.95, layer=Layer.OUTER, soft=1.0)


def _ear() -> Part:
    """The left ear: rings of one outline from the rim in to the hollow."""
    count = 26
    angle = np.arange(count) / count * 2 * np.pi
    outline = np.stack([0.046 * np.cos(angle) * (1 + 0.25 * np.sin(angle)), 0.092 * np.sin(angle)], axis=-1)
    outline += [0.0, 0.008] * np.maximum(np.cos(angle), 0)[:, None]
    rows, colours = [], []
    for shrink, out, shade in (
        *((0.72, -0.035, 0.70), (0.97, -0.012, 0.88), (1.0, 0.004, 1.0), (0.93, 0.012, 1.04), (0.80, 0.008, 0.98)),
        *((0.70, 0.000, 0.80), (0.58, 0.005, 0.95), (0.44, 0.001, 0.84), (0.24, -0.012, 0.62), (0.05, -0.016, 0.52)),
    ):
        flat = outline * shrink - (1 - shrink) * np.array([-0.010, 0.012])
        height = out * np.where(out < 0, 1 - 0.8 * np.maximum(np.cos(angle), 0), 1)  # no deeper at the cheek
        rows.append(np.concatenate([flat, height[:, None]], axis=-1))
        warm = 0.35 if shrink > 0.75 else 0.5
        colours.append(np.tile(((1 - warm) * SKIN + warm * BLUSH) * shade, (count, 1)))
    local = np.array(rows)
    # Its plane: u towards the face, v up, w out of the head; it leans back and stands off a little.
    turn, lean = 0.42, -0.14
    w = np.array([np.cos(turn), 0.0, np.sin(turn)])
    u = np.array([-np.sin(turn), 0.0, np.cos(turn)])
    v = np.array([0.0, 1.0, 0.0])
    u, v = np.cos(lean) * u + np.sin(lean) * v, np.cos(lean) * v - np.sin(lean) * u
    at = along([0.0, -0.045, -0.055], [1.0, 0.0, 0.0])
    points = at + [0.022, 0, 0] + local @ np.stack([u, v, w])
    return part(points, sheet(len(rows), count, closed=True), np.array(colours), layer=Layer.OUTER)


def _neck() -> Part:
    return _turned(
        [(-0.34, 0.155, -0.02), (-0.42, 0.158, -0.02), (-0.46, 0.158, -0.022), (-0.50, 0.158, -0.027),
         (-0.54, 0.160, -0.033), (-0.575, 0.172, -0.04), (-0.605, 0.181, -0.045), (-0.67, 0.20, -0.05)],
        1.0, SKIN * 0.93, [0.60, 0.62, 0.68, 0.78, 0.88, 0.95, 0.9, 0.6],
    )  # fmt: skip


def _shirt() -> Part:
    return _turned(
        [(-0.615, 0.186, -0.045), (-0.597, 0.196, -0.045), (-0.602, 0.210, -0.045), (-0.635, 0.222, -0.05),
         (-0.66, 0.27, -0.055), (-0.69, 0.36, -0.06), (-0.735, 0.45, -0.06), (-0.80, 0.51, -0.06),
         (-0.90, 0.54, -0.06)],
        0.62, SHIRT, [0.55, 1.0, 1.0, 0.85, 0.95, 1, 1, 1, 1],
    )  # fmt: skip


def _turned(profile: list[tuple[float, float, float]], depth: float, colour: Floats, shades: ArrayLike) -> Part:
    """A round body from the top down: height, half width and z of each ring; the widest is `depth` times as deep."""
    count = 26
    turn = np.arange(count) / count * 2 * np.pi
    heights, widths, middles = np.array(profile).T
    flat = 1 - (1 - depth) * smooth_step(0.2, 0.45, widths)
    x = widths[:, None] * np.sin(turn)
    z = middles[:, None] + (widths * flat)[:, None] * np.cos(turn)
    y = np.broadcast_to(heights[:, None], x.shape) - 0.02 * np.cos(turn) * (heights < -0.58)[:, None]
    colours = colour * np.broadcast_to(np.asarray(shades, float)[:, None, None], (*x.shape, 1))
    return part(np.stack([x, y, z], axis=-1), sheet(len(profile), count, closed=True), colours, layer=Layer.NECK)
