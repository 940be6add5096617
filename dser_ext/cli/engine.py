"""dser engine: build a model's TensorRT engines ahead of time, for the GPU at hand or for others."""

from __future__ import annotations

import argparse

from dser_ext.cli.messages import say
from dser_ext.errors import ModelError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("action", choices=["build"], help="build engines and keep them in the cache")
    parser.add_argument("model", nargs="?", metavar="NAME|DIR", help="a shipped model or a model folder")
    parser.add_argument(
        "--gpu",
        metavar="KIND[,KIND]",
        help="kinds of GPU by compute capability: sm75 (RTX 20), sm86 (RTX 30), sm89 (RTX 40), sm120 (RTX 50); "
        "TensorRT for RTX builds them all on any machine (default: the GPU at hand)",
    )
    parser.add_argument(
        "--precision",
        default="fp16",
        choices=["fp16", "fp32", "int8"],
        help="numbers to compute with; int8: as fp16, with weights of 8 bits (default fp16)",
    )


def run(options: argparse.Namespace) -> int:
    """Build them one by one, and say where each is."""
    from dser_ext.recognition.bundle import DEFAULT_MODEL, ModelBundle
    from dser_ext.recognition.engines.cache import Engine
    from dser_ext.recognition.engines.library import check_gpu, library

    bundle = ModelBundle.open(options.model if options.model is not None else DEFAULT_MODEL)
    known = library()
    gpus = _gpus(options.gpu)
    for gpu in gpus:  # before the first is built
        check_gpu(known, gpu)
    for gpu in gpus:
        engine = Engine(bundle, gpu, options.precision, known)
        seconds = engine.build()
        megabytes = engine.path.stat().st_size / 1e6
        say(f"{engine.path}: {megabytes:.0f} MB for {gpu}, built by {known.version} in {seconds:.0f} s")
    return 0


def _gpus(given: str | None) -> list[str]:
    """The kinds of GPU that were named, else the one at hand."""
    from dser_ext.recognition.engines.card import card

    if given is not None:
        return list(dict.fromkeys(given.lower().split(",")))
    try:
        return [card().gpu]
    except ModelError as error:
        raise ModelError(f"{error}, or name the kind of GPU to build for, such as --gpu sm86") from error
