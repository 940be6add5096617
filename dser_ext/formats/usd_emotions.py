"""usda, usdc: emotion weights as time samples in USD, laid out as SkelAnimation lays out its blendshape weights."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from dser_ext.emotion.curves import frame_count
from dser_ext.emotion.frame_rate import exact_fps
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.errors import FormatError
from dser_ext.formats.blendshapes import DECIMALS
from dser_ext.formats.files import unicode_text, written_whole
from dser_ext.formats.keyed_line import Keyed, KeyedLine, key_frames
from dser_ext.formats.usd_layers import opened_layer, prims_of, usd

ROOT = "/Emotions"
NAMES, WEIGHTS, SOUND = "emotions:names", "emotions:weights", "emotions:sound"


def write_usd(line: Keyed, path: str | os.PathLike[str], *, binary: bool = False) -> None:
    """One time sample a key; USD goes linearly between them, as Audio2Face does.

    The prim is called after the sound, or else the file, below /Emotions, so that the layers of many
    lines can be sublayers of one scene.
    binary: as a crate file, not as text. Raises FormatError without USD, and if the file cannot be written.
    """
    Sdf, Tf, Vt = usd("Sdf", "Tf", "Vt")  # noqa: N806 (modules are called so in USD)
    layer = Sdf.Layer.CreateAnonymous(".usda")
    rate = exact_fps(line.fps)
    layer.defaultPrim = ROOT[1:]
    layer.timeCodesPerSecond = layer.framesPerSecond = rate
    layer.startTimeCode, layer.endTimeCode = 0, frame_count(line.seconds, rate) - 1
    root = Sdf.PrimSpec(layer, ROOT[1:], Sdf.SpecifierDef, "Scope")
    prim = Sdf.PrimSpec(root, _identifier(Tf, Path(line.sound or path).stem), Sdf.SpecifierDef, "Scope")
    types = Sdf.ValueTypeNames
    names = Sdf.AttributeSpec(prim, NAMES, types.TokenArray, Sdf.VariabilityUniform)
    names.default = Vt.TokenArray(A2F_EMOTIONS)
    if line.sound:
        sound = Sdf.AttributeSpec(prim, SOUND, types.String, Sdf.VariabilityUniform)
        sound.default = unicode_text(line.sound)
    weights = Sdf.AttributeSpec(prim, WEIGHTS, types.FloatArray)
    values = np.round(line.keyframes.values.astype(np.float64), DECIMALS)
    for frame, row in zip(key_frames(line).tolist(), values.tolist(), strict=True):
        layer.SetTimeSample(weights.path, frame, Vt.FloatArray(row))
    with written_whole(path, "wb") as file:
        _write(layer, file, binary)


def _identifier(tf: Any, name: str) -> str:
    """A prim's name may have Latin letters, digits and _ alone; a digest keeps names apart that differ in others."""
    identifier = str(tf.MakeValidIdentifier(unicode_text(name)))
    if identifier == name:
        return name
    return f"{identifier}_{hashlib.sha256(os.fsencode(name)).hexdigest()[:6]}"


def _write(layer: Any, file: Any, binary: bool) -> None:
    """USD writes binary layers to names alone, so those go beside the open file, and from there into it."""
    if not binary:
        file.write(layer.ExportToString().encode())
        return
    beside = Path(f"{file.name}.usdc")
    try:
        if not layer.Export(os.fspath(beside)):
            raise FormatError(f"{beside}: USD could not write it; check the folder and the free space")
        file.write(beside.read_bytes())
    finally:
        beside.unlink(missing_ok=True)


def read_usd(path: str | os.PathLike[str]) -> KeyedLine:
    """The keys of the first prim that has emotion weights. Raises FormatError if there is none, or without USD."""
    layer = opened_layer(path)
    for prim in prims_of(layer):
        if WEIGHTS in prim.attributes and NAMES in prim.attributes:
            return _read(layer, prim, path)
    raise FormatError(f"{path}: no prim in it has {WEIGHTS}; name a file written as usda or usdc")


def _read(layer: Any, prim: Any, path: str | os.PathLike[str]) -> KeyedLine:
    fps = exact_fps(layer.timeCodesPerSecond)
    weights = prim.attributes[WEIGHTS].path
    frames = layer.ListTimeSamplesForPath(weights)
    place = {str(name): index for index, name in enumerate(prim.attributes[NAMES].default or ())}
    try:
        rows = [[layer.QueryTimeSample(weights, at)[place[name]] for name in A2F_EMOTIONS] for at in frames]
        keyframes = Keyframes(np.array(frames, np.float64) / fps, np.array(rows, np.float32).reshape(-1, 10))
    except (KeyError, IndexError, TypeError, FormatError) as error:
        raise FormatError(f"{path}: its {WEIGHTS} do not fit Audio2Face's ten emotions; write it anew") from error
    seconds = max(layer.endTimeCode / fps, float(keyframes.times[-1]))
    sound = prim.attributes[SOUND].default if SOUND in prim.attributes else ""
    return KeyedLine(keyframes, fps, seconds, sound)
