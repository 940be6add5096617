"""Any torch module as a network, and the paper's Adam beside this solver."""

from __future__ import annotations

import numpy as np
import pytest
from dser_training.inversion.made import PARTS, moving, network
from dser_training.inversion.network import IMPLICIT
from dser_training.inversion.solver import DIFFERENCE, Prior, fit
from dser_training.inversion.torch_network import TorchFace, TorchNetwork, by_adam

import dser_ext
from dser_ext.audio import read

ALIKE = np.eye(PARTS.size, dtype=np.float32)
TIMES = np.arange(0, 2, 0.1)


@pytest.fixture(scope="module")
def face() -> TorchFace:
    module, _ = network(12)
    return TorchNetwork(module, np.zeros(IMPLICIT, np.float32)).of(read(dser_ext.sample_line())[:32_000], TIMES)


@pytest.mark.slow
def test_a_module_tells_its_jacobian(face: TorchFace) -> None:
    emotions = moving(TIMES).astype(np.float32)
    told = face.jacobian(emotions)
    assert told.shape == (len(TIMES), PARTS.size, 10)
    for index in (0, 9):
        moved = emotions.copy()
        moved[:, index] += DIFFERENCE
        changed = (face.animate(moved) - face.animate(emotions)) / DIFFERENCE
        assert changed == pytest.approx(told[:, :, index], abs=0.02 * float(np.abs(told).max()))


@pytest.mark.slow
def test_a_module_is_inverted_with_fewer_looks_than_adam_needs(face: TorchFace) -> None:
    truth = moving(TIMES)
    target = face.animate(truth.astype(np.float32))
    found = fit(face, target, ALIKE, Prior(sparsity=0))
    assert np.abs(found.emotions - truth).max() < 2e-3
    assert found.evaluations < 20  # the Jacobian is told, not taken by differences
    adam = by_adam(face, target, ALIKE)
    assert np.abs(adam - truth).mean() < 0.05
    left = np.square(face.animate(adam) - target).sum()
    assert np.square(found.residual).sum() < left
