"""Stage 2 from an utterance model to a bundle, small: real actors, encoders of random weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml
from dser_training.config import SequenceConfig
from dser_training.corpora.clip import Clip, acted
from dser_training.corpora.clips import read
from dser_training.main import main
from dser_training.segments import REACH, SequenceHead, segment_means
from dser_training.stages import sequence
from dser_training.stages.checkpoint import load_model
from dser_training.stages.load import load
from dser_training.stages.sequence import SequenceModel, told
from dser_training.stages.sequences import SequenceBatches, by_speaker, made, taught
from dser_training.stages.sounds import sound
from dser_training.stages.teacher import heard_in_windows, told_in_windows
from dser_training.stages.utterance import load as load_utterance

import dser_ext

Make = Callable[[str], Path]
FewActors = Callable[[Path, dict[str, int], int], Path]

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
ACTORS = {"train": 2, "develop": 1, "test": 1}
CLIPS_PER_ACTOR = 24
pytestmark = [
    pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data"),
    pytest.mark.filterwarnings("ignore::dser_ext.DserWarning"),
]


@pytest.fixture(scope="module")
def corpus(few_actors: FewActors, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return few_actors(tmp_path_factory.mktemp("corpora") / "crema-d", ACTORS, CLIPS_PER_ACTOR)


def utterance_run(corpus: Path, backbone: Path, folder: Path, **settings: object) -> Path:
    """A finished run of the utterance stage."""
    config = folder / "utterance.yaml"
    form = {
        "backbone": str(backbone), "corpora": {"crema-d": str(corpus)}, "run": str(folder / "utterance"),
        "feature_size": 8, "epochs": 1, "workers": 0, "bfloat16": False, "train": "projection and head", **settings,
    }  # fmt: skip
    config.write_text(yaml.safe_dump(form), encoding="utf-8")
    assert main(["utterance", "--config", str(config)]) == 0
    return folder / "utterance"


@pytest.fixture(scope="module")
def start(corpus: Path, random_backbone: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return utterance_run(corpus, random_backbone("whisper"), tmp_path_factory.mktemp("start"), estimated=True)


def config_of(corpus: Path, start: Path, folder: Path, **settings: object) -> Path:
    config = folder / "sequence.yaml"
    form = {
        "stage": "sequence", "start": str(start), "corpora": {"crema-d": str(corpus)}, "run": str(folder / "sequence"),
        "voices": 2, "splices_per_voice": 3, "epochs": 2, "workers": 0, "bfloat16": False, **settings,
    }  # fmt: skip
    config.write_text(yaml.safe_dump(form), encoding="utf-8")
    return config


@pytest.fixture(scope="module")
def run(corpus: Path, start: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sequence")
    assert main(["sequence", "--config", str(config_of(corpus, start, folder))]) == 0
    return folder / "sequence"


@pytest.mark.slow
def test_only_the_hazard_is_learned_and_the_rest_is_the_utterance_models(run: Path, start: Path) -> None:
    before, after = load_model(start)[1], load_model(run)[1]
    changed = {key for key, tensor in before.items() if not torch.equal(after[key], tensor)}
    assert changed == {"head.log_sharpness"}  # by held-out actors; nobody rated these lines
    learned = {key for key in after if key not in before} - {"head.first_sharpness", "head.steady"}
    assert learned
    assert all(key.startswith("head.hazard.") for key in learned)
    assert after["head.hazard.leave.weight"].any()
    assert not torch.equal(after["head.first_sharpness"], before["head.log_sharpness"])  # of whole lines, not windows


@pytest.mark.slow
def test_no_change_is_as_likely_as_lines_of_one_emotion_of_held_out_actors_need(run: Path, corpus: Path) -> None:
    networks = load(run)
    assert isinstance(networks, SequenceModel)
    held_out = acted([clip for clip in read("crema-d", corpus) if clip.split == "develop"])
    lines = sequence.watched_lines(load_utterance(networks.config.start), held_out, networks.config)
    chosen = float(networks.head.steady)

    def invented(steady: float) -> float:
        networks.head.steady.fill_(steady)
        return sequence.figures_of(networks, lines)["invented_in_one with the voice"]

    enough = [steady for steady in sequence.STEADINESS if invented(steady) <= sequence.MOST_INVENTED]
    assert chosen == min(enough, default=max(sequence.STEADINESS))


@pytest.mark.slow
def test_where_changes_are_is_learned_alike_with_both_objectives(start: Path, corpus: Path) -> None:
    teacher = load_utterance(start)
    gradients = []
    for objective in ("cross-entropy", "dirichlet"):
        config = SequenceConfig(start=str(start), corpora={}, voices=1, splices_per_voice=2, objective=objective)
        config = replace(config, utterance=teacher.config)
        clips = acted([clip for clip in read("crema-d", corpus) if clip.split == "train"])
        torch.manual_seed(0)
        model = SequenceModel(config, teacher)
        torch.nn.init.normal_(model.head.hazard.leave.weight, std=0.1)
        model(SequenceBatches(config, made(teacher.network, clips, config))[0]).backward()
        gradients.append(model.head.hazard.leave.weight.grad)
    assert gradients[0].any()
    torch.testing.assert_close(*gradients)


@pytest.mark.slow
def test_the_same_settings_give_the_same_again(corpus: Path, start: Path, run: Path, tmp_path: Path) -> None:
    assert main(["sequence", "--config", str(config_of(corpus, start, tmp_path))]) == 0
    first, again = load_model(run)[1], load_model(tmp_path / "sequence")[1]
    assert all(torch.equal(again[key], tensor) for key, tensor in first.items())


@pytest.mark.slow
def test_a_bundle_tells_what_the_networks_tell_and_goes_on_in_blocks(run: Path, corpus: Path, tmp_path: Path) -> None:
    config = tmp_path / "export.yaml"
    config.write_text(yaml.safe_dump({"stage": "sequence", "start": "-", "run": str(run)}), encoding="utf-8")
    assert main(["export", "--config", str(config), "--bundle", str(tmp_path / "dser-small")]) == 0
    [first, *_] = [clip for clip in read("crema-d", corpus) if clip.split == "test"]
    samples = np.resize(sound(first), 16_000 * 130)
    recognizer = dser_ext.Recognizer(tmp_path / "dser-small")
    track = recognizer.track(recognizer.hear(dser_ext.audio.AudioArray(samples, 16_000)))
    assert track.mean.shape == (6500, 6)
    model = load(run)
    hearing = recognizer.hear(dser_ext.audio.AudioArray(samples, 16_000))
    features, speech = torch.from_numpy(hearing.frames(0, 6500))[None], torch.from_numpy(hearing.speech)[None].float()
    nothing = torch.zeros(1, 1, 8)
    with torch.no_grad():
        whole = model.head(features, speech, nothing, nothing[..., 0])[0][0].numpy()
    spoken = hearing.speech
    assert np.abs(track.concentration[spoken] - whole[spoken]).max() < 1e-3  # two minutes at a time, and no seam


@pytest.mark.slow
def test_the_papers_sequence_model_learns_from_what_the_teacher_tells(
    corpus: Path, random_backbone: Make, tmp_path: Path
) -> None:
    start = utterance_run(
        corpus, random_backbone("wav2vec2"), tmp_path, head="plain", objective="dirichlet", layers="last", train="all",
        smoothing_frames=5,
    )  # fmt: skip
    config = config_of(
        corpus, start, tmp_path, train="all", objective="dirichlet", smoothing_frames=5, corpora={},
        speech={"crema-d": str(corpus)}, steadiness=0.0,
    )  # fmt: skip
    assert main(["sequence", "--config", str(config)]) == 0
    before, after = load_model(start)[1], load_model(tmp_path / "sequence")[1]
    assert not torch.equal(before["head.output.weight"], after["head.output.weight"])
    layer = next(key for key in before if "backbone.encoder.encoder.layers.0" in key and key.endswith("weight"))
    assert not torch.equal(before[layer], after[layer])


@pytest.mark.slow
def test_the_teacher_hears_each_window_by_itself(start: Path, corpus: Path) -> None:
    teacher = load_utterance(start)
    clip = next(clip for clip in read("crema-d", corpus) if len(sound(clip)) > 32_000)
    samples = sound(clip)
    means, middles = heard_in_windows(teacher, samples, 1.0, 0.5)
    assert np.allclose(np.diff(middles[:-1]), 25)
    assert middles[-1] == len(samples) / 320 - 25.5
    [alone], _ = heard_in_windows(teacher, samples[8000:24_000], 1.0, 0.5)
    assert torch.allclose(means[1], alone, atol=1e-4)
    nothing = torch.zeros(0, 8)
    told = told_in_windows(teacher, (means, middles), 60, nothing, torch.zeros(0))
    assert told.shape == (60, 6)
    assert np.allclose(told.sum(axis=1), 1, atol=1e-5)
    silence = np.zeros(16_000, np.float32)
    assert np.isfinite(
        told_in_windows(teacher, heard_in_windows(teacher, silence, 1.0, 0.5), 50, nothing, nothing[:, 0])
    ).all()


@pytest.mark.slow
def test_no_line_of_a_sequence_stands_in_its_own_voice(start: Path, corpus: Path) -> None:
    teacher = load_utterance(start)
    config = replace(load_sequence_config(corpus, start), splices_per_voice=4, voices=1)
    clips = [clip for clip in read("crema-d", corpus) if clip.split == "train"]
    lines = made(teacher.network, clips, config)
    assert len(lines) == 4 * len(by_speaker(clips))
    for line in lines:
        others = {line.voice.clips[index] for index in line.others()}
        assert others.isdisjoint(line.clips)
        assert all(clip.speaker == line.voice.speaker for clip in others)
    batch = SequenceBatches(config, lines)[0]
    assert torch.allclose(batch.target.sum(-1), torch.ones(()), atol=1e-5)
    [first, *_] = taught(teacher, clips[:3], config)
    assert first.kind == "speech"
    assert len(first.others()) == 2


@pytest.mark.slow
def test_long_lines_are_cut_to_learn_from_and_told_whole(start: Path, run: Path, corpus: Path) -> None:
    config = replace(load_sequence_config(corpus, start), splices_per_voice=2, voices=1, longest_seconds=2.0)
    clips = [clip for clip in read("crema-d", corpus) if clip.split == "develop"]
    model = load(run)
    assert isinstance(model, SequenceModel)
    lines = made(model.network, clips, config)
    batch = SequenceBatches(config, lines)[0]
    assert batch.features.shape[1] == batch.speech.shape[1] == 100
    model.config = config
    for line in lines:
        mixtures = told(model, line, line.others())
        assert mixtures.shape == line.mixtures.shape
        assert np.allclose(mixtures.sum(axis=1), 1, atol=1e-5)


@pytest.mark.slow
def test_speakers_who_say_nothing_are_left_out(start: Path, corpus: Path, tmp_path: Path) -> None:
    teacher = load_utterance(start)
    soundfile.write(tmp_path / "silence.wav", np.zeros(16_000), 16_000)
    silent = [Clip(tmp_path / "silence.wav", "made/1", emotion, "train") for emotion in (0, 3)]
    assert made(teacher.network, silent, load_sequence_config(corpus, start)) == []
    assert taught(teacher, silent, load_sequence_config(corpus, start)) == []


def load_sequence_config(corpus: Path, start: Path) -> SequenceConfig:
    return SequenceConfig(str(start), corpora={"crema-d": str(corpus)}, bfloat16=False)


def test_segments_are_means_of_what_no_change_lies_between() -> None:
    features = torch.cat([torch.zeros(1, 40, 2), torch.ones(1, 40, 2)], dim=1) + 0.1 * torch.randn(1, 80, 2)
    speech, hazard = torch.ones(1, 80), torch.zeros(1, 80)
    means, counts = segment_means(features, speech, hazard)
    assert torch.allclose(means, features.mean(dim=1, keepdim=True), atol=1e-5)
    assert torch.allclose(counts, torch.tensor(80.0))
    hazard[0, 40] = 50.0
    means, counts = segment_means(features, speech, hazard)
    assert torch.allclose(means[0, :40], features[0, :40].mean(dim=0), atol=1e-4)
    assert torch.allclose(means[0, 40:], features[0, 40:].mean(dim=0), atol=1e-4)
    speech[0, :20] = 0
    means, counts = segment_means(features, speech, hazard)
    assert torch.allclose(means[0, 0], features[0, 20:40].mean(dim=0), atol=1e-4)
    assert torch.allclose(counts[0, 0], torch.tensor(20.0))
    means, counts = segment_means(features, torch.zeros(1, 80), hazard)
    assert not means.any()
    assert (counts == 1).all()


@torch.no_grad()
def test_a_border_between_segments_of_one_emotion_is_no_change() -> None:
    torch.manual_seed(0)
    head = SequenceHead(6, 25, 8.0).eval()
    head.centres.copy_(3 * torch.eye(6))
    torch.nn.init.constant_(head.hazard.leave.bias, -20.0)
    heard = head.hazard.forward
    border = torch.zeros(1, 200)
    border[:, 100] = 20.0
    head.hazard.forward = lambda *given: heard(*given) + border  # type: ignore[method-assign]
    same = 10 * torch.eye(6)[[1] * 200][None]
    same[:, 100:, 0] += 0.5
    other = 10 * torch.eye(6)[[1] * 100 + [3] * 100][None]
    guesses = head.guesses(torch.zeros(1, 1, 6), torch.zeros(1, 1))
    [of_same] = head.segments(same, torch.ones(1, 200), guesses)[1]
    [of_other] = head.segments(other, torch.ones(1, 200), guesses)[1]
    assert torch.allclose(of_same[0], of_same[-1], atol=0.05)
    assert torch.allclose(of_other[0], other[0, 0], atol=0.05)
    assert torch.allclose(of_other[-1], other[0, -1], atol=0.05)


def test_a_frame_hears_no_further_than_its_context() -> None:
    torch.manual_seed(0)
    head = SequenceHead(4, 25, 8.0).eval()
    torch.nn.init.normal_(head.hazard.leave.weight)
    context = head.context_frames
    assert context > REACH
    features, speech = torch.randn(1, 2 * context + 201, 4), torch.ones(1, 2 * context + 201)
    nothing = torch.zeros(1, 1, 4)
    with torch.no_grad():
        whole = head.hear_line(features, speech, nothing, nothing[..., 0]).logits[0, context + 100]
        part = head.hear_line(features[:, 100:-100], speech[:, 100:-100], nothing, nothing[..., 0]).logits[0, context]
    assert torch.allclose(whole, part, atol=1e-4)
