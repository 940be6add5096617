"""a2f-json: the blendshape file that Audio2Face's exporter writes and importers for Maya, Unreal and Blender read."""

from __future__ import annotations

import json
import os
from typing import IO, Any

import numpy as np

from dser_ext.emotion.frame_rate import exact_fps
from dser_ext.errors import FormatError
from dser_ext.formats.blendshapes import DECIMALS, Animation, at_one_rate
from dser_ext.formats.files import text_of, unicode_text


def write_json(animation: Animation, file: IO[Any], track_path: str) -> None:
    """Frames at one rate from 0 on; `track_path` names the sound. Raises FormatError if no frame rate fits."""
    weights = at_one_rate(animation)
    document = {
        "exportFps": animation.fps,
        "trackPath": unicode_text(track_path),
        "numPoses": len(animation.names),
        "numFrames": len(weights),
        "facsNames": [name[0].lower() + name[1:] for name in animation.names],
        "weightMat": np.round(weights.astype(np.float64), DECIMALS).tolist(),
    }
    json.dump(document, file, ensure_ascii=False, allow_nan=False)
    file.write("\n")


def read_json(path: str | os.PathLike[str]) -> Animation:
    """What such a file holds; of the two spellings in the wild of its names and its rate, either will do.

    Raises FormatError if it is none.
    """
    text = text_of(path)
    try:
        document = json.loads(text)
        names = document["facsNames"] if "facsNames" in document else document["faceNames"]
        fps = exact_fps(document["exportFps"] if "exportFps" in document else document["fps"])
        weights = np.array(document["weightMat"], np.float32)
        return Animation(tuple(name[:1].upper() + name[1:] for name in names), np.arange(len(weights)) / fps, weights)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, FormatError) as error:
        raise FormatError(f"{path}: no blendshape file of Audio2Face; export it again") from error
