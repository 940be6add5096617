"""Stage 1 from corpus to bundle, small: real actors and readers, encoders of random weights."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from dser_training.backbones import backbone
from dser_training.corpora.clip import Clip
from dser_training.export import in_eight_bits
from dser_training.main import main
from dser_training.networks import FeatureNetwork, levelled
from dser_training.stages.checkpoint import BEST, MODEL, STATE, load_model, load_state
from dser_training.stages.model import UtteranceModel
from dser_training.stages.sounds import sound
from dser_training.stages.utterance import acted, fit_scale, load
from torch import Tensor

import dser_ext
from dser_ext.audio import read
from dser_ext.emotion.names import NEUTRAL
from dser_ext.recognition.backends import OnnxNetwork
from dser_ext.recognition.bundle import FEATURES, HEAD, ModelBundle
from dser_ext.recognition.recognizer import Recognizer
from dser_ext.recognition.speech import loud_frames

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
WHISPER = ROOT.parent / "shared" / "encoders" / "whisper-tiny.en"
LINES = sorted((ROOT / "samples/voice").glob("*.ogg"))
ACTORS = {"train": 4, "develop": 2, "test": 1}
CLIPS_PER_ACTOR = 8
TRAIN = [sys.executable, "-m", "dser_training.main", "utterance", "--config"]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "training")])}
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
slow = pytest.mark.slow
pytestmark = pytest.mark.filterwarnings("ignore:without a voice:dser_ext.DserWarning")

Make = Callable[[str], Path]


@pytest.fixture(scope="module")
def corpora(few_actors: Callable[[Path, dict[str, int], int], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few clips of a few actors of each split, readers and bursts, in the published layouts."""
    folder = tmp_path_factory.mktemp("corpora")
    few_actors(folder / "crema-d", ACTORS, CLIPS_PER_ACTOR)
    for speaker in sorted((DATA / "read/librispeech").iterdir())[:4]:
        (folder / "read/librispeech" / speaker.name).mkdir(parents=True)
        shutil.copy(next(speaker.iterdir()), folder / "read/librispeech" / speaker.name)
    (folder / "bursts").mkdir()
    for burst in sorted((DATA / "bursts").rglob("*.*"))[:6]:
        shutil.copy(burst, folder / "bursts")
    return folder


