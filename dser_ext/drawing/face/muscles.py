"""How each blendshape moves the head: brushes on the skin, and turns of jaw and eyes.

A brush moves what lies near a point, less and less with distance. It goes by where the points are while mouth and eyes
are wide open (`Part.apart`), so that it can move one lip and not the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dser_ext.drawing.face.openings import (
    APART,
    EYE,
    EYE_HALF,
    EYE_RADIUS,
    LOWER_LID,
    MOUTH,
    MOUTH_HALF,
    TILT,
    UPPER_LID,
    lid_height,
    seam,
)
from dser_ext.drawing.face.parts import Floats, Part
from dser_ext.drawing.face.shapes import SHAPES
from dser_ext.drawing.face.surface import slid, smooth_step

HINGE = np.array([0.0, -0.09, -0.02])  # that the jaw turns around
JAW_TURN = np.radians(17)
JAW_SHIFT = {"Jaw": (0.028, 0.0, 0.0), "JawForward": (0.0, 0.0, 0.024)}
MOUTH_SHIFT = np.array([0.036, 0.0, 0.0])
LEAST_MOVE = 1e-6  # heads; less is none
LOOK_ACROSS, LOOK_UP, LOOK_DOWN = np.radians((26, 20, 22))
X, Y = MOUTH_HALF, float(MOUTH[1])
UP, DOWN = Y + APART, Y - APART  # where upper and lower lip are to a brush
EX, EY = float(EYE[0]), float(EYE[1])


@dataclass(frozen=True)
class Brush:
    """at, size: x and y of the middle, and how far it reaches to both sides. move: of what lies in the middle.

    thin: by which share of their height lips become thinner, towards the line between them.
    """

    at: tuple[float, float]
    size: tuple[float, float]
    move: tuple[float, float, float] = (0.0, 0.0, 0.0)
    thin: float = 0.0

    def moves(self, apart: Floats, points: Floats) -> Floats:
        """What it does to each point, (n, 3)."""
        offset = (apart[:, :2] - self.at) / self.size
        share = np.exp(-(offset**2).sum(axis=1)) * smooth_step(0.0, 0.12, apart[:, 2])
        move = np.tile(self.move, (len(points), 1))
        move[:, 1] += self.thin * (seam(points[:, 0]) - points[:, 1])
        return np.asarray(share[:, None] * move)


LEFT: dict[str, tuple[Brush, ...]] = {
    "BrowDown": (
        Brush((0.085, 0.10), (0.06, 0.055), (-0.020, -0.042, 0.008)),
        Brush((0.185, 0.10), (0.075, 0.055), (-0.008, -0.020, 0.002)),
        Brush((0.016, 0.085), (0.022, 0.04), (0.004, -0.010, 0.009)),
    ),
    "BrowOuterUp": (
        Brush((0.205, 0.115), (0.075, 0.055), (0.004, 0.048, 0.0)),
        Brush((0.170, 0.05), (0.08, 0.030), (0.0, 0.010, 0.0)),
    ),
    "EyeWide": (
        Brush((EX, EY + 0.062), (0.075, 0.035), (0.0, 0.017, 0.0)),
        Brush((EX, EY - 0.055), (0.075, 0.030), (0.0, -0.006, 0.0)),
    ),
    "EyeSquint": (
        Brush((EX, EY - 0.055), (0.085, 0.030), (0.0, 0.019, 0.003)),
        Brush((EX, EY + 0.062), (0.085, 0.030), (0.0, -0.010, 0.0)),
    ),
    "CheekSquint": (
        Brush((0.175, -0.115), (0.085, 0.055), (0.004, 0.030, 0.016)),
        Brush((EX, EY - 0.055), (0.085, 0.030), (0.0, 0.013, 0.004)),
        Brush((0.245, -0.02), (0.04, 0.04), (-0.006, 0.004, 0.004)),
    ),
    "NoseSneer": (
        Brush((0.052, -0.165), (0.036, 0.040), (0.006, 0.024, 0.004)),
        Brush((0.070, -0.070), (0.045, 0.050), (-0.004, 0.014, 0.012)),
        Brush((0.018, 0.020), (0.022, 0.035), (0.0, 0.006, 0.009)),
        Brush((0.075, 0.095), (0.050, 0.045), (-0.008, -0.014, 0.003)),
    ),
    "MouthSmile": (
        Brush((X + 0.05, Y), (0.080, 0.110), (0.046, 0.066, -0.022)),
        Brush((0.0, UP), (0.045, 0.045), (0.0, 0.006, -0.006)),
        Brush((0.185, -0.165), (0.085, 0.070), (0.004, 0.018, 0.018)),
    ),
    "MouthFrown": (
        Brush((X + 0.04, Y), (0.080, 0.075), (0.006, -0.058, -0.008)),
        Brush((0.125, -0.385), (0.045, 0.040), (0.004, -0.008, 0.010)),
        Brush((0.135, -0.250), (0.045, 0.045), (0.0, -0.014, -0.004)),
    ),
    "MouthDimple": (
        Brush((X, Y), (0.050, 0.060), (0.022, 0.006, -0.016)),
        Brush((X + 0.050, Y), (0.022, 0.035), (0.008, 0.0, -0.008)),
    ),
    "MouthStretch": (
        Brush((X + 0.03, Y), (0.085, 0.085), (0.048, -0.020, -0.016)),
        Brush((0.165, -0.345), (0.055, 0.060), (0.016, -0.010, -0.002)),
    ),
    "MouthPress": (
        Brush((0.060, UP), (0.070, 0.048), (0.0, 0.0, -0.006), 0.32),
        Brush((0.060, DOWN), (0.070, 0.048), (0.0, 0.0, -0.008), 0.32),
        Brush((X + 0.02, Y), (0.030, 0.035), (0.006, -0.003, 0.005)),
        Brush((0.055, -0.385), (0.060, 0.030), (0.0, 0.006, 0.007)),
    ),
    "MouthLowerDown": (
        Brush((0.040, DOWN), (0.070, 0.042), (0.004, -0.034, -0.002)),
        Brush((0.060, -0.400), (0.050, 0.030), (0.004, -0.010, 0.004)),
    ),
    "MouthUpperUp": (
        Brush((0.036, UP), (0.072, 0.042), (0.002, 0.032, 0.002)),
        Brush((0.080, -0.215), (0.045, 0.045), (0.006, 0.020, 0.010)),
    ),
}
"""Brushes of the left half of the face, by the shape's name without its side."""

