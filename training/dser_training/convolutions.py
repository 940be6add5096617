"""Convolutions over few frames as matrix products, which are stored and computed in 8 bits as all others are.

The frames that a kernel spans are put side by side, last, where products and norms want them. Runtimes cancel the
turning back and forth between neighbours.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, helper, numpy_helper

TURNED = [0, 2, 1]  # (batch, channels, frames) to (batch, frames, channels), and back


def as_products(model: ModelProto) -> None:
    """Replace what mixes all channels of a few frames; spectra and convolutions in groups stay."""
    graph = model.graph
    weights = {constant.name: constant for constant in graph.initializer}
    nodes: list[NodeProto] = []
    replaced: set[str] = set()
    for node in graph.node:
        about = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        weight = weights.get(node.input[1]) if node.op_type == "Conv" else None
        if weight is None or not _fits(weight.dims, about):
            nodes.append(node)
            continue
        nodes += _product(graph, node, about, numpy_helper.to_array(weight))
        replaced.add(weight.name)
    kept = [constant for constant in graph.initializer if constant.name not in replaced]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(kept)


def _fits(dims: Any, about: dict[str, Any]) -> bool:
    """Whether a convolution is one over time, of many channels, whose kernel spans few frames."""
    _, channels, *kernel = dims
    simple = about["group"] == 1 and about["dilations"] == [1]
    return simple and len(kernel) == 1 and 1 < kernel[0] < channels


def _product(graph: GraphProto, node: NodeProto, about: dict[str, Any], weight: NDArray[np.float32]) -> list[NodeProto]:
    """The nodes that do what a convolution does. about: its attributes. weight: (outputs, channels, kernel)."""
    source, name, (result,) = node.input[0], node.input[1], node.output
    columns, _, kernel = weight.shape
    (stride,) = about["strides"]
    before, after = about["pads"]

    def constant(values: Any, kind: str) -> str:
        graph.initializer.append(numpy_helper.from_array(np.asarray(values, np.int64), f"{result}_{kind}"))
        return f"{result}_{kind}"

    frames = f"{result}_frames"
    made = [helper.make_node("Transpose", [source], [frames], perm=TURNED)]
    if before or after:
        pads = constant([0, before, 0, 0, after, 0], "pads")
        made.append(helper.make_node("Pad", [frames, pads], [f"{result}_padded"]))
        frames = f"{result}_padded"
    axis, step = constant([1], "axis"), constant([stride], "step")
    beside = []
    for place in range(kernel):
        stop = place + 1 - kernel  # from the end, so that all parts are of one length
        ends = [constant([place], f"start_{place}"), constant([stop or np.iinfo(np.int64).max], f"stop_{place}")]
        made.append(helper.make_node("Slice", [frames, *ends, axis, step], [f"{result}_part_{place}"]))
        beside.append(f"{result}_part_{place}")
    factor = np.ascontiguousarray(weight.transpose(2, 1, 0).reshape(-1, columns))
    graph.initializer.append(numpy_helper.from_array(factor, f"{name}_factor"))
    made.append(helper.make_node("Concat", beside, [f"{result}_beside"], axis=-1))
    made.append(helper.make_node("MatMul", [f"{result}_beside", f"{name}_factor"], [f"{result}_product"]))
    last = f"{result}_product"
    if len(node.input) > 2:
        made.append(helper.make_node("Add", [last, node.input[2]], [f"{result}_sum"]))
        last = f"{result}_sum"
    return [*made, helper.make_node("Transpose", [last], [result], perm=TURNED)]
