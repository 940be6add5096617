"""Model bundles that training goes on from: the head as torch has it, and a bundle with another head."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from dser_ext.errors import ModelError
from dser_ext.formats.files import written_whole
from dser_ext.recognition.bundle import CARD, FEATURES, HEAD, ModelBundle
from dser_training.segments import SequenceHead

WEIGHTS = "head.safetensors"
"""The weights of head.onnx as training reads them, with how it was made in the file's header."""


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


def with_head(bundle: ModelBundle, head: SequenceHead, folder: Path, about: dict[str, object]) -> Path:
    """Write a bundle like another, but with this head. about: what its card says besides.

    Figures of the other one are left out of the card: they are not this one's.
    """
    from dser_training.export import head_onnx

    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(bundle.folder / FEATURES, folder / FEATURES)
    with written_whole(folder / HEAD, "wb") as file:
        file.write(head_onnx(head, bundle.feature_size).SerializeToString())
    save_head(head, folder)
    kept = {key: value for key, value in bundle.card.items() if key not in ("metrics", "figures")}
    sha256 = {file: hashlib.sha256((folder / file).read_bytes()).hexdigest() for file in (FEATURES, HEAD)}
    card = {**kept, "name": folder.name, "context_frames": head.context_frames, "sha256": sha256, **about}
    with written_whole(folder / CARD) as file:
        json.dump(card, file, indent=2)
        file.write("\n")
    return folder
