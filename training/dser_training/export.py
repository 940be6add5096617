"""Checkpoint → model bundle: two ONNX files with half-precision weights, and a card."""

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
from onnx import TensorProto, helper, numpy_helper

import dser_ext
from dser_ext.emotion.names import EMOTIONS, NEUTRAL
from dser_ext.emotion.track import FRAME_RATE
from dser_ext.recognition.bundle import CARD, FEATURES, HEAD, SCHEMA
from dser_training.config import UtteranceConfig
from dser_training.stages.utterance import load

log = logging.getLogger(__name__)

OPSET = 18
WINDOW_SECONDS, OVERLAP_SECONDS = 12.0, 2.4
LARGE = 1024  # values in a weight from which on it is stored in half precision
NONSPEECH_TOTAL = 0.3  # Σα where there is no speech: wide, whatever the voice
NONSPEECH_NEUTRAL = 0.75  # neutral's share there


def export(config: UtteranceConfig, folder: str | Path) -> Path:
    """Write the bundle of the run that `config` names. Weights are stored as float16 and computed with as float32."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config, network, head = load(config.run)
    size = config.feature_size
    voice = {"voice_mean": torch.zeros(1, size), "voice_seconds": torch.ones(1)}
    batch, samples, frames = torch.export.Dim("batch"), torch.export.Dim("samples"), torch.export.Dim("frames")
    _write(
        folder / FEATURES,
        network,
        {"waveform": torch.zeros(2, 32_000)},
        {"waveform": {0: batch, 1: samples}},
        ["features", "speech"],
    )
    _write(
        folder / HEAD,
        head,
        {"features": torch.zeros(1, 100, size), "speech": torch.ones(1, 100), **voice},
        {"features": {1: frames}, "speech": {1: frames}, "voice_mean": {}, "voice_seconds": {}},
        ["concentration"],
    )
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
        "corpora": sorted(config.corpora),
        "licence": "Apache-2.0",
        "sha256": {file: hashlib.sha256((folder / file).read_bytes()).hexdigest() for file in (FEATURES, HEAD)},
    }
    (folder / CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return folder


def _write(
    path: Path, module: torch.nn.Module, inputs: dict[str, torch.Tensor], shapes: Any, outputs: list[str]
) -> None:
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
        model = onnx.load(raw)
    _halve(model)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _halve(model: onnx.ModelProto) -> None:
    """Store large weights as float16, each followed by a cast that the runtime folds away when it loads the file."""
    graph = model.graph
    casts = []
    for weight in graph.initializer:
        array = numpy_helper.to_array(weight)
        if weight.data_type != TensorProto.FLOAT or array.size < LARGE:
            continue
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(array.astype(np.float16), name + "_half"))
        casts.append(helper.make_node("Cast", [name + "_half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]
