"""A network runs on the device asked for, or it is said why not."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
import pytest
import soundfile

from dser_ext.audio import AudioArray
from dser_ext.errors import ModelError
from dser_ext.recognition import devices
from dser_ext.recognition.backends import DEVICES, OnnxNetwork, OpenVinoNetwork
from dser_ext.recognition.bundle import FEATURES, FEATURES_INT8, HEAD
from dser_ext.recognition.devices import feature_network, has_eight_bits
from dser_ext.recognition.recognizer import Recognizer


@pytest.fixture(scope="module")
def folder(recognizer):
    return recognizer.bundle.folder


OFFLINE = """
import sys
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        sys.exit(f"{event} {arguments}")
sys.addaudithook(refuse)
import dser_ext
dser_ext.recognize(dser_ext.sample_line())
"""
LET_GO = """
import os, signal, sys
from pathlib import Path
from dser_ext.recognition.backends import OpenVinoNetwork
first, second = (OpenVinoNetwork(Path(sys.argv[1])) for _ in range(2))
del first
del second
signal.signal(signal.SIGUSR1, lambda *_: print("handled"))
os.kill(os.getpid(), signal.SIGUSR1)
"""
BOTH = pytest.mark.parametrize("network", [OpenVinoNetwork, OnnxNetwork])


@BOTH
def test_the_feature_network_gives_a_frame_every_fiftieth_of_a_second(network, folder, recognizer):
    heard = network(folder / FEATURES).run({"waveform": np.zeros((2, 16_000), np.float32)})
    assert heard["features"].shape == (2, 50, recognizer.bundle.feature_size)
    assert heard["speech"].shape == (2, 50)
    assert ((heard["speech"] >= 0) & (heard["speech"] <= 1)).all()


@BOTH
def test_lines_in_one_batch_do_not_change_each_other(network, folder, speech):
    network = network(folder / FEATURES)
    quiet, loud = 0.01 * speech[:32_000], speech[40_000:72_000]
    together = network.run({"waveform": np.stack([quiet, loud])})
    alone = network.run({"waveform": quiet[None]})
    for name in ("features", "speech"):
        np.testing.assert_allclose(together[name][0], alone[name][0], rtol=0, atol=2e-3)


def test_the_emotions_hardly_depend_on_what_runs_the_network(folder, speech):
    recognizer, audio, told = Recognizer(folder), AudioArray(speech, 16_000), []
    for network, file in ((OnnxNetwork, FEATURES), (OnnxNetwork, FEATURES_INT8), (OpenVinoNetwork, FEATURES)):
        recognizer._features = network(folder / file)
        told.append(recognizer.track(recognizer.hear(audio)).mean)
    assert 0 < np.abs(told[0] - told[1]).mean() < 0.01
    assert 0 < np.abs(told[0] - told[2]).mean() < 0.01


@pytest.mark.parametrize("eight_bits", [True, False])
def test_neither_the_batch_nor_the_number_of_threads_changes_the_features(
    recognizer, speech, lines, eight_bits, monkeypatch
):
    """Not a bit of them in 8 bits, where the smallest difference could end in another rounding and grow."""
    monkeypatch.setattr(devices, "has_eight_bits", lambda: eight_bits)
    one, two = (feature_network(recognizer.bundle, "cpu", threads) for threads in (1, 2))
    windows = np.stack([0.01 * speech[:48_320], speech[40_000:88_320], speech[50_000:98_320]])
    pairs = list(zip(windows[:, None], two.run({"waveform": windows})["features"], strict=True))
    if not eight_bits:  # OpenVINO in 8 bits was never tried with these
        whole = [soundfile.read(line, dtype="float32")[0][None] for line in lines]
        pairs += [(line, two.run({"waveform": line})["features"][0]) for line in whole]
    for line, expected in pairs:
        found = one.run({"waveform": line})["features"][0]
        if eight_bits and not has_eight_bits():  # OpenVINO computes in float32 then
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
        else:
            np.testing.assert_array_equal(found, expected)


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="needs POSIX signals")
def test_signals_are_handled_after_networks_were_let_go(folder):
    done = subprocess.run([sys.executable, "-c", LET_GO, folder / FEATURES], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "handled\n")


def test_threads_that_share_a_network_do_not_change_each_others_results(folder, speech):
    network = OpenVinoNetwork(folder / FEATURES)
    lines = [speech[None, start : start + 16_000 + start] for start in range(0, 32_000, 3200)]
    alone = [network.run({"waveform": line})["features"] for line in lines]
    with ThreadPoolExecutor(8) as pool:
        together = pool.map(lambda line: network.run({"waveform": line})["features"], lines * 3)
        for number, features in enumerate(together):
            np.testing.assert_array_equal(features, alone[number % len(lines)])


def test_recognition_asks_no_other_computer_for_anything():
    done = subprocess.run([sys.executable, "-c", OFFLINE], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_a_device_that_is_none_is_refused_with_those_there_are(folder):
    with pytest.raises(ModelError, match="abacus: no such device; choose auto, cpu, cuda, tensorrt"):
        OnnxNetwork(folder / HEAD, "abacus")


@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_device_that_is_missing_is_named_with_a_remedy(folder, device):
    if DEVICES[device][0] in onnxruntime.get_available_providers():
        pytest.skip("there is such a device here")
    with pytest.raises(ModelError, match=rf"{device}: .*install onnxruntime-gpu or choose --device cpu"):
        OnnxNetwork(folder / HEAD, device)


@pytest.mark.parametrize(
    ("network", "named"), [(OpenVinoNetwork, "OpenVINO cannot load it"), (OnnxNetwork, "ONNX Runtime cannot load it")]
)
def test_a_file_that_is_no_network_is_named(network, named, tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"RIFF")
    with pytest.raises(ModelError, match=rf"x\.onnx: {named}.* \("):
        network(tmp_path / "x.onnx")


@BOTH
def test_inputs_that_do_not_fit_are_an_error_in_one_line(network, folder):
    with pytest.raises(ModelError, match=r"features\.onnx: .* cannot run it \(") as caught:
        network(folder / FEATURES).run({"waveform": np.zeros(5, np.float32)})
    assert "\n" not in str(caught.value)
