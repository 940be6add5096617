"""Run → model bundle: two ONNX files with weights in 8 and 16 bits, and a card."""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

import dser_ext
from dser_ext.emotion.names import EMOTIONS, NEUTRAL
from dser_ext.emotion.track import FRAME_RATE
from dser_ext.formats.files import written_whole
from dser_ext.recognition.bundle import CARD, FEATURES, HEAD, SCHEMA
from dser_training.config import UtteranceConfig
from dser_training.stages.utterance import load

log = logging.getLogger(__name__)

OPSET = 18
WINDOW_SECONDS, OVERLAP_SECONDS = 12.0, 2.4
LARGE = 1024  # values in a weight from which on it is stored in 16 bits
SMALLEST_SIDE = 64  # of a matrix from which on products with it are computed in 8 bits: not the features themselves
BLOCK = 128  # values of a row with a scale of their own
ACCURACY_LEVEL = 4  # of MatMulNBits: what is multiplied is 8-bit, too, and sums are exact
NONSPEECH_TOTAL = 0.2  # Σα where there is no speech: wide, whatever the voice; below half of neutral lines'
NONSPEECH_NEUTRAL = 0.75  # neutral's share there


def export(config: UtteranceConfig, folder: str | Path) -> Path:
    """Write the bundle of the run that `config` names."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    model = load(config.run)
    config = model.config
    size = config.feature_size
    batch, samples, frames, lines = (torch.export.Dim(name) for name in ("batch", "samples", "frames", "lines"))
    features = _onnx(
        model.network,
        {"waveform": torch.zeros(2, 32_000)},
        {"waveform": {0: batch, 1: samples}},
        ["features", "speech"],
    )
    head = _onnx(
        model.head,
        {
            "features": torch.zeros(1, 100, size),
            "speech": torch.ones(1, 100),
            "voice_lines": torch.zeros(1, 3, size),
            "voice_weights": torch.ones(1, 3),
        },
        {"features": {1: frames}, "speech": {1: frames}, "voice_lines": {1: lines}, "voice_weights": {1: lines}},
        ["concentration", "composition"],
    )
    compress(features)
    for network, file in ((features, FEATURES), (head, HEAD)):
        onnx.checker.check_model(network)
        with written_whole(folder / file, "wb") as out:
            out.write(network.SerializeToString())
    total = [NONSPEECH_TOTAL * (1 - NONSPEECH_NEUTRAL) / (len(EMOTIONS) - 1)] * len(EMOTIONS)
    total[NEUTRAL] = NONSPEECH_TOTAL * NONSPEECH_NEUTRAL
    card: dict[str, Any] = {
        "schema": SCHEMA,
        "name": folder.name,
        "version": dser_ext.__version__,
        "emotions": list(EMOTIONS),
        "sample_rate": 16_000,
        "frame_rate": FRAME_RATE,
        "feature_size": size,
        "window_seconds": WINDOW_SECONDS,
        "overlap_seconds": OVERLAP_SECONDS,
        "context_frames": config.smoothing_frames // 2,
        "nonspeech_concentration": [round(value, 6) for value in total],
        "backbone": Path(config.backbone).name,
        "corpora": sorted([*config.corpora, *(["bursts"] if config.bursts else [])]),
        "licence": "Apache-2.0",
        "sha256": {file: hashlib.sha256((folder / file).read_bytes()).hexdigest() for file in (FEATURES, HEAD)},
    }
    with written_whole(folder / CARD) as file:
        json.dump(card, file, indent=2)
        file.write("\n")
    return folder


def _onnx(module: torch.nn.Module, inputs: dict[str, torch.Tensor], shapes: Any, outputs: list[str]) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as scratch:
        raw = Path(scratch) / "raw.onnx"
        torch.onnx.export(
            module,
            kwargs=inputs,
            f=raw,
            input_names=list(inputs),
            output_names=outputs,
            dynamic_shapes=shapes,
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
        )
        return onnx.load(raw)


def compress(model: onnx.ModelProto) -> None:
    """Make products with large matrices 8-bit arithmetic, and store what else is large as float16.

    In products both sides have a scale for each row and every BLOCK of its values, so that a line's result does not
    depend on its batch. Of float16 the runtime makes float32 when it loads the file.
    """
    graph = model.graph
    stored = {weight.name: weight for weight in graph.initializer}
    nodes: list[NodeProto] = []
    for node in graph.node:
        weight = stored.get(node.input[1]) if node.op_type == "MatMul" else None
        if weight is None or min(weight.dims) < SMALLEST_SIDE or weight.dims[0] % BLOCK:
            nodes.append(node)
            continue
        packed, scale = in_eight_bits(numpy_helper.to_array(weight))
        names = [f"{weight.name}_int8", f"{weight.name}_scale"]
        graph.initializer.extend(map(numpy_helper.from_array, (packed, scale), names))
        rows, columns = weight.dims
        product = helper.make_node(
            "MatMulNBits", [node.input[0], *names], node.output, node.name, domain="com.microsoft",
            K=rows, N=columns, bits=8, block_size=BLOCK, accuracy_level=ACCURACY_LEVEL,
        )  # fmt: skip
        nodes.append(product)
    used = {name for node in nodes for name in node.input}
    halves: list[NodeProto] = []
    for weight in list(graph.initializer):
        if weight.name not in used:
            graph.initializer.remove(weight)
        elif weight.data_type == TensorProto.FLOAT and np.prod(weight.dims) >= LARGE and weight.name in stored:
            name = weight.name
            weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), f"{name}_half"))
            halves.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    del graph.node[:], graph.value_info[:]
    graph.node.extend([*halves, *nodes])
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))


def in_eight_bits(weight: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A matrix (K, N) as MatMulNBits takes it: (N, K / BLOCK, BLOCK), 128 for zero, and scales (N, K / BLOCK)."""
    blocks = weight.T.reshape(weight.shape[1], -1, BLOCK)
    scale = np.maximum(np.abs(blocks).max(axis=2, keepdims=True), 1e-12) / 127
    return (np.round(blocks / scale) + 128).astype(np.uint8), scale[..., 0].astype(np.float32)
