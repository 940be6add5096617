"""Training goes on from a bundle, the shipped one among them, and gives another that recognises like it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from dser_training.bundles import WEIGHTS, head_of, save_head
from dser_training.export import with_head

from dser_ext.audio import AudioFile
from dser_ext.errors import ModelError
from dser_ext.recognition.bundle import ModelBundle
from dser_ext.recognition.recognizer import Recognizer
from dser_ext.recognition.voice import VoiceProfile

LINES = sorted((Path(__file__).parents[2] / "samples" / "voice").glob("*.ogg"))


def told(recognizer: Recognizer, head: torch.nn.Module, line: Path, voice: VoiceProfile | None) -> float:
    """The largest difference between what a bundle and a head tell of a line, relative to what they tell."""
    hearing = recognizer.hear(AudioFile(line))
    inputs = recognizer._voice_inputs(voice)
    heard = hearing.frames(0, hearing.count)[None], hearing.speech[None].astype(np.float32)
    known = inputs["voice_lines"], inputs["voice_weights"]
    with torch.no_grad():
        alpha, _ = head(*(torch.from_numpy(np.ascontiguousarray(each)) for each in (*heard, *known)))
    expected = recognizer._told(heard[0][0], hearing.speech, inputs)
    return float(np.abs(alpha[0].numpy() / expected - 1).max())


def test_the_shipped_heads_weights_are_those_of_its_onnx_file():
    bundle, recognizer = ModelBundle.open(), Recognizer(device="cpu")
    voice, _ = recognizer.voice(LINES[:4], "someone")
    head = head_of(bundle)
    for line in LINES[4:]:
        assert told(recognizer, head, line, None) < 1e-3
        assert told(recognizer, head, line, voice.profile) < 1e-3


@pytest.mark.slow
def test_a_bundle_with_the_same_head_recognises_the_same_and_keeps_all_voices(tmp_path):
    bundle = ModelBundle.open()
    with_head(bundle, head_of(bundle), tmp_path / "mine", {"preferences": {"answers": 3}})
    mine = Recognizer(tmp_path / "mine", "cpu")
    assert mine.bundle.name == "mine"
    assert mine.bundle.card["preferences"] == {"answers": 3}
    assert "metrics" not in mine.bundle.card  # they are another model's
    assert mine.bundle.features_sha256 == bundle.features_sha256
    assert mine.bundle.has_int8
    voice, _ = Recognizer(device="cpu").voice(LINES[:4], "someone")
    assert told(mine, head_of(bundle), LINES[5], voice.profile) < 1e-3
    assert told(mine, head_of(mine.bundle), LINES[5], None) < 1e-3


@pytest.mark.parametrize("damage", ["missing", "cut", "another"])
def test_weights_that_are_not_there_or_do_not_fit_are_named_with_a_remedy(tmp_path, damage):
    shipped = ModelBundle.open()
    head = head_of(shipped)
    bundle = ModelBundle(tmp_path, shipped.card | {"feature_size": 16}, shipped.sha256)
    if damage != "missing":
        save_head(head, tmp_path)
    if damage == "cut":
        (tmp_path / WEIGHTS).write_bytes((tmp_path / WEIGHTS).read_bytes()[:1000])
    with pytest.raises(ModelError, match=rf"{WEIGHTS}: no weights of a head that training can go on from .*; export"):
        head_of(bundle)
