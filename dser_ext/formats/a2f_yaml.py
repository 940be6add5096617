"""a2f-yaml: the emotion part of the configuration that the sample client of Audio2Face-3D reads."""

from __future__ import annotations

import os

from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.formats.files import written_whole
from dser_ext.formats.track_json import Performance


def a2f_yaml(keyframes: Keyframes) -> str:
    """`emotion_with_timecode_list`, with a key of all ten emotions a time code."""
    lines = ["emotion_with_timecode_list:"]
    for number, (seconds, row) in enumerate(zip(keyframes.times.tolist(), keyframes.values.tolist(), strict=True), 1):
        lines += [f"  key{number}:", f"    time_code: {seconds:.9f}", "    emotions:"]
        lines += [f"      {name}: {value:.6f}" for name, value in zip(A2F_EMOTIONS, row, strict=True)]
    return "\n".join(lines) + "\n"


def write_a2f_yaml(performance: Performance, path: str | os.PathLike[str]) -> None:
    """Write the keys. Raises FormatError if the file cannot be written."""
    with written_whole(path) as file:
        file.write(a2f_yaml(performance.keyframes))
