"""Graph: a bundle's feature network with the type of every number spelled out, as TensorRT wants to be told.

ONNX Runtime's own conversion to half precision was tried first: it gives two nodes one name here, and it rounds the
waveform itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dser_ext.errors import ModelError

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

PRECISIONS = ("fp16", "fp32", "int8")
"""fp16: half precision wherever it does not show. fp32: single precision throughout. int8: as fp16, and the weights of
matrix products stay the eight bits that the bundle stores; what is computed is not rounded further, so nothing needs
to be calibrated.
"""

DELICATE = {
    *("LayerNormalization", "InstanceNormalization", "GroupNormalization", "Softmax", "LogSoftmax", "Sigmoid"),
    *("ReduceMean", "ReduceSum", "ReduceMax", "ReduceL2", "CumSum", "Pow", "Sqrt", "Reciprocal", "Log", "Exp"),
    *("Cast", "DequantizeLinear", "QuantizeLinear"),
}
"""Nodes that are computed in single precision: sums over many values, what is steep or has a wide range, and what
says its types itself.
"""

PRODUCTS = {"MatMul", "Gemm", "Conv", "ConvTranspose"}


def typed(path: Path, precision: str) -> ModelProto:
    """The network in an ONNX file in one of PRECISIONS; its inputs and outputs stay float32.

    Raises ModelError if there is no such precision, onnx is not installed, or the file is no network.
    """
    if precision not in PRECISIONS:
        raise ModelError(f"{precision}: no such precision; choose {', '.join(PRECISIONS)}")
    try:
        import onnx
    except ImportError as error:
        raise ModelError("engines need onnx to be built; pip install 'dser-audio2face[rtx]'") from error
    try:
        model = onnx.load(path)
        kinds = _kinds(onnx.shape_inference.infer_shapes(model, strict_mode=True).graph)
        _Writer(model.graph, kinds, precision).write()
        onnx.checker.check_model(model)
    except Exception as error:  # of protobuf and of onnx, which share no public base class
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{path}: no network that can be converted ({reason}); copy the model folder again") from error
    return model


def in_single(nodes: Sequence[NodeProto]) -> set[int]:
    """Which nodes are computed in single precision, by their places.

    The delicate ones, and the front end: what comes before the first product (a line brought to one level), and all
    that a logarithm is taken of (a spectrum), unless that is half the network.
    """
    makers = {name: place for place, node in enumerate(nodes) for name in node.output}
    kept = {place for place, node in enumerate(nodes) if node.op_type in DELICATE}
    heard: set[str] = set()  # values that come after a product
    for place, node in enumerate(nodes):
        if node.op_type in PRODUCTS or heard.intersection(node.input):
            heard.update(node.output)
        else:
            kept.add(place)
    for place, node in enumerate(nodes):
        if node.op_type == "Log":
            before = _before(place, nodes, makers)
            kept |= before if len(before) < len(nodes) / 2 else set()
    return kept


def _before(place: int, nodes: Sequence[NodeProto], makers: dict[str, int]) -> set[int]:
    """The places of a node and of all that it is computed from."""
    found: set[int] = set()
    left = [place]
    while left:
        if (place := left.pop()) not in found:
            found.add(place)
            left += [makers[name] for name in nodes[place].input if name in makers]
    return found


def _kinds(graph: GraphProto) -> dict[str, int]:
    """The type of each value, as ONNX numbers them."""
    values = [*graph.value_info, *graph.input, *graph.output]
    return {value.name: value.type.tensor_type.elem_type for value in values}


@dataclass(frozen=True)
class Weight:
    """A weight as a bundle stores it, in the constant `name`.

    stored: float16 or float32, or int8 with the scale of each column, (1, columns).
    """

    name: str
    stored: NDArray[Any]
    scale: NDArray[np.float32] | None = None

    def plain(self, kind: type[np.generic]) -> NDArray[Any]:
        """All of it as float16 or float32."""
        return (self.stored if self.scale is None else self.stored.astype(np.float32) * self.scale).astype(kind)


class _Writer:
    """Writes a graph anew in one precision, with conversions where single and half precision meet."""

    def __init__(self, graph: GraphProto, kinds: dict[str, int], precision: str) -> None:
        from onnx import TensorProto, numpy_helper

        arrays = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
        self._graph, self._eight_bits = graph, precision == "int8"
        self._to = {False: TensorProto.FLOAT, True: TensorProto.FLOAT16}
        self._weights, self._left = unpacked(list(graph.node), arrays)
        self._single = set(range(len(self._left))) if precision == "fp32" else in_single(self._left)
        self._floats = {name for name, kind in kinds.items() if kind == TensorProto.FLOAT} | set(self._weights)
        self._halves: set[str] = set()  # values that are in half precision by the name they have
        self._nodes: list[NodeProto] = []
        self._constants = {name: array for name, array in arrays.items() if name not in self._weights}
        self._there: set[str] = set()  # converted values that were written already

    def write(self) -> None:
        """Replace the graph's nodes and constants."""
        from onnx import helper, numpy_helper

        outputs = {output.name for output in self._graph.output}
        for place, node in enumerate(self._left):
            inputs = [name for name in node.input if name in self._floats]
            half = bool(inputs) and place not in self._single
            changed = {name: self._value(name, half) for name in inputs}
            node.input[:] = [changed.get(name, name) for name in node.input]
            self._nodes.append(node)
            for number, name in enumerate(node.output):
                if not half or name not in self._floats:
                    continue
                if name in outputs:
                    node.output[number] = f"{name}_half"
                    self._nodes.append(helper.make_node("Cast", [f"{name}_half"], [name], to=self._to[False]))
                else:
                    self._halves.add(name)
        used = {name for node in self._nodes for name in node.input}
        del self._graph.node[:], self._graph.initializer[:], self._graph.value_info[:]
        self._graph.node.extend(self._nodes)
        constants = [numpy_helper.from_array(array, name) for name, array in self._constants.items() if name in used]
        self._graph.initializer.extend(constants)

    def _value(self, name: str, half: bool) -> str:
        """What a float value is called in half or single precision; written down the first time."""
        from onnx import helper

        weight = self._weights.get(name)
        scale = weight.scale if weight is not None and self._eight_bits else None  # of a weight that keeps 8 bits
        if weight is None and half == (name in self._halves):
            return name
        converted = f"{name}_{'half' if half else 'single'}"
        if converted in self._there:
            return converted
        self._there.add(converted)
        if weight is None or (scale is not None and half):
            whole = name if weight is None else self._value(name, False)
            self._nodes.append(helper.make_node("Cast", [whole], [converted], to=self._to[half]))
        elif scale is not None:
            self._constants |= {f"{name}_eight": weight.stored, f"{name}_scales": scale.reshape(-1)}
            eight = [f"{name}_eight", f"{name}_scales"]
            self._nodes.append(helper.make_node("DequantizeLinear", eight, [converted], axis=1))
        else:
            self._constants[converted] = weight.plain(np.float16 if half else np.float32)
        return converted


def unpacked(nodes: Iterable[NodeProto], arrays: dict[str, NDArray[Any]]) -> tuple[dict[str, Weight], list[NodeProto]]:
    """The weights by name, and the nodes left without those that unpack what a bundle stores in 8 and 16 bits."""
    weights = {name: Weight(name, array) for name, array in arrays.items() if array.dtype == np.float32}
    whole: dict[str, str] = {}  # names of int8 weights, by that of floats that are not scaled yet
    left = []
    for node in nodes:
        stored = arrays.get(node.input[0]) if node.op_type == "Cast" else None
        if stored is not None and stored.dtype == np.float16:
            weights[node.output[0]] = Weight(node.input[0], stored)
        elif stored is not None and stored.dtype == np.int8:
            whole[node.output[0]] = node.input[0]
        elif node.op_type == "Mul" and node.input[0] in whole:
            name = whole[node.input[0]]
            weights[node.output[0]] = Weight(name, arrays[name], arrays[node.input[1]])
        else:
            left.append(node)
    return weights, left
