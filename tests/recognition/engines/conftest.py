"""Engines of a small network, which TensorRT builds in a moment, in a cache of their own."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from dser_ext.recognition.bundle import CARD, FEATURES, HEAD, ModelBundle
from dser_ext.recognition.engines import library
from dser_ext.recognition.engines.cache import CACHE_DIR

SIZE = 8  # of a feature frame


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that engines are kept in."""
    monkeypatch.setenv(CACHE_DIR, str(tmp_path / "cache"))
    return tmp_path / "cache" / "engines"


@pytest.fixture(scope="session")
def tensorrt() -> library.Library:
    """TensorRT for RTX, or the test is skipped."""
    pytest.importorskip("onnx")
    if not library.installed():
        pytest.skip("needs TensorRT for RTX, which bootstrap.py installs on Python 3.11")
    return library.library()


@pytest.fixture
def small(tmp_path: Path) -> ModelBundle:
    """A bundle whose feature network is a single convolution."""
    return write_bundle(tmp_path / "small")


def write_bundle(folder: Path, seed: int = 0) -> ModelBundle:
    """Write such a bundle, with weights by the seed."""
    pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    weight = np.random.default_rng(seed).normal(0, 1, (SIZE, 1, 320)).astype(np.float32)
    constants = {"weight": weight, "one": np.array([1]), "last": np.array([2])}
    nodes = [
        helper.make_node("Unsqueeze", ["waveform", "one"], ["channel"]),
        helper.make_node("Conv", ["channel", "weight"], ["heard"], strides=[320], kernel_shape=[320]),
        helper.make_node("Transpose", ["heard"], ["features"], perm=[0, 2, 1]),
        helper.make_node("ReduceMean", ["features", "last"], ["mean"], keepdims=0),
        helper.make_node("Sigmoid", ["mean"], ["speech"]),
    ]
    shapes = {"waveform": ["batch", "samples"], "features": ["batch", "frames", SIZE], "speech": ["batch", "frames"]}
    waveform, *outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()
    ]
    arrays = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "small", [waveform], outputs, arrays)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    shipped = ModelBundle.open()
    folder.mkdir(exist_ok=True)
    (folder / FEATURES).write_bytes(model.SerializeToString())
    shutil.copyfile(shipped.folder / HEAD, folder / HEAD)
    sha256 = {file: hashlib.sha256((folder / file).read_bytes()).hexdigest() for file in (FEATURES, HEAD)}
    card = {**shipped.card, "name": folder.name, "feature_size": SIZE, "sha256": sha256}
    (folder / CARD).write_text(json.dumps(card), encoding="utf-8")
    return ModelBundle.open(folder)
