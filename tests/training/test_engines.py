"""TensorRT takes the paper's networks as they are exported here, and builds engines of them. Random weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from dser_training.backbones import backbone
from dser_training.export import compress, features_onnx
from dser_training.networks import FeatureNetwork

import dser_ext
from dser_ext.audio import read
from dser_ext.recognition.backends import OnnxNetwork
from dser_ext.recognition.engines import library
from dser_ext.recognition.engines.graph import typed
from dser_ext.recognition.engines.library import Library, built, parsed, profiles

WINDOW = 64_000

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tensorrt() -> Library:
    if not library.installed():
        pytest.skip("needs TensorRT for RTX, which bootstrap.py installs on Python 3.11")
    return library.library()


def exported(encoder: Path, folder: Path) -> Path:
    """A feature network on wav2vec2 from a folder, as a bundle has it."""
    model = features_onnx(FeatureNetwork(backbone(str(encoder)), 32).eval())
    compress(model)
    (folder / "features.onnx").write_bytes(model.SerializeToString())
    return folder / "features.onnx"


def test_an_engine_of_wav2vec2_large_is_built(
    tensorrt: Library, random_backbone: Callable[[str], Path], tmp_path: Path
) -> None:
    path = exported(random_backbone("wav2vec2-large"), tmp_path)
    network = typed(path, "fp16").SerializeToString()
    _, definition, parser = parsed(tensorrt, network, path)
    layers = [definition.get_layer(number) for number in range(definition.num_layers)]
    types = [layer.get_output(0).dtype.name for layer in layers if layer.type.name == "MATRIX_MULTIPLY"]
    assert types.count("HALF") >= 24 * 8  # of each layer four projections, two of attention, two that widen and narrow
    assert not types.count("FLOAT")
    assert [tuple(definition.get_input(0).shape), definition.num_outputs] == [(-1, -1), 2]
    del parser, definition, layers
    engine = memoryview(built(tensorrt, network, "sm86", profiles(WINDOW), path, tmp_path))
    assert 600e6 < engine.nbytes < 900e6  # 315 million weights of two bytes
    path.unlink()


def test_wav2vec2_hears_the_same_in_half_precision(tmp_path: Path) -> None:
    import onnx
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    torch.manual_seed(2508)
    settings = Wav2Vec2Config(hidden_size=256, num_hidden_layers=4, num_attention_heads=4)
    Wav2Vec2Model(settings).save_pretrained(tmp_path / "encoder")
    path = exported(tmp_path / "encoder", tmp_path)
    onnx.save(typed(path, "fp16"), tmp_path / "half.onnx")
    waveform = {"waveform": read(dser_ext.sample_line())[None, :WINDOW]}
    expected, heard = (OnnxNetwork(each).run(waveform)["features"] for each in (path, tmp_path / "half.onnx"))
    difference = np.abs(heard - expected)
    print(f"features differ by {difference.mean():.5f} in the mean, {difference.max():.5f} at most")
    assert difference.mean() < 0.002 * expected.std()
