"""Stage 1 from corpus to bundle, small: three real actors, a small random backbone."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
import yaml
from dser_training.corpora.split import actors
from dser_training.main import main
from dser_training.stages.utterance import load

import dser_ext
from dser_ext.recognition.backends import OnnxNetwork
from dser_ext.recognition.bundle import ModelBundle

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
CREMA_D = SHARED / "data" / "crema-d"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CREMA_D.is_dir(), reason="needs ../shared/data"),
]
ACTORS = {"train": 3, "develop": 1, "test": 1}
CLIPS_PER_ACTOR = 12


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few clips of a few actors of each split, and two readers, in the published layouts."""
    folder = tmp_path_factory.mktemp("corpora")
    for split, count in ACTORS.items():
        for actor in actors()[split][:count]:
            (folder / "crema-d" / actor).mkdir(parents=True)
            for clip in sorted((CREMA_D / actor).iterdir())[:CLIPS_PER_ACTOR]:
                shutil.copy(clip, folder / "crema-d" / actor)
    for speaker in sorted((SHARED / "data/read/librispeech").iterdir())[:6]:
        (folder / "read/librispeech" / speaker.name).mkdir(parents=True)
        shutil.copy(next(speaker.iterdir()), folder / "read/librispeech" / speaker.name)
    return folder


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Whisper encoder of random weights, small enough to train here."""
    folder = tmp_path_factory.mktemp("backbone")
    config = transformers.WhisperConfig(
        d_model=32, encoder_layers=2, encoder_attention_heads=2, encoder_ffn_dim=64, decoder_layers=1,
        decoder_attention_heads=2, decoder_ffn_dim=64, vocab_size=64, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        decoder_start_token_id=3,
    )  # fmt: skip
    transformers.WhisperModel(config).save_pretrained(folder)
    transformers.WhisperFeatureExtractor().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def config(corpora: Path, backbone: Path) -> Path:
    file = corpora / "small.yaml"
    settings = {
        "backbone": str(backbone),
        "corpora": {"crema-d": str(corpora / "crema-d"), "read": str(corpora / "read")},
        "feature_size": 8,
        "steps": 6,
        "voices_per_batch": 3,
    }
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return file


def weights(folder: Path) -> dict[str, torch.Tensor]:
    _, network, head = load(folder)
    return {**network.state_dict(), **head.state_dict()}


def test_a_run_gives_a_bundle_that_recognises(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, bundle = tmp_path / "run", tmp_path / "dser-small"
    assert main(["utterance", "--config", str(config), f"run={run}"]) == 0
    assert main(["export", "--config", str(config), "--bundle", str(bundle), f"run={run}"]) == 0
    track = dser_ext.recognize(dser_ext.sample_line(), model=bundle)
    assert track.model is not None
    assert track.model.name == "dser-small"
    capsys.readouterr()
    assert main(["evaluate", "--config", str(config), "--bundle", str(bundle), "validate="]) == 0
    assert "| CREMA-D test | all other lines | 12 |" in capsys.readouterr().out


def test_the_bundle_says_what_the_checkpoint_says(config: Path, tmp_path: Path) -> None:
    run, bundle = tmp_path / "run", tmp_path / "dser-small"
    main(["utterance", "--config", str(config), f"run={run}"])
    main(["export", "--config", str(config), "--bundle", str(bundle), f"run={run}"])
    _, network, head = load(run)
    sound = np.random.default_rng(0).normal(0, 0.1, (2, 40_000)).astype(np.float32)
    folder = ModelBundle.open(bundle).folder
    features = OnnxNetwork(folder / "features.onnx").run({"waveform": sound})
    with torch.inference_mode():
        expected, speech = network(torch.from_numpy(sound))
        spoken = np.random.default_rng(1).integers(0, 2, (1, 125)).astype(np.float32)
        voice = {
            "speech": spoken,
            "voice_mean": np.ones((1, 8), np.float32),
            "voice_seconds": np.array([9.0], np.float32),
        }
        alpha = head(expected[:1], *(torch.from_numpy(value) for value in voice.values()))
    assert np.abs(features["features"] - expected.numpy()).max() < 0.02
    assert np.abs(features["speech"] - speech.numpy()).max() < 0.02
    ours = OnnxNetwork(folder / "head.onnx").run({"features": expected[:1].numpy(), **voice})["concentration"]
    assert np.allclose(ours, alpha.numpy(), rtol=0.01)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(config: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        main(["utterance", "--config", str(config), f"run={tmp_path / name}", f"seed={seed}"])
    first, again, other = (weights(tmp_path / name) for name in "abc")
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["project.weight"], other["project.weight"])


def test_a_trainable_backbone_is_trained(config: Path, backbone: Path, tmp_path: Path) -> None:
    settings = [f"run={tmp_path}", "train_backbone=true", "steps=2", "clips_per_voice=4", "backbone_learning_rate=0.01"]
    assert main(["utterance", "--config", str(config), *settings]) == 0
    before = transformers.WhisperModel.from_pretrained(backbone).encoder.layers[0].fc1.weight
    assert not torch.equal(weights(tmp_path)["backbone.encoder.layers.0.fc1.weight"], before)


def test_training_goes_on_from_a_checkpoint_and_changes_only_what_counts_without_a_voice(
    config: Path, tmp_path: Path
) -> None:
    assert main(["utterance", "--config", str(config), f"run={tmp_path / 'first'}"]) == 0
    then = [f"start={tmp_path / 'first'}", f"run={tmp_path / 'then'}", "only_absolute=true"]
    assert main(["utterance", "--config", str(config), *then]) == 0
    first, after = weights(tmp_path / "first"), weights(tmp_path / "then")
    assert [name for name in first if not torch.equal(first[name], after[name])] == ["absolute.weight"]


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["corpora={crema-d: nowhere}"], "nowhere"),
        (["stepps=3"], "stepps is no setting"),
        (["steps"], "KEY=VALUE"),
        (["backbone=nowhere/at-all"], "nowhere/at-all"),
        (["learning_rate=1.0e+30"], "lower learning_rate"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    config: Path, tmp_path: Path, overrides: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["utterance", "--config", str(config), f"run={tmp_path}", *overrides]) == 1
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("dser-train: ")
    assert said in line
