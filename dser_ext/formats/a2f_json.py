"""a2f-json: the blendshape file that Audio2Face's exporter writes and importers for Maya, Unreal and Blender read."""

from __future__ import annotations

import json
from typing import IO, Any

import numpy as np

from dser_ext.formats.blendshapes import DECIMALS, Animation, at_one_rate


def write_json(animation: Animation, file: IO[Any], track_path: str) -> None:
    """Frames at one rate from 0 on; `track_path` names the sound. Raises FormatError if no frame rate fits."""
    weights = at_one_rate(animation)
    document = {
        "exportFps": animation.fps,
        "trackPath": track_path,
        "numPoses": len(animation.names),
        "numFrames": len(weights),
        "facsNames": [name[0].lower() + name[1:] for name in animation.names],
        "weightMat": np.round(weights.astype(np.float64), DECIMALS).tolist(),
    }
    json.dump(document, file, ensure_ascii=False, allow_nan=False)
    file.write("\n")
