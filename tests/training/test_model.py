"""From a batch of real lines to its loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from dser_training.config import UtteranceConfig
from dser_training.corpora.augmentation import Augmentation
from dser_training.corpora.clip import Clip
from dser_training.losses import cross_entropy
from dser_training.networks import smoothed_speech
from dser_training.stages.batches import Batch, Batches
from dser_training.stages.model import UtteranceModel

Make = Callable[[str], Path]

EMOTION = {"ANG": 0, "DIS": 1, "FEA": 2, "HAP": 3, "NEU": 4, "SAD": 5}
LINES = [
    Clip(path, "made/1", EMOTION[path.stem.split("_")[2]], "train")
    for path in sorted((Path(__file__).resolve().parents[2] / "samples/voice").glob("*.ogg"))
]


@pytest.fixture
def config(random_backbone: Make) -> UtteranceConfig:
    return UtteranceConfig(
        str(random_backbone("whisper")), feature_size=8, clip_frames=60, smoothing_frames=15, dropout=0.0,
        augmentation=Augmentation(voice_share=0),
    )  # fmt: skip


def model(config: UtteranceConfig) -> UtteranceModel:
    torch.manual_seed(0)
    return UtteranceModel(config)


def batch(config: UtteranceConfig) -> Batch:
    return Batches(config, LINES, [], 1500)[0]


@pytest.mark.parametrize("head", ["voice", "plain"])
@pytest.mark.parametrize("objective", ["cross-entropy", "dirichlet"])
def test_a_few_steps_make_the_loss_of_a_batch_smaller(head: str, objective: str, config: UtteranceConfig) -> None:
    config = replace(config, head=head, objective=objective)
    networks, lines = model(config), batch(config)
    optimiser = torch.optim.Adam([*networks.head.parameters(), networks.network.project.weight], lr=0.01)
    losses = []
    for _ in range(15):
        losses.append(networks(lines))
        optimiser.zero_grad()
        losses[-1].backward()
        optimiser.step()
    assert losses[0].shape == ()
    assert losses[-1] < losses[0] - 0.05


def test_every_weight_that_is_trained_has_a_gradient(config: UtteranceConfig) -> None:
    for head, objective in (("voice", "cross-entropy"), ("plain", "cross-entropy"), ("plain", "dirichlet")):
        networks = model(replace(config, head=head, objective=objective))
        networks(batch(replace(config, head=head))).backward()
        depths = networks.network.backbone.depths()
        trained = [weight for depth in depths for weight in depth] + [networks.network.project.weight]
        trained += [weight for weight in networks.head.parameters() if weight.requires_grad]
        assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in trained)


def test_the_plain_heads_loss_is_that_of_each_lines_mean_and_picked_frames(config: UtteranceConfig) -> None:
    config = replace(config, head="plain", objective="dirichlet", bfloat16=False)
    networks, lines = model(config).eval(), batch(config)
    [waves], [speech] = lines.waves, lines.speech
    features = networks.network.features(networks.network.hidden(waves, lines.position))
    spoken = smoothed_speech(features, speech, 15).flatten(0, 1)
    means = [features.flatten(0, 1)[own[own >= 0]].mean(dim=0) for own in lines.members]
    told = torch.cat([torch.stack(means)[:, None], spoken[lines.picks]], dim=1)
    alpha = networks.head.output(told).square() + 1e-6
    wanted = lines.target[:, None].expand_as(alpha)
    expected = -torch.distributions.Dirichlet(alpha).log_prob(wanted).mean()
    assert networks(lines).item() == pytest.approx(expected.item(), rel=1e-4)


def test_lines_of_a_voice_are_told_to_be_what_they_are_even_if_what_is_asked_is_mixed(config: UtteranceConfig) -> None:
    networks = model(replace(config, line_loss=1.0)).eval()
    plain = batch(config)
    mixed = replace(plain, partner=plain.partner.roll(1), share=torch.full_like(plain.share, 0.6))
    with torch.no_grad():
        for lines in (plain, mixed):
            networks.config = replace(config, line_loss=0.0)
            without = networks(lines)
            networks.config = replace(config, line_loss=1.0)
            queries, means = networks._heard(lines)
            [references] = lines.references
            chosen = references > 0
            logits = networks.head.hear(queries, means.expand(len(means), -1, -1), references).line_logits
            told = cross_entropy(logits[chosen], lines.target.expand(len(means), -1, -1)[chosen])
            assert (networks(lines) - without).item() == pytest.approx(told.item(), rel=1e-3)
