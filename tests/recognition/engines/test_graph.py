"""A network in half precision hears what it hears in single precision, and nothing delicate is rounded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import dser_ext
from dser_ext.audio import read
from dser_ext.errors import ModelError
from dser_ext.recognition.backends import OnnxNetwork
from dser_ext.recognition.bundle import FEATURES, ModelBundle
from dser_ext.recognition.engines.graph import DELICATE, PRODUCTS, in_single, typed
from dser_ext.recognition.recognizer import Recognizer

onnx = pytest.importorskip("onnx")

LINES = [dser_ext.sample_line(), *sorted((Path(__file__).parents[3] / "samples/voice").glob("*.ogg"))]
SPREAD = 5.2  # of the shipped model's features, one standard deviation


@pytest.fixture(scope="module")
def source() -> Path:
    return ModelBundle.open().folder / FEATURES


def written(source: Path, precision: str, folder: Path) -> Path:
    path = folder / f"{precision}.onnx"
    onnx.save(typed(source, precision), path)
    return path


def plainly(path: Path) -> OnnxNetwork:
    """Run node by node as written: ONNX Runtime otherwise computes products of 8-bit weights in 8 bits itself."""
    import onnxruntime

    network = OnnxNetwork(path)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    network._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return network


def windows() -> Iterator[np.ndarray]:
    """Four seconds of each line, of real speech."""
    for line in LINES:
        samples = read(line)[: 4 * 16_000]
        yield samples[None, : samples.size // 320 * 320]


def test_single_precision_computes_what_the_bundle_computes(source: Path, tmp_path: Path) -> None:
    mine, theirs = OnnxNetwork(written(source, "fp32", tmp_path)), OnnxNetwork(source)
    waveform = next(windows())
    for name, value in theirs.run({"waveform": waveform}).items():
        np.testing.assert_allclose(mine.run({"waveform": waveform})[name], value, atol=1e-4)


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_half_precision_hears_the_same(source: Path, tmp_path: Path, precision: str) -> None:
    """Measured on nine lines: features differ by 0.004 in the mean and 0.11 at most, where one deviation is 5.2."""
    mine, theirs = plainly(written(source, precision, tmp_path)), OnnxNetwork(source)
    features, speech = [], []
    for waveform in windows():
        heard, expected = mine.run({"waveform": waveform}), theirs.run({"waveform": waveform})
        features.append(np.abs(heard["features"] - expected["features"]).reshape(-1))
        speech.append(np.abs(heard["speech"] - expected["speech"]).reshape(-1))
    differences = np.concatenate(features)
    print(
        f"{precision}: features {differences.mean():.4f} in the mean, {differences.max():.3f} at most; speech ", end=""
    )
    print(f"{np.concatenate(speech).max():.1e} at most")
    assert differences.mean() <= 0.001 * SPREAD
    assert differences.max() <= 0.05 * SPREAD
    assert np.concatenate(speech).max() <= 1e-3


@pytest.mark.parametrize("precision", ["fp16", "int8"])
@pytest.mark.filterwarnings("ignore:without a voice:dser_ext.DserWarning")
def test_emotions_are_the_same(source: Path, tmp_path: Path, precision: str) -> None:
    single, half = Recognizer(device="cpu"), Recognizer(device="cpu")
    single._features = OnnxNetwork(source)
    half._features = plainly(written(source, precision, tmp_path))
    changes = [
        np.abs(single.track(single.hear(dser_ext.audio.AudioFile(line))).mean - track.mean)
        for line in LINES
        if (track := half.track(half.hear(dser_ext.audio.AudioFile(line))))
    ]
    print(f"{precision}: emotions change by {np.concatenate(changes).mean():.5f} in the mean")
    assert np.concatenate(changes).mean() <= 0.001


def test_the_front_end_and_all_statistics_stay_in_single_precision(source: Path) -> None:
    model = onnx.shape_inference.infer_shapes(typed(source, "fp16"))
    kinds = {value.name: value.type.tensor_type.elem_type for value in model.graph.value_info}
    half = {name for name, kind in kinds.items() if kind == onnx.TensorProto.FLOAT16}
    makers = {name: node for node in model.graph.node for name in node.output}
    left = [node for node in model.graph.node if node.op_type == "Log"]
    assert left
    while left:  # whatever a logarithm is taken of: the spectrum, and the level of the line
        node = left.pop()
        assert not half.intersection([*node.input, *node.output]), node.name
        left += [makers[name] for name in node.input if name in makers]
    conversions = {"Cast", "DequantizeLinear"}
    delicate = [node for node in model.graph.node if node.op_type in DELICATE - conversions]
    assert {"Softmax", "LayerNormalization", "Log", "Pow"} <= {node.op_type for node in delicate}
    assert not [node.name for node in delicate if half.intersection([*node.input, *node.output])]
    products = [node for node in model.graph.node if node.op_type in PRODUCTS]
    single = [node.op_type for node in products if not half.intersection(node.output)]
    assert single == ["Conv", "Conv"]  # the Fourier transform and the mel filters
    assert len(products) > 50


def test_eight_bit_weights_stay_eight_bits(source: Path) -> None:
    stored = {each.name: each for each in onnx.load(source).graph.initializer}
    kept = [each for each in typed(source, "int8").graph.initializer if each.data_type == onnx.TensorProto.INT8]
    assert len(kept) > 30
    for each in kept:
        before = stored[each.name.removesuffix("_eight") + "_int8"]
        np.testing.assert_array_equal(onnx.numpy_helper.to_array(each), onnx.numpy_helper.to_array(before))


def test_a_logarithm_at_the_end_does_not_keep_the_whole_network_in_single_precision() -> None:
    make = onnx.helper.make_node
    nodes = [make("MatMul", [f"v{n}", "w"], [f"v{n + 1}"]) for n in range(9)] + [make("Log", ["v9"], ["out"])]
    assert in_single(nodes) == {9}


def test_a_precision_that_is_none_is_refused_with_those_there_are(source: Path) -> None:
    with pytest.raises(ModelError, match="fp4: no such precision; choose fp16, fp32, int8"):
        typed(source, "fp4")


@pytest.mark.parametrize("content", [b"RIFF", b""])
def test_a_file_that_is_no_network_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"x\.onnx: no network that can be converted \(.*\); copy the model") as caught:
        typed(tmp_path / "x.onnx", "fp16")
    assert "\n" not in str(caught.value)
