"""The voice head in closed form, on made lines of speakers whose places are known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from dser_training.config import UtteranceConfig
from dser_training.corpora.clip import Clip, CorpusError
from dser_training.stages.kept import Kept
from dser_training.stages.model import UtteranceModel
from dser_training.stages.statistics import FOREIGN, estimate
from torch import Tensor

from dser_ext.emotion.names import EMOTIONS, NEUTRAL

WIDTH, SIZE = 96, 12  # of what the random backbone's layers hear, and of the features
COUNT = len(EMOTIONS)
SPEAKERS, READERS, EACH = 40, 30, 8  # speakers of all emotions and lines of each, and speakers who only read
CENTRES = 3 * torch.eye(COUNT, SIZE)
NOISE = torch.linspace(0.5, 2.0, SIZE)  # deviation of a line from its speaker's centre of the emotion
STUDIO = 4 * torch.eye(SIZE)[-1]  # where recordings of reading lie


@pytest.fixture
def model(random_backbone: Callable[[str], Path]) -> UtteranceModel:
    torch.manual_seed(0)
    model = UtteranceModel(UtteranceConfig(str(random_backbone("whisper")), feature_size=SIZE))
    model.network.project.weight.data.copy_(torch.eye(SIZE, WIDTH))
    return model


def drawn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def made(readers: int = READERS) -> dict[Clip, Kept]:
    kept = {}
    for speaker in range(SPEAKERS + readers):
        reads = speaker >= SPEAKERS
        offset = 0.5 * drawn(SIZE, seed=speaker) + (STUDIO if reads else 0)
        for emotion in [NEUTRAL] if reads else range(COUNT):
            lines = CENTRES[emotion] + offset + NOISE * drawn(EACH, SIZE, seed=1000 + COUNT * speaker + emotion)
            for number, line in enumerate(lines):
                clip = Clip(Path(f"{speaker}-{emotion}-{number}"), f"made/{speaker}", emotion, "train")
                kept[clip] = Kept(torch.nn.functional.pad(line, (0, WIDTH - SIZE))[None].half(), 2.0)
    return kept


def heard(model: UtteranceModel, kept: dict[Clip, Kept]) -> dict[Clip, Tensor]:
    return {clip: model.network.project(line.stacked[0].float()).detach() for clip, line in kept.items()}


def test_lines_of_a_speaker_and_emotion_scatter_evenly_and_the_first_features_tell_emotions(
    model: UtteranceModel,
) -> None:
    kept = made()
    estimate(model, kept)
    features = heard(model, kept)
    groups: dict[tuple[str, int | None], list[Tensor]] = defaultdict(list)
    for clip, value in features.items():
        groups[clip.speaker, clip.emotion].append(value)
    scattered = torch.cat([torch.stack(lines) - torch.stack(lines).mean(dim=0) for lines in groups.values()])
    assert torch.allclose(scattered.T @ scattered / len(scattered), torch.eye(SIZE), atol=0.05)
    assert model.head.centres[:, COUNT - 1 :].abs().max() < 0.05
    assert torch.allclose(model.head.centres.mean(dim=0), torch.zeros(SIZE), atol=1e-4)


def test_speakers_are_described_by_kind_of_recording(model: UtteranceModel) -> None:
    kept = made()
    estimate(model, kept)
    acting, reading, foreign = model.head.usual.detach()
    turned = model.network.project.weight.detach()[:, :SIZE]
    assert torch.allclose(reading - acting, STUDIO @ turned.T, atol=0.5)
    assert torch.equal(foreign, acting)
    variance = model.head.log_variance.detach().exp()
    assert torch.allclose(variance[2], FOREIGN * variance[0])


@pytest.mark.slow
def test_without_training_emotions_are_told_and_better_so_with_a_voice(model: UtteranceModel) -> None:
    kept = made()
    estimate(model, kept)
    features = heard(model, kept)
    right = {0.0: 0.0, 2.0: 0.0}
    for speaker in range(SPEAKERS):
        own = [clip for clip in kept if clip.speaker == f"made/{speaker}"]
        lines, emotions = torch.stack([features[clip] for clip in own]), torch.tensor([clip.emotion for clip in own])
        others = 1 - torch.eye(len(own))
        for seconds in right:
            logits = model.head.hear(lines[:, None], lines.expand(len(own), -1, -1), seconds * others).logits
            right[seconds] += float((logits[:, 0].argmax(-1) == emotions).float().mean()) / SPEAKERS
    assert right[0.0] > 0.5
    assert right[2.0] > right[0.0] + 0.02


def test_corpora_without_readers_will_do(model: UtteranceModel) -> None:
    estimate(model, made(readers=0))
    assert all(weight.isfinite().all() for weight in model.head.parameters())


def test_speakers_who_lack_an_emotion_are_said_to_be_too_few(model: UtteranceModel) -> None:
    kept = {clip: line for clip, line in made().items() if clip.emotion != 0}
    with pytest.raises(CorpusError, match="no speaker to train on has lines of all emotions"):
        estimate(model, kept)
