"""ModelBundle: a folder with a model's two networks and the card that describes them."""

from __future__ import annotations

import hashlib
import json
import math
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dser_ext.emotion.names import EMOTIONS
from dser_ext.emotion.track import FRAME_RATE, ModelInfo
from dser_ext.errors import ModelError

SCHEMA = "dser.model/2"
DEFAULT_MODEL = "dser-base"
FEATURES, HEAD, CARD = "features.onnx", "head.onnx", "card.json"
FEATURES_INT8 = "features-int8.onnx"
MAX_CARD_BYTES = 1 << 20

_PACKAGE = Path(__file__).resolve().parents[1]
_SHELVES = (_PACKAGE / "models", _PACKAGE.parent / "models")  # in an installed package, in a clone


@dataclass(frozen=True)
class ModelBundle:
    """A checked model folder.

    folder: holds features.onnx (waveform (batch, samples) → features (batch, frames, D) and speech (batch, frames)), in
    some features-int8.onnx (the same with products in 8 bits, for ONNX Runtime on a processor; it points into
    features.onnx for its weights), head.onnx (features (1, frames, D), speech (1, frames), and a voice: voice_lines
    (1, lines, D) with voice_weights (1, lines) in seconds of speech, 0 for no line → concentration (1, frames, 6) and
    composition (1, 6), what share of each emotion the voice's lines seem to have), and card.json.
    """

    folder: Path
    card: dict[str, Any]
    sha256: str  # of card.json, which holds the checksums of the networks

    @classmethod
    def open(cls, name_or_folder: str | os.PathLike[str] = DEFAULT_MODEL) -> ModelBundle:
        """Find a shipped model by name, or open any model folder, and verify its checksums.

        Raises ModelError if there is no such model, a file is missing or differs from its checksum, or the card does
        not fit this version.
        """
        folder = _find(name_or_folder)
        try:
            if (folder / CARD).stat().st_size > MAX_CARD_BYTES:
                raise ModelError(f"{folder / CARD}: too large for a model card; copy the model folder again")
            text = (folder / CARD).read_bytes()
            card = json.loads(text)
        except OSError as error:
            raise ModelError(
                f"{folder}: no model here ({CARD}: {error.strerror}); name a shipped model or a model folder"
            ) from error
        except (ValueError, RecursionError) as error:
            raise ModelError(f"{folder / CARD}: damaged (not JSON); copy the model folder again") from error
        _check_card(folder, card)
        for file in (FEATURES, FEATURES_INT8, HEAD):
            if file in card["sha256"]:
                _check_file(folder / file, card["sha256"][file])
        return cls(folder, card, hashlib.sha256(text).hexdigest())

    @property
    def name(self) -> str:
        """Name of the model."""
        return str(self.card["name"])

    @property
    def feature_size(self) -> int:
        """D, the width of a feature frame."""
        return int(self.card["feature_size"])

    @property
    def features_sha256(self) -> str:
        """Checksum of the feature network: voice profiles are only valid for the network that made them."""
        return str(self.card["sha256"][FEATURES])

    @property
    def has_int8(self) -> bool:
        """Whether the feature network is there with products in 8 bits, too."""
        return FEATURES_INT8 in self.card["sha256"]

    @cached_property
    def info(self) -> ModelInfo:
        """What a track says about the model that made it."""
        return ModelInfo(self.name, str(self.card["version"]), self.sha256)


def _find(name_or_folder: str | os.PathLike[str]) -> Path:
    name = os.fspath(name_or_folder)
    shipped = {card.parent.name: card.parent for shelf in _SHELVES for card in shelf.glob(f"*/{CARD}")}
    if name in shipped:
        return shipped[name]
    if not os.path.isdir(name):  # noqa: PTH112 (Path.is_dir raises for names that are too long)
        known = ", ".join(sorted(shipped)) or "none"
        raise ModelError(f"{name}: no such model; shipped models: {known}, or name a folder")
    return Path(name)


def _check_card(folder: Path, card: Any) -> None:
    if not isinstance(card, dict) or card.get("schema") != SCHEMA:
        raise ModelError(f"{folder}: the model card is not of schema {SCHEMA}; get the model for this version")
    expected: dict[str, type | tuple[type, ...]] = {
        "name": str,
        "version": str,
        "feature_size": int,
        "window_seconds": (int, float),
        "overlap_seconds": (int, float),
        "context_frames": int,
        "nonspeech_concentration": list,
        "sha256": dict,
    }
    for key, kind in expected.items():
        if not isinstance(card.get(key), kind):
            raise ModelError(f'{folder}: the model card has no usable "{key}"; copy the model folder again')
    if card.get("emotions") != list(EMOTIONS) or card.get("frame_rate") != FRAME_RATE:
        raise ModelError(f"{folder}: the model's emotions or frame rate are not those of this version")
    if not {FEATURES, HEAD} <= set(card["sha256"]):
        raise ModelError(f"{folder}: the model card is incomplete; copy the model folder again")
    nonspeech = card["nonspeech_concentration"]
    if not (
        0 < card["overlap_seconds"] < card["window_seconds"] < math.inf
        and card["overlap_seconds"] * FRAME_RATE >= 1
        and card["feature_size"] > 0
        and card["context_frames"] >= 0
        and len(nonspeech) == len(EMOTIONS)
        and all(isinstance(value, (int, float)) and 0 < value < math.inf for value in nonspeech)
    ):
        raise ModelError(f"{folder}: the model card holds impossible numbers; copy the model folder again")


def _check_file(path: Path, sha256: str) -> None:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); copy the model folder again") from error
    if digest.hexdigest() != sha256:
        raise ModelError(f"{path}: damaged (its checksum is not that of the model card); copy the model folder again")
