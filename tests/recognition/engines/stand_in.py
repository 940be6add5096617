"""A stand-in for a card: what TensorRT and CUDA are called for, in this process, with ONNX Runtime as the engine.

Memory of the card and page-locked memory are two kinds that only copies in the right direction cross. What is queued on
a stream happens when the stream is waited for and no sooner, so a wait that was forgotten gives wrong numbers.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime

SECONDS_A_FRAME = 320  # samples


class Error(IntEnum):
    cudaSuccess = 0  # noqa: N815
    cudaErrorInvalidValue = 1  # noqa: N815
    cudaErrorMemoryAllocation = 2  # noqa: N815


class Card:
    """`runtime` is called in place of cuda.bindings.runtime. room: bytes that the card has."""

    def __init__(self, room: int = 1 << 30) -> None:
        self.room = room
        self.memory: dict[str, dict[int, Any]] = {"here": {}, "there": {}}
        self.streams: dict[int, list[Callable[[], None]]] = {}
        self.recordings: dict[int, list[Callable[[], None]]] = {}  # by stream, while it is recorded
        self.graphs: dict[int, list[Callable[[], None]]] = {}
        self.launched = 0
        self.can_record = True
        self._numbers = itertools.count(1)
        self.runtime = SimpleNamespace(
            cudaStreamNonBlocking=1,
            cudaMemcpyKind=SimpleNamespace(cudaMemcpyHostToDevice="there", cudaMemcpyDeviceToHost="here"),
            cudaStreamCaptureMode=SimpleNamespace(cudaStreamCaptureModeThreadLocal=1),
            cudaStreamCreateWithFlags=lambda _: self._number(self.streams),
            cudaStreamDestroy=lambda stream: self._gone(self.streams, stream),
            cudaStreamSynchronize=self._synchronize,
            cudaMallocHost=lambda size: self._allocate("here", size),
            cudaMalloc=lambda size: self._allocate("there", size),
            cudaFreeHost=lambda address: self._gone(self.memory["here"], address),
            cudaFree=lambda address: self._gone(self.memory["there"], address),
            cudaMemcpyAsync=self._copy,
            cudaStreamBeginCapture=self._begin,
            cudaStreamEndCapture=lambda stream: (Error(0), self.recordings.pop(stream)),
            cudaGraphInstantiate=self._instantiate,
            cudaGraphDestroy=lambda _: (Error(0),),
            cudaGraphExecDestroy=lambda graph: self._gone(self.graphs, graph),
            cudaGraphLaunch=self._launch,
        )

    def queue(self, stream: int, work: Callable[[], None]) -> None:
        """Do it when the stream gets there, or whenever the graph that is being recorded is launched."""
        self.recordings.get(stream, self.streams[stream]).append(work)

    def numbers(self, address: int, shape: tuple[int, ...]) -> np.ndarray:
        """What lies in the card's memory."""
        buffer = self.memory["there"][address]
        count = int(np.prod(shape))
        assert count * 4 <= ctypes.sizeof(buffer)
        return np.ctypeslib.as_array((ctypes.c_float * count).from_buffer(buffer)).reshape(shape)

    def _number(self, table: dict[int, Any]) -> tuple[Error, int]:
        number = next(self._numbers)
        table[number] = []
        return Error(0), number

    def _gone(self, table: dict[int, Any], key: int) -> tuple[Error]:
        return (Error(0) if table.pop(key, None) is not None else Error(1),)

    def _allocate(self, kind: str, size: int) -> tuple[Error, int]:
        if kind == "there" and sum(map(ctypes.sizeof, self.memory["there"].values())) + size > self.room:
            return Error(2), 0
        buffer = ctypes.create_string_buffer(size)
        self.memory[kind][ctypes.addressof(buffer)] = buffer
        return Error(0), ctypes.addressof(buffer)

    def _copy(self, target: int, source: int, size: int, to: str, stream: int) -> tuple[Error]:
        other = "here" if to == "there" else "there"
        for kind, address in ((to, target), (other, source)):
            if address not in self.memory[kind] or size > ctypes.sizeof(self.memory[kind][address]):
                return (Error(1),)
        self.queue(stream, lambda: ctypes.memmove(target, source, size) and None)
        return (Error(0),)

    def _synchronize(self, stream: int) -> tuple[Error]:
        if stream in self.recordings:
            return (Error(1),)
        queued = self.streams[stream]
        self.streams[stream] = []
        for work in queued:
            work()
        return (Error(0),)

    def _begin(self, stream: int, _: int) -> tuple[Error]:
        if not self.can_record:
            return (Error(1),)
        self.recordings[stream] = []
        return (Error(0),)

    def _instantiate(self, recorded: list[Callable[[], None]], _: int) -> tuple[Error, int]:
        code, number = self._number(self.graphs)
        self.graphs[number] = recorded
        return code, number

    def _launch(self, graph: int, stream: int) -> tuple[Error]:
        self.launched += 1
        self.streams[stream].extend(self.graphs[graph])
        return (Error(0),)


