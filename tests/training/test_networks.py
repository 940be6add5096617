"""Features of real speech, from a small encoder of random weights and, where it is at hand, a real one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from dser_training.backbones import backbone
from dser_training.networks import LEVEL, FeatureNetwork, at_full_rate, levelled, smoothed, smoothed_speech

from dser_ext.audio import read

ROOT = Path(__file__).resolve().parents[2]
WHISPER = ROOT.parent / "shared" / "encoders" / "whisper-tiny.en"
LINES = [read(path) for path in sorted((ROOT / "samples/voice").glob("*.ogg"))[:3]]
WAVES = torch.from_numpy(np.stack([line[4000:29_920] for line in LINES]))  # 81 frames each

Make = Callable[[str], Path]


@pytest.fixture(scope="module")
def network(random_backbone: Make) -> FeatureNetwork:
    """A network that works at half the frame rate after a layer."""
    torch.manual_seed(0)
    made = FeatureNetwork(backbone(str(random_backbone("whisper")), halve_after=1), 16)
    made.mean.copy_(torch.randn(len(made.mean)))
    made.std.copy_(torch.rand(len(made.std)) + 0.5)
    return made.requires_grad_(False).eval()


@pytest.mark.parametrize(
    "name", ["random", pytest.param(str(WHISPER), marks=pytest.mark.skipif(not WHISPER.is_dir(), reason="needs it"))]
)
@torch.inference_mode()
def test_a_row_does_not_depend_on_its_neighbours_nor_on_its_level(name: str, random_backbone: Make) -> None:
    torch.manual_seed(0)
    encoder = backbone(str(random_backbone("whisper")) if name == "random" else name)
    network = FeatureNetwork(encoder, 16).eval()
    together, speech = network(WAVES)
    assert together.shape == (3, 81, 16)
    assert speech.shape == (3, 81)
    for row in range(3):
        alone, quiet = network(WAVES[row : row + 1]), network(WAVES[row : row + 1] * 0.03)
        assert (together[row] - alone[0][0]).abs().max() < 1e-3
        assert (together[row] - quiet[0][0]).abs().max() < 1e-2
        assert (speech[row] - quiet[1][0]).abs().max() < 1e-3


@torch.inference_mode()
def test_silence_gives_features_too(network: FeatureNetwork) -> None:
    features, speech = network(torch.zeros(1, 3200))
    assert features.isfinite().all()
    assert ((speech >= 0) & (speech <= 1)).all()


@torch.inference_mode()
def test_what_each_rate_gives_is_what_all_layers_side_by_side_would(network: FeatureNetwork) -> None:
    stacks = network.hidden(WAVES)
    assert [stack.shape for stack in stacks] == [(3, 81, 64), (3, 41, 32)]
    flat = network.flat(stacks)
    assert flat.shape == (3, 81, 96)
    assert torch.equal(flat[:, 6:8, 64:], stacks[1][:, 3:4].expand(-1, 2, -1))
    assert torch.allclose(network.features(stacks), network.project(flat), atol=1e-5)
    features, speech = network(WAVES)
    assert torch.allclose(features, network.project(flat), atol=1e-5)
    assert torch.allclose(speech, smoothed(network.speech(flat), 15)[..., 0].sigmoid(), atol=1e-5)


@torch.inference_mode()
def test_layers_are_standardised(network: FeatureNetwork) -> None:
    layers = network.backbone(levelled(WAVES))
    expected = (torch.cat(layers[:2], dim=-1) - network.mean[:64]) / network.std[:64]
    assert torch.allclose(network.hidden(WAVES)[0], expected)


@pytest.mark.parametrize("halve_after", [None, 0])
@torch.inference_mode()
def test_the_last_layer_can_be_all_that_counts(halve_after: int | None, random_backbone: Make) -> None:
    encoder = backbone(str(random_backbone("whisper")), halve_after)
    network = FeatureNetwork(encoder, 16, last_layer_only=True).eval()
    stacks, last = network.hidden(WAVES), encoder(levelled(WAVES))[-1]
    assert [stack.shape for stack in stacks] == [(3, 81, 32)]
    assert torch.equal(stacks[0], last if halve_after is None else last.repeat_interleave(2, dim=1)[:, :81])
    assert torch.equal(network.flat(stacks), stacks[0])
    assert torch.allclose(network(WAVES)[0], network.project(stacks[0]), atol=1e-5)


def test_levelling_ignores_pauses_and_bears_silence() -> None:
    tone = torch.sin(torch.arange(16_000) * 0.3)[None]
    paused = torch.cat([tone, torch.zeros_like(tone)], dim=1)
    assert torch.allclose(levelled(paused)[:, :16_000], levelled(tone), rtol=1e-3)
    assert levelled(tone).square().mean().sqrt() == pytest.approx(LEVEL, rel=1e-3)
    assert not levelled(torch.zeros(1, 3200)).any()


def test_levelling_takes_each_row_by_itself_and_does_not_raise_hiss() -> None:
    levels = torch.tensor([1.0, 0.01, 0.001])[:, None]
    assert torch.allclose(levelled(WAVES * levels), levelled(WAVES), rtol=1e-2, atol=1e-5)
    hiss = 1e-7 * torch.randn(1, 3200)
    assert levelled(hiss).abs().max() < LEVEL / 10


def test_frames_of_a_lower_rate_are_repeated() -> None:
    frames = torch.tensor([1.0, 2, 3])[None, :, None]
    assert at_full_rate(frames, 2, 5)[0, :, 0].tolist() == [1, 1, 2, 2, 3]
    assert at_full_rate(frames, 1, 3) is frames


def test_smoothing_averages_over_the_frames_there_are() -> None:
    frames = torch.arange(10.0)[None, :, None]
    average = smoothed(frames, 5)[0, :, 0]
    assert average[0] == pytest.approx(1.0)
    assert average[5] == pytest.approx(5.0)
    assert average[9] == pytest.approx(8.0)
    assert torch.equal(smoothed(frames, 1), frames)
    assert torch.allclose(smoothed(frames, 75), torch.full((1, 10, 1), 4.5))


def test_smoothing_over_speech_leaves_out_what_is_none() -> None:
    features, speech = torch.randn(1, 20, 8), (torch.arange(20) < 12).float()[None]
    average = smoothed_speech(features, speech, 5)
    assert torch.allclose(average[0, 11], features[0, 9:12].mean(dim=0), atol=1e-6)
    assert torch.allclose(average[0, 13], features[0, 11], atol=1e-6)
    assert not average[0, 14:].any()
    other = torch.where(speech[..., None] > 0, features, torch.randn(1, 20, 8) * 100)
    assert torch.equal(smoothed_speech(other, speech, 5), average)
