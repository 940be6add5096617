"""The best device that works is taken, it is said why, and what was asked for and cannot be had is an error."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from dser_ext.errors import DserWarning, ModelError
from dser_ext.recognition import devices
from dser_ext.recognition.backends import OnnxNetwork, OpenVinoNetwork
from dser_ext.recognition.bundle import FEATURES, FEATURES_INT8, ModelBundle
from dser_ext.recognition.devices import chosen, feature_network
from dser_ext.recognition.engines import cache, library
from dser_ext.recognition.engines.cache import Engine
from dser_ext.recognition.engines.card import DRIVER, Card
from dser_ext.recognition.engines.library import Library

RTX_3090 = Card("NVIDIA GeForce RTX 3090", "sm86")
CUDA = ["CUDAExecutionProvider", "CPUExecutionProvider"]
SECOND = {"waveform": np.zeros((1, 16_000), np.float32)}


def no_driver() -> Card:
    raise ModelError("no NVIDIA driver is here; install one")


@pytest.fixture(autouse=True)
def _here(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a driver, and with an ONNX Runtime for the processor."""
    assert own_cache
    monkeypatch.setattr(devices, "card", no_driver)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    monkeypatch.setattr(devices, "PLUG_IN", "no_such_module")


@pytest.fixture
def without_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "MODULES", {"tensorrt-rtx": "no_such_module"})


@pytest.fixture
def with_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "card", lambda: RTX_3090)


@pytest.mark.usefixtures("without_packages")
def test_without_packages_for_a_gpu_the_processor_is_taken_and_nothing_is_said(small: ModelBundle) -> None:
    choice = chosen(small)
    assert (choice.device, choice.why) == ("cpu", "no package for a GPU is installed")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert feature_network(small).device == "cpu"


@pytest.mark.parametrize(("there", "way"), [(True, OpenVinoNetwork), (False, OnnxNetwork)])
def test_the_processor_decides_which_runtime_is_taken(
    small: ModelBundle, monkeypatch: pytest.MonkeyPatch, there: bool, way: type
) -> None:
    monkeypatch.setattr(devices, "has_eight_bits", lambda: there)
    network = feature_network(small, "cpu")
    assert isinstance(network, way)
    assert network.device == "cpu"
    assert network.run(SECOND)["features"].shape == (1, 50, 8)


@pytest.mark.parametrize(("model", "file"), [("shipped", FEATURES_INT8), ("small", FEATURES)])
def test_without_instructions_for_8_bits_a_calibrated_model_has_them_by_onnx_runtime(
    small: ModelBundle, monkeypatch: pytest.MonkeyPatch, model: str, file: str
) -> None:
    monkeypatch.setattr(devices, "has_eight_bits", lambda: False)
    bundle = ModelBundle.open() if model == "shipped" else small
    network = feature_network(bundle, "cpu")
    assert isinstance(network, OnnxNetwork)
    assert network._path == bundle.folder / file
    assert devices.arithmetic(bundle).startswith("8 bits" if model == "shipped" else "float32")


def test_openvino_computes_in_8_bits_where_the_processor_is_said_to() -> None:
    path = ModelBundle.open().folder / FEATURES
    second = {"waveform": np.random.default_rng(0).normal(0, 0.1, (1, 16_000)).astype(np.float32)}
    eight, whole = (OpenVinoNetwork(path, precision="f32", group=group).run(second)["features"] for group in (64, 0))
    assert np.array_equal(eight, whole) != devices.has_eight_bits()


@pytest.mark.usefixtures("tensorrt")
def test_tensorrt_without_a_driver_is_quiet_until_an_engine_was_built(small: ModelBundle, tensorrt: Library) -> None:
    """Who builds engines for other machines does not want to hear it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert feature_network(small).device == "cpu"
    Engine(small, "sm86", "fp16", tensorrt).build()
    with pytest.warns(DserWarning, match="no NVIDIA driver is here; .* the processor computes"):
        network = feature_network(small)
    assert network.device == "cpu"
    assert network.run(SECOND)["features"].shape == (1, 50, 8)


def test_an_onnxruntime_for_gpus_without_a_driver_says_so(small: ModelBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: CUDA)
    with pytest.warns(DserWarning, match="no NVIDIA driver is here"):
        assert feature_network(small).device == "cpu"
    with pytest.raises(ModelError, match="cuda: no NVIDIA driver is here; install one, or choose --device cpu"):
        feature_network(small, "cuda")


@pytest.mark.usefixtures("with_a_card")
def test_with_a_card_the_engine_is_the_best(small: ModelBundle, tensorrt: Library) -> None:
    engine = Engine(small, "sm86", "int8", tensorrt)
    engine.build()
    choice = chosen(small)
    assert (choice.device, choice.engine) == ("tensorrt", engine)
    assert choice.why == f"an engine (int8) by {tensorrt.version} on NVIDIA GeForce RTX 3090 (sm86)"


@pytest.mark.usefixtures("with_a_card", "tensorrt")
def test_with_a_card_and_no_engine_it_is_said_how_to_make_one(small: ModelBundle) -> None:
    with pytest.warns(DserWarning, match="no engine was built for NVIDIA GeForce RTX 3090 .*; dser engine build"):
        assert feature_network(small).device == "cpu"


@pytest.mark.usefixtures("with_a_card")
def test_an_engine_for_another_card_does_not_count(small: ModelBundle, tensorrt: Library) -> None:
    Engine(small, "sm89", "fp16", tensorrt).build()
    assert chosen(small).device == "cpu"


@pytest.mark.usefixtures("with_a_card", "without_packages")
def test_with_a_card_onnxruntimes_providers_come_next(small: ModelBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own TensorRT is taken when it is asked for; NVIDIA's plug-in, which brings its libraries, by itself."""
    made_for = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: made_for)
    assert chosen(small).why == "ONNX Runtime on NVIDIA GeForce RTX 3090 (sm86)"
    assert chosen(small).device == chosen(small, "cuda").device == "cuda"
    assert chosen(small, "tensorrt").device == "tensorrt"
    monkeypatch.setattr(devices, "PLUG_IN", "numpy")  # a module that is there
    assert chosen(small).device == "tensorrt"


