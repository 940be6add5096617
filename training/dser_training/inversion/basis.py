"""The mesh that a network animates: model_data.npz, and the blendshapes on it, bs_skin.npz."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dser_training.inversion.network import Doubles, Floats, NetworkError, Parts

DATA, BLENDSHAPES = "model_data.npz", "bs_skin.npz"
FRAMES = 64  # of a mesh cache at a time
LEAST = 1e-6  # of the strongest shape, below which a combination of shapes moves nothing


@dataclass(frozen=True, eq=False)
class Basis:
    """Shapes that the network's outputs count: shapes (n, V, 3) and what they start from, mean (V, 3), in cm."""

    shapes: Floats
    mean: Floats

    @property
    def vertices(self) -> int:
        """V."""
        return len(self.mean)

    def gram(self, weights: Doubles) -> Doubles:
        """What moving by shapes amounts to, (n, n): weighted mean squared distance of vertices. weights: (V,)."""
        flat = self.shapes.reshape(len(self.shapes), -1)
        weighted = flat * np.repeat(weights / self.vertices, 3).astype(np.float32)
        return np.asarray(weighted @ flat.T, np.float64)

    def coefficients(self, points: NDArray[np.floating], seen: NDArray[np.bool_]) -> Floats:
        """The shapes that come nearest to meshes (F, V, 3), (F, n). seen: (V,), the vertices that are to be matched."""
        flat = np.where(np.repeat(seen, 3), self.shapes.reshape(len(self.shapes), -1), 0)
        strength, vectors = np.linalg.eigh(self.gram(seen.astype(np.float64)) * self.vertices)
        kept = strength > LEAST * strength[-1]
        inverse = (vectors[:, kept] / strength[kept]) @ vectors[:, kept].T
        found = [
            np.where(seen[:, None], points[rows] - self.mean, 0).reshape(-1, 3 * self.vertices).astype(np.float32)
            @ flat.T
            for rows in _rows(len(points))
        ]
        return (np.concatenate(found) @ inverse).astype(np.float32)


def _rows(count: int) -> Iterator[slice]:
    for start in range(0, count, FRAMES):
        yield slice(start, min(count, start + FRAMES))


def load(folder: str | Path, parts: Parts, part: str = "skin") -> Basis:
    """The basis of a network's skin or tongue. Raises NetworkError if model_data.npz has none that fits."""
    path = Path(folder) / DATA
    try:
        with np.load(path, allow_pickle=False) as file:
            shapes, mean = file[f"shapes_matrix_{part}"], file[f"shapes_mean_{part}"]
        basis = Basis(np.asarray(shapes, np.float32), np.asarray(mean, np.float32).reshape(-1, 3))
    except (OSError, ValueError, KeyError) as error:
        raise NetworkError(f"{path}: the mesh that the network animates cannot be read there ({error})") from error
    if basis.shapes.shape != (getattr(parts, part), basis.vertices, 3) or not np.isfinite(basis.shapes).all():
        raise NetworkError(
            f"{path}: its shapes_matrix_{part} is {basis.shapes.shape} and not {getattr(parts, part)} × "
            f"{basis.vertices} × 3, all finite, which the network's outputs and shapes_mean_{part} ask for"
        )
    return basis


@dataclass(frozen=True, eq=False)
class Blendshapes:
    """names: (B,), lower case. coefficients: (B, n), each at 1 as shapes of the basis; neutral: (n,), all at 0."""

    names: tuple[str, ...]
    coefficients: Floats
    neutral: Floats


def blendshapes(path: str | Path, basis: Basis) -> Blendshapes:
    """Of a file as NVIDIA's bs_skin.npz: `poseNames`, `neutral` (V, 3), and of each other name its offsets (V, 3).

    Raises NetworkError if it is none, or of another mesh.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            names = [text(name) for name in file["poseNames"] if text(name) != "neutral"]
            neutral, deltas = file["neutral"], np.stack([file[name] for name in names])
    except (OSError, ValueError, KeyError) as error:
        raise NetworkError(
            f"{path}: no blendshapes of the network's mesh can be read there ({error}); name a file like NVIDIA's "
            "bs_skin.npz with `blendshapes`"
        ) from error
    if neutral.shape != basis.mean.shape or deltas.shape[1:] != basis.mean.shape:
        raise NetworkError(f"{path}: its mesh has {len(neutral)} vertices and the network's has {basis.vertices}")
    everything = np.ones(basis.vertices, bool)
    offsets = basis.coefficients(deltas + basis.mean, everything)
    return Blendshapes(tuple(name.lower() for name in names), offsets, basis.coefficients(neutral[None], everything)[0])


def text(name: object) -> str:
    """A name out of an npz file, which may hold bytes."""
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
