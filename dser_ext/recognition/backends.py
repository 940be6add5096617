"""Running a network behind one small interface, by OpenVINO or by ONNX Runtime; `devices` says which."""

from __future__ import annotations

from contextlib import redirect_stdout
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dser_ext.errors import ModelError

Arrays = dict[str, NDArray[np.float32]]

GROUP = 128  # benchmarks/processor.py: smaller is slower, larger changes the emotions more
DEVICES = {
    "cpu": ["CPUExecutionProvider"],
    "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"],
    "tensorrt": ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"],
}
"""Devices by name and the ONNX Runtime providers that make them; the GPU ones were not tried on a GPU."""

PLUG_IN = "onnxruntime_ep_nv_tensorrt_rtx"
"""A package that gives any ONNX Runtime from 1.24 on a provider of its own, TensorRT for RTX."""


class Network(Protocol):
    """Something that maps named arrays to named arrays."""

    def run(self, inputs: Arrays) -> Arrays:
        """Outputs by name."""


class OpenVinoNetwork:
    """A network in an ONNX file, run by OpenVINO on the processor.

    Where the file's weights have 8 bits, so have the products; all else is computed in bfloat16 if the processor can,
    else in float32. Several threads may use it; they take turns.

    threads: 0 for all cores. precision: "bf16" or "f32", of what has not 8 bits; None for the faster. group: numbers of
    a frame that share a scale in a product of 8 bits; 0 for none of those. Raises ModelError if OpenVINO cannot load
    the file.
    """

    device = "cpu"

    def __init__(self, path: Path, threads: int = 0, precision: str | None = None, group: int = GROUP) -> None:
        core = _core()
        if precision is None:
            precision = "bf16" if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"
        settings = {
            "NUM_STREAMS": "1",
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,  # or several processes would share the first core
            "INFERENCE_PRECISION_HINT": precision,
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": group,
        }
        try:
            model = core.read_model(path)
            self._network = core.compile_model(model, "CPU", settings)
        except RuntimeError as error:
            raise ModelError(f"{path}: OpenVINO cannot load it ({_last_line(error)})") from error
        self._path = path
        self._outputs = [output.any_name for output in model.outputs]
        self._idle: list[Any] = []  # requests that no thread is using

    def run(self, inputs: Arrays) -> Arrays:
        """Outputs by name. Raises ModelError if the network cannot be run on these inputs."""
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._network.create_infer_request()
        try:
            outputs = [np.array(output) for output in request.infer(inputs).values()]  # it writes there again
        except RuntimeError as error:
            raise ModelError(f"{self._path}: OpenVINO cannot run it ({_last_line(error)})") from error
        self._idle.append(request)
        return dict(zip(self._outputs, outputs, strict=True))


@cache
def _core() -> Any:
    """OpenVINO, once: of two, the first that is let go takes the stack along on which signals are to be handled."""
    import openvino  # a fifth of a second: only when a network is needed

    return openvino.Core()


class OnnxNetwork:
    """A network in an ONNX file, run by ONNX Runtime.

    device: "cpu", "cuda" or "tensorrt". threads: that one run uses on a processor; 0 for all cores. cache: a folder
    where TensorRT keeps what it makes for the card. as_is: without looking for a faster order first.
    Raises ModelError if ONNX Runtime lacks the device or cannot load the file.
    """

    def __init__(
        self, path: Path, device: str = "cpu", threads: int = 0, cache: Path | None = None, as_is: bool = False
    ) -> None:
        import onnxruntime  # a fifth of a second: only when a network is needed

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # warnings about graph optimisation are not the user's
        options.intra_op_num_threads = threads
        if as_is:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.enable_cpu_mem_arena = False  # hours of audio otherwise leave the largest window's memory twice
        # Threads that spin while they wait take the cores from the other network's, and from other programs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        plugged = device == "tensorrt" and find_spec(PLUG_IN) is not None
        providers = None if plugged else _providers(device, onnxruntime.get_available_providers(), cache)
        if device != "cpu":
            _prepare(onnxruntime)
        try:
            if plugged:
                _plug_in(onnxruntime, options, cache)
            self._session: Any = onnxruntime.InferenceSession(str(path), options, providers, enable_fallback=0)
        except Exception as error:  # ONNX Runtime's own errors share no public base class
            raise ModelError(f"{path}: ONNX Runtime cannot load it on {device} ({_first_line(error)})") from error
        first = self._session.get_providers()[0]
        if first == DEVICES["cpu"][0] and device != "cpu":
            raise ModelError(
                f"{device}: ONNX Runtime cannot use it here, as a rule because CUDA's libraries are missing; install "
                f"those that onnxruntime-gpu names, or choose --device cpu"
            )
        self._path, self.device = path, device
        self._outputs = [output.name for output in self._session.get_outputs()]

    def run(self, inputs: Arrays) -> Arrays:
        """Outputs by name. Raises ModelError if the network cannot be run on these inputs."""
        try:
            outputs = self._session.run(None, inputs)
        except Exception as error:  # again without a public base class
            raise ModelError(f"{self._path}: ONNX Runtime cannot run it ({_first_line(error)})") from error
        return dict(zip(self._outputs, outputs, strict=True))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _last_line(error: Exception) -> str:
    """OpenVINO first says where in its code it was, then what was wrong."""
    return [line.strip() for line in [type(error).__name__, *str(error).splitlines()] if line.strip()][-1]


def _providers(device: str, available: list[str], cache: Path | None) -> list[str | tuple[str, dict[str, str]]]:
    if device not in DEVICES:
        raise ModelError(f"{device}: no such device; choose auto, {', '.join(DEVICES)}")
    wanted = DEVICES[device]
    if wanted[0] not in available:
        raise ModelError(
            f"{device}: this ONNX Runtime has no {wanted[0]}; install onnxruntime-gpu or choose --device cpu"
        )
    settings = {"trt_fp16_enable": "1"}
    if cache is not None:
        for kind in ("engine", "timing"):
            settings |= {f"trt_{kind}_cache_enable": "1", f"trt_{kind}_cache_path": str(cache)}
    return [
        (provider, settings) if provider.startswith("Tensorrt") else provider
        for provider in wanted
        if provider in available
    ]


def _prepare(onnxruntime: Any) -> None:
    """Let it find CUDA's libraries where pip puts them, and be quiet: what it says at length is said in one line."""
    onnxruntime.set_default_logger_severity(4)
    if hasattr(onnxruntime, "preload_dlls"):  # from 1.21 on
        with redirect_stdout(StringIO()):
            onnxruntime.preload_dlls()


def _plug_in(onnxruntime: Any, options: Any, cache: Path | None) -> None:
    """Let a session use TensorRT for RTX by its plug-in; raises what ONNX Runtime raises. Not tried on a GPU."""
    plug_in = import_module(PLUG_IN)
    name = plug_in.get_ep_name()
    if all(device.ep_name != name for device in onnxruntime.get_ep_devices()):
        onnxruntime.register_execution_provider_library(name, plug_in.get_library_path())
    devices = [device for device in onnxruntime.get_ep_devices() if device.ep_name == name]
    options.add_provider_for_devices(devices, {} if cache is None else {"nv_runtime_cache_path": str(cache)})
