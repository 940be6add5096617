"""A network's graph: what of it depends on the sound alone, and the rest rewritten to be quick for many frames at once.

The rest is convolutions over a handful of moments, which ONNX Runtime does frame by frame. As products of matrices, a
row a frame, the same numbers come several times as fast. And where a convolution is told sound and emotions side by
side, what it makes of the sound need not be computed again.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np
import onnx
import onnxruntime
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnx.shape_inference import infer_shapes

MOST_WEIGHTS = 1 << 23  # of a matrix, 32 MB
CONCAT_AXIS, CHANNELS = "axis", 1


def quicker(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network, with what emotions move rewritten as the module says wherever shapes allow."""
    return _as_products(_split(model))


def heard(model: onnx.ModelProto) -> list[str]:
    """The tensors that depend on the sound alone and are all that the rest of the network needs of it."""
    graph = model.graph
    constant = {weight.name for weight in graph.initializer} | {""}
    moved, of_sound = _depends(graph)
    made_by = {output: node for node in graph.node for output in node.output}
    inferred = infer_shapes(model).graph
    kinds = {value.name: value.type.tensor_type.elem_type for value in [*inferred.value_info, *inferred.input]}
    kept: list[str] = []
    needed = [name for node in graph.node if moved.intersection(node.output) for name in node.input]
    while needed:
        name = needed.pop()
        if name in constant or name in moved or name in kept or name not in of_sound:
            continue
        if kinds.get(name) == TensorProto.FLOAT:
            kept.append(name)
        else:  # shapes and the like, which another number of rows would change
            needed += made_by[name].input
    return sorted(kept)


def _depends(graph: onnx.GraphProto) -> tuple[set[str], set[str]]:
    """The tensors that depend on the emotions, and those that depend on the sound."""
    moved, of_sound = {"emotion"}, {"input"}
    for node in graph.node:  # in an order in which each comes after what it needs
        for kind in (moved, of_sound):
            if kind.intersection(node.input):
                kind.update(node.output)
    return moved, of_sound


def _shapes(model: onnx.ModelProto) -> dict[str, list[int]]:
    """Of each tensor, 0 for a dimension that is not fixed."""
    graph = infer_shapes(model).graph
    return {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in [*graph.value_info, *graph.input, *graph.output]
    }


def _convolutions(model: onnx.ModelProto) -> Iterator[tuple[NodeProto, list[np.ndarray]]]:
    """Those that emotions move, of one group, each with its weight and bias."""
    weights = {weight.name: weight for weight in model.graph.initializer}
    moved, _ = _depends(model.graph)
    for node in model.graph.node:
        group = [attribute.i for attribute in node.attribute if attribute.name == "group"]
        known = all(name in weights for name in node.input[1:])
        if node.op_type == "Conv" and node.input[0] in moved and group in ([], [1]) and known:
            yield node, [numpy_helper.to_array(weights[name]) for name in node.input[1:]]


def _split(model: onnx.ModelProto) -> onnx.ModelProto:
    """conv([sound, emotions]) → conv(sound) + conv(emotions)."""
    shapes = _shapes(model)
    moved, _ = _depends(model.graph)
    made_by = {output: node for node in model.graph.node for output in node.output}
    replaced: dict[str, list[NodeProto]] = {}
    added = []
    for node, (weight, *_) in _convolutions(model):
        joined = made_by.get(node.input[0])
        if joined is None or joined.op_type != "Concat" or _axis(joined) != CHANNELS:
            continue
        sizes = [shapes.get(name, [0, 0])[CHANNELS] for name in joined.input]
        still = np.array([name not in moved for name in joined.input])
        if not all(sizes) or still.all() or not still.any():
            continue
        of = np.repeat(still, sizes)
        name, nodes = node.output[0], []
        for part, chosen in (("still", still), ("moved", ~still)):
            inputs = [each for each, own in zip(joined.input, chosen, strict=True) if own]
            own = weight[:, of if part == "still" else ~of]
            added.append(numpy_helper.from_array(np.ascontiguousarray(own), f"{name}.{part}.weight"))
            nodes.append(helper.make_node("Concat", inputs, [f"{name}.{part}.in"], axis=CHANNELS))
            given = [f"{name}.{part}.in", f"{name}.{part}.weight", *(node.input[2:] if part == "still" else [])]
            nodes.append(helper.make_node("Conv", given, [f"{name}.{part}"]))
            nodes[-1].attribute.extend(node.attribute)
        nodes.append(helper.make_node("Add", [f"{name}.still", f"{name}.moved"], [name]))
        replaced[name] = nodes
    return _with(model, replaced, added)


