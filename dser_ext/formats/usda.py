"""usda: a SkelAnimation in USD, laid out as Audio2Face's own export."""

from __future__ import annotations

from typing import IO, Any

import numpy as np

from dser_ext.errors import FormatError
from dser_ext.formats.blendshapes import DECIMALS, Animation, at_one_rate

ROOT = "/World"
PRIM = "/World/anim_a2f_export"


def write_usda(animation: Animation, file: IO[Any], track_path: str) -> None:
    """One time sample of all weights a frame; `track_path` is kept as a note on the layer.

    Raises FormatError if no frame rate fits, or if USD is not installed.
    """
    try:
        from pxr import Sdf, Vt
    except ImportError as error:
        message = "USD files need usd-core, which is not installed; pip install usd-core, or save as a2f-json"
        raise FormatError(message) from error
    weights = np.round(at_one_rate(animation).astype(np.float64), DECIMALS).tolist()
    layer = Sdf.Layer.CreateAnonymous(".usda")
    layer.defaultPrim = ROOT[1:]
    layer.comment = track_path
    layer.startTimeCode, layer.endTimeCode = 0, len(weights) - 1
    layer.timeCodesPerSecond = layer.framesPerSecond = animation.fps
    layer.pseudoRoot.SetInfo("metersPerUnit", 0.01)
    world = Sdf.PrimSpec(layer, ROOT[1:], Sdf.SpecifierDef, "Xform")
    face = Sdf.PrimSpec(world, PRIM.rpartition("/")[2], Sdf.SpecifierDef, "SkelAnimation")
    types = Sdf.ValueTypeNames
    names = Sdf.AttributeSpec(face, "blendShapes", types.TokenArray, Sdf.VariabilityUniform)
    names.default = Vt.TokenArray([name[0].lower() + name[1:] for name in animation.names])
    curves = Sdf.AttributeSpec(face, "blendShapeWeights", types.FloatArray)
    for frame, row in enumerate(weights):
        layer.SetTimeSample(curves.path, frame, Vt.FloatArray(row))
    file.write(layer.ExportToString())
