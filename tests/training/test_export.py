"""What export makes of large matrices: products in 8 bits, by ONNX Runtime, as near as 8 bits can be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from dser_training.export import BLOCK, SMALLEST_SIDE, compress, in_eight_bits
from numpy.typing import NDArray
from torch import nn

from dser_ext.recognition.backends import OnnxNetwork

SIZES = (2 * BLOCK, 3 * BLOCK, 5)  # of what goes in, of what is in between, and of what comes out


@pytest.fixture(scope="module")
def layers() -> nn.Sequential:
    torch.manual_seed(0)
    into, between, out = SIZES
    return nn.Sequential(nn.Linear(into, between), nn.GELU(), nn.Linear(between, out)).requires_grad_(False).eval()


@pytest.fixture(scope="module")
def compressed(layers: nn.Sequential, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "layers.onnx"
    batch = torch.export.Dim("batch")
    torch.onnx.export(
        layers, (torch.zeros(2, 7, SIZES[0]),), path, input_names=["x"], output_names=["y"], dynamo=True,
        dynamic_shapes=({0: batch},), opset_version=18, external_data=False,
    )  # fmt: skip
    model = onnx.load(path)
    compress(model)
    onnx.save(model, path)
    return path


def said(path: Path, x: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(OnnxNetwork(path, "cpu").run({"x": x})["y"])


def test_only_products_with_large_matrices_are_in_eight_bits(compressed: Path) -> None:
    kinds = [node.op_type for node in onnx.load(compressed).graph.node]
    assert kinds.count("MatMulNBits") == 1
    assert SIZES[2] < SMALLEST_SIDE
    assert sum(kind in ("MatMul", "Gemm") for kind in kinds) == 1
    assert compressed.stat().st_size < 1.2 * (SIZES[0] * SIZES[1] + 2 * SIZES[1] * SIZES[2]) + 20_000


def test_products_are_near_those_in_full_precision_and_do_not_depend_on_the_batch(
    layers: nn.Sequential, compressed: Path
) -> None:
    random = np.random.default_rng(0)
    x = random.normal(0, 1, (3, 7, SIZES[0])).astype(np.float32)
    x[1] *= 100  # a scale of a whole batch would drown the others
    exact = layers(torch.from_numpy(x)).numpy()
    for row in range(3):
        assert np.abs(said(compressed, x)[row] - exact[row]).max() < 0.02 * np.abs(exact[row]).max()
        assert np.allclose(said(compressed, x)[row], said(compressed, x[row : row + 1])[0], rtol=1e-4, atol=1e-5)


def test_eight_bits_are_as_near_as_they_can_be() -> None:
    weight = np.random.default_rng(0).normal(0, 1, (2 * BLOCK, 16)).astype(np.float32)
    weight *= np.logspace(-3, 3, 16, dtype=np.float32)
    weight[:, 3] = 0
    packed, scale = in_eight_bits(weight)
    assert packed.dtype == np.uint8
    assert packed.shape == (16, 2, BLOCK)
    again = ((packed.astype(np.float32) - 128) * scale[..., None]).reshape(16, -1).T
    assert np.abs(again - weight).max(axis=0) == pytest.approx(scale.max(axis=1) / 2, rel=0.2, abs=1e-9)
