"""Made networks, each written once for all tests of inversion."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def network_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Folders of made networks, by bottleneck and seed."""
    from dser_training.inversion.made import write

    @cache
    def make(bottleneck: int, seed: int = 0) -> Path:
        return write(tmp_path_factory.mktemp(f"net{bottleneck}"), bottleneck, seed)

    return make


@pytest.fixture(scope="session")
def mesh_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a made mesh and blendshapes, and no network: model_data.npz and bs_skin.npz."""
    from dser_training.inversion.made import face, write_mesh

    random = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("mesh")
    write_mesh(folder, face(random), random)
    return folder
