"""What the processor could do at best: products of matrices in each precision, and how many a network has.

    python -m timing.roofline peaks THREADS
    python -m timing.roofline operations MODEL

Both print JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from timing.cases import RATE

SIZES = ((1024, 1024, 1024), (2048, 2048, 2048), (512, 1024, 4096))  # rows, inner, columns; the last as networks have
SECONDS = 1.5  # that each is measured for
FOLLOWED = {"Cast", "Mul", "Sub", "DequantizeLinear", "Transpose", "Reshape"}  # between a stored weight and its use


def peaks(threads: int) -> dict[str, float]:
    """Operations a second (a multiplication and an addition are two), the most of all sizes, by precision.

    Of a precision without instructions, which takes a hundred times as long, it is that of the first size.
    """
    measured = {"fp32": _torch("float32", threads), "bf16": _torch("bfloat16", threads), "int8": _int8(threads)}
    most: dict[str, float] = {}
    for name, make in measured.items():
        most[name] = 0.0
        for rows, inner, columns in SIZES:
            most[name] = max(most[name], 2.0 * rows * inner * columns / _fastest(make(rows, inner, columns)))
            if most[name] < most["fp32"] / 4:
                break
    return most


def _torch(kind: str, threads: int) -> Callable[[int, int, int], Callable[[], object]]:
    def make(rows: int, inner: int, columns: int) -> Callable[[], object]:
        import torch

        torch.set_num_threads(threads)
        a, b = (torch.randn(shape, dtype=getattr(torch, kind)) for shape in ((rows, inner), (inner, columns)))
        out = torch.empty(rows, columns, dtype=a.dtype)
        return lambda: torch.mm(a, b, out=out)

    return make


def _int8(threads: int) -> Callable[[int, int, int], Callable[[], object]]:
    """ONNX Runtime's product of unsigned with signed bytes: of what is installed, the fastest here."""

    def make(rows: int, inner: int, columns: int) -> Callable[[], object]:
        import onnx
        import onnxruntime
        from onnx import TensorProto, helper, numpy_helper

        random = np.random.default_rng(0)
        weight = random.integers(-127, 128, (inner, columns), dtype=np.int8)
        graph = helper.make_graph(
            [helper.make_node("MatMulInteger", ["a", "b"], ["out"])],
            "product",
            [helper.make_tensor_value_info("a", TensorProto.UINT8, [rows, inner])],
            [helper.make_tensor_value_info("out", TensorProto.INT32, [rows, columns])],
            [numpy_helper.from_array(weight, "b")],
        )
        model: onnx.ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        a = random.integers(0, 255, (rows, inner), dtype=np.uint8)
        return lambda: session.run(None, {"a": a})

    return make


def _fastest(run: Callable[[], object]) -> float:
    """Seconds of the fastest run: what the processor can, and not what others leave of it."""
    best, until = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best


def operations(model: str) -> dict[str, float]:
    """Of a model's feature network for 1 s of audio, heard in one of its windows; by what they are computed in.

    int8: products of matrices whose weights are stored so. bf16: the others, and what is left of convolutions. Those
    that windows repeat where they overlap do not count: nobody asked for them.
    """
    from dser_ext.recognition.bundle import FEATURES, ModelBundle

    bundle = ModelBundle.open(model)
    seconds = bundle.card["window_seconds"]
    return {kind: count / seconds for kind, count in counted(bundle.folder / FEATURES, round(seconds * RATE)).items()}


def counted(file: Path, samples: int) -> dict[str, int]:
    """Of a network in an ONNX file on one clip, found by running it and asking for the shapes."""
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper

    model = onnx.load(file)
    graph = model.graph
    products = [node for node in graph.node if node.op_type in ("MatMul", "Gemm", "Conv")]
    names = sorted({name for node in products for name in (*node.input[:2], node.output[0])})
    del graph.output[:]
    for number, name in enumerate(names):
        graph.node.append(helper.make_node("Shape", [name], [f"shape of {number}"]))
        graph.output.append(helper.make_tensor_value_info(f"shape of {number}", TensorProto.INT64, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    told = session.run(None, {"waveform": np.zeros((1, samples), np.float32)})
    shapes = dict(zip(names, told, strict=True))
    made = {name: node for node in graph.node for name in node.output}
    bytes_stored = {tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.INT8}
    total = {"int8": 0, "bf16": 0}
    for node in products:
        kind = "int8" if node.op_type != "Conv" and _leads_to(node.input[1], made, bytes_stored) else "bf16"
        total[kind] += 2 * int(np.prod(shapes[node.output[0]])) * _inner(node, shapes)
    return total


def _inner(node: Any, shapes: dict[str, Any]) -> int:
    """How many products each number of the outcome is the sum of."""
    if node.op_type == "Conv":
        return int(np.prod(shapes[node.input[1]][1:]))
    turned = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    return int(shapes[node.input[0]][0 if turned else -1])


def _leads_to(name: str, made: dict[str, Any], stored: set[str]) -> bool:
    """Whether a factor is made of a weight that is stored in bytes, by no more than scaling and turning it."""
    if name in stored or name not in made:
        return name in stored
    node = made[name]
    return node.op_type in FOLLOWED and any(_leads_to(source, made, stored) for source in node.input)


if __name__ == "__main__":
    print(json.dumps(peaks(int(sys.argv[2])) if sys.argv[1] == "peaks" else operations(sys.argv[2])))