@pytest.fixture(scope="module")
def config(corpora: Path, random_backbone: Make) -> Path:
    file = corpora / "small.yaml"
    settings = {
        "backbone": str(random_backbone("whisper")),
        "halve_after": 1,
        "corpora": {"crema-d": str(corpora / "crema-d"), "read": str(corpora / "read")},
        "bursts": str(corpora / "bursts"),
        "feature_size": 8,
        "epochs": 2,
        "voices_per_batch": 2,
        "clips_per_voice": 8,
        "clip_frames": 60,
        "workers": 0,
        "bfloat16": False,
    }
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def run(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    assert main(["utterance", "--config", str(config), f"run={folder}"]) == 0
    return folder


@pytest.fixture(scope="module")
def bundle(config: Path, run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's bundle."""
    folder = tmp_path_factory.mktemp("bundles") / "dser-small"
    assert main(["export", "--config", str(config), "--bundle", str(folder), f"run={run}"]) == 0
    return folder


def train(config: Path, folder: Path, *overrides: str) -> int:
    return main(["utterance", "--config", str(config), f"run={folder}", *overrides])


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.strip().splitlines()[-1]


def same(first: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return first.keys() == other.keys() and all(torch.equal(tensor, other[key]) for key, tensor in first.items())


def weights(folder: Path) -> dict[str, Tensor]:
    return load_model(folder)[1]


@slow
@needs_data
def test_a_run_leaves_its_networks_where_it_was_and_what_happened(run: Path) -> None:
    assert sorted(path.name for path in run.iterdir()) == sorted(["config.json", BEST, MODEL, STATE, "tensorboard"])
    assert any("tfevents" in path.name for path in (run / "tensorboard").rglob("*"))
    model = load(run)
    assert isinstance(model, UtteranceModel)
    assert not model.training
    assert not any(weight.requires_grad for weight in model.parameters())
    assert model.head.log_sharpness.all()
    assert model.network.speech.weight.any()


@slow
@needs_data
def test_a_bundle_recognises_and_can_be_evaluated(
    config: Path, bundle: Path, corpora: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    track = dser_ext.recognize(dser_ext.sample_line(), model=bundle)
    assert track.model is not None
    assert track.model.name == "dser-small"
    with_voice = dser_ext.recognize(dser_ext.sample_line(), model=bundle, voice=ROOT / "samples/voice")
    assert with_voice.voice is not None
    assert not np.allclose(with_voice.mean, track.mean)
    capsys.readouterr()
    assert main(["evaluate", "--config", str(config), "--bundle", str(bundle), "--sets", "test"]) == 0
    assert f"| CREMA-D test | all other lines | {CLIPS_PER_ACTOR} |" in capsys.readouterr().out
    assert main(["evaluate", "--config", str(config), "--bundle", str(corpora), "--sets", "test"]) == 1
    assert last_line(capsys).startswith(f"dser-train: {corpora}: no model here")


@slow
@needs_data
def test_the_bundle_computes_what_the_networks_compute(run: Path, bundle: Path) -> None:
    """The head in full precision; the features' weights have been rounded to 8 and 16 bits."""
    model, folder = load(run), ModelBundle.open(bundle).folder
    features_onnx, head_onnx = OnnxNetwork(folder / FEATURES), OnnxNetwork(folder / HEAD)
    for seconds in (0.5, 1.0, 1.02, 2.5):
        samples = read(dser_ext.sample_line())
        wave = np.stack([samples[start : start + round(16_000 * seconds)] for start in (0, 30_000)])
        said = features_onnx.run({"waveform": wave})
        with torch.inference_mode():
            features, speech = model.network(torch.from_numpy(wave))
        assert said["features"].shape == features.shape
        assert np.abs(said["features"] - features.numpy()).max() < 0.03 * features.abs().max()
        assert np.abs(said["speech"] - speech.numpy()).max() < 0.03
        for lines in (1, 5):
            random = np.random.default_rng(lines)
            inputs = {
                "features": features[:1].numpy(),
                "speech": random.integers(0, 2, (1, features.shape[1])).astype(np.float32),
                "voice_lines": random.normal(0, 1, (1, lines, 8)).astype(np.float32),
                "voice_weights": random.uniform(0, 4, (1, lines)).astype(np.float32),
            }
            said = head_onnx.run(inputs)
            with torch.inference_mode():
                alpha, composition = model.head(*map(torch.from_numpy, inputs.values()))
            assert np.allclose(said["concentration"], alpha.numpy(), rtol=1e-3, atol=1e-5)
            assert np.allclose(said["composition"], composition.numpy(), atol=1e-3)


@slow
@needs_data
def test_tracks_of_the_bundle_are_those_of_the_networks(run: Path, bundle: Path) -> None:
    model, recognizer = load(run), Recognizer(bundle, "cpu")
    differences = []
    for line in LINES[:4]:
        samples = read(line)[: len(read(line)) // 320 * 320]
        hearing = recognizer.hear(dser_ext.audio.AudioArray(samples, 16_000))
        track = recognizer.track(hearing)
        with torch.inference_mode():
            features, _ = model.network(torch.from_numpy(samples)[None])
            speech = torch.from_numpy(hearing.speech[None]).float()
            alpha, _ = model.head(features, speech, torch.zeros(1, 1, 8), torch.zeros(1, 1))
        mean = (alpha / alpha.sum(-1, keepdim=True))[0].numpy()
        differences.append(np.abs(mean - track.mean)[hearing.speech])
    assert np.concatenate(differences).mean() <= 0.02


def test_eight_bits_are_as_near_as_they_can_be() -> None:
    weight = np.random.default_rng(0).normal(0, 1, (64, 16)).astype(np.float32) * np.logspace(
        -3, 3, 16, dtype=np.float32
    )
    weight[:, 3] = 0
    stored, scale = in_eight_bits(weight)
    assert stored.dtype == np.int8
    assert np.abs(stored * scale - weight).max(axis=0) == pytest.approx(scale[0] / 2, rel=0.2, abs=1e-9)


@slow
@needs_data
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(config: Path, run: Path, tmp_path: Path) -> None:
    assert train(config, tmp_path / "again") == 0
    assert train(config, tmp_path / "other", "seed=1") == 0
    first, again, other = (weights(folder) for folder in (run, tmp_path / "again", tmp_path / "other"))
    assert same(first, again)
    assert not torch.equal(first["network.project.weight"], other["network.project.weight"])


@slow
@needs_data
def test_a_finished_run_started_again_stays_as_it_is(config: Path, run: Path) -> None:
    before = {path: path.read_bytes() for path in (run / MODEL, run / STATE, run / "config.json")}
    assert train(config, run) == 0
    assert all(path.read_bytes() == content for path, content in before.items())


@slow
@needs_data
@pytest.mark.parametrize("settings", [["bfloat16=true", "workers=1"], ["train=projection and head", "dropout=0.3"]])
def test_a_run_that_was_killed_ends_as_if_it_had_not_been(config: Path, tmp_path: Path, settings: list[str]) -> None:
    """Killed in its third epoch, without any warning."""
    settings = [str(config), *settings, "epochs=4", "voices_per_batch=1", "clips_per_voice=4"]
    whole, killed, log = tmp_path / "whole", tmp_path / "killed", tmp_path / "log"
    subprocess.run([*TRAIN, *settings, f"run={whole}"], env=ENVIRONMENT, check=True, capture_output=True)
    with (
        log.open("w") as errors,
        subprocess.Popen([*TRAIN, *settings, f"run={killed}"], stderr=errors, env=ENVIRONMENT) as process,
    ):
        while "epoch 2, batch 0" not in log.read_text():
            assert process.poll() is None, log.read_text()
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert "epoch 3 of 4" not in log.read_text()
    done = subprocess.run(
        [*TRAIN, *settings, f"run={killed}"], env=ENVIRONMENT, check=True, capture_output=True, text=True
    )
    assert "going on after epoch 2" in done.stderr
    assert "epoch 2 of 4" not in done.stderr
    for name in (MODEL, STATE):
        assert (whole / name).read_bytes() == (killed / name).read_bytes()


@slow
@needs_data
def test_where_the_loss_is_no_number_the_last_epoch_is_kept(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(config, tmp_path, "epochs=1") == 0
    before = weights(tmp_path), (tmp_path / STATE).read_bytes()
    capsys.readouterr()
    broken = ["epochs=3", "learning_rate=1.0e+30", "backbone_learning_rate=1.0e+30", "voices_per_batch=1"]
    assert train(config, tmp_path, *broken) == 1
    line = last_line(capsys)
    assert line.startswith("dser-train: the loss became ")
    assert "lower learning_rate" in line
    assert same(weights(tmp_path), before[0])
    assert (tmp_path / STATE).read_bytes() == before[1]
    assert load(tmp_path).head.state_dict()
    assert train(config, tmp_path, "epochs=2") == 0


@slow
@needs_data
def test_training_ends_where_nothing_gets_better(config: Path, tmp_path: Path) -> None:
    still = ["epochs=40", "patience=2", "learning_rate=0.0", "backbone_learning_rate=0.0"]
    assert train(config, tmp_path, *still) == 0
    model = UtteranceModel(load_model(tmp_path)[0])
    _, state = load_state(tmp_path, torch.optim.AdamW(model.parameters())) or (None, {})
    assert state["best_epoch"] == 1
    assert 3 <= state["epoch"] <= 4


@slow
@needs_data
def test_training_measured_more_rarely_than_its_patience_is_measured_at_all(config: Path, tmp_path: Path) -> None:
    assert train(config, tmp_path, "epochs=5", "measure_every=3", "patience=1") == 0
    assert load(tmp_path)


@slow
@needs_data
@pytest.mark.parametrize(
    ("part", "left"),
    [
        ("train=all", []),
        ("train=projection and head", ["network.backbone"]),
        ("train=head", ["network.backbone", "network.project"]),
        ("train=head estimated=true", ["network.backbone"]),
        (
            "train=projection and head estimated=true",
            ["network.backbone", "head.log_line", "head.log_frame", "head.log_few"],
        ),
    ],
)
def test_what_is_asked_for_is_trained_and_nothing_else(
    part: str, left: list[str], config: Path, run: Path, tmp_path: Path
) -> None:
    if part != "train=all":
        assert train(config, tmp_path, *part.replace(" estimated", "|estimated").split("|")) == 0
        run = tmp_path
    settings, after = load_model(run)
    torch.manual_seed(settings.seed)
    before = UtteranceModel(settings).state_dict()
    same_still = {key for key, tensor in before.items() if torch.equal(tensor, after[key])}
    table = {"network.backbone.encoder.embed_positions.weight"}  # of sines, never trained
    assert same_still - table == {key for key in before if key.startswith(tuple(left))} - table


@slow
@needs_data
def test_layers_stay_as_they_are_from_the_sound_up(config: Path, tmp_path: Path) -> None:
    assert train(config, tmp_path, "frozen_layers=1", "epochs=1") == 0
    settings, after = load_model(tmp_path)
    torch.manual_seed(settings.seed)
    before = UtteranceModel(settings).state_dict()
    still = {key for key, tensor in before.items() if torch.equal(tensor, after[key])}
    encoder = "network.backbone.encoder"
    frozen = (f"{encoder}.embed_positions", f"{encoder}.conv", f"{encoder}.layers.0.")
    assert still == {key for key in before if key.startswith(frozen)}


@slow
@needs_data
def test_training_goes_on_from_another_run(config: Path, run: Path, tmp_path: Path) -> None:
    assert train(config, tmp_path, f"start={run}", "epochs=1", "learning_rate=0.0", "backbone_learning_rate=0.0") == 0
    first, then = weights(run), weights(tmp_path)
    fitted = ("network.speech.weight", "network.speech.bias", "head.log_sharpness")
    assert all(torch.allclose(first[key], then[key], atol=1e-6) for key in first if key not in fitted)


@slow
@needs_data
def test_another_kind_of_head_begins_anew_on_networks_that_were_trained(
    config: Path, run: Path, tmp_path: Path
) -> None:
    assert train(config, tmp_path, f"start={run}", "head=plain", "train=head") == 0
    first, then = weights(run), weights(tmp_path)
    assert torch.equal(first["network.project.weight"], then["network.project.weight"])
    assert "head.output.weight" in then


@slow
@needs_data
@pytest.mark.parametrize("kind", ["wav2vec2", "wavlm"])
@pytest.mark.parametrize("objective", ["dirichlet", "cross-entropy"])
def test_the_papers_settings_train_and_give_the_same_again(
    kind: str, objective: str, config: Path, random_backbone: Make, tmp_path: Path
) -> None:
    paper = yaml.safe_load((ROOT / "training/configs/paper-base.yaml").read_text(encoding="utf-8"))
    paper |= yaml.safe_load(config.read_text(encoding="utf-8"))
    del paper["halve_after"], paper["bursts"]
    paper |= {"backbone": str(random_backbone(kind)), "head": "plain", "objective": objective, "clip_frames": 600}
    paper |= {"voices_per_batch": 1, "epochs": 2}
    file = tmp_path / "paper.yaml"
    file.write_text(yaml.safe_dump(paper), encoding="utf-8")
    assert train(file, tmp_path / "run") == 0
    assert train(file, tmp_path / "again") == 0
    assert same(weights(tmp_path / "run"), weights(tmp_path / "again"))
    assert main(["export", "--config", str(file), "--bundle", str(tmp_path / "bundle"), f"run={tmp_path / 'run'}"]) == 0
    with pytest.warns(dser_ext.DserWarning):
        assert len(dser_ext.recognize(dser_ext.sample_line(), model=tmp_path / "bundle").mean)


@slow
@needs_data
@pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="needs gloo")
@pytest.mark.parametrize("settings", [[], ["head=plain", "objective=dirichlet", "halve_after=", "backbone=wav2vec2"]])
def test_two_processes_train_together(config: Path, tmp_path: Path, settings: list[str], random_backbone: Make) -> None:
    """Started as accelerate starts them on GPUs; on CPUs it starts one alone, unless there is MPI."""
    settings = [setting.replace("=wav2vec2", f"={random_backbone('wav2vec2')}") for setting in settings]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", *TRAIN[1:]]
    command = [*launch, str(config), *settings, f"run={tmp_path}", "voices_per_batch=1"]
    environment = ENVIRONMENT | {"ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("epoch 1, batch 0 of 2, ") == 2  # of five
    assert load(tmp_path)


@slow
@needs_data
@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["corpora={crema-d: nowhere}"], "nowhere: no folder with crema-d"),
        (["corpora={tess: nowhere}"], "tess: no reader"),
        (["corpora={}"], "the training split is empty"),
        (["train_splits=[validate]"], "the training split is empty"),
        (["stepps=3"], "stepps is no setting"),
        (["steps"], "KEY=VALUE"),
        (["backbone=nowhere/at-all"], "nowhere/at-all: no such folder"),
        (["bursts=nowhere"], "nowhere: no folder with bursts"),
        (["start=nowhere"], "nowhere: no usable checkpoint"),
        (["start={run}", "feature_size=4"], "its networks are not those of this configuration"),
        (["start={run}", "backbone={wav2vec2}", "halve_after="], "its networks are not those of this configuration"),
        (["run={run}", "feature_size=4"], "what lies there is of another configuration"),
        (["run={file}"], "{file}"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    overrides: list[str],
    said: str,
    config: Path,
    run: Path,
    random_backbone: Make,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}
    names = {"{run}": str(run), "{file}": str(config), "{wav2vec2}": str(random_backbone("wav2vec2"))}
    for name, value in names.items():
        overrides = [override.replace(name, value) for override in overrides]
        said = said.replace(name, value)
    capsys.readouterr()
    assert train(config, tmp_path, *overrides) == 1
    line = last_line(capsys)
    assert line.startswith("dser-train: ")
    assert said in line
    assert before == {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}


@slow
@needs_data
def test_a_damaged_state_is_said_in_one_line(
    config: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / STATE).write_bytes((run / STATE).read_bytes()[:-100])
    assert train(config, tmp_path) == 1
    assert last_line(capsys).startswith(f"dser-train: {tmp_path / STATE}: damaged (")


@pytest.mark.parametrize(
    "name",
    [
        "random",
        pytest.param(
            str(WHISPER),
            marks=pytest.mark.skipif(not WHISPER.is_dir(), reason="needs ../shared/encoders"),
        ),
    ],
)
def test_the_scale_is_that_of_what_the_layers_hear_in_speech(name: str, random_backbone: Make) -> None:
    encoder = backbone(str(random_backbone("whisper")) if name == "random" else name, 1)
    network = FeatureNetwork(encoder, 8).requires_grad_(False).eval()
    clips = [Clip(line, "made/1", NEUTRAL, "train") for line in LINES[:3]]
    fit_scale(network, clips)
    heard = []
    for clip in clips:
        layers = network.backbone(levelled(torch.from_numpy(sound(clip))[None]))
        count = layers[0].shape[1]
        layers = layers[:2] + [layer.repeat_interleave(2, dim=1)[:, :count] for layer in layers[2:]]
        heard.append(torch.cat(layers, dim=-1)[0][torch.from_numpy(loud_frames(sound(clip)))])
    together = torch.cat(heard)
    assert torch.allclose(network.mean, together.mean(dim=0), atol=1e-4)
    assert torch.allclose(network.std, together.std(dim=0), rtol=0.01)


def test_only_speakers_with_several_emotions_are_actors() -> None:
    def clip(speaker: str, emotion: int | None) -> Clip:
        return Clip(Path(f"{speaker}-{emotion}"), speaker, emotion, "develop")

    clips = [clip("a", 0), clip("a", 1), clip("a", None), clip("b", NEUTRAL), clip("b", NEUTRAL)]
    assert acted(clips) == clips[:2]
