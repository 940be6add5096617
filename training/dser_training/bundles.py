"""What training reads of model bundles and writes into them: the head as torch has it, and the card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from dser_ext.errors import ModelError
from dser_ext.formats.files import written_whole
from dser_ext.recognition.bundle import CARD, ModelBundle
from dser_training.segments import SequenceHead

WEIGHTS = "head.safetensors"
"""The weights of head.onnx as training reads them, with how it was made in the file's header."""


def save_card(card: dict[str, Any], folder: Path) -> None:
    """Write a bundle's card."""
    with written_whole(folder / CARD) as file:
        json.dump(card, file, indent=2)
        file.write("\n")


def save_head(head: SequenceHead, folder: Path) -> None:
    """Write a head's weights beside its ONNX file."""
    made = {"smoothing_frames": str(head.smoothing_frames), "half_known": str(head.half_known)}
    with written_whole(folder / WEIGHTS, "wb") as file:
        file.write(save({name: tensor.contiguous() for name, tensor in head.state_dict().items()}, made))


def head_of(bundle: ModelBundle) -> SequenceHead:
    """The head of a bundle. Raises ModelError if its weights are not there or do not fit."""
    path = bundle.folder / WEIGHTS
    try:
        with safe_open(path, "pt") as file:
            made = file.metadata() or {}
        head = SequenceHead(bundle.feature_size, int(made["smoothing_frames"]), float(made["half_known"]))
        head.load_state_dict(load_file(path))
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        remedy = "export its run again, with a head that measures against a voice"
        reason = str(error).partition("\n")[0]
        raise ModelError(f"{path}: no weights of a head that training can go on from ({reason}); {remedy}") from error
    return head.eval()
