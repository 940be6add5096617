"""Weights by region: distances on the mesh, told by height, without what the animation does not have."""

from __future__ import annotations

import numpy as np
import pytest
from dser_training.config import ConfigError
from dser_training.inversion import basis, regions
from dser_training.inversion.made import PARTS

ALL = np.zeros(PARTS.size, bool)


@pytest.fixture(scope="module")
def mesh(mesh_folder) -> basis.Basis:
    return basis.load(mesh_folder, PARTS)


def test_weighted_differences_are_distances_on_the_mesh(mesh: basis.Basis) -> None:
    weights = {"brows": 2.0, "mouth": 0.5}
    matrix = regions.matrix(mesh, PARTS, weights, np.ones(mesh.vertices, bool), ALL)
    difference = np.random.default_rng(0).normal(size=PARTS.size).astype(np.float32)
    moved = np.einsum("n,nvc->vc", difference[: PARTS.skin], mesh.shapes)
    wanted = (np.square(moved).sum(axis=1) * regions.on_mesh(mesh, weights)).mean()
    assert np.square(difference @ matrix).sum() == pytest.approx(wanted, rel=1e-3)


def test_regions_go_by_height(mesh: basis.Basis) -> None:
    height = regions.heights(mesh)
    assert (regions.on_mesh(mesh, {"brows": 1.0}) > 0).tolist() == (height >= regions.REGIONS["brows"]).tolist()
    assert (regions.on_mesh(mesh, {"jaw": 1.0}) > 0).tolist() == (height < regions.REGIONS["mouth"]).tolist()


def test_what_is_missing_counts_nothing(mesh: basis.Basis) -> None:
    missing = ALL.copy()
    missing[PARTS.skin :] = True
    weights = {"brows": 1.0, "tongue": 5.0}
    matrix = regions.matrix(mesh, PARTS, weights, np.ones(mesh.vertices, bool), missing)
    assert not matrix[PARTS.skin :].any()
    with pytest.raises(ConfigError, match="give another region weight"):
        regions.matrix(mesh, PARTS, {"tongue": 5.0}, np.ones(mesh.vertices, bool), missing)


@pytest.mark.parametrize("given", [{"nose": 1.0}, {"brows": -1.0}, {"brows": float("nan")}])
def test_weights_are_of_known_regions_and_not_negative(given) -> None:
    with pytest.raises(ConfigError, match="regions"):
        regions.checked(given)


def test_a_mesh_is_read_back_where_vertices_are_missing(mesh: basis.Basis) -> None:
    random = np.random.default_rng(1)
    told = random.normal(size=(5, PARTS.skin)).astype(np.float32)
    points = np.einsum("fn,nvc->fvc", told, mesh.shapes) + mesh.mean
    seen = random.uniform(size=mesh.vertices) > 0.2
    assert mesh.coefficients(points, seen) == pytest.approx(told, abs=1e-3)
