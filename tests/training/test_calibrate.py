"""Products in 8 bits: calibrated on speech, near to float32, and really computed so."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from dser_training.backbones import backbone
from dser_training.calibrate import chosen_steps, quantized
from dser_training.export import compress, features_onnx
from dser_training.main import main
from dser_training.networks import FeatureNetwork

import dser_ext
from dser_ext.audio import read
from dser_ext.recognition.backends import OnnxNetwork
from dser_ext.recognition.bundle import FEATURES, FEATURES_INT8, ModelBundle
from dser_ext.recognition.recognizer import Recognizer

ROOT = Path(__file__).parents[2]
needs_data = pytest.mark.skipif(not (ROOT / "../shared/data/crema-d").is_dir(), reason="needs ../shared/data")
LINES = sorted((ROOT / "samples" / "voice").glob("*.ogg"))


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, few_actors: Callable[[Path, dict[str, int], int], Path]) -> Path:
    """A configuration with a few training actors."""
    place = tmp_path_factory.mktemp("calibrated")
    few_actors(place / "crema-d", {"train": 6, "test": 1}, 6)
    file = place / "run.yaml"
    file.write_text(f"stage: sequence\nstart: x\ncorpora:\n  crema-d: {place / 'crema-d'}\n", encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def calibrated(config: Path) -> Path:
    """The shipped model, calibrated anew."""
    folder = config.parent / "model"
    shutil.copytree(ModelBundle.open().folder, folder)
    assert main(["calibrate", "--config", str(config), "--bundle", str(folder)]) == 0
    return folder


def in_use(model: Path, folder: Path) -> Counter[str]:
    """What ONNX Runtime makes of a network on a processor: how many nodes of each kind."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    made = onnx.load(folder / "optimised.onnx", load_external_data=False)
    return Counter(node.op_type for node in made.graph.node)


@needs_data
@pytest.mark.slow
def test_a_calibrated_model_tells_nearly_the_same(calibrated: Path) -> None:
    recognizer, changes = Recognizer(calibrated, "cpu"), []
    for line in LINES:
        told = []
        for file in (FEATURES, FEATURES_INT8):
            recognizer._features = OnnxNetwork(calibrated / file)
            told.append(recognizer.track(recognizer.hear(dser_ext.audio.AudioFile(line))).mean)
        changes.append(np.abs(told[0] - told[1]).mean())
    assert 0 < np.mean(changes) < 0.01


@needs_data
@pytest.mark.slow
def test_most_products_are_of_whole_numbers(calibrated: Path, tmp_path: Path) -> None:
    nodes = in_use(calibrated / FEATURES_INT8, tmp_path)
    assert 38 / 2 < nodes["MatMulIntegerToFloat"] < 38  # of 38 with stored weights, not all bear it
    assert nodes["Gelu"] + nodes["BiasGelu"] == 8
    assert not nodes["Erf"]


@needs_data
@pytest.mark.slow
def test_the_weights_are_not_stored_again(calibrated: Path) -> None:
    assert (calibrated / FEATURES_INT8).stat().st_size < 0.01 * (calibrated / FEATURES).stat().st_size


@needs_data
@pytest.mark.slow
def test_the_same_speech_gives_the_same_file(calibrated: Path, config: Path, tmp_path: Path) -> None:
    shutil.copytree(calibrated, tmp_path / "again")
    assert main(["calibrate", "--config", str(config), "--bundle", str(tmp_path / "again")]) == 0
    assert ModelBundle.open(tmp_path / "again").card == ModelBundle.open(calibrated).card


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["whisper", "wav2vec2", "hubert", "wavlm"])
def test_gelu_is_one_node_and_computes_the_same(
    kind: str, random_backbone: Callable[[str], Path], tmp_path: Path
) -> None:
    whole = features_onnx(FeatureNetwork(backbone(str(random_backbone(kind))), 8).eval())
    joined = quantized(whole, {})
    kinds = Counter(node.op_type for node in joined.graph.node)
    assert kinds["Gelu"] >= 2
    assert not kinds["Erf"]
    heard = []
    for model in (whole, joined):
        onnx.save(model, tmp_path / "network.onnx")
        heard.append(
            OnnxNetwork(tmp_path / "network.onnx").run({"waveform": read(LINES[0])[None, :32_000]})["features"]
        )
    np.testing.assert_allclose(heard[1], heard[0], rtol=0, atol=1e-4)


