"""Convolutions as products: the same numbers, whatever the kernel, stride and padding."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import onnxruntime
import pytest
from dser_training.convolutions import as_products
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper


def network(weight: NDArray[np.float32], bias: NDArray[np.float32] | None, **about: Any) -> ModelProto:
    kernel = weight.shape[2]
    given_about = {"kernel_shape": [kernel], "group": 1, "dilations": [1], "strides": [1], "pads": [0, 0], **about}
    constants = [numpy_helper.from_array(weight, "weight")]
    if bias is not None:
        constants.append(numpy_helper.from_array(bias, "bias"))
    graph = helper.make_graph(
        [helper.make_node("Conv", ["waveform", *(each.name for each in constants)], ["out"], **given_about)],
        "convolution",
        [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["batch", None, "frames"])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def run(model: ModelProto, value: NDArray[np.float32]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    result: NDArray[np.float32] = session.run(None, {"waveform": value})[0]
    return result


@settings(max_examples=50, deadline=None)
@given(
    kernel=st.integers(2, 4),
    stride=st.integers(1, 4),
    pads=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    more=st.integers(0, 20),
    batch=st.integers(1, 3),
    has_bias=st.booleans(),
)
def test_a_product_gives_what_the_convolution_gives(
    kernel: int, stride: int, pads: tuple[int, int], more: int, batch: int, has_bias: bool
) -> None:
    random = np.random.default_rng(kernel + 10 * stride + more)
    weight = random.standard_normal((5, 6, kernel), np.float32)
    bias = random.standard_normal(5, np.float32) if has_bias else None
    value = random.standard_normal((batch, 6, kernel + more), np.float32)
    model = network(weight, bias, strides=[stride], pads=list(pads))
    wanted = run(model, value)
    as_products(model)
    assert not [node for node in model.graph.node if node.op_type == "Conv"]
    np.testing.assert_allclose(run(model, value), wanted, atol=1e-4)


@pytest.mark.parametrize(
    ("shape", "about"),
    [
        ((4, 1, 3), {"strides": [2]}),  # the waveform's own
        ((4, 6, 1), {}),  # a sum over channels
        ((4, 6, 16), {}),  # long kernels
        ((4, 3, 3), {"group": 2}),
        ((4, 6, 3), {"dilations": [2]}),
    ],
)
def test_what_would_gain_nothing_stays(shape: tuple[int, int, int], about: dict[str, Any]) -> None:
    model = network(np.ones(shape, np.float32), None, **about)
    as_products(model)
    assert Counter(node.op_type for node in model.graph.node) == {"Conv": 1}
    assert [constant.name for constant in model.graph.initializer] == ["weight"]