@pytest.mark.usefixtures("with_a_card")
def test_a_gpu_that_fails_is_one_line_and_the_processor_takes_over(small: ModelBundle, tensorrt: Library) -> None:
    """The engine is a real one; TensorRT cannot load it here."""
    Engine(small, "sm86", "fp16", tensorrt).build()
    with pytest.warns(DserWarning, match=r"small-sm86-fp16\.engine: .*; for now the processor computes") as said:
        network = feature_network(small)
    assert len(said) == 1
    expected = OnnxNetwork(small.folder / FEATURES).run(SECOND)
    np.testing.assert_allclose(network.run(SECOND)["features"], expected["features"], atol=1e-2)
    with pytest.raises(ModelError, match=r"small-sm86-fp16\.engine: "):
        feature_network(small, "tensorrt")


@pytest.mark.usefixtures("with_a_card")
def test_an_engine_that_is_missing_or_stale_is_built_with_one_line(small: ModelBundle, tensorrt: Library) -> None:
    engine = Engine(small, "sm86", "fp16", tensorrt)
    for state in ("is not there yet", "was made for another version"):
        with (
            pytest.warns(DserWarning, match=rf"small-sm86-fp16\.engine: the engine {state} and is built now, once"),
            pytest.raises(ModelError, match=r"small-sm86-fp16\.engine: "),  # it cannot run here
        ):
            feature_network(small, "tensorrt")
        assert engine.is_fresh
        engine.path.with_suffix(".json").write_text("{}")


@pytest.mark.usefixtures("with_a_card")
def test_a_stale_engine_that_cannot_be_built_again_is_one_line(
    small: ModelBundle, tensorrt: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(small, "sm86", "fp16", tensorrt)
    engine.build()
    engine.path.with_suffix(".json").write_text("{}")

    def full(*_: object) -> bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cache, "built", full)
    with pytest.warns(DserWarning) as said:
        assert feature_network(small).device == "cpu"
    building, failed = (str(each.message) for each in said)
    assert "is built now, once" in building
    assert "No space left on device" in failed
    assert failed.endswith("for now the processor computes")


@pytest.mark.usefixtures("without_packages")
@pytest.mark.parametrize(("device", "remedy"), [("cuda", "onnxruntime-gpu"), ("tensorrt", r"dser-audio2face\[rtx\]")])
def test_a_device_that_nothing_runs_is_refused_with_a_remedy(small: ModelBundle, device: str, remedy: str) -> None:
    with pytest.raises(ModelError, match=rf"{device}: nothing that runs it is installed; pip install .*{remedy}"):
        feature_network(small, device)


def test_a_device_that_is_none_is_refused_with_those_there_are(small: ModelBundle) -> None:
    with pytest.raises(ModelError, match="abacus: no such device; choose auto, cpu, cuda, tensorrt"):
        feature_network(small, "abacus")


def test_a_machine_without_the_driver_says_which_library_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    from dser_ext.recognition.engines import card

    monkeypatch.setattr(card, "DRIVER", "libno_such_driver.so.1")
    with pytest.raises(ModelError, match=r"no NVIDIA driver is here \(libno_such_driver\.so\.1 cannot be loaded\)"):
        card.card()
    assert DRIVER in ("libcuda.so.1", "nvcuda.dll")


DRIVER_SOURCE = r"""
#include <string.h>
int cuInit(unsigned flags) { return FAULT; }
int cuDeviceGetCount(int *count) { *count = COUNT; return 0; }
int cuDeviceGet(int *device, int number) { *device = 7 + number; return 0; }
int cuDeviceGetName(char *name, int size, int device) {
    strncpy(name, "NVIDIA GeForce RTX 5090", size);
    return device != 7;
}
int cuDeviceGetAttribute(int *value, int what, int device) { *value = what == 75 ? 12 : 0; return device != 7; }
"""


@pytest.mark.parametrize(
    ("count", "fault", "message"),
    [(1, 0, None), (0, 0, "the NVIDIA driver shows no GPU"), (1, 100, r"does not work \(CUDA error 100\)")],
)
def test_the_card_is_what_the_driver_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, fault: int, message: str | None
) -> None:
    """A driver that is compiled for the test, with the interface of CUDA's."""
    from dser_ext.recognition.engines import card

    if (compiler := shutil.which("cc")) is None:
        pytest.skip("needs a C compiler")
    (tmp_path / "driver.c").write_text(DRIVER_SOURCE)
    command = [compiler, "-shared", "-fPIC", f"-DCOUNT={count}", f"-DFAULT={fault}", "-o", "driver.so", "driver.c"]
    subprocess.run(command, cwd=tmp_path, check=True)
    monkeypatch.setattr(card, "DRIVER", str(tmp_path / "driver.so"))
    if message is None:
        assert card.card() == Card("NVIDIA GeForce RTX 5090", "sm120")
        return
    with pytest.raises(ModelError, match=message):
        card.card()
