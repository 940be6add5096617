"""Faces: how a candidate looks and moves, made by our own rules or by an Audio2Face-3D service."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import defaultdict
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dser_ext.audio2face.animate import animate
from dser_ext.drawing.face.head import head
from dser_ext.drawing.face.shapes import animated
from dser_ext.emotion.curves import Curves
from dser_ext.emotion.reduction import fewest_keyframes
from dser_ext.emotion.style import Style
from dser_ext.emotion.track import FRAME_RATE, EmotionTrack
from dser_ext.errors import FormatError
from dser_ext.formats import read_any, save_animation
from dser_ext.formats.blendshapes import Animation, at_one_rate
from dser_training.preferences.annotate.sheet import SheetLine
from dser_training.preferences.annotate.sound import samples_of

FPS = 30.0
TOLERANCE = 0.02  # of the keys for Audio2Face, as everywhere
SURE = 50.0  # Σα of a track that has a candidate's mixtures for its mean; styles show the mean alone
KEPT = 64  # faces in memory
DECIMALS = 4  # of weights on their way to the page

Samples = NDArray[np.float32]


class Faces:
    """Animations of candidates. a2f: HOST:PORT, or empty for our own rules. cache: folder for what it made."""

    def __init__(self, a2f: str, cache: Path) -> None:
        self._a2f, self._cache = a2f, cache
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self.document = lru_cache(KEPT)(self._document)
        """The face of a candidate of a line, as JSON: {"fps", "names", "weights": frame by frame}."""

    def _document(self, line: SheetLine, candidate: int) -> bytes:
        animation = self._animation(curves_of(line.sequence(candidate)), samples_of(line))
        weights = at_one_rate(animation).round(DECIMALS)
        rows = [[float(f"{value:.{DECIMALS}f}") for value in row] for row in weights.tolist()]
        return json.dumps({"fps": animation.fps, "names": animation.names, "weights": rows}).encode()

    def _animation(self, curves: Curves, samples: Samples) -> Animation:
        if not self._a2f:
            return animated(curves, samples)
        name = hashlib.sha256(curves.values.tobytes() + samples.tobytes()).hexdigest()
        path = self._cache / f"{name}.json"
        with self._locks[name]:
            if (kept := _kept(path)) is None:
                made = animate(samples, fewest_keyframes(curves, TOLERANCE), self._a2f)
                self._cache.mkdir(parents=True, exist_ok=True)
                save_animation(made, path, "a2f-json")
                kept = _kept(path) or made
        return kept


def _kept(path: Path) -> Animation | None:
    """What was made before; None if it was not, or is spoiled."""
    try:
        found = read_any(path)
    except FormatError:
        return None
    return found if isinstance(found, Animation) else None


def curves_of(mixtures: NDArray[np.float32]) -> Curves:
    """A candidate's mixtures (F, 6) at 50 Hz in the default style."""
    track = EmotionTrack(np.arange(len(mixtures)) / FRAME_RATE, SURE * np.maximum(mixtures, 1e-6))
    return Style().apply(track, FPS)


@cache
def mesh() -> bytes:
    """The head as the page reads it: the length of a JSON header (uint32, little-endian), the header, then arrays.

    The header says how many vertices and triangles there are and names the shapes; the arrays are vertices, colours
    (sRGB), the shapes' deltas, all (V, 3) float32, and triangles (T, 3) uint32.
    """
    made = head()
    about = {"vertices": len(made.vertices), "triangles": len(made.triangles), "shapes": list(made.shapes)}
    header = json.dumps(about).encode()
    header += b" " * (-len(header) % 4)  # arrays of four bytes each must begin at a multiple of four
    arrays = [made.vertices, made.colours, *made.shapes.values()]
    floats = b"".join(np.ascontiguousarray(array, "<f4").tobytes() for array in arrays)
    triangles = np.ascontiguousarray(made.triangles, "<u4").tobytes()
    return len(header).to_bytes(4, "little") + header + floats + triangles
