"""TensorRTNetwork: an engine that runs on the card at hand. Not tried on a GPU; tests stand in for one.

Whoever runs it gets a lane: a context, a stream and memory of its own, page-locked on this side, so that callers do not
wait for each other. What a lane does again for the same shape is recorded as a CUDA graph and replayed: by TensorRT for
RTX itself, else here.
"""

from __future__ import annotations

import ctypes
import threading
import weakref
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dser_ext.errors import DserError, ModelError
from dser_ext.formats.files import written_whole
from dser_ext.recognition.backends import Arrays
from dser_ext.recognition.engines.cache import Engine
from dser_ext.recognition.engines.library import INSTALL, logger

FLOAT_BYTES = 4

Floats = NDArray[np.float32]


class TensorRTNetwork:
    """A feature network run by TensorRT from an engine in the cache. May be run from several threads at once.

    Raises ModelError if the engine cannot be run on this machine.
    """

    device = "tensorrt"

    def __init__(self, engine: Engine) -> None:
        trt = engine.library.module
        self._path, self._shapes, self._cuda = engine.path, engine.shapes, Cuda()
        log = logger(trt)
        self._runtime = trt.Runtime(log)
        self._engine = self._runtime.deserialize_cuda_engine(engine.path.read_bytes())
        if self._engine is None:
            reason = (log.errors or ["TensorRT does not say why"])[0]
            raise ModelError(f"{engine.path}: cannot be loaded ({reason}); build it again with dser engine build")
        self._records = not hasattr(trt, "CudaGraphStrategy")
        self._config = None if self._records else self._configured(trt, engine.kernels)
        self._free: list[list[_Lane]] = [[] for _ in self._shapes]  # of each profile
        self._lock = threading.Lock()

    def run(self, inputs: Arrays) -> Arrays:
        """Outputs by name. Raises ModelError if the engine cannot be run on these inputs."""
        waveform = np.ascontiguousarray(inputs["waveform"], np.float32)
        profile, most = self._fitting(waveform)
        parts = [self._part(profile, waveform[start : start + most]) for start in range(0, len(waveform), most)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _fitting(self, waveform: Floats) -> tuple[int, int]:
        """The last profile that takes clips of this length, which is the narrowest, and how many it takes at once."""
        if waveform.ndim == 2 and len(waveform):
            for profile, (smallest, _, largest) in reversed([*enumerate(self._shapes)]):
                if smallest[1] <= waveform.shape[1] <= largest[1]:
                    return profile, largest[0]
        raise ModelError(f"{self._path}: was not built for a waveform of shape {waveform.shape}")

    def _part(self, profile: int, waveform: Floats) -> Arrays:
        with self._lock:
            lane = self._free[profile].pop() if self._free[profile] else None
        try:
            lane = lane or self._lane(profile)
            outputs = lane.run(waveform)
        except ModelError as error:  # and the lane is not used again
            raise ModelError(f"{self._path}: cannot be run ({error}); choose --device cpu") from error
        with self._lock:
            self._free[profile].append(lane)
        return outputs

    def _lane(self, profile: int) -> _Lane:
        arguments = () if self._config is None else (self._config,)
        context = self._engine.create_execution_context(*arguments)
        if context is None:
            raise ModelError("TensorRT gives no context for it; the card may lack memory")
        names = [self._engine.get_tensor_name(number) for number in range(self._engine.num_io_tensors)]
        return _Lane(self._cuda, context, names, profile, self._shapes[profile][2], self._records)

    def _configured(self, trt: Any, kernels: Path) -> Any:
        """How TensorRT for RTX runs the engine: with graphs, and with what it compiled for this card before."""
        config = self._engine.create_runtime_config()
        config.cuda_graph_strategy = trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        cache = config.create_runtime_cache()
        with suppress(OSError):
            cache.deserialize(kernels.read_bytes())
        config.set_runtime_cache(cache)
        weakref.finalize(self, _keep, cache, kernels)
        return config


class Cuda:
    """The CUDA runtime; calls raise ModelError where it gives a code. Raises ModelError if it is not installed."""

    def __init__(self) -> None:
        try:
            from cuda.bindings import runtime
        except ImportError as error:
            raise ModelError(f"cuda-bindings is not installed; {INSTALL}") from error
        self.runtime: Any = runtime

    def __call__(self, function: str, *arguments: Any) -> Any:
        """What a function gives besides its code."""
        code, *given = getattr(self.runtime, function)(*arguments)
        if int(code):
            raise ModelError(f"{function}: {code.name}")
        return given[0] if given else None


class _Lane:
    """What one caller at a time runs an engine with.

    largest: shape of the waveform. records: whether it has CUDA graphs to record.
    """

    def __init__(
        self, cuda: Cuda, context: Any, names: list[str], profile: int, largest: tuple[int, int], records: bool
    ) -> None:
        self._cuda, self._context, self._records = cuda, context, records
        self._input, *self._outputs = names
        freed = ExitStack()
        weakref.finalize(self, freed.close)
        self._stream = cuda("cudaStreamCreateWithFlags", cuda.runtime.cudaStreamNonBlocking)
        freed.callback(_quietly, cuda, "cudaStreamDestroy", self._stream)
        if not context.set_optimization_profile_async(profile, int(self._stream)):
            raise ModelError(f"TensorRT does not take profile {profile}")
        self._shapes = self._take(largest)
        self._here: dict[str, Floats] = {}  # page-locked memory, by name
        self._there: dict[str, int] = {}  # addresses on the card
        for name, shape in self._shapes.items():
            count = int(np.prod(shape))
            here = int(cuda("cudaMallocHost", count * FLOAT_BYTES))
            freed.callback(_quietly, cuda, "cudaFreeHost", here)
            self._here[name] = np.ctypeslib.as_array((ctypes.c_float * count).from_address(here))
            self._there[name] = int(cuda("cudaMalloc", count * FLOAT_BYTES))
            freed.callback(_quietly, cuda, "cudaFree", self._there[name])
            context.set_tensor_address(name, self._there[name])
        self._graphs = ExitStack()  # at most one
        freed.callback(self._graphs.close)
        self._graph: Any = None
        self._runs = 0  # of this shape

    def run(self, waveform: Floats) -> Arrays:
        """Outputs by name."""
        if waveform.shape != self._shapes[self._input]:
            self._graphs.close()
            self._graph, self._runs = None, 0
            self._shapes = self._take(waveform.shape)
        self._here[self._input][: waveform.size] = waveform.reshape(-1)
        if self._records and self._runs == 1:  # the first run of a shape sets up what cannot be recorded
            try:
                self._graph = self._recorded()
            except ModelError:
                self._records = False  # slower, and as right
        if self._graph is None:
            self._queue()
        else:
            self._cuda("cudaGraphLaunch", self._graph, self._stream)
        self._cuda("cudaStreamSynchronize", self._stream)
        self._runs += 1
        shapes = {name: self._shapes[name] for name in self._outputs}
        return {name: self._here[name][: np.prod(shape)].reshape(shape).copy() for name, shape in shapes.items()}

    def _take(self, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        """Announce the waveform's shape; those of all values."""
        if not self._context.set_input_shape(self._input, shape):
            raise ModelError(f"TensorRT does not take a waveform of shape {shape}")
        return {name: tuple(self._context.get_tensor_shape(name)) for name in (self._input, *self._outputs)}

    def _queue(self) -> None:
        """Copy there, compute, copy back."""
        self._copy(self._input, "cudaMemcpyHostToDevice")
        if not self._context.execute_async_v3(int(self._stream)):
            raise ModelError("TensorRT cannot start it")
        for name in self._outputs:
            self._copy(name, "cudaMemcpyDeviceToHost")

    def _copy(self, name: str, direction: str) -> None:
        kind = getattr(self._cuda.runtime.cudaMemcpyKind, direction)
        ends = [self._there[name], self._here[name].ctypes.data]
        target, source = ends if direction == "cudaMemcpyHostToDevice" else reversed(ends)
        size = int(np.prod(self._shapes[name])) * FLOAT_BYTES
        self._cuda("cudaMemcpyAsync", target, source, size, kind, self._stream)

    def _recorded(self) -> Any:
        """What `_queue` does, as a graph that can be launched."""
        cuda = self._cuda
        mode = cuda.runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal  # other callers go on
        cuda("cudaStreamBeginCapture", self._stream, mode)
        try:
            self._queue()
        finally:
            recorded = cuda("cudaStreamEndCapture", self._stream)
        self._graphs.callback(_quietly, cuda, "cudaGraphDestroy", recorded)
        graph = cuda("cudaGraphInstantiate", recorded, 0)
        self._graphs.callback(_quietly, cuda, "cudaGraphExecDestroy", graph)
        return graph


def _quietly(cuda: Cuda, function: str, what: Any) -> None:
    with suppress(ModelError):  # the process may be about to end, and the driver with it
        cuda(function, what)


def _keep(cache: Any, path: Path) -> None:
    with suppress(DserError), written_whole(path, "wb") as file:
        file.write(cache.serialize())
