"""A network runs on the device asked for, or it is said why not."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from dser_ext.errors import ModelError
from dser_ext.recognition.backends import DEVICES, OnnxNetwork
from dser_ext.recognition.bundle import FEATURES, HEAD


@pytest.fixture(scope="module")
def folder(recognizer):
    return recognizer.bundle.folder


def test_the_feature_network_gives_a_frame_every_fiftieth_of_a_second(folder, recognizer):
    heard = OnnxNetwork(folder / FEATURES, "cpu").run({"waveform": np.zeros((2, 16_000), np.float32)})
    assert heard["features"].shape == (2, 50, recognizer.bundle.feature_size)
    assert heard["speech"].shape == (2, 50)
    assert ((heard["speech"] >= 0) & (heard["speech"] <= 1)).all()


def test_lines_in_one_batch_do_not_change_each_other(folder, speech):
    network = OnnxNetwork(folder / FEATURES, "cpu")
    quiet, loud = 0.01 * speech[:32_000], speech[40_000:72_000]
    together = network.run({"waveform": np.stack([quiet, loud])})
    alone = network.run({"waveform": quiet[None]})
    for name in ("features", "speech"):
        np.testing.assert_allclose(together[name][0], alone[name][0], rtol=0, atol=2e-3)


def test_a_device_that_is_none_is_refused_with_those_there_are(folder):
    with pytest.raises(ModelError, match="abacus: no such device; choose auto, cpu, cuda, tensorrt"):
        OnnxNetwork(folder / HEAD, "abacus")


@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_device_that_is_missing_is_named_with_a_remedy(folder, device):
    if DEVICES[device][0] in onnxruntime.get_available_providers():
        pytest.skip("there is such a device here")
    with pytest.raises(ModelError, match=rf"{device}: .*install onnxruntime-gpu or choose --device cpu"):
        OnnxNetwork(folder / HEAD, device)


def test_a_file_that_is_no_network_is_named(tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"RIFF")
    with pytest.raises(ModelError, match=r"x\.onnx: ONNX Runtime cannot load it on cpu \("):
        OnnxNetwork(tmp_path / "x.onnx", "cpu")


def test_inputs_that_do_not_fit_are_an_error_in_one_line(folder):
    with pytest.raises(ModelError, match=r"features\.onnx: ONNX Runtime cannot run it \(") as caught:
        OnnxNetwork(folder / FEATURES, "cpu").run({"waveform": np.zeros(5, np.float32)})
    assert "\n" not in str(caught.value)
