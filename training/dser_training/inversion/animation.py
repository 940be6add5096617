"""Animation of a face, from any of its files, as the numbers that a network would have made of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dser_ext.errors import FormatError
from dser_ext.formats import read_any
from dser_ext.formats.blendshapes import Animation
from dser_training.inversion.basis import BLENDSHAPES, Basis, blendshapes
from dser_training.inversion.network import Doubles, Floats, Parts

COEFFICIENTS, MESH, WEIGHTS = "coefficients", "mesh", "blendshapes"
"""Kinds of animation."""
FEWEST_FRAMES = 2


@dataclass(frozen=True, eq=False)
class Motion:
    """An animation in a network's outputs. times: (F,) s. values: (F, N), 0 where missing.

    missing: (N,), outputs that the animation does not tell. seen: (V,), vertices that it tells.
    """

    kind: str
    times: Doubles
    values: Floats
    missing: NDArray[np.bool_]
    seen: NDArray[np.bool_]


def read(path: str | Path, fps: float, parts: Parts, basis: Basis, shapes: str | Path) -> Motion:
    """The animation in a file. fps: of what does not say it. shapes: the file of blendshapes that weights are of.

    .npy: a network's outputs (F, N), or those of the skin alone (F, n), or meshes (F, V, 3). .npz: the same as
    `coefficients` or `points`, with `times` (F,) in s or `fps` if it likes. Others: blendshape weights, by format.
    A column or vertex that is NaN in every frame is missing. Raises FormatError naming what is wrong.
    """
    if Path(path).suffix.lower() not in (".npy", ".npz"):
        return _weights(str(path), weights(path), parts, basis, shapes)
    values, times = _arrays(Path(path), fps)
    if values.ndim == 3:
        return _mesh(str(path), times, values, parts, basis)
    if values.ndim != 2 or values.shape[1] not in (parts.size, parts.skin):
        raise FormatError(
            f"{path}: its animation is {' × '.join(map(str, values.shape))}; this network makes frames × {parts.size} "
            f"numbers ({parts.skin} of the skin), or meshes of frames × {basis.vertices} × 3"
        )
    known = np.asarray(values, np.float32)
    missing = np.ones(parts.size, bool)
    missing[: known.shape[1]] = np.isnan(known).all(axis=0)
    told = np.zeros((len(known), parts.size), np.float32)
    told[:, ~missing] = known[:, ~missing[: known.shape[1]]]
    _check_finite(str(path), told)
    return Motion(COEFFICIENTS, times, told, missing, np.ones(basis.vertices, bool))


def weights(path: str | Path) -> Animation:
    """Blendshape weights over time. Raises FormatError if the file holds none, or a single frame."""
    found = read_any(path)
    if not isinstance(found, Animation):
        raise FormatError(f"{path}: holds emotions and no animation; name the file with the face's animation")
    if len(found.times) < FEWEST_FRAMES:
        raise FormatError(f"{path}: has a single frame; name an animation")
    return found


def _arrays(path: Path, fps: float) -> tuple[NDArray[Any], Doubles]:
    """The array of a file, and the times of its frames."""
    times: Doubles | None = None
    try:
        if path.suffix.lower() == ".npy":
            values = np.load(path, mmap_mode="r", allow_pickle=False)
        else:
            with np.load(path, allow_pickle=False) as file:
                [name] = {"coefficients", "points"} & set(file) or {"coefficients"}
                values = file[name]
                fps = float(file["fps"]) if "fps" in file else fps
                times = np.asarray(file["times"], np.float64) if "times" in file else None
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise FormatError(
            f"{path}: no animation can be read there ({error}); name a .npy, or a .npz with coefficients or points"
        ) from error
    if values.dtype.kind not in "fiu" or not values.ndim or len(values) < FEWEST_FRAMES:
        raise FormatError(f"{path}: holds {values.dtype} of {values.shape}, which is no animation of several frames")
    if times is None:
        if not (np.isfinite(fps) and fps > 0):
            raise FormatError(f"{path}: {fps} frames a second; give the rate of its frames with `fps`")
        times = np.arange(len(values)) / fps
    if times.shape != (len(values),) or not np.isfinite(times).all() or times[0] < 0 or not (np.diff(times) > 0).all():
        raise FormatError(
            f"{path}: its times are not one for each of {len(values)} frames, from 0 up and each after the one before"
        )
    return values, times


def _mesh(name: str, times: Doubles, points: NDArray[Any], parts: Parts, basis: Basis) -> Motion:
    if points.shape[1:] != (basis.vertices, 3):
        raise FormatError(
            f"{name}: its meshes have {points.shape[1]} × {points.shape[2]} numbers and the network's mesh has "
            f"{basis.vertices} × 3; export the mesh that the network animates"
        )
    unknown = np.array([~np.isfinite(frame).all(axis=1) for frame in points])
    gone = unknown.all(axis=0)
    holes = (unknown & ~gone).any(axis=1) | gone.all()
    if holes.any():
        raise FormatError(f"{name}: frame {int(np.argmax(holes))} holds NaN or infinite numbers; export it again")
    missing = np.ones(parts.size, bool)
    missing[: parts.skin] = False
    values = np.zeros((len(points), parts.size), np.float32)
    values[:, : parts.skin] = basis.coefficients(points, ~gone)
    return Motion(MESH, times, values, missing, ~gone)


def _weights(name: str, animation: Animation, parts: Parts, basis: Basis, shapes: str | Path) -> Motion:
    known = blendshapes(shapes, basis)
    columns = {given.lower(): index for index, given in enumerate(animation.names)}
    shared = [index for index, shape in enumerate(known.names) if shape in columns]
    if not shared:
        raise FormatError(
            f"{name}: none of its blendshapes ({animation.names[0]}, …) is in {shapes} ({known.names[0]}, …); they go "
            "by name"
        )
    told = animation.weights[:, [columns[known.names[index]] for index in shared]]
    missing = np.ones(parts.size, bool)
    missing[: parts.skin] = False
    values = np.zeros((len(told), parts.size), np.float32)
    values[:, : parts.skin] = known.neutral + told @ known.coefficients[shared]
    return Motion(WEIGHTS, animation.times, values, missing, np.ones(basis.vertices, bool))


def _check_finite(name: str, values: Floats) -> None:
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        raise FormatError(f"{name}: frame {int(np.argmax(bad))} holds NaN or infinite numbers; export it again")


def default_shapes(network: str | Path, named: str) -> Path:
    """The file of blendshapes that was named, or else the network's own."""
    return Path(named) if named else Path(network) / BLENDSHAPES