class ExecutionContext:
    """Stands for IExecutionContext."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._addresses = engine, {}
        self._profile, self._shape = -1, (0, 0)

    def set_optimization_profile_async(self, profile: int, stream: int) -> bool:
        assert stream in self._engine.card.streams
        self._profile = profile
        return 0 <= profile < len(self._engine.profiles)

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        smallest, _, largest = self._engine.profiles[self._profile]
        if not all(low <= size <= high for low, size, high in zip(smallest, shape, largest, strict=True)):
            return False
        self._shape = tuple(shape)
        return name == "waveform"

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        batch, samples = self._shape
        frames = samples // SECONDS_A_FRAME
        return {"waveform": self._shape, "features": (batch, frames, 8), "speech": (batch, frames)}[name]

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        shape, addresses = self._shape, dict(self._addresses)

        def work() -> None:
            waveform = self._engine.card.numbers(addresses["waveform"], shape)
            outputs = self._engine.session.run(None, {"waveform": waveform.copy()})
            for name, output in zip(("features", "speech"), outputs, strict=True):
                self._engine.card.numbers(addresses[name], output.shape)[:] = output

        self._engine.card.queue(stream, work)
        return True


class RuntimeCache:
    """Stands for IRuntimeCache."""

    def __init__(self) -> None:
        self.content = b""

    def deserialize(self, content: bytes) -> bool:
        self.content = content
        return True

    def serialize(self) -> bytes:
        return self.content + b"+"


class RuntimeConfig:
    """Stands for IRuntimeConfig."""

    cuda_graph_strategy: str | None = None
    cache: RuntimeCache | None = None

    def create_runtime_cache(self) -> RuntimeCache:
        return RuntimeCache()

    def set_runtime_cache(self, cache: RuntimeCache) -> bool:
        self.cache = cache
        return True


class Engine:
    """Stands for ICudaEngine."""

    num_io_tensors = 3

    def __init__(self, card: Card, content: bytes, profiles: list[Any]) -> None:
        self.card, self.profiles, self.contexts = card, profiles, 0
        self.session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        self.config: RuntimeConfig | None = None

    def get_tensor_name(self, number: int) -> str:
        return ("waveform", "features", "speech")[number]

    def create_runtime_config(self) -> RuntimeConfig:
        return RuntimeConfig()

    def create_execution_context(self, config: RuntimeConfig | None = None) -> ExecutionContext:
        self.contexts, self.config = self.contexts + 1, config
        return ExecutionContext(self)


class Runtime:
    """Stands for Runtime; an engine's file holds the network."""

    def __init__(self, trt: TensorRT) -> None:
        self._trt = trt

    def deserialize_cuda_engine(self, content: bytes) -> Engine | None:
        try:
            self._trt.engine = Engine(self._trt.card, content, self._trt.profiles)
        except Exception:
            return None
        return self._trt.engine


class TensorRT:
    """Stands for the module. rtx: TensorRT for RTX, which records graphs itself."""

    __version__ = "0 (stands in)"

    class ILogger:
        Severity = SimpleNamespace(ERROR=1, INTERNAL_ERROR=0)

    def __init__(self, card: Card, profiles: list[Any], rtx: bool = False) -> None:
        self.card, self.profiles = card, profiles
        self.engine: Engine | None = None
        if rtx:
            self.CudaGraphStrategy = SimpleNamespace(WHOLE_GRAPH_CAPTURE="whole")

    def Runtime(self, _: object) -> Runtime:  # noqa: N802
        return Runtime(self)
