"""What a difference counts in each region of the face: weights between a network's outputs and distances on the mesh.

Regions are told by height, from 0 at the lower end of what moves to 1 at its upper end. What moves is the vertices that
the network's shapes move by at least a tenth of the most moved one.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dser_training.config import ConfigError
from dser_training.inversion.basis import LEAST, Basis
from dser_training.inversion.network import Doubles, Floats, Parts

REGIONS = {"jaw": 0.0, "mouth": 0.2, "cheeks": 0.42, "eyes": 0.6, "brows": 0.75}
"""From which height on; the next one begins where it ends."""
BESIDE = ("jaw keypoints", "tongue", "gaze")
"""Of the network's other outputs, which no skin shows."""
WEIGHTS = {"jaw": 0.1, "mouth": 0.1, "cheeks": 1.0, "eyes": 1.0, "brows": 1.0}
WEIGHTS |= {"jaw keypoints": 0.01, "tongue": 0.0, "gaze": 0.0}
SPEECH = {"jaw": 1.0, "mouth": 1.0, "cheeks": 0.0, "eyes": 0.0, "brows": 0.0, "jaw keypoints": 1.0}
"""What tells how far the sound and the animation are apart."""
MOVING = 0.1


def checked(weights: Mapping[str, float]) -> dict[str, float]:
    """All weights, those not given as they are in WEIGHTS. Raises ConfigError for another name, or one below 0."""
    for name, weight in weights.items():
        if name not in WEIGHTS or isinstance(weight, bool) or not 0 <= weight < np.inf:
            raise ConfigError(f"regions: {name}: {weight} is no weight from 0 up of one of {', '.join(WEIGHTS)}")
    return {**WEIGHTS, **weights}


def heights(basis: Basis) -> Doubles:
    """Of each vertex, (V,): 0 and 1 at the ends of what moves."""
    reach = np.sqrt(np.square(basis.shapes, dtype=np.float64).sum(axis=(0, 2)))
    up = basis.mean[:, 1].astype(np.float64)
    moving = up[reach >= MOVING * reach.max()]
    return (up - moving.min()) / max(float(np.ptp(moving)), 1e-9)


def on_mesh(basis: Basis, weights: Mapping[str, float]) -> Doubles:
    """The weight of each vertex, (V,)."""
    region = np.searchsorted(list(REGIONS.values()), heights(basis), side="right") - 1
    return np.array([weights.get(name, 0.0) for name in REGIONS])[np.clip(region, 0, None)]


def matrix(
    basis: Basis, parts: Parts, weights: Mapping[str, float], seen: NDArray[np.bool_], missing: NDArray[np.bool_]
) -> Floats:
    """W, (N, M): the squared length of (r − t) @ W is the weighted mean squared distance of vertices, in cm².

    The jaw's keypoints add theirs, tongue and gaze the mean square of their numbers. seen: (V,), vertices that the
    animation has. missing: (N,), outputs that it does not have; those count nothing. Raises ConfigError if nothing is
    left.
    """
    gram = np.zeros((parts.size, parts.size))
    gram[: parts.skin, : parts.skin] = basis.gram(on_mesh(basis, weights) * seen)
    ends = np.cumsum([parts.skin, parts.tongue, parts.jaw, parts.eyes])
    beside = {"tongue": (ends[0], ends[1], 1), "jaw keypoints": (ends[1], ends[2], 3), "gaze": (ends[2], ends[3], 1)}
    for name, (start, end, size) in beside.items():
        at = np.arange(start, end)
        gram[at, at] = weights.get(name, 0.0) * size / max(1, end - start)
    gram[missing] = 0
    gram[:, missing] = 0
    strength, vectors = np.linalg.eigh(gram)
    kept = strength > LEAST * max(strength[-1], 1e-30)
    if strength[-1] <= 0 or not kept.any():
        raise ConfigError("regions: what has a weight above 0 is not in this animation; give another region weight")
    return (vectors[:, kept] * np.sqrt(strength[kept])).astype(np.float32)
