"""What the ten emotions of Audio2Face look like, in ARKit's blendshapes, by the action units of FACS.

The units of the basic emotions are those of the FACS Investigator's Guide (Ekman, Friesen and Hager 2002) and EMFACS,
those of pain Prkachin and Solomon's (2008). For cheekiness, grief and being out of breath there are no prototypes.
Action units and the shapes that stand for them:

    1 BrowInnerUp · 2 BrowOuterUp · 4 BrowDown · 5 EyeWide · 6 CheekSquint · 7 EyeSquint · 9 NoseSneer ·
    10 MouthUpperUp · 12 MouthSmile · 14 MouthDimple · 15 MouthFrown · 16 MouthLowerDown · 17 MouthShrugLower ·
    18 MouthPucker · 20 MouthStretch · 22 MouthFunnel · 24 MouthPress · 25 MouthUpperUp and MouthLowerDown ·
    26 JawOpen · 28 MouthRoll · 34 CheekPuff · 43 EyeBlink (in part: lids that droop) · 64 EyeLookDown
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dser_ext.drawing.face.levels import Levels, levels
from dser_ext.emotion.curves import Curves
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.formats.blendshapes import ARKIT_BLENDSHAPES, Animation

SHAPES = tuple(name for name in ARKIT_BLENDSHAPES if name != "TongueOut")
"""The blendshapes that the head has, in ARKit's order."""

LOOKS: dict[str, tuple[str, dict[str, float]]] = {
    "amazement": (  # FACS calls it surprise
        "1 + 2 + 5 + 26 (+ 22)",
        {"BrowInnerUp": 0.8, "BrowOuterUp": 0.9, "EyeWide": 0.8, "JawOpen": 0.45, "MouthFunnel": 0.45},
    ),
    "anger": (
        "4 + 5 + 7 + 17 + 24 (+ 9 + 15)",
        {
            **{"BrowDown": 1.0, "EyeWide": 0.45, "EyeSquint": 0.4, "NoseSneer": 0.35},
            **{"MouthPress": 0.7, "MouthShrugLower": 0.2, "MouthFrown": 0.25},
        },
    ),
    "cheekiness": (  # half a smile, and a brow
        "(left 2 + 6 + 12 + 14, right 4 + 7 + 12)",
        {
            **{"MouthSmileLeft": 0.9, "MouthDimpleLeft": 0.5, "CheekSquintLeft": 0.4, "BrowOuterUpLeft": 0.8},
            **{"BrowDownRight": 0.35, "EyeSquintRight": 0.5, "MouthSmileRight": 0.1},
        },
    ),
    "disgust": (
        "9 + 10 + 15 + 17 (+ 4 + 6 + 7)",
        {
            **{"NoseSneer": 1.0, "MouthUpperUp": 0.6, "MouthShrugLower": 0.4, "MouthFrown": 0.4},
            **{"BrowDown": 0.45, "EyeSquint": 0.5, "CheekSquint": 0.4},
        },
    ),
    "fear": (
        "1 + 2 + 4 + 5 + 20 + 26 (+ 16)",
        {
            **{"BrowInnerUp": 0.95, "BrowOuterUp": 0.35, "BrowDown": 0.25, "EyeWide": 0.95},
            **{"MouthStretch": 0.8, "MouthLowerDown": 0.3, "JawOpen": 0.15},
        },
    ),
    "grief": (
        "(1 + 4 + 6 + 7 + 15 + 16 + 17 + 20 + 26 + 43)",
        {
            **{"BrowInnerUp": 1.0, "BrowDown": 0.35, "EyeSquint": 0.6, "CheekSquint": 0.4, "EyeBlink": 0.2},
            **{"MouthFrown": 0.8, "MouthStretch": 0.5, "MouthLowerDown": 0.4, "MouthShrugLower": 0.3, "JawOpen": 0.1},
        },
    ),
    "joy": (
        "6 + 12 + 25 (+ 7)",
        {"MouthSmile": 0.9, "CheekSquint": 0.8, "EyeSquint": 0.25, "MouthUpperUp": 0.25, "MouthLowerDown": 0.15},
    ),
    "outofbreath": (
        "(1 + 22 + 26 + 34 + 43 + 64)",
        {
            **{"JawOpen": 0.4, "MouthFunnel": 0.4, "CheekPuff": 0.15},
            **{"BrowInnerUp": 0.45, "EyeBlink": 0.3, "EyeLookDown": 0.15},
        },
    ),
    "pain": (
        "4 + 6 + 7 + 9 + 10 + 43 (+ 1 + 16 + 20)",
        {
            **{"BrowDown": 0.8, "CheekSquint": 0.8, "EyeSquint": 0.7, "EyeBlink": 0.3, "NoseSneer": 0.55},
            **{"MouthUpperUp": 0.45, "MouthStretch": 0.5, "MouthLowerDown": 0.3, "BrowInnerUp": 0.2},
        },
    ),
    "sadness": (
        "1 + 4 + 15 + 17 + 64 (+ 43)",
        {
            **{"BrowInnerUp": 0.85, "BrowDown": 0.15, "MouthFrown": 0.8, "MouthShrugLower": 0.45},
            **{"EyeBlink": 0.2, "EyeLookDown": 0.3},
        },
    ),
}
"""For each emotion its action units, in brackets those that no prototype has and this head needs, and the weights of
shapes at full strength; a name without a side means both."""

