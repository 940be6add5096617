"""Library: the TensorRT that is installed, and what it makes of a network.

TensorRT for RTX builds for any kind of card on any machine, without a GPU; classic TensorRT for the card it runs on.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dser_ext.errors import ModelError
from dser_ext.formats.files import written_whole
from dser_ext.recognition.engines.card import card
from dser_ext.recognition.hearing import SHORTEST_FRAMES, longest_window, windows_at_once
from dser_ext.recognition.speech import HOP

MODULES = {"tensorrt-rtx": "tensorrt_rtx_bindings", "tensorrt": "tensorrt"}
"""Flavours of TensorRT by name, and the modules they are; the first that is installed is taken."""

INSTALL = "pip install 'dser-audio2face[rtx]'"
CARDS = {"sm75": "RTX 20", "sm80": "A100", "sm86": "RTX 30", "sm89": "RTX 40", "sm120": "RTX 50", "sm121": "DGX Spark"}
COMMON_SAMPLES = 48_000  # of clips that are shorter than a window: what a live line is heard in
LARGEST_BATCH = 8  # of windows

Shapes = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Library:
    """flavour: one of MODULES. module: what is called."""

    flavour: str
    module: Any

    @property
    def version(self) -> str:
        """Flavour and version, for which an engine is made: no other one runs it."""
        return f"{self.flavour} {self.module.__version__}"

    @property
    def gpus(self) -> list[str]:
        """The kinds of GPU that it builds for anywhere; none if for the one at hand alone."""
        known = getattr(self.module, "ComputeCapability", None)
        return [name.lower() for name in known.__members__ if name.startswith("SM")] if known else []


def installed() -> bool:
    """Whether any TensorRT is there; it is not loaded."""
    return any(find_spec(module) for module in MODULES.values())


def library() -> Library:
    """The TensorRT that is installed. Raises ModelError if there is none, or it cannot be loaded."""
    for flavour, module in MODULES.items():
        if find_spec(module) is None:
            continue
        try:
            return Library(flavour, import_module(module))
        except Exception as error:  # a missing library, a version of another CUDA: it says so in many ways
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ModelError(f"{flavour}: installed, but cannot be loaded ({reason}); {INSTALL} anew") from error
    raise ModelError(f"TensorRT is not installed; {INSTALL}")


def check_gpu(known: Library, gpu: str) -> None:
    """Raise ModelError if a TensorRT does not build for a kind of GPU."""
    if known.gpus and gpu not in known.gpus:
        names = ", ".join(f"{name} ({CARDS[name]})" if name in CARDS else name for name in known.gpus)
        raise ModelError(f"{gpu}: no GPU that {known.version} builds for; choose of {names}")
    if not known.gpus and gpu != card().gpu:
        raise ModelError(f"{gpu}: classic TensorRT builds for the GPU at hand alone; {INSTALL} builds for others")


def profiles(window: int) -> list[Shapes]:
    """The shapes of the waveform that an engine is made for: smallest, most common, largest, (batch, samples) each.

    window: of the model, in samples. First single clips, up to the longest window; then whole windows, most often as
    many as a long line is heard in at once.
    """
    shortest = min(SHORTEST_FRAMES * HOP, window)
    common = max(shortest, min(COMMON_SAMPLES, window))
    together = min(windows_at_once(window // HOP), LARGEST_BATCH)
    longest = longest_window(window // HOP) * HOP
    return [((1, shortest), (1, common), (1, longest)), ((1, window), (together, window), (LARGEST_BATCH, window))]


def parsed(known: Library, network: bytes, path: Path) -> tuple[Any, Any, Any]:
    """Builder, typed network and parser of an ONNX file's bytes. path: of it, in messages.

    The parser holds what the network points to. Raises ModelError if TensorRT cannot take it.
    """
    trt = known.module
    builder = trt.Builder(logger(trt))
    typed = int(getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", -1))
    definition = builder.create_network(0 if typed < 0 else 1 << typed)
    parser = trt.OnnxParser(definition, builder.logger)
    if not parser.parse(network):
        reasons = [parser.get_error(number).desc() for number in range(parser.num_errors)] or ["it does not say why"]
        raise ModelError(f"{path}: {known.version} cannot take this network ({reasons[0].splitlines()[0]})")
    return builder, definition, parser


def built(known: Library, network: bytes, gpu: str, shapes: Sequence[Shapes], path: Path, timing: Path) -> Any:
    """The engine of a network as TensorRT writes it: something with the interface of a buffer.

    path: of the network, in messages. timing: the file that classic TensorRT keeps what it measured in. Raises
    ModelError if TensorRT cannot build for this kind of GPU, or cannot build it at all.
    """
    trt = known.module
    builder, definition, parser = parsed(known, network, path)
    config = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED  # names, for whoever looks at how the time is spent
    for smallest, common, largest in shapes:
        profile = builder.create_optimization_profile()
        profile.set_shape(definition.get_input(0).name, smallest, common, largest)
        config.add_optimization_profile(profile)
    if known.gpus:
        config.num_compute_capabilities = 1
        config.set_compute_capability(trt.ComputeCapability.__members__[gpu.upper()], 0)
    else:  # not tried on a GPU
        config.set_timing_cache(config.create_timing_cache(_bytes(timing)), ignore_mismatch=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside the bindings are not the user's
        engine = builder.build_serialized_network(definition, config)
    if engine is None:
        reason = (builder.logger.errors or ["it does not say why"])[-1]
        raise ModelError(f"{path}: {known.version} cannot build an engine for {gpu} ({reason})")
    if not known.gpus:
        with written_whole(timing, "wb") as file:
            file.write(config.get_timing_cache().serialize())
    del parser
    return engine


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def logger(trt: Any) -> Any:
    """Something that TensorRT says its messages to; errors are kept, the rest is not the user's."""

    class Log(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                self.errors.append(message.splitlines()[0])

    return Log()
