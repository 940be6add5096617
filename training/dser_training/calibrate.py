"""A bundle's feature network with products in 8 bits, for processors without instructions made for them (VNNI).

It is a second file beside the first, standard ONNX with its rounding spelled out (QuantizeLinear, DequantizeLinear),
which ONNX Runtime makes products of whole numbers of. Scales are constants, chosen on speech (static quantisation), so
a result depends neither on what else is in the batch nor on the number of threads.

AVX2's instruction for it (vpmaddubsw) adds two products up in 16 bits, and has 32767 for what is more. So what the
stored weights are multiplied with gets as many steps, up to 255, as never come to more on the speech that was heard.
Products that bear it least stay in float32.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

from dser_ext.audio import AudioFile
from dser_ext.errors import ModelError
from dser_ext.formats.files import written_whole
from dser_ext.recognition.bundle import CARD, FEATURES, FEATURES_INT8, ModelBundle
from dser_ext.recognition.engines.graph import unpacked
from dser_training.bundles import save_card
from dser_training.config import Config, ConfigError
from dser_training.corpora.clips import read

log = logging.getLogger(__name__)

LINES = 64  # that scales are chosen on
TRIED = 12  # of them, on which it is tried what a product in 8 bits does to the features
ROWS = 12  # of each line's inputs that are kept to choose their scale by
STEPS = 255  # between the least and the greatest input, at most
MOST = 30_000  # that two products may add up to: less than 32767, for speech that was not heard
LARGEST = 48  # rows of an input on which that is tried
ALLOWED = 0.07  # change of the features by all products together, relative to their size
OPSET = 20  # the first with Gelu
POINTED = 1024  # bytes of a constant from which on it is not stored again

Sound = NDArray[np.float32]  # (1, samples)


@dataclass(frozen=True)
class Step:
    """How an input becomes whole numbers: input / size + zero, rounded.

    work: how many products of two numbers there are with it, in the lines that it was chosen on.
    """

    size: np.float32
    zero: np.uint8
    work: int


def calibrate(config: Config, folder: str | Path) -> Path:
    """Write features-int8.onnx into a bundle, calibrated on training lines of the configuration's corpora.

    Raises ModelError if the folder is no bundle or has nothing to gain, CorpusError if the corpora are not there.
    """
    bundle = ModelBundle.open(folder)
    sounds = list(_sounds(config, bundle.card["window_seconds"]))
    model = onnx.load(bundle.folder / FEATURES)
    steps = chosen_steps(model, sounds)
    if not steps:
        raise ModelError(f"{bundle.folder}: its products are too small to gain from 8 bits; leave it as it is")
    borne = bearable(model, steps, sounds[:TRIED])
    log.info("products in 8 bits: those of %d of %d inputs", len(borne), len(steps))
    write(bundle.folder, model, {name: steps[name] for name in borne})
    return bundle.folder / FEATURES_INT8


def write(folder: Path, model: ModelProto, steps: dict[str, Step]) -> None:
    """Write features-int8.onnx, and its checksum into the card. model: features.onnx of that folder.

    Constants that features.onnx has, too, are not stored again: the file says where they lie in it.
    """
    made = quantized(model, steps)
    stored = (folder / FEATURES).read_bytes()
    for constant in made.graph.initializer:
        place = stored.find(constant.raw_data) if len(constant.raw_data) >= POINTED else -1
        if place >= 0:
            set_external_data(constant, FEATURES, place, len(constant.raw_data))
            constant.ClearField("raw_data")
    data = made.SerializeToString()
    _name(folder, {})  # whoever is stopped here has a whole bundle, without products in 8 bits
    with written_whole(folder / FEATURES_INT8, "wb") as file:
        file.write(data)
    _name(folder, {FEATURES_INT8: hashlib.sha256(data).hexdigest()})


def _name(folder: Path, checksum: dict[str, str]) -> None:
    """Put the file's checksum into the card, or take it out."""
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    card["sha256"].pop(FEATURES_INT8, None)
    card["sha256"] |= checksum
    save_card(card, folder)


