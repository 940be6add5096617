"""USD layers: loading USD where it is installed, opening a layer, and going through its prims."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from dser_ext.errors import FormatError


def usd(*names: str) -> tuple[Any, ...]:
    """These modules of USD. Raises FormatError where it is not installed."""
    try:
        import_module("pxr")
    except ImportError as error:
        remedy = 'pip install "dser-audio2face[usd]", or choose another format'
        raise FormatError(f"USD files need usd-core, which is not installed; {remedy}") from error
    return tuple(import_module(f"pxr.{name}") for name in names)


def opened_layer(path: str | os.PathLike[str]) -> Any:
    """The layer in a file, as it is now. Raises FormatError if there is none."""
    Sdf, Tf = usd("Sdf", "Tf")  # noqa: N806 (modules are called so in USD)
    try:
        layer = Sdf.Layer.OpenAsAnonymous(os.fspath(path))  # once opened by its name, it would stay as it was
    except Tf.ErrorException:
        layer = None
    if layer is None:
        raise FormatError(f"{path}: no USD layer that can be read; check the name, or export it again")
    return layer


def prims_of(layer: Any) -> Iterator[Any]:
    """All prims of a layer, each before those in it."""
    waiting = list(layer.rootPrims)
    while waiting:
        prim = waiting.pop(0)
        yield prim
        waiting[:0] = list(prim.nameChildren)
