"""How networks in training are measured on held-out actors, and how sharp their mixtures are made."""

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
from dser_training.heads import VoiceHead
from dser_training.networks import FeatureNetwork
from dser_training.stages.development import FRAMES, Lines, accuracy, calibrate, heard, rated_of
from dser_training.stages.model import UtteranceModel
from dser_training.stages.sounds import sound
from dser_training.stages.speech import fit_speech
from dser_training.stages.utterance import fit_scale
from torch import Tensor

from dser_ext.audio import SAMPLE_RATE
from dser_ext.emotion.names import NEUTRAL
from dser_ext.recognition.speech import loud_frames

Make = Callable[[str], Path]

ROOT = Path(__file__).resolve().parents[2]
WHISPER = ROOT.parent / "shared" / "encoders" / "whisper-tiny.en"
EMOTION = {"ANG": 0, "DIS": 1, "FEA": 2, "HAP": 3, "NEU": 4, "SAD": 5}
CLIPS = [
    Clip(path, f"made/{number % 2}", EMOTION[path.stem.split("_")[2]], "develop")
    for number, path in enumerate(sorted((ROOT / "samples/voice").glob("*.ogg")))
]
UNRATED = Clip(Path("unrated.wav"), "made/0", NEUTRAL, "develop")


@pytest.fixture(scope="module")
def model(random_backbone: Make) -> UtteranceModel:
    torch.manual_seed(0)
    made = UtteranceModel(UtteranceConfig(str(random_backbone("whisper")), feature_size=8, bfloat16=False))
    return made.requires_grad_(False).eval()


def test_each_speakers_lines_are_heard_as_they_would_be_one_by_one(model: UtteranceModel) -> None:
    voices = heard(model, CLIPS)
    assert [len(voice.seconds) for voice in voices] == [4, 4]
    assert voices[1].intended.tolist() == [clip.emotion for clip in CLIPS if clip.speaker == "made/1"]
    longest = max((clip for clip in CLIPS if clip.speaker == "made/0"), key=lambda clip: len(sound(clip)))
    row = [clip for clip in CLIPS if clip.speaker == "made/0"].index(longest)
    mask = loud_frames(sound(longest))
    assert voices[0].seconds[row] == pytest.approx(mask.sum() / 50)
    assert voices[0].frames.shape == (4, FRAMES, 8)
    [alone] = heard(model, [longest])
    assert torch.allclose(alone.means[0], voices[0].means[row], atol=0.05)  # padding is heard, a little


def test_a_line_without_speech_is_left_out(model: UtteranceModel, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silent.wav", np.zeros(SAMPLE_RATE), SAMPLE_RATE)
    silent = Clip(tmp_path / "silent.wav", "made/0", NEUTRAL, "develop")
    voices = heard(model, [*CLIPS, silent])
    assert [len(voice.seconds) for voice in voices] == [4, 4]
    assert 0 <= accuracy(model, voices)["alone"] <= 1


def voices_of_an_actor() -> tuple[VoiceHead, list[Lines]]:
    """A head that knows how lines come about, and speakers who are so far away that only a voice tells."""
    random = torch.Generator().manual_seed(0)
    head = VoiceHead(8, 1, 8.0).requires_grad_(False)
    for parameter in head.parameters():
        parameter.zero_()
    head.centres.copy_(3 * torch.eye(6, 8))
    head.log_variance.fill_(2.0)
    voices = []
    for _ in range(4):
        intended = torch.randperm(24, generator=random).remainder(6)
        means = head.centres[intended] + 2.5 * torch.randn(1, 8, generator=random)
        means = means + torch.randn(24, 8, generator=random)
        voices.append(
            Lines(means[:, None].expand(-1, FRAMES, -1), means, torch.ones(24), intended, rated_of([UNRATED] * 24))
        )
    return head, voices


def test_the_voices_other_lines_count_and_a_line_itself_does_not() -> None:
    head, voices = voices_of_an_actor()
    others = [voice.logits(head, with_voice=True).mean(dim=1).argmax(-1) == voice.intended for voice in voices]
    alone = [voice.logits(head, with_voice=False).mean(dim=1).argmax(-1) == voice.intended for voice in voices]
    assert torch.cat(others).float().mean() > torch.cat(alone).float().mean() + 0.1
    voice = voices[0]
    expected = head.hear(voice.frames[:1], voice.means[None, 1:], voice.seconds[None, 1:]).logits
    assert torch.allclose(voice.logits(head, with_voice=True)[:1], expected, atol=1e-4)


@pytest.mark.slow
def test_mixtures_are_made_as_sharp_as_they_are_right_whatever_they_were_before() -> None:
    def likelihood() -> float:
        mixtures = [voice.logits(head, True).softmax(-1).mean(1).gather(1, voice.intended[:, None]) for voice in voices]
        return float(torch.cat(mixtures).log().mean())

    head, voices = voices_of_an_actor()
    before = likelihood()
    calibrate(head, voices)
    fitted = head.log_sharpness.clone()
    assert likelihood() > before
    head.log_sharpness.fill_(3.0)
    assert likelihood() < before
    calibrate(head, voices)
    assert torch.equal(head.log_sharpness, fitted)


@pytest.mark.slow
def test_mixtures_are_made_as_sure_as_raters_agree_and_stay_what_they_are() -> None:
    def figures() -> tuple[float, Tensor]:
        heard = [head.hear(voice.frames, *voice.voices(True)) for voice in rated]
        alphas = torch.cat([head.concentrations(each)[:, 0] for each in heard])
        shares = torch.cat([voice.rated for voice in rated])
        return float(torch.distributions.Dirichlet(alphas).log_prob(shares).mean()), alphas

    head, voices = voices_of_an_actor()
    calibrate(head, voices)
    votes = [0.6 * torch.eye(6)[voice.intended] + 0.4 / 6 for voice in voices]
    rated = [replace(voice, rated=shares) for voice, shares in zip(voices, votes, strict=True)]
    before, unsure = figures()
    calibrate(head, rated)
    after, sure = figures()
    assert after > before + 0.5
    assert torch.allclose(sure / sure.sum(1, keepdim=True), unsure / unsure.sum(1, keepdim=True), atol=1e-3)


def test_what_raters_heard_lies_in_the_open_simplex_and_is_unknown_where_nobody_was_asked() -> None:
    asked = replace(UNRATED, mixture=(0.0, 0.0, 0.0, 0.25, 0.75, 0.0))
    rated = rated_of([asked, UNRATED])
    assert rated[0].tolist() == pytest.approx([0.1 / 6] * 3 + [0.225 + 0.1 / 6, 0.675 + 0.1 / 6, 0.1 / 6])
    assert rated[1].isnan().all()


@pytest.mark.slow
@pytest.mark.skipif(not WHISPER.is_dir(), reason="needs ../shared/encoders")
def test_speech_is_told_from_what_is_none_the_same_each_time() -> None:
    torch.manual_seed(0)
    network = FeatureNetwork(backbone(str(WHISPER)), 8).requires_grad_(False).eval()
    fit_scale(network, CLIPS)
    right = fit_speech(network, CLIPS * 4, seed=0, steps=200)
    fitted = network.speech.weight.clone()
    assert right > 0.8
    assert fit_speech(network, CLIPS * 4, seed=0, steps=200) == right
    assert torch.equal(network.speech.weight, fitted)
