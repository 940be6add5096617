"""a2f-yaml: the emotion part of the configuration that the sample client of Audio2Face-3D reads."""

from __future__ import annotations

import os

import numpy as np

from dser_ext.emotion.keyframes import Keyframes
from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.errors import FormatError
from dser_ext.formats.files import text_of, written_whole
from dser_ext.formats.keyed_line import Keyed, KeyedLine, likely_fps

LIST = "emotion_with_timecode_list"


def a2f_yaml(keyframes: Keyframes) -> str:
    """`emotion_with_timecode_list`, with a key of all ten emotions a time code."""
    lines = [f"{LIST}:"]
    for number, (seconds, row) in enumerate(zip(keyframes.times.tolist(), keyframes.values.tolist(), strict=True), 1):
        lines += [f"  key{number}:", f"    time_code: {seconds:.9f}", "    emotions:"]
        lines += [f"      {name}: {value:.6f}" for name, value in zip(A2F_EMOTIONS, row, strict=True)]
    return "\n".join(lines) + "\n"


def write_a2f_yaml(line: Keyed, path: str | os.PathLike[str]) -> None:
    """Write the keys. Raises FormatError if the file cannot be written."""
    with written_whole(path) as file:
        file.write(a2f_yaml(line.keyframes))


def read_a2f_yaml(path: str | os.PathLike[str]) -> KeyedLine:
    """The keys of a configuration of the sample client, whatever else it sets; an emotion that a key leaves out is 0.

    Raises FormatError if it has no keys.
    """
    text = text_of(path)
    try:
        import yaml  # which Kit lacks
    except ImportError as error:
        raise FormatError(f"{path}: YAML needs PyYAML, which is not installed; pip install pyyaml") from error
    try:
        document = yaml.safe_load(text)
        keys = sorted(document[LIST].values(), key=lambda key: float(key["time_code"]))
        times = np.array([float(key["time_code"]) for key in keys])
        rows = [[float(key["emotions"].get(name, 0)) for name in A2F_EMOTIONS] for key in keys]
        keyframes = Keyframes(times, np.array(rows, np.float32))
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError, RecursionError, FormatError) as error:
        raise FormatError(f"{path}: has no {LIST} of Audio2Face's emotions; name a configuration that has") from error
    return KeyedLine(keyframes, likely_fps(times), float(times[-1]))
