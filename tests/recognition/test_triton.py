"""A model repository for Triton says what its networks are, and they hear what the bundle's hear."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest

import dser_ext
from dser_ext.audio import read
from dser_ext.errors import FormatError
from dser_ext.recognition.backends import OnnxNetwork
from dser_ext.recognition.bundle import FEATURES, ModelBundle
from dser_ext.recognition.triton import LARGEST_BATCH, write_repository

NAMES = ["dser-base-features", "dser-base-head"]
PARSE = """
import json, sys
from pathlib import Path
from google.protobuf import json_format, text_format
from tritonclient.grpc import model_config_pb2
paths = sorted(Path(sys.argv[1]).glob("*/config.pbtxt"))
configs = [text_format.Parse(path.read_text(), model_config_pb2.ModelConfig()) for path in paths]
print(json.dumps([json_format.MessageToDict(config, preserving_proto_field_name=True) for config in configs]))
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("triton") / "models"
    assert write_repository(ModelBundle.open(), folder) == NAMES
    return folder


def test_it_has_the_layout_of_a_model_repository(repository: Path) -> None:
    files = {str(path.relative_to(repository)) for path in repository.rglob("*") if path.is_file()}
    models = {f"{name}/{file}" for name in NAMES for file in ("config.pbtxt", "1/model.onnx")}
    assert files == models | {"card.json"}


def test_windows_in_a_batch_are_heard_as_the_recogniser_hears_them(repository: Path) -> None:
    samples = read(dser_ext.sample_line())[: 4 * 16_000]
    windows = np.stack([samples, samples[::-1], 0.5 * samples])
    features = OnnxNetwork(repository / NAMES[0] / "1" / "model.onnx", "cpu")
    together = features.run({"waveform": np.ascontiguousarray(windows)})
    alone = features.run({"waveform": samples[None]})
    np.testing.assert_allclose(together["features"][0], alone["features"][0], atol=2e-4)
    recognizer = dser_ext.Recognizer()
    recognizer._features = OnnxNetwork(recognizer.bundle.folder / FEATURES)  # its own may have products in 8 bits
    heard = recognizer.hear_window(samples)[:, :-1]
    np.testing.assert_allclose(together["features"][0], heard, atol=2e-4)


@pytest.mark.slow
def test_tritons_own_messages_take_the_configurations(repository: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "own", with_pip=True)  # its protobuf and gRPC are older than ours
    python = tmp_path / "own" / ("Scripts" if os.name == "nt" else "bin") / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "tritonclient[grpc]==2.63.0"], check=True, timeout=300)
    done = subprocess.run([python, "-c", PARSE, repository], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    features, head = json.loads(done.stdout)
    assert [features["name"], head["name"]] == NAMES
    assert features["max_batch_size"] == LARGEST_BATCH
    assert features["dynamic_batching"]["max_queue_delay_microseconds"]
    assert "max_batch_size" not in head  # 0: one line at a time
    size = ModelBundle.open().feature_size
    assert features["input"] == [{"name": "waveform", "data_type": "TYPE_FP32", "dims": ["-1"]}]
    assert features["output"][0] == {"name": "features", "data_type": "TYPE_FP32", "dims": ["-1", str(size)]}
    assert {value["name"] for value in head["input"]} == {"features", "speech", "voice_lines", "voice_weights"}
    assert head["output"][0]["dims"] == ["1", "-1", "6"]


def test_a_folder_with_something_in_it_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(FormatError, match="is there already"):
        write_repository(ModelBundle.open(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FormatError, match="cannot be written"):
        write_repository(ModelBundle.open(), tmp_path / "file" / "models")


def test_the_command_writes_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dser_ext.cli.main", "export", "--triton", str(tmp_path / "models")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "dser-base-features" in done.stderr
