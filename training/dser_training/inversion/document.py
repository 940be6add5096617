"""dser.inverted/1: the emotions that an animation was found to show, and what is known of them, as a JSON document."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dser_ext.emotion.names import A2F_EMOTIONS
from dser_ext.errors import FormatError
from dser_ext.formats.files import bytes_of, unicode_text, written_whole
from dser_training.inversion.network import Doubles

SCHEMA = "dser.inverted/1"
MAX_BYTES = 1 << 30


@dataclass(frozen=True, eq=False)
class Inverted:
    """Emotions of one line. sound: path as typed. times: (F,) s of the sound, which is not the animation's time where
    the two are apart. emotions, low, high: (F, 10), 0 to 1."""

    sound: str
    times: Doubles
    emotions: Doubles
    low: Doubles
    high: Doubles


def write(head: dict[str, Any], rows: dict[str, Doubles], path: str | Path) -> None:
    """Write the document, whole or not at all: `head`, and then arrays with four decimals.

    Raises FormatError if it cannot be written.
    """
    document = {"schema": SCHEMA, **head, "names": list(A2F_EMOTIONS)}
    text = unicode_text(json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1))[:-2]
    with written_whole(path) as file:
        file.write(text)
        for name, array in rows.items():
            digits = 6 if name == "times" else 4
            file.write(f",\n {json.dumps(name)}: {json.dumps(np.round(array, digits).tolist(), allow_nan=False)}")
        file.write("\n}\n")


def read(path: str | Path) -> Inverted:
    """What is in such a file. Raises FormatError if it is none."""
    try:
        document = json.loads(bytes_of(path, MAX_BYTES, "a track"))
        if document["schema"] != SCHEMA or document["names"] != list(A2F_EMOTIONS):
            raise ValueError
        times, emotions, low, high = (
            np.array(document[name], np.float64) for name in ("times", "emotions", "low", "high")
        )
        shape = (len(times), len(A2F_EMOTIONS))
        ordered = ((low <= emotions) & (emotions <= high) & (low >= 0) & (high <= 1)).all()
        if {emotions.shape, low.shape, high.shape} != {shape} or not ordered or not (np.diff(times) > 0).all():
            raise ValueError
        return Inverted(str(document["audio"]["path"]), times - document["offset"]["seconds"], emotions, low, high)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FormatError(f"{path}: no {SCHEMA} document; write it anew with dser-train invert") from error
