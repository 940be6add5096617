"""usda: a SkelAnimation in USD, laid out as Audio2Face's own export."""

from __future__ import annotations

import os
from typing import IO, Any

import numpy as np

from dser_ext.emotion.frame_rate import exact_fps
from dser_ext.errors import FormatError
from dser_ext.formats.blendshapes import DECIMALS, Animation, at_one_rate
from dser_ext.formats.files import unicode_text
from dser_ext.formats.usd_layers import opened_layer, prims_of, usd

ROOT = "/World"
PRIM = "/World/anim_a2f_export"
NAMES, WEIGHTS = "blendShapes", "blendShapeWeights"


def write_usda(animation: Animation, file: IO[Any], track_path: str) -> None:
    """One time sample of all weights a frame; `track_path` is kept as a note on the layer.

    Raises FormatError if no frame rate fits, or if USD is not installed.
    """
    Sdf, Vt = usd("Sdf", "Vt")  # noqa: N806 (modules are called so in USD)
    weights = np.round(at_one_rate(animation).astype(np.float64), DECIMALS).tolist()
    layer = Sdf.Layer.CreateAnonymous(".usda")
    layer.defaultPrim = ROOT[1:]
    layer.comment = unicode_text(track_path)
    layer.startTimeCode, layer.endTimeCode = 0, len(weights) - 1
    layer.timeCodesPerSecond = layer.framesPerSecond = exact_fps(animation.fps)
    layer.pseudoRoot.SetInfo("metersPerUnit", 0.01)
    world = Sdf.PrimSpec(layer, ROOT[1:], Sdf.SpecifierDef, "Xform")
    face = Sdf.PrimSpec(world, PRIM.rpartition("/")[2], Sdf.SpecifierDef, "SkelAnimation")
    types = Sdf.ValueTypeNames
    names = Sdf.AttributeSpec(face, NAMES, types.TokenArray, Sdf.VariabilityUniform)
    names.default = Vt.TokenArray([name[0].lower() + name[1:] for name in animation.names])
    curves = Sdf.AttributeSpec(face, WEIGHTS, types.FloatArray)
    for frame, row in enumerate(weights):
        layer.SetTimeSample(curves.path, frame, Vt.FloatArray(row))
    file.write(layer.ExportToString())


def read_usda(path: str | os.PathLike[str]) -> Animation:
    """The first SkelAnimation with blendshape weights in a layer. Raises FormatError if there is none."""
    layer = opened_layer(path)
    for prim in prims_of(layer):
        if NAMES in prim.attributes and WEIGHTS in prim.attributes:
            break
    else:
        raise FormatError(f"{path}: has no SkelAnimation with {WEIGHTS}; name an export of Audio2Face")
    weights = prim.attributes[WEIGHTS].path
    frames = layer.ListTimeSamplesForPath(weights)
    names = tuple(name[:1].upper() + name[1:] for name in prim.attributes[NAMES].default or ())
    times = (np.array(frames, np.float64) - (frames[0] if frames else 0)) / exact_fps(layer.timeCodesPerSecond)
    try:
        rows = np.array([layer.QueryTimeSample(weights, frame) for frame in frames], np.float32)
        return Animation(names, times, rows)
    except (ValueError, FormatError) as error:
        raise FormatError(f"{path}: its {WEIGHTS} do not fit its {NAMES}; export it again") from error