@pytest.mark.slow
def test_a_network_of_another_size_is_rounded_as_well(random_backbone: Callable[[str], Path], tmp_path: Path) -> None:
    whole = features_onnx(FeatureNetwork(backbone(str(random_backbone("whisper"))), 8).eval())
    compress(whole)
    sounds = [read(line)[None, :32_000] for line in LINES[:2]]
    heard = []
    for model in (whole, quantized(whole, chosen_steps(whole, sounds))):
        onnx.save(model, tmp_path / "network.onnx")
        heard.append(OnnxNetwork(tmp_path / "network.onnx").run({"waveform": sounds[0]})["features"])
    assert 0 < np.abs(heard[1] - heard[0]).mean() < 0.05 * np.abs(heard[0]).mean()
    assert in_use(tmp_path / "network.onnx", tmp_path)["MatMulIntegerToFloat"] == 14


@pytest.mark.slow
def test_frames_are_rounded_before_they_are_put_side_by_side(random_backbone: Callable[[str], Path]) -> None:
    whole = features_onnx(FeatureNetwork(backbone(str(random_backbone("whisper"))), 8).eval())
    compress(whole)
    made = quantized(whole, chosen_steps(whole, [read(LINES[0])[None, :32_000]]))
    makers = {node.output[0]: node for node in made.graph.node}
    rounded = [node.input[0] for node in made.graph.node if node.op_type == "DequantizeLinear"]
    beside = [makers[name] for name in rounded if name in makers and makers[name].op_type == "Concat"]
    assert len(beside) == 2
    for node in beside:
        sources = {makers[part].input[0] for part in node.input}
        assert [makers[source].op_type for source in sources] == ["QuantizeLinear"]


def test_two_products_never_come_to_more_than_sixteen_bits() -> None:
    """AVX2 adds so many up before it goes on with more bits."""
    model = onnx.load(ModelBundle.open().folder / FEATURES)
    sound = read(dser_ext.sample_line())[None, :32_000]
    made = quantized(model, chosen_steps(model, [sound]))
    constants = {each.name: onnx.numpy_helper.to_array(each) for each in made.graph.initializer}
    makers = {node.output[0]: node for node in made.graph.node}
    weights = defaultdict(list)
    for node in made.graph.node:
        if node.op_type == "MatMul" and makers[node.input[1]].op_type == "DequantizeLinear":
            whole = makers[node.input[0]].input[0]
            weights[whole].append(constants[makers[node.input[1]].input[0]].astype(np.float32))
    made.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.UINT8, None) for name in weights)
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    assert len(weights) == 26
    largest = []
    for name, values in zip(weights, session.run(list(weights), {"waveform": sound}), strict=True):
        for row in values[0, ::10].astype(np.float32)[..., None]:
            sums = [np.abs(row[0::2] * each[0::2] + row[1::2] * each[1::2]).max() for each in weights[name]]
            largest.append(max(sums))
    assert 0.8 * 32_767 < max(largest) <= 32_767


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("stage: sequence\nstart: x\n", "corpora: no training lines to calibrate on"),
        ("stage: sequence\nstart: x\ncorpora:\n  crema-d: nowhere\n", "nowhere: no folder with crema-d"),
    ],
)
def test_speech_that_is_not_there_is_one_line(
    settings: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run.yaml").write_text(settings, encoding="utf-8")
    assert main(["calibrate", "--config", str(tmp_path / "run.yaml"), "--bundle", "dser-base"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"dser-train: {said}")
