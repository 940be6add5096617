"""Run → model bundle: two ONNX files whose weights are stored in 8 and 16 bits, and a card."""

from __future__ import annotations

import hashlib
import logging
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor
from transformers import AttentionInterface

import dser_ext
from dser_ext.emotion.names import EMOTIONS
from dser_ext.emotion.track import FRAME_RATE
from dser_ext.formats.files import written_whole
from dser_ext.recognition.bundle import FEATURES, FEATURES_INT8, HEAD, SCHEMA, ModelBundle
from dser_training.backbones import Wav2Vec2Backbone
from dser_training.bundles import save_card, save_head
from dser_training.config import Config, SequenceConfig
from dser_training.convolutions import as_products
from dser_training.heads import NONSPEECH, Head
from dser_training.networks import FeatureNetwork
from dser_training.segments import SequenceHead
from dser_training.stages.load import load
from dser_training.windows import OVERLAP_SECONDS, WINDOW_SECONDS

log = logging.getLogger(__name__)

OPSET = 18
LARGE = 1024  # values in a weight from which on it is stored in fewer bits


def export(config: Config, folder: str | Path) -> Path:
    """Write the bundle of the run that `config` names; what it computes, it computes with float32."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    model = load(config.run)
    config = model.config
    utterance = config.utterance if isinstance(config, SequenceConfig) else config
    size = utterance.feature_size
    features = features_onnx(model.network)
    head = head_onnx(model.head, size)
    compress(features)
    for network, file in ((features, FEATURES), (head, HEAD)):
        onnx.checker.check_model(network)
        with written_whole(folder / file, "wb") as out:
            out.write(network.SerializeToString())
    if isinstance(model.head, SequenceHead):
        save_head(model.head, folder)
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
        "context_frames": model.head.context_frames,
        "nonspeech_concentration": [round(value, 6) for value in NONSPEECH.tolist()],
        "backbone": Path(utterance.backbone).name,
        "corpora": sorted({*config.corpora, *utterance.corpora, *(["bursts"] if utterance.bursts else [])}),
        "licence": "Apache-2.0",
        "sha256": {file: hashlib.sha256((folder / file).read_bytes()).hexdigest() for file in (FEATURES, HEAD)},
    }
    save_card(card, folder)
    return folder


def with_head(bundle: ModelBundle, head: SequenceHead, folder: Path, about: dict[str, object]) -> Path:
    """Write a bundle like another, but with this head. about: what its card says besides.

    Figures of the other one are left out of the card: they are not this one's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in {FEATURES, FEATURES_INT8} & set(bundle.card["sha256"]):
        shutil.copyfile(bundle.folder / name, folder / name)
    with written_whole(folder / HEAD, "wb") as file:
        file.write(head_onnx(head, bundle.feature_size).SerializeToString())
    save_head(head, folder)
    kept = {key: value for key, value in bundle.card.items() if key not in ("metrics", "figures")}
    sha256 = {**bundle.card["sha256"], HEAD: hashlib.sha256((folder / HEAD).read_bytes()).hexdigest()}
    card = {**kept, "name": folder.name, "context_frames": head.context_frames, "sha256": sha256, **about}
    save_card(card, folder)
    return folder


def features_onnx(network: FeatureNetwork) -> onnx.ModelProto:
    """A feature network as the bundle has it, but for its weights, which are float32 until they are compressed."""
    if isinstance(network.backbone, Wav2Vec2Backbone):
        # All of transformers' own ways add a mask here, though nothing is padded, and runtimes do not see through some.
        AttentionInterface.register("unmasked", _attention)
        network.backbone.encoder.set_attn_implementation("unmasked")
    batch, samples = (torch.export.Dim(name) for name in ("batch", "samples"))
    model = _onnx(
        network,
        {"waveform": torch.zeros(2, 32_000)},
        {"waveform": {0: batch, 1: samples}},
        ["features", "speech"],
    )
    as_products(model)
    return model


def _attention(
    _module: torch.nn.Module, query: Tensor, key: Tensor, value: Tensor, _mask: None, *, scaling: float, **_others: Any
) -> tuple[Tensor, None]:
    """Attention as transformers calls for it: (batch, heads, frames, width) each → (batch, frames, heads, width)."""
    weights = (query @ key.transpose(2, 3) * scaling).softmax(dim=-1)
    return (weights @ value).transpose(1, 2), None


def head_onnx(head: Head, size: int) -> onnx.ModelProto:
    """A head as the bundle has it. size: of a feature frame."""
    frames, lines = (torch.export.Dim(name) for name in ("frames", "lines"))
    return _onnx(
        head,
        {
            "features": torch.zeros(1, 100, size),
            "speech": torch.ones(1, 100),
            "voice_lines": torch.zeros(1, 3, size),
            "voice_weights": torch.ones(1, 3),
        },
        {"features": {1: frames}, "speech": {1: frames}, "voice_lines": {1: lines}, "voice_weights": {1: lines}},
        ["concentration", "composition"],
    )


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
        model = onnx.load(raw)
    _forget_origin(model)
    return model


def _forget_origin(model: onnx.ModelProto) -> None:
    """Take away where each node's code lay on this machine, so that the same networks give the same bytes anywhere."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer, *graph.value_info):
        del part.metadata_props[:]
        part.doc_string = ""


def compress(model: onnx.ModelProto) -> None:
    """Store the weights of matrix products as int8 with a scale for each column, other large ones as float16.

    Each is followed by nodes that make float32 of it, which the runtime folds away when it loads the file.
    """
    graph = model.graph
    factors = {node.input[1] for node in graph.node if node.op_type == "MatMul"}
    added: list[NodeProto] = []
    for weight in list(graph.initializer):
        array = numpy_helper.to_array(weight)
        if weight.data_type != TensorProto.FLOAT or array.size < LARGE:
            continue
        name = weight.name
        if name in factors and array.ndim == 2:
            stored, scale = in_eight_bits(array)
            weight.CopyFrom(numpy_helper.from_array(stored, name + "_int8"))
            graph.initializer.append(numpy_helper.from_array(scale, name + "_scale"))
            added.append(helper.make_node("Cast", [name + "_int8"], [name + "_whole"], to=TensorProto.FLOAT))
            added.append(helper.make_node("Mul", [name + "_whole", name + "_scale"], [name]))
        else:
            weight.CopyFrom(numpy_helper.from_array(array.astype(np.float16), name + "_half"))
            added.append(helper.make_node("Cast", [name + "_half"], [name], to=TensorProto.FLOAT))
    nodes = [*added, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]


def in_eight_bits(weight: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Weights (inputs, outputs) as int8 and the scale of each output, (1, outputs)."""
    scale = np.maximum(np.abs(weight).max(axis=0, keepdims=True), 1e-12) / 127
    return np.round(weight / scale).astype(np.int8), scale.astype(np.float32)