def chosen_steps(model: ModelProto, sounds: Sequence[Sound]) -> dict[str, Step]:
    """The step for each input of products with stored weights, by its name: that with the least squared error."""
    products = _products(model)
    if not products:
        return {}
    names = list(products)
    watched = ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    session = _session(watched)
    draw = np.random.default_rng(0)
    least, most = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    rows: dict[str, list[NDArray[np.float32]]] = defaultdict(list)
    work = dict.fromkeys(names, 0)
    for sound in sounds:
        for name, value in zip(names, session.run(names, {"waveform": sound}), strict=True):
            value = value.reshape(-1, value.shape[-1])
            work[name] += len(value) * sum(weight.size for weight in products[name])
            least[name], most[name] = min(least[name], float(value.min())), max(most[name], float(value.max()))
            rows[name].append(value[draw.integers(len(value), size=ROWS)])
    return {
        name: _step(np.concatenate(rows[name]), least[name], most[name], products[name], work[name]) for name in names
    }


def _step(rows: NDArray[np.float32], least: float, most: float, weights: list[NDArray[np.int8]], work: int) -> Step:
    """rows: of the input, (rows, K). least, most: of all of it. weights: what it is multiplied with, each (K, N)."""
    whole = max(most - least, 1e-6) / STEPS
    zero = np.uint8(round(-least / whole))
    parts = (Step(np.float32(whole * part), zero, work) for part in np.linspace(0.1, 1, 19))
    step = min(parts, key=lambda step: np.square((_whole(rows, step) - step.zero) * step.size - rows).mean())
    largest = rows[np.argsort(np.abs(rows).max(axis=1))[-LARGEST:]]
    less = max(1.0, *(_largest_sum(_whole(largest, step), weight) / MOST for weight in weights))
    return Step(np.float32(step.size * less), np.uint8(round(zero / less)), work)


def _whole(rows: NDArray[np.float32], step: Step) -> NDArray[np.float32]:
    """The whole numbers that stand for inputs."""
    return np.clip(np.round(rows / step.size) + step.zero, 0, 255)


def _largest_sum(rows: NDArray[np.float32], weight: NDArray[np.int8]) -> float:
    """The largest sum of two products that are added up first: of a row's first and second number, and so on."""
    first, second = weight[0::2].astype(np.float32), weight[1::2].astype(np.float32)
    return max(float(np.abs(row[0::2, None] * first + row[1::2, None] * second).max()) for row in rows)


def bearable(model: ModelProto, steps: dict[str, Step], sounds: Sequence[Sound]) -> list[str]:
    """The inputs whose products may be in 8 bits: as many as change the features by ALLOWED at most.

    Each is tried by itself, and errors are taken to add up as those of chance do. Those come first that change least
    for what they save; but before all others the network's first, where what the number of threads changes in the last
    digits of the spectrum is rounded away, before it makes later inputs round up that would be rounded down.
    """
    plain = _features(model, sounds)
    squares = {}
    for name, step in steps.items():
        heard = _features(quantized(model, {name: step}), sounds)
        squares[name] = float(np.square(heard - plain).mean() / np.square(plain).mean())
    first = next(iter(steps))
    borne, total = [], 0.0
    for name in sorted(squares, key=lambda name: (name != first, squares[name] / steps[name].work)):
        total += squares[name]
        if total <= ALLOWED**2:
            borne.append(name)
    return borne


def quantized(model: ModelProto, steps: dict[str, Step]) -> ModelProto:
    """The network with products in 8 bits of the inputs that have a step, and with each GELU as one node."""
    made = ModelProto()
    made.CopyFrom(model)
    del made.opset_import[:]
    made.opset_import.append(helper.make_opsetid("", OPSET))
    graph = made.graph
    weights = _weights(graph)
    nodes: list[NodeProto] = []
    constants: dict[str, NDArray[Any]] = {}
    for node in graph.node:
        name, weight = node.input if node.op_type == "MatMul" else ("", "")
        if name in steps and weight in weights:
            size, zero, rounded = f"{name}_size", f"{name}_zero", f"{name}_rounded"
            if size not in constants:
                constants |= {size: np.array(steps[name].size), zero: np.array(steps[name].zero)}
                _round(name, (size, zero), rounded, nodes)
            stored, _, constants[f"{weight}_scales"] = weights[weight]
            nodes.append(helper.make_node("DequantizeLinear", [stored, f"{weight}_scales"], [weight], axis=1))
            node.input[0] = rounded
        nodes.append(node)
    given = {name for node in nodes if node.op_type == "DequantizeLinear" for name in node.output}
    nodes = [node for node in nodes if node.op_type == "DequantizeLinear" or given.isdisjoint(node.output)]
    graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in constants.items())
    _keep_needed(graph, _with_gelu(nodes))
    return made


