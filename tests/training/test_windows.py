"""Training hears a line of any length as recognition does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from dser_training.backbones import backbone
from dser_training.networks import FeatureNetwork
from dser_training.windows import OVERLAP_SECONDS, WINDOW_SECONDS, features_in_windows

from dser_ext.audio import AudioArray, read
from dser_ext.recognition.hearing import HOP, hear
from dser_ext.steps import result

ROOT = Path(__file__).resolve().parents[2]
SPEECH = np.concatenate([read(path) for path in sorted((ROOT / "samples/voice").glob("*.ogg"))])
CARD = {"window_seconds": WINDOW_SECONDS, "overlap_seconds": OVERLAP_SECONDS}


@pytest.fixture(scope="module")
def network(random_backbone: Callable[[str], Path]) -> FeatureNetwork:
    torch.manual_seed(0)
    return FeatureNetwork(backbone(str(random_backbone("whisper"))), 16).requires_grad_(False).eval()


@pytest.mark.parametrize("seconds", [2, WINDOW_SECONDS, 5, 5.02, 6.54, 7, 7.02, 12.34])
def test_features_are_those_of_recognition(network: FeatureNetwork, seconds: float) -> None:
    def run(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        features, speech = network(torch.from_numpy(inputs["waveform"]))
        return {"features": features.numpy(), "speech": speech.numpy()}

    samples = SPEECH[: round(seconds * 50) * HOP]
    bundle = SimpleNamespace(card=CARD, feature_size=16, features_sha256="a" * 64, folder="model")
    heard = result(hear(AudioArray(samples, 16_000), SimpleNamespace(run=run), bundle))
    features = features_in_windows(network, torch.from_numpy(samples)[None])[0].numpy()
    assert features.shape == (round(seconds * 50), 16)
    assert np.abs(features - heard.frames(0, heard.count)).max() < 0.002 * np.abs(features).max()


def test_rows_are_heard_each_by_itself(network: FeatureNetwork) -> None:
    waves = torch.from_numpy(np.stack([SPEECH[: 500 * HOP], SPEECH[-500 * HOP :]]))
    together = features_in_windows(network, waves)
    for row in range(2):
        assert (together[row] - features_in_windows(network, waves[row : row + 1])[0]).abs().max() < 1e-3
