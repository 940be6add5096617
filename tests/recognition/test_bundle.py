"""A model folder is found by name or path, and anything wrong with it is said before it is used."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from dser_ext.audio import AudioArray
from dser_ext.emotion.names import EMOTIONS
from dser_ext.errors import ModelError
from dser_ext.recognition.bundle import CARD, DEFAULT_MODEL, FEATURES, FEATURES_INT8, HEAD, MAX_CARD_BYTES, ModelBundle
from dser_ext.recognition.recognizer import Recognizer


@pytest.fixture
def folder(tmp_path) -> Path:
    """A copy of the shipped model, to be damaged."""
    return Path(shutil.copytree(ModelBundle.open().folder, tmp_path / "model"))


def change_card(folder: Path, **changes: object) -> None:
    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    (folder / CARD).write_text(json.dumps({**card, **changes}), encoding="utf-8")


def with_file(folder: Path, name: str, content: bytes) -> None:
    """Replace a network, with a card that fits."""
    (folder / name).write_bytes(content)
    checksums = json.loads((folder / CARD).read_text(encoding="utf-8"))["sha256"]
    change_card(folder, sha256={**checksums, name: hashlib.sha256(content).hexdigest()})


def test_the_shipped_model_opens_by_name_and_by_folder():
    bundle = ModelBundle.open(DEFAULT_MODEL)
    assert bundle.card["emotions"] == list(EMOTIONS)
    assert ModelBundle.open(bundle.folder).sha256 == bundle.sha256 == bundle.info.sha256
    assert bundle.sha256 == hashlib.sha256((bundle.folder / CARD).read_bytes()).hexdigest()


def test_a_copy_of_the_model_is_the_model(folder):
    assert ModelBundle.open(folder).info == ModelBundle.open().info


@pytest.mark.parametrize("name", ["dser-huge", "no/such/folder", "models/../nothing", "x" * 300])
def test_a_missing_model_is_named_with_those_there_are(name):
    with pytest.raises(ModelError, match=rf"{name}: no such model; shipped models: .*{DEFAULT_MODEL}"):
        ModelBundle.open(name)


def test_a_folder_without_a_card_is_no_model(tmp_path):
    with pytest.raises(ModelError, match=r"no model here \(card\.json: No such file"):
        ModelBundle.open(tmp_path)


@pytest.mark.parametrize("name", [FEATURES, FEATURES_INT8, HEAD])
def test_a_network_that_differs_from_its_checksum_is_damaged(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=rf"{name}: damaged \(its checksum.*copy the model folder again"):
        ModelBundle.open(folder)


@pytest.mark.parametrize("name", [FEATURES, FEATURES_INT8, HEAD])
def test_a_missing_network_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelError, match=rf"{name}: cannot be read \(No such file.*copy the model folder again"):
        ModelBundle.open(folder)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_card_that_is_no_json_is_damaged(folder, text):
    (folder / CARD).write_bytes(text)
    with pytest.raises(ModelError, match=r"card\.json: damaged"):
        ModelBundle.open(folder)


def test_a_card_of_a_million_bytes_is_no_card(folder):
    (folder / CARD).write_bytes(b" " * (MAX_CARD_BYTES + 1))
    with pytest.raises(ModelError, match="too large"):
        ModelBundle.open(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": "dser.model/1"}, "not of schema dser.model/2; get the model for this version"),
        ({"schema": "dser.model/9"}, "not of schema"),
        ({"emotions": ["joy"]}, "emotions or frame rate"),
        ({"frame_rate": 100}, "emotions or frame rate"),
        ({"name": 5}, 'no usable "name"'),
        ({"feature_size": "wide"}, 'no usable "feature_size"'),
        ({"sha256": {}}, "incomplete"),
        ({"feature_size": 0}, "impossible numbers"),
        ({"context_frames": -1}, "impossible numbers"),
        ({"overlap_seconds": 12.0, "window_seconds": 12.0}, "impossible numbers"),
        ({"overlap_seconds": 0.0}, "impossible numbers"),
        ({"window_seconds": float("nan")}, "impossible numbers"),
        ({"window_seconds": float("inf")}, "impossible numbers"),
        ({"nonspeech_concentration": [1.0]}, "impossible numbers"),
        ({"nonspeech_concentration": [0.0] * 6}, "impossible numbers"),
        ({"nonspeech_concentration": ["x"] * 6}, "impossible numbers"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(folder, changes, message):
    change_card(folder, **changes)
    with pytest.raises(ModelError, match=message) as caught:
        ModelBundle.open(folder)
    assert str(folder) in str(caught.value)


def test_a_network_that_is_none_is_named_even_if_its_checksum_fits(folder):
    with_file(folder, HEAD, b"this is no network")
    with pytest.raises(ModelError, match=r"head\.onnx: ONNX Runtime cannot load it") as caught:
        Recognizer(folder, "cpu")
    assert "\n" not in str(caught.value)


def test_networks_that_do_not_fit_their_card_are_found_out_at_the_first_line(folder):
    change_card(folder, feature_size=3)
    with pytest.raises(ModelError, match="do not fit its card"):
        Recognizer(folder, "cpu").hear(AudioArray(np.zeros(16_000, np.float32), 16_000))
