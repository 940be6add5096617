"""Animation from any of its files, and what is wrong with one, before any work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dser_training.inversion import animation, basis
from dser_training.inversion.made import PARTS

from dser_ext.errors import DserError, FormatError
from dser_ext.formats import save_animation
from dser_ext.formats.blendshapes import Animation

FRAMES = 12


@pytest.fixture(scope="module")
def read(mesh_folder: Path):
    mesh = basis.load(mesh_folder, PARTS)

    def reader(path: Path, fps: float = 30.0) -> animation.Motion:
        return animation.read(path, fps, PARTS, mesh, mesh_folder / basis.BLENDSHAPES)

    reader.mesh = mesh
    return reader


def told() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(FRAMES, PARTS.size)).astype(np.float32)


def saved(folder: Path, array: np.ndarray, **beside) -> Path:
    if beside:
        np.savez(folder / "line.npz", **beside)
        return folder / "line.npz"
    np.save(folder / "line.npy", array)
    return folder / "line.npy"


def test_coefficients_come_as_they_are(read, tmp_path: Path) -> None:
    found = read(saved(tmp_path, told()), fps=24)
    assert found.values == pytest.approx(told())
    assert found.times[-1] == pytest.approx((FRAMES - 1) / 24)
    times = np.cumsum(np.full(FRAMES, 0.04))
    assert read(saved(tmp_path, told(), coefficients=told(), times=times)).times == pytest.approx(times)


def test_columns_of_nan_are_missing_and_single_frames_of_nan_are_refused(read, tmp_path: Path) -> None:
    holes = told()
    holes[:, 7] = np.nan
    found = read(saved(tmp_path, holes))
    assert np.flatnonzero(found.missing).tolist() == [7]
    holes[3, 9] = np.nan
    with pytest.raises(FormatError, match="frame 3 holds NaN"):
        read(saved(tmp_path, holes))


def test_meshes_become_coefficients(read, tmp_path: Path) -> None:
    points = np.einsum("fn,nvc->fvc", told()[:, : PARTS.skin], read.mesh.shapes) + read.mesh.mean
    points[:, 5] = np.nan  # a vertex that the cache does not have
    found = read(saved(tmp_path, points))
    assert found.values[:, : PARTS.skin] == pytest.approx(told()[:, : PARTS.skin], abs=1e-2)
    assert found.missing.sum() == PARTS.size - PARTS.skin
    assert np.flatnonzero(~found.seen).tolist() == [5]
    points[4, 6] = np.nan
    with pytest.raises(FormatError, match="frame 4 holds NaN"):
        read(saved(tmp_path, points))


@pytest.mark.parametrize("form", ["a2f-json", "a2f-csv", pytest.param("usda", marks=pytest.mark.slow), "livelink-csv"])
def test_blendshape_weights_go_over_the_mesh(read, mesh_folder: Path, tmp_path: Path, form: str) -> None:
    from dser_ext.formats import ANIMATION_FORMATS

    weights = np.zeros((FRAMES, 3), np.float32)
    weights[:, 0], weights[:, 1] = 0.5, np.linspace(0, 1, FRAMES)
    given = Animation(("JawOpen", "BrowInnerUp", "TongueOut"), np.arange(FRAMES) / 30, weights)
    path = tmp_path / f"line{ANIMATION_FORMATS[form].suffix}"
    save_animation(given, path, form)
    found = read(path)
    with np.load(mesh_folder / basis.BLENDSHAPES) as file:
        jaw, brow, neutral = file["jawOpen"], file["browInnerUp"], file["neutral"]
    moved = np.einsum("n,nvc->vc", found.values[-1, : PARTS.skin], read.mesh.shapes) + read.mesh.mean
    assert moved == pytest.approx(neutral + 0.5 * jaw + brow, abs=1e-2)


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((FRAMES, 33), np.float32), "its animation is 12 × 33; this network makes frames × 169"),
        (np.zeros((FRAMES, 9, 3), np.float32), "its meshes have 9 × 3 numbers and the network's mesh has 400 × 3"),
        (np.zeros((1, 169), np.float32), "no animation of several frames"),
        (np.array(["a", "b"]), "no animation of several frames"),
    ],
)
def test_what_does_not_fit_the_network_is_said(read, tmp_path: Path, array: np.ndarray, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        read(saved(tmp_path, array))


def test_what_is_no_animation_is_said(read, tmp_path: Path) -> None:
    (tmp_path / "line.npy").write_bytes(b"\x93NUMPY?")
    with pytest.raises(FormatError, match="no animation can be read there"):
        read(tmp_path / "line.npy")
    with pytest.raises(DserError, match="cannot be read"):
        read(tmp_path / "none.json")
    with pytest.raises(FormatError, match="frames a second"):
        read(saved(tmp_path, told()), fps=0)
    with pytest.raises(FormatError, match="its times are not one for each"):
        read(saved(tmp_path, told(), coefficients=told(), times=np.arange(3.0)))
