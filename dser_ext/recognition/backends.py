"""Running a network: ONNX Runtime on a CPU or a GPU, behind one small interface."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dser_ext.errors import ModelError

Arrays = dict[str, NDArray[np.float32]]

DEVICES = {
    "cpu": ["CPUExecutionProvider"],
    "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"],
    "tensorrt": ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"],
}
"""Devices by name and the ONNX Runtime providers that make them; the GPU ones were not tried on a GPU."""


class Network(Protocol):
    """Something that maps named arrays to named arrays."""

    def run(self, inputs: Arrays) -> Arrays:
        """Outputs by name."""


class OnnxNetwork:
    """A network in an ONNX file, run by ONNX Runtime.

    device: "auto" (the best there is), "cpu", "cuda" or "tensorrt". threads: that one run uses on a processor; 0 leaves
    it to ONNX Runtime, which uses all cores, and is best where one run follows another.
    Raises ModelError if ONNX Runtime lacks the device or cannot load the file.
    """

    def __init__(self, path: Path, device: str = "auto", threads: int = 0) -> None:
        import onnxruntime  # a fifth of a second: only when a network is needed

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # warnings about graph optimisation are not the user's
        options.intra_op_num_threads = threads
        options.enable_cpu_mem_arena = False  # hours of audio otherwise leave the largest window's memory twice
        # Threads that spin while they wait take the cores from the other network's, and from other programs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        providers = _providers(device, onnxruntime.get_available_providers())
        try:
            self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # ONNX Runtime's own errors share no public base class
            raise ModelError(f"{path}: ONNX Runtime cannot load it on {device} ({_first_line(error)})") from error
        self._path = path
        first = self._session.get_providers()[0]
        self.device = next(name for name, providers in DEVICES.items() if providers[0] == first)
        """That it runs on: "cpu", "cuda" or "tensorrt"."""
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


def _providers(device: str, available: list[str]) -> list[str]:
    if device == "auto":
        device = "cuda" if "CUDAExecutionProvider" in available else "cpu"
    if device not in DEVICES:
        raise ModelError(f"{device}: no such device; choose auto, {', '.join(DEVICES)}")
    wanted = DEVICES[device]
    if wanted[0] not in available:
        raise ModelError(
            f"{device}: this ONNX Runtime has no {wanted[0]}; install onnxruntime-gpu or choose --device cpu"
        )
    return [provider for provider in wanted if provider in available]
