"""Devices: what a model's feature network runs on, and why. The head always runs on the processor.

"auto" takes the best that works: an engine in the cache where TensorRT, its card and driver are, else ONNX Runtime's
providers for a GPU, else the processor. Where no package for a GPU is installed nothing is looked for, nor said.
On a processor with instructions for products of 8 bits OpenVINO is the faster; on any other ONNX Runtime, which makes
such products there, too, where the model was calibrated for it (benchmarks/processor.py).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.util import find_spec

from dser_ext.errors import DserError, DserWarning, ModelError
from dser_ext.recognition.backends import DEVICES, PLUG_IN, OnnxNetwork, OpenVinoNetwork
from dser_ext.recognition.bundle import FEATURES, FEATURES_INT8, ModelBundle
from dser_ext.recognition.engines import cache, library
from dser_ext.recognition.engines.cache import Engine
from dser_ext.recognition.engines.card import Card, card
from dser_ext.recognition.engines.network import TensorRTNetwork

EIGHT_BITS = {"avx512_vnni", "avx_vnni"}
"""Instructions that multiply 8-bit numbers and add up the products."""


@dataclass(frozen=True)
class Choice:
    """device: "cpu", "cuda" or "tensorrt". why: in a few words. engine: that is run, if one is.

    lacking: whether a GPU was meant to be used, as there is a package or an engine for it, and cannot be.
    """

    device: str
    why: str
    engine: Engine | None = None
    lacking: bool = False


def feature_network(
    bundle: ModelBundle, device: str = "auto", threads: int = 0
) -> OpenVinoNetwork | OnnxNetwork | TensorRTNetwork:
    """The feature network of a model, on a device: "auto" (the best that works), "cpu", "cuda" or "tensorrt".

    threads: that one run uses on the processor; 0 for all cores, which is best where one run follows another.
    Warns (DserWarning) before an engine is built, and if auto does without a GPU that there are packages for. Raises
    ModelError if the device cannot be had.
    """
    choice = chosen(bundle, device)
    if choice.lacking:
        _warn(f"{choice.why}; until then the processor computes, as --device cpu does without this line")
    if device != "auto" or choice.device == "cpu":
        return _opened(bundle, choice, threads)
    try:
        return _opened(bundle, choice, threads)
    except DserError as error:
        _warn(f"{error}; for now the processor computes")
        return _on_processor(bundle, threads)


def chosen(bundle: ModelBundle, device: str = "auto") -> Choice:
    """What a device comes to here; nothing is loaded or built yet. Raises ModelError if it cannot be had."""
    if device == "auto":
        return _best(bundle)
    if device not in DEVICES:
        raise ModelError(f"{device}: no such device; choose auto, {', '.join(DEVICES)}")
    if device == "cpu":
        return Choice("cpu", "asked for")
    try:
        if device == "tensorrt" and library.installed():
            known = library.library()
            here = card()
            engine = cache.latest(bundle, here.gpu, known) or Engine(bundle, here.gpu, "fp16", known)
            return Choice("tensorrt", _runs(engine, here), engine)
        if device in _providers():
            return Choice(device, f"ONNX Runtime on {card()}")
    except ModelError as error:
        raise ModelError(f"{device}: {error}, or choose --device cpu") from error
    wanted = {"cuda": "pip install onnxruntime-gpu", "tensorrt": library.INSTALL}[device]
    raise ModelError(f"{device}: nothing that runs it is installed; {wanted}, or choose --device cpu")


def has_eight_bits() -> bool:
    """Whether this processor has instructions for products of 8 bits (VNNI), which OpenVINO then uses."""
    from archspec.cpu.detect import detected_info

    return not EIGHT_BITS.isdisjoint(detected_info().features)


def arithmetic(bundle: ModelBundle) -> str:
    """What a model's feature network is computed with where the processor computes it, in a few words."""
    if has_eight_bits():
        return "8 bits where the weights have them, by OpenVINO"
    if bundle.has_int8:
        return "8 bits where it was calibrated for them, by ONNX Runtime"
    return "float32, by ONNX Runtime: the model is not calibrated for 8 bits, and this processor lacks VNNI"


def _best(bundle: ModelBundle) -> Choice:
    providers = _providers()
    if not providers and not library.installed():
        return Choice("cpu", "no package for a GPU is installed")
    try:
        here = card()
        known = library.library() if library.installed() else None
    except ModelError as error:
        return Choice("cpu", str(error), lacking=bool(providers) or cache.any_of(bundle))
    engine = cache.latest(bundle, here.gpu, known) if known else None
    if engine is not None:
        return Choice("tensorrt", _runs(engine, here), engine)
    # The TensorRT that ONNX Runtime itself was made for mostly lacks its libraries, and takes minutes the first time.
    if device := next((device for device in providers if device == "cuda" or find_spec(PLUG_IN)), None):
        return Choice(device, f"ONNX Runtime on {here}")
    return Choice("cpu", f"no engine was built for {here}; dser engine build does that once", lacking=True)


def _providers() -> list[str]:
    """The GPU devices that the installed ONNX Runtime was made for, the best first; whether they work is not known."""
    import onnxruntime

    available = onnxruntime.get_available_providers()
    plugged = ["tensorrt"] if find_spec(PLUG_IN) else []
    made_for = [device for device in ("tensorrt", "cuda") if DEVICES[device][0] in available]
    return list(dict.fromkeys(plugged + made_for))


def _runs(engine: Engine, here: Card) -> str:
    return f"an engine ({engine.precision}) by {engine.library.version} on {here}"


def _on_processor(bundle: ModelBundle, threads: int) -> OpenVinoNetwork | OnnxNetwork:
    if has_eight_bits():
        return OpenVinoNetwork(bundle.folder / FEATURES, threads)
    return OnnxNetwork(bundle.folder / (FEATURES_INT8 if bundle.has_int8 else FEATURES), threads=threads)


def _opened(bundle: ModelBundle, choice: Choice, threads: int) -> OpenVinoNetwork | OnnxNetwork | TensorRTNetwork:
    if choice.device == "cpu":
        return _on_processor(bundle, threads)
    if choice.engine is None:
        return OnnxNetwork(bundle.folder / FEATURES, choice.device, threads, cache.folder())
    engine = choice.engine
    if not engine.is_fresh:
        state = "was made for another version" if engine.is_there else "is not there yet"
        _warn(f"{engine.path.name}: the engine {state} and is built now, once")
        engine.ensure()
    return TensorRTNetwork(engine)


def _warn(message: str) -> None:
    warnings.warn(message, DserWarning, stacklevel=4)
