"""A network rewritten for many frames at once makes the same animation, and hears the sound once."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from dser_training.inversion.graph import heard, quicker
from onnx import TensorProto, helper, numpy_helper

MOMENTS, SPEECH, CODE, WIDTH = 9, 4, 3, 5


def network(bias: bool) -> onnx.ModelProto:
    """input (B, 1, 9) and emotion (B, 3, 1) → result: two convolutions that are told both side by side."""
    random = np.random.default_rng(0)
    shapes = {
        "hear.w": (SPEECH, 1, 3), "first.w": (WIDTH, SPEECH + CODE, 3), "second.w": (2, WIDTH + CODE, 3),
        "first.b": (WIDTH,), "second.b": (2,),
    }  # fmt: skip
    weights = [numpy_helper.from_array(random.normal(size=size).astype(np.float32), n) for n, size in shapes.items()]
    weights += [numpy_helper.from_array(np.array([1, 1, size]), f"over {size}") for size in (9, 5)]
    strided = {"strides": [2], "pads": [1, 1], "kernel_shape": [3]}

    def convolution(of: str, name: str) -> list[onnx.NodeProto]:
        given = [of, f"{name}.w", *([f"{name}.b"] if bias else [])]
        return [helper.make_node("Conv", given, [name], **strided), helper.make_node("Relu", [name], [f"{name}.r"])]

    nodes = [
        helper.make_node("Conv", ["input", "hear.w"], ["heard"], pads=[1, 1], kernel_shape=[3]),
        helper.make_node("Expand", ["emotion", "over 9"], ["told 9"]),
        helper.make_node("Concat", ["heard", "told 9"], ["both 9"], axis=1),
        *convolution("both 9", "first"),
        helper.make_node("Expand", ["emotion", "over 5"], ["told 5"]),
        helper.make_node("Concat", ["first.r", "told 5"], ["both 5"], axis=1),
        *convolution("both 5", "second"),
        helper.make_node("Identity", ["second.r"], ["result"]),
    ]
    inputs = [
        helper.make_tensor_value_info("input", TensorProto.FLOAT, ["B", 1, MOMENTS]),
        helper.make_tensor_value_info("emotion", TensorProto.FLOAT, ["B", CODE, 1]),
    ]
    output = helper.make_tensor_value_info("result", TensorProto.FLOAT, ["B", 2, 3])
    graph = helper.make_graph(nodes, "face", inputs, [output], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def made(model: onnx.ModelProto, given: dict[str, np.ndarray]) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["result"], given)[0])


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [1, 6])
def test_the_same_comes_out(rows: int, bias: bool) -> None:
    model = network(bias)
    rewritten = quicker(model)
    onnx.checker.check_model(rewritten)
    random = np.random.default_rng(1)
    given = {
        "input": random.normal(size=(rows, 1, MOMENTS)).astype(np.float32),
        "emotion": random.normal(size=(rows, CODE, 1)).astype(np.float32),
    }
    assert made(rewritten, given) == pytest.approx(made(model, given), abs=1e-5)


def test_what_emotions_move_has_no_convolutions_and_the_sound_is_convolved_once() -> None:
    assert heard(network(True)) == ["heard"]
    rewritten = quicker(network(True))
    assert heard(rewritten) == ["first.still"]
    assert [node.output[0] for node in rewritten.graph.node if node.op_type == "Conv"] == ["heard", "first.still"]