SPOKEN_JAW = 0.5  # JawOpen of the loudest speech
SPOKEN_LIPS = 0.3  # most that brightness adds to the shapes of the lips
PRESSED = ("MouthPressLeft", "MouthPressRight", "MouthRollLower", "MouthRollUpper", "MouthShrugLower")
"""Shapes that keep lips together; they recede while a mouth speaks."""

LIDS = {"EyeSquint": 0.37, "CheekSquint": 0.32, "EyeLookDown": 0.23, "BrowDown": 0.23}
"""How far other shapes close the head's eyes."""
BLINK_SECONDS = 0.3
FIRST_BLINK, BLINK_EVERY = 1.7, 3.9  # s
GOLDEN = 0.6180339887  # times squares it has fractions without a rhythm


def _table() -> NDArray[np.float32]:
    table = np.zeros((len(A2F_EMOTIONS), len(SHAPES)), np.float32)
    for row, emotion in zip(table, A2F_EMOTIONS, strict=True):
        for name, weight in LOOKS[emotion][1].items():
            for shape in (name,) if name in SHAPES else (f"{name}Left", f"{name}Right"):
                row[SHAPES.index(shape)] = weight
    return table


TABLE = _table()
"""(10, shapes) float32: the weights of `SHAPES` at each emotion's full strength, rows as `A2F_EMOTIONS`."""


def animated(curves: Curves, samples: NDArray[np.float32]) -> Animation:
    """A face with these emotions that speaks these samples, (n,) at 16 kHz; a frame for each of the curves'."""
    return animation_of(curves, levels([samples]))


def animation_of(curves: Curves, heard: Levels) -> Animation:
    """As `animated`, where the sound is known by its levels alone. Weights lie in [0, 1]."""
    weights = np.clip(curves.values @ TABLE, 0, 1).astype(np.float64)
    times = curves.times
    opened = heard.openness(times)
    bright = heard.brightness(times)

    def add(name: str, more: NDArray[Any]) -> None:
        for shape in (name,) if name in SHAPES else (f"{name}Left", f"{name}Right"):
            weights[:, SHAPES.index(shape)] += more

    for name in PRESSED:
        weights[:, SHAPES.index(name)] *= 1 - 0.8 * opened
    add("JawOpen", SPOKEN_JAW * opened**1.5 * (1 - 0.5 * bright))
    add("MouthFunnel", SPOKEN_LIPS * opened * (1 - bright) ** 2)
    add("MouthLowerDown", SPOKEN_LIPS * opened * bright)
    add("MouthStretch", SPOKEN_LIPS / 2 * opened * bright)
    _blink(weights, times)
    shares = np.clip(weights, 0, 1).astype(np.float32)
    return Animation(SHAPES, times, shares, emotion_times=times, emotions=curves.values)


def _blink(weights: NDArray[np.float64], times: NDArray[np.float64]) -> None:
    """Close the lids of (F, shapes) now and then, as far as other shapes have left them open and no further."""
    closed = _blinks(times)
    for side in ("Left", "Right"):
        weights[:, SHAPES.index(f"EyeWide{side}")] *= 1 - closed
        others = sum(share * weights[:, SHAPES.index(f"{name}{side}")] for name, share in LIDS.items())
        column = SHAPES.index(f"EyeBlink{side}")
        weights[:, column] = np.minimum(np.maximum(weights[:, column], closed), np.clip(1 - others, 0, 1))


def _blinks(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far the lids are closed by blinking: the same blinks in every line."""
    count = np.arange(int((times[-1] + 2 * BLINK_EVERY) / BLINK_EVERY))
    moments = FIRST_BLINK + BLINK_EVERY * (count + 0.6 * ((count**2 * GOLDEN) % 1))
    after = np.searchsorted(moments, times).clip(1, len(moments) - 1)
    away = np.minimum(np.abs(times - moments[after - 1]), np.abs(times - moments[after]))
    return np.asarray(np.clip(1.5 * (1 - away / (BLINK_SECONDS / 2)), 0, 1))
