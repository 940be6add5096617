"""What a frozen backbone hears, on eight real lines of one actor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from dser_training.backbones import backbone
from dser_training.config import UtteranceConfig
from dser_training.corpora.clip import Clip
from dser_training.corpora.clips import read
from dser_training.networks import FeatureNetwork
from dser_training.stages.checkpoint import CheckpointError
from dser_training.stages.kept import KeptBatches, hear, hear_once, key
from dser_training.stages.sounds import sound

from dser_ext.recognition.speech import loud_frames

VOICE = Path(__file__).parents[2] / "samples" / "voice"


@pytest.fixture(scope="module")
def network(random_backbone: Callable[[str], Path]) -> FeatureNetwork:
    return FeatureNetwork(backbone(str(random_backbone("whisper"))), 8).requires_grad_(False).eval()


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    return read("crema-d", VOICE)


@pytest.fixture
def config() -> UtteranceConfig:
    return UtteranceConfig("", bfloat16=False, frames_per_clip=3, clips_per_voice=4)


def test_a_line_is_kept_as_the_mean_and_some_frames_of_its_speech(
    network: FeatureNetwork, clips: list[Clip], config: UtteranceConfig
) -> None:
    kept = hear(network, clips, config)
    assert list(kept) == clips
    assert {line.stacked.shape for line in kept.values()} == {(4, 96)}
    used = hear(network, clips, config, as_used=True)[clips[0]]
    samples = sound(clips[0])
    speech = torch.from_numpy(loud_frames(samples))
    mean = network.flat(network.hidden(torch.from_numpy(samples)[None]))[0][speech].mean(dim=0)
    assert used.stacked.shape == (1, 96)
    assert torch.allclose(used.stacked[0].float(), mean, atol=1e-2)
    assert used.seconds == pytest.approx(float(speech.sum()) / 50)


def test_lines_without_speech_are_left_out(
    network: FeatureNetwork, clips: list[Clip], config: UtteranceConfig, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(16_000, np.float32), 16_000)
    silent = [clips[0], replace(clips[1], path=tmp_path / "silence.wav"), clips[2]]
    kept = hear_once(tmp_path, network, silent, config)
    assert list(kept) == [clips[0], clips[2]]


def test_what_was_heard_once_is_read_from_the_folder(
    network: FeatureNetwork, clips: list[Clip], config: UtteranceConfig, tmp_path: Path
) -> None:
    first = hear_once(tmp_path, network, clips, config)
    (file,) = tmp_path.iterdir()
    written = file.stat().st_mtime_ns
    again = hear_once(tmp_path, network, clips, config)
    assert [path.stat().st_mtime_ns for path in tmp_path.iterdir()] == [written]
    assert all(torch.equal(first[clip].stacked, again[clip].stacked) for clip in clips)
    assert [first[clip].seconds for clip in clips] == [again[clip].seconds for clip in clips]
    assert [first[clip].seconds for clip in clips] == [line.seconds for line in hear(network, clips, config).values()]


def test_other_weights_settings_and_lines_have_other_names(
    network: FeatureNetwork, clips: list[Clip], config: UtteranceConfig, random_backbone: Callable[[str], Path]
) -> None:
    other = FeatureNetwork(backbone(str(random_backbone("whisper"))), 8)
    same = key(network, clips, config)
    assert key(other, clips, replace(config, learning_rate=1.0)) == same
    other.mean += 1
    names = [
        key(other, clips, config),
        key(network, clips[1:], config),
        key(network, clips, replace(config, frames_per_clip=2)),
        key(network, clips, replace(config, seed=1)),
        key(network, clips, config, as_used=True),
    ]
    assert len({same, *names}) == 6


def test_a_damaged_file_is_said_to_be_damaged(
    network: FeatureNetwork, clips: list[Clip], config: UtteranceConfig, tmp_path: Path
) -> None:
    hear_once(tmp_path, network, clips[:1], config)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="damaged"):
        hear_once(tmp_path, network, clips[:1], config)


def test_an_epoch_has_every_line_once_and_the_same_seed_the_same_batches(
    network: FeatureNetwork, clips: list[Clip], config: UtteranceConfig
) -> None:
    kept = hear(network, clips, config)
    batches, again = KeptBatches(config, kept), KeptBatches(config, kept)
    assert sum(len(batches[number].target) for number in range(len(batches))) == len(clips)
    assert torch.equal(batches[0].stacked, again[0].stacked)
    assert torch.equal(batches[0].references[0], again[0].references[0])
    again.set_epoch(1)
    assert not torch.equal(batches[0].stacked, again[0].stacked)


def test_no_line_stands_in_its_own_voice_and_strangers_in_none(
    network: FeatureNetwork, clips: list[Clip], config: UtteranceConfig
) -> None:
    kept = hear(network, clips, config)
    seconds = sorted(line.seconds for line in kept.values())
    (references,) = KeptBatches(replace(config, clips_per_voice=8), kept)[0].references
    assert references.diagonal().sum() == 0
    assert set(references[references > 0].tolist()) <= {float(np.float32(second)) for second in seconds}
    (strangers,) = KeptBatches(replace(config, clips_per_voice=8, head="plain"), kept)[0].references
    assert strangers.sum() == 0