def _round(name: str, step: tuple[str, str], rounded: str, nodes: list[NodeProto]) -> None:
    """Add nodes that round an input to those before it.

    Frames that are put side by side (`convolutions`) are rounded before, once.
    """
    makers = {output: node for node in nodes for output in node.output}
    maker = makers.get(name)
    parts = [makers.get(part) for part in maker.input] if maker is not None and maker.op_type == "Concat" else []
    slices = [part for part in parts if part is not None and part.op_type == "Slice"]
    sources = {part.input[0] for part in slices}
    if len(slices) == len(parts) and len(sources) == 1:
        (source,) = sources
        place, whole = nodes.index(slices[0]), name
        for part in slices:
            part.input[0] = f"{source}_whole"
    else:
        source, place, whole = name, len(nodes), f"{name}_whole"
    nodes.insert(place, helper.make_node("QuantizeLinear", [source, *step], [f"{source}_whole"]))
    nodes.append(helper.make_node("DequantizeLinear", [whole, *step], [rounded]))


def _weights(graph: GraphProto) -> dict[str, tuple[str, NDArray[np.int8], NDArray[np.float32]]]:
    """Weights that are stored in 8 bits, by name: the constant, what is in it, and the scale of each column."""
    arrays = {constant.name: numpy_helper.to_array(constant) for constant in graph.initializer}
    weights, _ = unpacked(graph.node, arrays)
    return {
        name: (each.name, each.stored, each.scale.reshape(-1))
        for name, each in weights.items()
        if each.scale is not None
    }


def _products(model: ModelProto) -> dict[str, list[NDArray[np.int8]]]:
    """The inputs of products with weights of 8 bits, and these."""
    weights = _weights(model.graph)
    found: dict[str, list[NDArray[np.int8]]] = defaultdict(list)
    for node in model.graph.node:
        if node.op_type == "MatMul" and node.input[1] in weights:
            found[node.input[0]].append(weights[node.input[1]][1])
    return found


def _with_gelu(nodes: Sequence[NodeProto]) -> list[NodeProto]:
    """Nodes with x (0.5 (1 + erf(x / √2))), as torch's exporter spells GELU out, in one.

    ONNX Runtime finds it by itself only where it is spelled in another order.
    """
    makers = {node.output[0]: node for node in nodes}
    users: dict[str, list[NodeProto]] = defaultdict(list)
    for node in nodes:
        for name in node.input:
            users[name].append(node)
    made: dict[str, NodeProto] = {}
    for erf in nodes:
        if erf.op_type != "Erf":
            continue
        divided = makers[erf.input[0]]
        node = erf
        for kind in ("Add", "Mul", "Mul"):
            (node,) = users[node.output[0]]
            if node.op_type != kind:
                break
        else:
            if divided.op_type == "Div" and divided.input[0] in node.input:
                made[node.output[0]] = helper.make_node("Gelu", [divided.input[0]], node.output)
    return [made.get(node.output[0], node) for node in nodes]


def _keep_needed(graph: GraphProto, nodes: Sequence[NodeProto]) -> None:
    """Make these a graph's nodes, without those and without constants that nothing needs."""
    needed = {output.name for output in graph.output}
    kept = []
    for node in reversed(nodes):
        if not needed.isdisjoint(node.output):
            needed.update(node.input)
            kept.append(node)
    constants = [constant for constant in graph.initializer if constant.name in needed]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(constants)


def _sounds(config: Config, seconds: float) -> Iterator[Sound]:
    """One window of each of LINES training lines, drawn from all that the configuration's corpora have."""
    clips = [clip for name, folder in config.corpora.items() for clip in read(name, folder) if clip.split == "train"]
    if not clips:
        raise ConfigError("corpora: no training lines to calibrate on; name a corpus that has some")
    for clip in random.Random(0).sample(clips, min(LINES, len(clips))):
        yield next(AudioFile(clip.path).blocks(seconds))[None]


def _features(model: ModelProto, sounds: Sequence[Sound]) -> NDArray[np.float32]:
    session = _session(model)
    heard = [session.run(["features"], {"waveform": sound})[0] for sound in sounds]
    return np.concatenate([each.reshape(-1, each.shape[-1]) for each in heard])


def _session(model: ModelProto) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