def _as_products(model: onnx.ModelProto) -> onnx.ModelProto:
    """conv(x) → x, a row a frame, times what the convolution makes of each of its numbers."""
    shapes = _shapes(model)
    replaced: dict[str, list[NodeProto]] = {}
    added = []
    for node, (weight, *bias) in _convolutions(model):
        name = node.output[0]
        size, made = shapes.get(node.input[0], [])[1:], shapes.get(name, [])[1:]
        if not size or not made or not prod(size) * prod(made) or prod(size) * prod(made) > MOST_WEIGHTS:
            continue
        matrix = _answers(node, weight, size, model).reshape(prod(size), prod(made))
        constant = bias[0] if bias else np.zeros(made[0], np.float32)
        added += [
            numpy_helper.from_array(matrix, f"{name}.matrix"),
            numpy_helper.from_array(np.repeat(constant, prod(made[1:])), f"{name}.constant"),
            numpy_helper.from_array(np.array([-1, prod(size)]), f"{name}.rows"),
            numpy_helper.from_array(np.array([-1, *made]), f"{name}.shape"),
        ]
        replaced[name] = [
            helper.make_node("Reshape", [node.input[0], f"{name}.rows"], [f"{name}.flat"]),
            helper.make_node("Gemm", [f"{name}.flat", f"{name}.matrix", f"{name}.constant"], [f"{name}.product"]),
            helper.make_node("Reshape", [f"{name}.product", f"{name}.shape"], [name]),
        ]
    return _with(model, replaced, added)


def _answers(node: NodeProto, weight: np.ndarray, size: list[int], model: onnx.ModelProto) -> np.ndarray:
    """What a convolution makes of each of its input's numbers by itself."""
    alone = helper.make_node("Conv", ["x", "w"], ["y"])
    alone.attribute.extend(node.attribute)
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, *size])
    graph = helper.make_graph(
        [alone],
        "convolution",
        [given],
        [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(weight, "w")],
    )
    single = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    session = onnxruntime.InferenceSession(single.SerializeToString(), providers=["CPUExecutionProvider"])
    each = np.eye(prod(size), dtype=np.float32).reshape(-1, *size)
    return np.asarray(session.run(["y"], {"x": each})[0])


def _axis(node: NodeProto) -> int:
    return next(attribute.i for attribute in node.attribute if attribute.name == CONCAT_AXIS)


def _with(
    model: onnx.ModelProto, replaced: dict[str, list[NodeProto]], added: list[onnx.TensorProto]
) -> onnx.ModelProto:
    """A model with nodes, by their output's name, replaced by others, and more weights."""
    if not replaced:
        return model
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    nodes = [other for node in model.graph.node for other in replaced.get(node.output[0], [node])]
    used = {value.name for value in model.graph.output}
    alive = []
    for node in reversed(nodes):
        if used.intersection(node.output):
            alive.append(node)
            used.update(node.input)
    del changed.graph.node[:]
    changed.graph.node.extend(reversed(alive))
    changed.graph.initializer.extend(added)
    kept = [weight for weight in changed.graph.initializer if weight.name in used]
    del changed.graph.initializer[:]
    changed.graph.initializer.extend(kept)
    return changed
