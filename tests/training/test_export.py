"""The paper's own networks, exported as every other is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import transformers
from dser_training.backbones import backbone
from dser_training.export import compress, features_onnx
from dser_training.networks import FeatureNetwork

import dser_ext
from dser_ext.audio import read
from dser_ext.recognition.backends import OnnxNetwork, OpenVinoNetwork


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wav2vec2-base", "wav2vec2-large"])
@torch.inference_mode()
def test_the_papers_networks_compute_what_transformers_compute(
    kind: str, random_backbone: Callable[[str], Path], tmp_path: Path
) -> None:
    published = random_backbone(kind)
    network = FeatureNetwork(backbone(str(published)), 32).eval()
    torch.nn.init.normal_(network.project.weight, std=network.project.in_features**-0.5)  # so that features are near 1
    model = features_onnx(network)
    onnx.save(model, tmp_path / "whole.onnx")
    compress(model)
    onnx.save(model, tmp_path / "compressed.onnx")
    samples = read(dser_ext.sample_line())[None, :48_000]
    theirs = transformers.Wav2Vec2Model.from_pretrained(published, attn_implementation="sdpa").eval()
    padded = torch.nn.functional.pad(torch.from_numpy(samples), (40, 40))
    heard = theirs((padded - padded.mean()) / (padded.std() + 1e-7), output_hidden_states=True).hidden_states
    wanted = network.features([torch.cat(heard, dim=-1).clamp(-5, 5)])[
        0
    ].numpy()  # mean 0 and deviation 1 are untrained
    whole = OnnxNetwork(tmp_path / "whole.onnx").run({"waveform": samples})["features"][0]
    assert np.abs(whole - wanted).max() < 1e-3
    fast = OpenVinoNetwork(tmp_path / "compressed.onnx").run({"waveform": samples})["features"][0]
    assert np.abs(fast - wanted).mean() < 0.05 * np.abs(wanted).mean()


@pytest.mark.slow
def test_runtimes_can_see_attention_in_what_is_exported(random_backbone: Callable[[str], Path]) -> None:
    model = features_onnx(FeatureNetwork(backbone(str(random_backbone("wav2vec2"))), 8).eval())
    operations = Counter(node.op_type for node in model.graph.node)
    assert operations["Softmax"] == 2
    assert not operations["IsNaN"]
    assert not operations["Where"]  # there is no mask
