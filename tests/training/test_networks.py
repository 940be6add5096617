"""The networks, on real weights where they are at hand and on small random ones elsewhere."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from dser_training.losses import dirichlet_nll, soft_labels
from dser_training.networks import (
    BackboneError,
    FeatureNetwork,
    Head,
    LogMel,
    backbone,
    concentration,
    levelled,
    smoothed,
    smoothed_speech,
)

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
WHISPER = SHARED / "encoders" / "whisper-tiny.en"
needs_whisper = pytest.mark.skipif(not WHISPER.is_dir(), reason="needs ../shared/encoders")


@pytest.fixture(scope="module")
def speech() -> torch.Tensor:
    """Half a minute's worth of rows that stand for speech: modulated noise of different loudness."""
    random = torch.Generator().manual_seed(0)
    time = torch.arange(32_000) / 16_000
    return torch.randn(3, 32_000, generator=random) * (0.2 + torch.sin(8 * time).abs()) * 0.1


@needs_whisper
def test_the_spectrogram_is_whispers_own(speech: torch.Tensor) -> None:
    extractor = transformers.WhisperFeatureExtractor.from_pretrained(WHISPER)
    padded = np.zeros(480_000, np.float32)
    padded[:32_000] = speech[0].numpy()
    theirs = extractor(padded, sampling_rate=16_000, return_tensors="np")["input_features"][0, :, :190]
    ours = LogMel(torch.as_tensor(extractor.mel_filters))(speech[:1])[0, :, :190].numpy()
    assert np.abs(ours - theirs).max() < 1e-3


@needs_whisper
def test_whisper_gives_fifty_frames_a_second_without_padding(speech: torch.Tensor) -> None:
    network = FeatureNetwork(backbone(str(WHISPER)), 16).eval()
    with torch.inference_mode():
        features, spoken = network(speech)
    assert features.shape == (3, 100, 16)
    assert spoken.shape == (3, 100)


@needs_whisper
def test_a_row_does_not_depend_on_its_neighbours_nor_on_its_level(speech: torch.Tensor) -> None:
    network = FeatureNetwork(backbone(str(WHISPER)), 16).eval()
    with torch.inference_mode():
        together, alone, quiet = network(speech)[0][1], network(speech[1:2])[0][0], network(speech[1:2] * 0.03)[0][0]
    assert (together - alone).abs().max() < 1e-4
    assert (quiet - alone).abs().max() < 1e-3


@pytest.mark.parametrize("kind", ["wav2vec2", "hubert", "wavlm"])
def test_small_random_backbones_of_the_wav2vec2_family_give_the_same_frames(
    kind: str, tmp_path: Path, speech: torch.Tensor
) -> None:
    settings = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    settings |= {"conv_dim": [8] * 7, "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2}
    config = transformers.AutoConfig.for_model(kind, **settings)
    transformers.AutoModel.from_config(config).save_pretrained(tmp_path)
    network = FeatureNetwork(backbone(str(tmp_path)), 8).eval()
    with torch.inference_mode():
        features, _ = network(speech)
    assert features.shape == (3, 100, 8)


def test_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    settings = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "vocab_size": 10}
    transformers.AutoModel.from_config(transformers.AutoConfig.for_model("bert", **settings)).save_pretrained(tmp_path)
    with pytest.raises(BackboneError, match="bert"):
        backbone(str(tmp_path))


def test_levelling_ignores_pauses_and_bears_silence() -> None:
    tone = torch.sin(torch.arange(16_000) * 0.3)[None]
    paused = torch.cat([tone, torch.zeros_like(tone)], dim=1)
    assert torch.allclose(levelled(paused)[:, :16_000], levelled(tone), rtol=1e-3)
    assert not levelled(torch.zeros(1, 3200)).any()


def test_smoothing_averages_over_the_frames_there_are() -> None:
    frames = torch.arange(10.0)[None, :, None]
    average = smoothed(frames, 5)[0, :, 0]
    assert average[0] == pytest.approx(1.0)
    assert average[5] == pytest.approx(5.0)
    assert average[9] == pytest.approx(8.0)


def test_without_a_voice_its_mean_does_not_matter_and_with_one_only_the_difference_does() -> None:
    torch.manual_seed(0)
    head = Head(8, 5, 4.0)
    features, mean = torch.randn(2, 20, 8), torch.randn(2, 8)
    speech, none = torch.ones(2, 20), torch.zeros(2)
    assert torch.equal(head(features, speech, mean, none), head(features, speech, torch.zeros(2, 8), none))
    known, shift = torch.full((2,), 1e9), torch.randn(8)
    there, here = head(features + shift, speech, mean + shift, known), head(features, speech, mean, known)
    shares = [alpha / alpha.sum(-1, keepdim=True) for alpha in (there, here)]
    assert torch.allclose(*shares, rtol=1e-3)


def test_the_more_is_known_of_a_voice_the_surer_is_every_frame() -> None:
    torch.manual_seed(0)
    head = Head(8, 5, 4.0)
    features, mean = 3 * torch.randn(2, 20, 8), torch.randn(2, 8)
    totals = [head(features, torch.ones(2, 20), mean, torch.full((2,), s)).sum(-1) for s in (0.0, 2.0, 20.0, 1e9)]
    assert all((more > less).all() for less, more in pairwise(totals))


def test_what_is_no_speech_does_not_count() -> None:
    torch.manual_seed(0)
    head = Head(8, 5, 4.0)
    features, speech = torch.randn(1, 20, 8), (torch.arange(20) < 12).float()[None]
    other = torch.where(speech[..., None] > 0, features, torch.randn(1, 20, 8) * 100)
    voice = torch.zeros(1, 8), torch.zeros(1)
    assert torch.allclose(head(features, speech, *voice)[:, :12], head(other, speech, *voice)[:, :12])
    average = smoothed_speech(features, speech, 5)
    assert torch.allclose(average[0, 11], features[0, 9:12].mean(dim=0), atol=1e-6)


def test_concentrations_have_the_mean_and_the_total_asked_for() -> None:
    logits, log_total = torch.randn(4, 6), torch.randn(4, 1)
    alpha = concentration(logits, log_total)
    assert torch.allclose(alpha.sum(-1, keepdim=True), log_total.exp(), atol=1e-4)
    assert torch.allclose(alpha / alpha.sum(-1, keepdim=True), logits.softmax(-1), atol=1e-4)
    assert (concentration(torch.tensor([[1e4, -1e4, 0, 0, 0, 0]]), torch.tensor([[1e4]])) > 0).all()


def test_the_likelihood_is_the_dirichlets() -> None:
    alpha, mixture = torch.rand(5, 6) * 4 + 0.1, torch.rand(5, 6).add(0.1)
    mixture /= mixture.sum(-1, keepdim=True)
    expected = -torch.distributions.Dirichlet(alpha).log_prob(mixture).mean()
    assert torch.allclose(dirichlet_nll(alpha, mixture), expected, rtol=1e-4)


def test_soft_labels_lie_in_the_open_simplex() -> None:
    labels = soft_labels(torch.tensor([0, 5]), 6, 0.12)
    assert torch.allclose(labels.sum(-1), torch.ones(2))
    assert labels[0, 0] == pytest.approx(0.9)
    assert labels.min() == pytest.approx(0.02)
