"""How an engine is run, on a stand-in for a card; the real calls are checked against the real bindings' names."""

from __future__ import annotations

import gc
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dser_ext.errors import ModelError
from dser_ext.recognition.backends import OnnxNetwork
from dser_ext.recognition.bundle import FEATURES, ModelBundle
from dser_ext.recognition.engines.cache import Engine
from dser_ext.recognition.engines.library import LARGEST_BATCH, Library
from dser_ext.recognition.engines.network import TensorRTNetwork

from . import stand_in

WINDOW = 64_000


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> stand_in.Card:
    card = stand_in.Card()
    bindings = SimpleNamespace(runtime=card.runtime)
    monkeypatch.setitem(sys.modules, "cuda", SimpleNamespace(bindings=bindings))
    monkeypatch.setitem(sys.modules, "cuda.bindings", bindings)
    return card


@pytest.fixture
def engine(small: ModelBundle, own_cache: Path, card: stand_in.Card) -> Engine:
    """Of classic TensorRT; what lies in the cache is the network itself."""
    engine = Engine(small, "sm86", "fp16", Library("tensorrt", None))
    own_cache.mkdir(parents=True)
    engine.path.write_bytes((small.folder / FEATURES).read_bytes())
    return replace(engine, library=Library("tensorrt", stand_in.TensorRT(card, engine.shapes)))


def sounds(batch: int, samples: int, seed: int = 0) -> dict[str, np.ndarray]:
    return {"waveform": np.random.default_rng(seed).normal(0, 0.1, (batch, samples)).astype(np.float32)}


def check(network: TensorRTNetwork, engine: Engine, inputs: dict[str, np.ndarray]) -> None:
    expected = OnnxNetwork(engine.bundle.folder / FEATURES).run(inputs)
    heard = network.run(inputs)
    assert heard.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(heard[name], value)


@pytest.mark.parametrize("batch", [1, 3, LARGEST_BATCH, LARGEST_BATCH + 3])
@pytest.mark.parametrize("samples", [8_000, 8_320, 48_000, WINDOW])
def test_it_gives_what_the_network_gives(engine: Engine, batch: int, samples: int) -> None:
    check(TensorRTNetwork(engine), engine, sounds(batch, samples))


def test_lengths_may_come_in_any_order(engine: Engine, card: stand_in.Card) -> None:
    network = TensorRTNetwork(engine)
    for number, samples in enumerate((WINDOW, 8_000, 8_000, 16_000, 8_000, WINDOW, WINDOW, WINDOW)):
        check(network, engine, sounds(1, samples, number))
    assert card.launched


def test_a_shape_that_comes_again_is_replayed_as_a_graph(engine: Engine, card: stand_in.Card) -> None:
    network = TensorRTNetwork(engine)
    for number in range(5):
        check(network, engine, sounds(1, WINDOW, number))
    assert card.launched == 4
    assert len(card.graphs) == 1
    check(network, engine, sounds(2, WINDOW))  # another shape takes its place
    assert not card.graphs


def test_a_card_that_records_no_graph_computes_without(engine: Engine, card: stand_in.Card) -> None:
    card.can_record = False
    network = TensorRTNetwork(engine)
    for number in range(3):
        check(network, engine, sounds(1, WINDOW, number))
    assert not card.launched


def test_tensorrt_for_rtx_records_graphs_itself_and_keeps_what_it_compiled(engine: Engine, card: stand_in.Card) -> None:
    rtx = stand_in.TensorRT(card, engine.shapes, rtx=True)
    engine = replace(engine, library=Library("tensorrt-rtx", rtx))
    for expected in (b"+", b"++"):  # the second time it goes on from what the first one kept
        network = TensorRTNetwork(engine)
        for number in range(3):
            check(network, engine, sounds(1, WINDOW, number))
        assert rtx.engine.config.cuda_graph_strategy == "whole"
        del network
        gc.collect()
        assert engine.kernels.read_bytes() == expected
    assert not card.launched


def test_callers_at_once_have_a_lane_each_and_give_it_back(engine: Engine, card: stand_in.Card) -> None:
    network = TensorRTNetwork(engine)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: check(network, engine, sounds(1, WINDOW, number)), range(40)))
    assert engine.library.module.engine.contexts == len(card.streams) <= 4


def test_nothing_is_left_on_the_card(engine: Engine, card: stand_in.Card) -> None:
    network = TensorRTNetwork(engine)
    for number in range(3):
        check(network, engine, sounds(1, WINDOW, number))
    assert card.memory["there"]
    del network
    gc.collect()
    assert not card.memory["there"]
    assert not card.memory["here"]
    assert not card.streams
    assert not card.graphs


def test_a_card_without_room_is_one_sentence_and_leaks_nothing(engine: Engine, card: stand_in.Card) -> None:
    card.room = WINDOW * 4
    network = TensorRTNetwork(engine)
    with pytest.raises(
        ModelError, match=r"cannot be run \(cudaMalloc: cudaErrorMemoryAllocation\); choose --device cpu"
    ):
        network.run(sounds(1, WINDOW))
    gc.collect()
    assert not card.memory["there"]
    assert not card.memory["here"]


@pytest.mark.parametrize("shape", [(1, 320), (1, WINDOW * 5 // 4 + 320), (0, WINDOW), (WINDOW,)])
def test_a_shape_that_it_was_not_built_for_is_named(engine: Engine, shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match="was not built for a waveform of shape"):
        TensorRTNetwork(engine).run({"waveform": np.zeros(shape, np.float32)})


def test_a_damaged_engine_is_named_with_a_remedy(engine: Engine) -> None:
    engine.path.write_bytes(b"damaged")
    with pytest.raises(ModelError, match=r"small-sm86-fp16\.engine: cannot be loaded .* dser engine build"):
        TensorRTNetwork(engine)


@pytest.mark.usefixtures("own_cache")
def test_a_real_engine_without_a_driver_is_one_sentence(small: ModelBundle, tensorrt: Library) -> None:
    engine = Engine(small, "sm86", "fp16", tensorrt)
    engine.build()
    with pytest.raises(ModelError, match=r"small-sm86-fp16\.engine: ") as caught:
        TensorRTNetwork(engine).run(sounds(1, WINDOW))
    assert "\n" not in str(caught.value)


def test_tensorrt_has_what_the_stand_in_stands_for(tensorrt: Library) -> None:
    trt = tensorrt.module
    for ours, theirs in (
        (stand_in.ExecutionContext, trt.IExecutionContext),
        (stand_in.Engine, trt.ICudaEngine),
        (stand_in.Runtime, trt.Runtime),
        (stand_in.RuntimeConfig, trt.IRuntimeConfig),
        (stand_in.RuntimeCache, trt.IRuntimeCache),
    ):
        named = {name for name in vars(ours) if not name.startswith("_")} - {"cache"}
        assert not {name for name in named if not hasattr(theirs, name)}
    assert hasattr(trt.CudaGraphStrategy, "WHOLE_GRAPH_CAPTURE")


def test_cuda_has_what_the_stand_in_stands_for() -> None:
    runtime = pytest.importorskip("cuda.bindings.runtime")
    for name, ours in vars(stand_in.Card().runtime).items():
        assert hasattr(runtime, name)
        for inner in vars(ours) if isinstance(ours, SimpleNamespace) else ():
            assert hasattr(getattr(runtime, name), inner)
