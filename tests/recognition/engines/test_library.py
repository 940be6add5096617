"""TensorRT takes the converted networks and builds engines for cards that are not here.

An engine cannot be opened without a driver, so what is in it is seen from the network it is built from, whose types it
must keep, and from its size.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from dser_ext.errors import ModelError
from dser_ext.recognition.bundle import FEATURES, ModelBundle
from dser_ext.recognition.engines import library
from dser_ext.recognition.engines.graph import typed
from dser_ext.recognition.engines.library import Library, built, check_gpu, parsed, profiles
from dser_ext.recognition.hearing import longest_window
from dser_ext.recognition.speech import HOP

WINDOW = 64_000


def inspected(known: Library, network: bytes) -> tuple[dict[str, tuple[int, ...]], Counter[tuple[str, str]]]:
    """The shapes of what goes in and out by name, and how many layers of each kind give each type."""
    _, definition, parser = parsed(known, network, Path("x.onnx"))
    inputs = [definition.get_input(number) for number in range(definition.num_inputs)]
    outputs = [definition.get_output(number) for number in range(definition.num_outputs)]
    layers = [definition.get_layer(number) for number in range(definition.num_layers)]
    kinds = Counter((layer.type.name, layer.get_output(0).dtype.name) for layer in layers)
    del parser
    return {value.name: tuple(value.shape) for value in [*inputs, *outputs]}, kinds


def test_profiles_are_clips_and_whole_windows() -> None:
    short, whole = profiles(WINDOW)
    assert short == ((1, 8_000), (1, 48_000), (1, 80_000))
    assert whole == ((1, 64_000), (4, 64_000), (8, 64_000))


@pytest.mark.parametrize("window", [320, 8_000, 16_000, 480_000])
def test_profiles_are_in_order_for_any_window(window: int) -> None:
    short, whole = profiles(window)
    for smallest, common, largest in (short, whole):
        assert smallest[0] <= common[0] <= largest[0]
        assert smallest[1] <= common[1] <= largest[1]
    assert short[2] == (1, longest_window(window // HOP) * HOP)
    assert whole[0][1] == whole[2][1] == window


def test_the_shipped_network_keeps_its_types(tensorrt: Library) -> None:
    shipped = ModelBundle.open()
    path = shipped.folder / FEATURES
    shapes, kinds = inspected(tensorrt, typed(path, "fp16").SerializeToString())
    size = shipped.feature_size
    assert shapes == {"waveform": (-1, -1), "features": (-1, -1, size), "speech": (-1, -1)}
    assert kinds["MATRIX_MULTIPLY", "HALF"] > 50
    assert not kinds["MATRIX_MULTIPLY", "FLOAT"]
    assert kinds["CONVOLUTION", "FLOAT"] == 2  # the front end; Whisper's own are products
    assert not kinds["CONVOLUTION", "HALF"]
    assert not [kind for kind, number in kinds if number == "HALF" and kind in ("NORMALIZATION", "SOFTMAX", "REDUCE")]


@pytest.mark.slow
def test_the_shipped_models_engine_is_built_for_a_card_that_is_not_here(tensorrt: Library, tmp_path: Path) -> None:
    path = ModelBundle.open().folder / FEATURES
    sizes = {}
    for precision in ("fp32", "fp16", "int8"):
        network = typed(path, precision).SerializeToString()
        sizes[precision] = memoryview(built(tensorrt, network, "sm89", profiles(WINDOW), path, tmp_path)).nbytes
    assert sizes["fp32"] > 1.5 * sizes["fp16"]
    assert sizes["fp16"] > 1.2 * sizes["int8"]
    assert sizes["fp16"] < 100e6


def test_a_network_that_cannot_be_built_is_one_sentence(tensorrt: Library, tmp_path: Path) -> None:
    path = ModelBundle.open().folder / FEATURES  # as it is: TensorRT does not take its weights of 8 bits so
    with pytest.raises(
        ModelError, match=r"features\.onnx: tensorrt-rtx .* cannot build an engine for sm86 \("
    ) as caught:
        built(tensorrt, path.read_bytes(), "sm86", profiles(WINDOW), path, tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match=r"features\.onnx: tensorrt-rtx .* cannot take this network \("):
        built(tensorrt, b"RIFF", "sm86", profiles(WINDOW), path, tmp_path)


def test_a_gpu_that_is_none_is_refused_with_those_there_are(tensorrt: Library) -> None:
    check_gpu(tensorrt, "sm86")
    with pytest.raises(ModelError, match=r"sm99: no GPU that tensorrt-rtx .* sm86 \(RTX 30\), sm89 \(RTX 40\)"):
        check_gpu(tensorrt, "sm99")


def test_without_tensorrt_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "MODULES", {"tensorrt-rtx": "no_such_module"})
    assert not library.installed()
    with pytest.raises(ModelError, match=r"TensorRT is not installed; pip install .*\[rtx\]"):
        library.library()


def test_a_tensorrt_that_does_not_load_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "half_a_tensorrt.py").write_text("raise OSError('libnvinfer.so.11: cannot open shared object file')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(library, "MODULES", {"tensorrt": "half_a_tensorrt"})
    with pytest.raises(ModelError, match=r"tensorrt: installed, but cannot be loaded \(libnvinfer\.so\.11"):
        library.library()


def test_classic_tensorrt_builds_for_the_card_at_hand_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from dser_ext.recognition.engines.card import Card

    classic = Library("tensorrt", SimpleNamespace(__version__="11.3"))
    monkeypatch.setattr(library, "card", lambda: Card("NVIDIA GeForce RTX 3090", "sm86"))
    check_gpu(classic, "sm86")
    with pytest.raises(ModelError, match="sm89: classic TensorRT builds for the GPU at hand alone"):
        check_gpu(classic, "sm89")