MIDDLE: dict[str, tuple[Brush, ...]] = {
    "BrowInnerUp": (
        Brush((0.078, 0.112), (0.050, 0.052), (-0.006, 0.050, 0.004)),
        Brush((0.060, 0.190), (0.060, 0.040), (0.0, 0.014, 0.006)),
        Brush((0.110, 0.050), (0.050, 0.030), (0.0, 0.012, 0.0)),
        Brush((0.195, 0.105), (0.050, 0.050), (0.0, -0.006, 0.0)),
    ),
    "CheekPuff": (
        Brush((0.190, -0.285), (0.085, 0.085), (0.050, 0.0, 0.040)),
        Brush((0.060, UP), (0.070, 0.035), (0.0, 0.0, 0.006)),
    ),
    "MouthFunnel": (
        Brush((X, Y), (0.055, 0.075), (-0.040, 0.0, 0.014)),
        Brush((0.030, UP), (0.055, 0.045), (0.0, 0.016, 0.024)),
        Brush((0.030, DOWN), (0.055, 0.045), (0.0, -0.018, 0.024)),
    ),
    "MouthPucker": (
        Brush((X, Y), (0.060, 0.080), (-0.050, 0.0, 0.020)),
        Brush((0.025, UP), (0.050, 0.050), (-0.004, 0.002, 0.028)),
        Brush((0.025, DOWN), (0.050, 0.050), (-0.004, -0.002, 0.028)),
    ),
    "MouthRollLower": (Brush((0.035, DOWN), (0.075, 0.042), (0.0, 0.0, -0.014), 0.6),),
    "MouthRollUpper": (Brush((0.035, UP), (0.075, 0.042), (0.0, 0.0, -0.014), 0.6),),
    "MouthShrugLower": (
        Brush((0.035, DOWN), (0.065, 0.042), (0.0, 0.016, 0.012)),
        Brush((0.035, UP), (0.065, 0.042), (0.0, 0.013, 0.005)),
        Brush((0.030, -0.420), (0.060, 0.045), (0.0, 0.020, 0.006)),
    ),
    "MouthShrugUpper": (
        Brush((0.035, UP), (0.065, 0.042), (0.0, 0.014, 0.012)),
        Brush((0.035, DOWN), (0.060, 0.036), (0.0, 0.012, 0.006)),
    ),
}
"""Brushes of shapes without sides: for the left half; the right one does the same."""


