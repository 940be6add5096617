"""blender-json: keys by frame number for the script in docs/FORMATS.md, which makes F-curves of them in Blender."""

from __future__ import annotations

import json
import math
import os
from typing import Any

import numpy as np

from dser_ext.emotion.frame_rate import exact_fps, frame_rate
from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.errors import FormatError
from dser_ext.formats.files import text_of, unicode_text, written_whole
from dser_ext.formats.keyed_line import Keyed, KeyedLine, key_frames

SCHEMA = "dser.blender/1"


def write_blender(line: Keyed, path: str | os.PathLike[str]) -> None:
    """Blender has a whole number of frames, fps, in fps_base seconds. Raises FormatError if it cannot be written."""
    rate = frame_rate(line.fps)
    fps = math.ceil(rate)
    document = {
        "schema": SCHEMA,
        "sound": unicode_text(line.sound),
        "fps": fps,
        "fps_base": float(fps / rate),
        "seconds": round(line.seconds, 6),
        "frames": key_frames(line).tolist(),
        "curves": {
            emotion: np.round(column.astype(np.float64), 6).tolist()
            for emotion, column in zip(A2F_EMOTIONS, line.keyframes.values.T, strict=True)
        },
    }
    with written_whole(path) as file:
        json.dump(document, file, ensure_ascii=False, allow_nan=False)
        file.write("\n")


def read_blender(path: str | os.PathLike[str]) -> KeyedLine:
    """The keys of such a file. Raises FormatError if it is none."""
    text = text_of(path)
    try:
        document: Any = json.loads(text)
        if document["schema"] != SCHEMA:
            raise ValueError
        fps = exact_fps(document["fps"] / document["fps_base"])
        values = np.array([document["curves"][emotion] for emotion in A2F_EMOTIONS], np.float32).T
        keyframes = Keyframes(np.array(document["frames"], np.float64) / fps, values)
        return KeyedLine(keyframes, fps, float(document["seconds"]), str(document["sound"]))
    except (ValueError, KeyError, TypeError, ZeroDivisionError, RecursionError, FormatError) as error:
        raise FormatError(f"{path}: no {SCHEMA} document; write it anew as blender-json") from error
