"""Emotions back from what a network made of them: exactly where that is possible, and else one that looks the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from dser_training.inversion.made import PARTS
from dser_training.inversion.network import NetworkError, OnnxFace, OnnxNetwork, windows
from dser_training.inversion.solver import Prior, fit

import dser_ext
from dser_ext.audio import read
from dser_ext.emotion.names import A2F_EMOTIONS

ABOUT_MADE = {
    "implicit_emotion_len": 16, "explicit_emotions": list(A2F_EMOTIONS), "num_shapes_skin": 140,
    "num_shapes_tongue": 10, "result_jaw_size": 15, "result_eyes_size": 4,
}  # fmt: skip
ALIKE = np.eye(PARTS.size, dtype=np.float32)


@pytest.fixture
def face(network_folder: Callable[..., Path]) -> Callable[[int], OnnxFace]:
    """Makes faces that have heard two seconds of the sample line, by networks of a bottleneck."""

    def make(bottleneck: int) -> OnnxFace:
        network = OnnxNetwork(network_folder(bottleneck))
        return network.of(read(dser_ext.sample_line())[:32_000], np.arange(0, 2, 1 / 30))

    return make


def moving(frames: int, seed: int = 0) -> np.ndarray:
    """Emotions that move smoothly, some of them at none and some at all for a while."""
    walk = np.cumsum(0.08 * np.random.default_rng(seed).normal(size=(frames, 10)), axis=0)
    return np.clip(0.3 + walk - walk.mean(axis=0), 0, 1).astype(np.float32)


@pytest.mark.slow
def test_emotions_come_back_where_each_has_a_face_of_its_own(face) -> None:
    seen = face(10)
    truth = moving(seen.frames)
    found = fit(seen, seen.animate(truth), ALIKE, Prior(sparsity=0))
    assert np.abs(found.emotions - truth).max() < 1e-3
    assert found.evaluations < 40  # of the network, for all frames


@pytest.mark.slow
def test_where_several_look_the_same_one_of_them_is_found(face) -> None:
    seen = face(8)
    truth = moving(seen.frames)
    target = seen.animate(truth)
    found = fit(seen, target, ALIKE, Prior())
    assert found.emotions.min() >= 0
    assert found.emotions.max() <= 1
    assert np.abs(seen.animate(found.emotions.astype(np.float32)) - target).max() < 0.02 * target.std()
    assert np.abs(found.emotions - truth).max() > 0.1  # another one
    assert found.emotions.sum() < truth.sum()  # with less emotion: what a prior for none picks


@pytest.mark.slow
def test_smoothness_holds_frames_together_where_the_animation_is_noisy(face) -> None:
    seen = face(10)
    truth = moving(seen.frames)
    target = seen.animate(truth)
    noisy = target + np.random.default_rng(1).normal(0, 0.5 * target.std(), target.shape).astype(np.float32)
    alone, together = (fit(seen, noisy, ALIKE, Prior(0, smooth)).emotions for smooth in (0.0, 1.0))
    assert np.abs(together - truth).mean() < 0.8 * np.abs(alone - truth).mean()


@pytest.mark.slow
def test_what_is_heard_is_heard_once_and_changes_nothing(face, network_folder) -> None:
    seen = face(8)
    network = OnnxNetwork(network_folder(8))
    assert network._kept != ["input"]
    whole = onnxruntime.InferenceSession(str(network.folder / "network.onnx"))
    samples, times = read(dser_ext.sample_line())[:32_000], np.arange(0, 2, 1 / 30)
    emotions = moving(len(times))
    codes = np.concatenate([np.tile(network.implicit, (len(times), 1)), emotions], axis=1)[:, None]
    once = whole.run(["result"], {"input": windows(samples, times)[:, None], "emotion": codes})[0][:, 0]
    assert np.allclose(seen.animate(emotions), once, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "params", "said"),
    [
        ("diffusion", {}, "which carries a state from frame to frame"),
        ("regression", {"explicit_emotions": ["joy"]}, "a network of other emotions"),
        ("regression", {"implicit_emotion_len": 10}, "a network of other emotions"),
        ("regression", {}, "no implicit emotions can be read there"),
    ],
)
def test_other_networks_are_told_by_what_they_say_of_themselves(kind: str, params, said: str, tmp_path: Path) -> None:
    about = {"id": {"type": kind, "version": "2.3"}, "params": {**ABOUT_MADE, **params}}
    (tmp_path / "network_info.json").write_text(json.dumps(about))
    with pytest.raises(NetworkError, match=said):
        OnnxNetwork(tmp_path)


def test_what_is_no_such_network_is_said(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match=r"network_info\.json"):
        OnnxNetwork(tmp_path)