def moves(head: Part) -> dict[str, Floats]:
    """For each of `SHAPES` how far its points move at full weight, (n, 3)."""
    every = {name: _moved_by_bones(name, head) + _moved_by_brushes(name, head) for name in SHAPES}
    every["MouthClose"] += _closed(every["JawOpen"], head)
    return every


def _moved_by_brushes(name: str, head: Part) -> Floats:
    base, side = _sided(name)
    flip = np.array([-1.0, 1.0, 1.0])
    push = np.zeros_like(head.points)
    for brush in LEFT.get(base, ()) if side else MIDDLE.get(name, ()):
        if side >= 0:
            push += brush.moves(head.apart, head.points) * _half(head.apart[:, :1], 1)
        if side <= 0:
            push += brush.moves(head.apart * flip, head.points * flip) * flip * _half(head.apart[:, :1], -1)
    push *= head.soft[:, None]
    if base == "EyeBlink":
        push += _blink(head, side)
    return _on_skin_or_ball(head, push)


def _half(x: Floats, half: int) -> Floats:
    """Which share the brushes of a half have of each point: near the middle both halves share."""
    return smooth_step(-0.03, 0.03, half * x)


def _on_skin_or_ball(head: Part, push: Floats) -> Floats:
    """The push along the surface: over the face, or for lids over the eyeball, and as far forward as it says."""
    moving = np.abs(push).max(axis=1) > LEAST_MOVE
    start, lid, push = head.points[moving], head.lid[moving][:, None], push[moving]
    flat = push * [1.0, 1.0, 0.0]
    face = slid(start, start + flat) - start
    centre = EYE * np.stack([np.sign(start[:, 0]), np.ones(len(start)), np.ones(len(start))], axis=1)
    radius = np.linalg.norm(start - centre, axis=1, keepdims=True)
    way = start + flat - centre
    depth = np.sqrt(np.maximum(radius**2 - (way[:, :2] ** 2).sum(axis=1, keepdims=True), (0.3 * EYE_RADIUS) ** 2))
    ball = np.concatenate([way[:, :2], depth], axis=1) + centre - start
    move = np.zeros_like(head.points)
    move[moving] = (1 - lid) * face + lid * ball + push * [0.0, 0.0, 1.0]
    return move


def _blink(head: Part, side: int) -> Floats:
    """Both lids to a line a quarter of the way up: the upper one comes nearly all the way."""
    offset = head.points[:, :2] * [side, 1.0] - EYE[:2]
    x = np.clip(offset[:, 0] / EYE_HALF, -1, 1)
    edge = lid_height(x)
    upper, lower = UPPER_LID * edge, -LOWER_LID * edge
    tilt = TILT * offset[:, 0]
    meeting = lower + 0.22 * (upper - lower) + tilt
    above = head.apart[:, 1] > EYE[1] + tilt
    edge_y = np.where(above, upper, lower) + tilt
    far = np.abs(offset[:, 1] - edge_y)
    share = np.where(above, np.exp(-((far / 0.030) ** 2)), np.exp(-((far / 0.022) ** 2)))
    share *= (head.lid > 0.15) * np.minimum(1, head.lid * 1.2) * (np.sign(head.points[:, 0]) == side)
    move = np.zeros_like(head.points)
    move[:, 1] = share * (meeting - edge_y) * head.soft
    return move


def _moved_by_bones(name: str, head: Part) -> Floats:
    base, side = _sided(name)
    if base == "JawOpen":
        return np.asarray((_turned(head.points, HINGE, 0, JAW_TURN) - head.points) * head.jaw[:, None])
    if base in JAW_SHIFT:
        return np.asarray(np.array(JAW_SHIFT[base]) * (side or 1) * head.jaw[:, None])
    if base == "Mouth":
        return _on_skin_or_ball(head, MOUTH_SHIFT * side * _lips(head)[:, None])
    if not base.startswith("EyeLook"):
        return np.zeros_like(head.points)
    axis, angle = {
        "EyeLookUp": (0, -LOOK_UP),
        "EyeLookDown": (0, LOOK_DOWN),
        "EyeLookIn": (1, -side * LOOK_ACROSS),
        "EyeLookOut": (1, side * LOOK_ACROSS),
    }[base]
    centre = EYE * [side, 1, 1]
    radius = np.linalg.norm(head.points - centre, axis=1)
    ball = np.abs(radius - EYE_RADIUS) < LEAST_MOVE  # its lights stay where the lamps are
    turned = _turned(head.points, centre, axis, angle)
    return np.asarray((turned - head.points) * ball[:, None] + _lid_with_gaze(base, head, side))


def _lid_with_gaze(base: str, head: Part, side: int) -> Floats:
    """The upper lid goes with the gaze, up and down."""
    share = {"EyeLookUp": 0.012, "EyeLookDown": -0.020}.get(base, 0.0)
    if not share:
        return np.zeros_like(head.points)
    brush = Brush((EX, EY + 0.055), (0.085, 0.035), (0.0, share, 0.0))
    flip = np.array([side, 1.0, 1.0])
    return _on_skin_or_ball(head, brush.moves(head.apart * flip, head.points * flip) * head.soft[:, None])


def _closed(opened: Floats, head: Part) -> Floats:
    """Lips that stay together while the jaw is fully open: both meet half way."""
    lower_lip = np.argmin(np.linalg.norm(head.apart[:, :2] - (0.0, DOWN), axis=1) + 9 * (head.soft < 1))
    return np.asarray(_lips(head)[:, None] * (opened[lower_lip] / 2 - opened))


def _lips(head: Part) -> Floats:
    """1 for points of the lips, less and less around them, (n,)."""
    near = np.exp(-(((head.apart[:, :2] - MOUTH) / (1.4 * X, 0.085)) ** 2).sum(axis=1))
    return np.asarray(np.minimum(1, 1.6 * near) * smooth_step(0.0, 0.12, head.apart[:, 2]) * head.soft)


def _turned(points: Floats, centre: Floats, axis: int, angle: float) -> Floats:
    """Points turned around x (axis 0, positive: what is in front goes down) or y (1: what is in front goes to +x)."""
    cosine, sine = np.cos(angle), np.sin(angle)
    about_x: Sequence[Sequence[float]] = ((1, 0, 0), (0, cosine, -sine), (0, sine, cosine))
    about_y: Sequence[Sequence[float]] = ((cosine, 0, sine), (0, 1, 0), (-sine, 0, cosine))
    return np.asarray((points - centre) @ np.array(about_x if axis == 0 else about_y).T + centre)


def _sided(name: str) -> tuple[str, int]:
    """The name without its side, and 1 for left, -1 for right, 0 for neither."""
    for word, side in (("Left", 1), ("Right", -1)):
        if name.endswith(word):
            return name.removesuffix(word), side
    return name, 0
