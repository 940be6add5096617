"""Audio encoders, small and of random weights, against the transformers' own."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from dser_training.backbones import BackboneError, LogMel, WhisperBackbone, backbone, halved

from dser_ext.audio import read

LINE = read(Path(__file__).resolve().parents[2] / "samples/three_moods.ogg")
WAVE = torch.from_numpy(LINE[:32_320])[None]  # 101 frames
FAMILY = ("wav2vec2", "hubert", "wavlm")

Make = Callable[[str], Path]


@pytest.fixture(scope="module")
def whisper(random_backbone: Make) -> WhisperBackbone:
    encoder = backbone(str(random_backbone("whisper")))
    assert isinstance(encoder, WhisperBackbone)
    return encoder.eval()


def whisper_input(samples: np.ndarray) -> torch.Tensor:
    """What transformers give a Whisper encoder: 30 s of log-mel spectrogram, (1, 80, 3000)."""
    extractor = transformers.WhisperFeatureExtractor()
    return extractor(samples, sampling_rate=16_000, return_tensors="pt")["input_features"]


def test_the_spectrogram_is_whispers_own() -> None:
    ours = LogMel(torch.as_tensor(transformers.WhisperFeatureExtractor().mel_filters))(WAVE)
    assert ours.shape == (1, 80, 202)
    beyond = 200  # the next ones see the end, which is padded with silence there
    assert (ours - whisper_input(LINE[:32_320])[..., :202])[..., :beyond].abs().max() < 1e-3


def test_the_spectrogram_keeps_full_precision_where_the_rest_has_half() -> None:
    log_mel = LogMel(torch.as_tensor(transformers.WhisperFeatureExtractor().mel_filters))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(log_mel(WAVE), log_mel.float()(WAVE))


@torch.inference_mode()
def test_over_its_thirty_seconds_the_encoder_hears_what_transformers_hear(whisper: WhisperBackbone) -> None:
    samples = np.tile(LINE, 30)[:480_000]
    theirs = whisper.encoder(whisper_input(samples), output_hidden_states=True).hidden_states
    ours = whisper(torch.from_numpy(samples)[None])
    assert len(ours) == len(theirs) == 3
    assert all((our - their)[:, :-5].abs().max() < 1e-2 for our, their in zip(ours, theirs, strict=True))


@torch.inference_mode()
@pytest.mark.parametrize("kind", ["whisper", *FAMILY])
@pytest.mark.parametrize("frames", [5, 50, 101])
def test_there_are_fifty_frames_a_second_without_padding(kind: str, frames: int, random_backbone: Make) -> None:
    encoder = backbone(str(random_backbone(kind))).eval()
    outputs = encoder(WAVE[:, : frames * 320].expand(2, -1))
    assert len(outputs) == len(encoder.strides) == 3
    assert {tuple(output.shape) for output in outputs} == {(2, frames, encoder.width)}


@torch.inference_mode()
def test_frames_are_numbered_from_where_they_are_told_to(whisper: WhisperBackbone) -> None:
    table = whisper.encoder.embed_positions.weight
    here, there = whisper(WAVE)[0], whisper(WAVE, 700)[0]
    assert torch.allclose(there - here, table[700:801] - table[:101], atol=1e-5)
    assert whisper.longest_frames == 1500


@torch.inference_mode()
@pytest.mark.parametrize("kind", FAMILY)
def test_the_wav2vec2_family_hears_what_transformers_hear_in_a_sound_of_standard_level(
    kind: str, random_backbone: Make
) -> None:
    encoder = backbone(str(random_backbone(kind))).eval()
    padded = torch.nn.functional.pad(WAVE, (40, 40))  # so that the first and the last frame are whole
    standard = (padded - padded.mean()) / padded.std()
    theirs = transformers.AutoModel.from_pretrained(random_backbone(kind)).eval()(standard, output_hidden_states=True)
    for our, their in zip(encoder(WAVE * 0.01), theirs.hidden_states, strict=True):
        assert torch.allclose(our, their, atol=1e-3)


def test_neighbouring_frames_are_averaged_in_pairs_and_an_odd_last_one_stays() -> None:
    frames = torch.tensor([1.0, 3, 5, 7, 9])[None, :, None].expand(2, -1, 3)
    assert torch.equal(halved(frames), torch.tensor([2.0, 6, 9])[None, :, None].expand(2, -1, 3))
    assert torch.equal(halved(frames[:, :4]), torch.tensor([2.0, 6])[None, :, None].expand(2, -1, 3))
    assert torch.equal(halved(frames[:, :1]), frames[:, :1])


@torch.inference_mode()
@pytest.mark.parametrize("layer", [0, 1])
def test_a_halved_encoder_goes_on_with_the_averages_of_what_it_heard(
    layer: int, random_backbone: Make, whisper: WhisperBackbone
) -> None:
    encoder = backbone(str(random_backbone("whisper")), halve_after=layer).eval()
    assert encoder.strides == [1] * (layer + 1) + [2] * (2 - layer)
    outputs, whole = encoder(WAVE), whisper(WAVE)
    assert [output.shape[1] for output in outputs] == [101 if stride == 1 else 51 for stride in encoder.strides]
    assert all(torch.equal(outputs[number], whole[number]) for number in range(layer + 1))
    odd_one_last = torch.cat([whole[layer], whole[layer][:, -1:]], dim=1)
    expected = (odd_one_last[:, ::2] + odd_one_last[:, 1::2]) / 2
    for following in whisper.encoder.layers[layer:]:
        expected = following(expected, None)
    assert torch.allclose(outputs[-1], whisper.encoder.layer_norm(expected), atol=1e-5)


@pytest.mark.parametrize("layer", [-1, 2, 7])
def test_halving_after_a_layer_that_there_is_not_is_refused(layer: int, random_backbone: Make) -> None:
    with pytest.raises(BackboneError, match=f"below its 2 layers, not {layer}"):
        backbone(str(random_backbone("whisper")), halve_after=layer)


@pytest.mark.parametrize("kind", FAMILY)
def test_only_whisper_can_be_halved(kind: str, random_backbone: Make) -> None:
    with pytest.raises(BackboneError, match=f"leave it out for a {kind} model"):
        backbone(str(random_backbone(kind)), halve_after=0)


def test_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    settings = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "vocab_size": 10}
    transformers.AutoModel.from_config(transformers.AutoConfig.for_model("bert", **settings)).save_pretrained(tmp_path)
    with pytest.raises(BackboneError, match="a bert model is no audio encoder"):
        backbone(str(tmp_path))


@pytest.mark.parametrize("name", ["nowhere/at-all", "../nowhere/at/all", "nowhere", ""])
def test_a_model_that_cannot_be_had_is_said_quickly(name: str) -> None:
    start = time.perf_counter()
    with pytest.raises(BackboneError, match="no such folder with a model") as said:
        backbone(name)
    assert str(said.value).startswith(f"{name}: ")
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize("kind", ["whisper", "wav2vec2"])
def test_damaged_weights_are_said(kind: str, random_backbone: Make, tmp_path: Path) -> None:
    folder = tmp_path / kind
    shutil.copytree(random_backbone(kind), folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(BackboneError, match=str(folder)):
        backbone(str(folder))


@pytest.mark.parametrize("kind", ["whisper", *FAMILY])
def test_every_weight_that_can_be_trained_lies_at_one_depth(kind: str, random_backbone: Make) -> None:
    encoder = backbone(str(random_backbone(kind)))
    depths = encoder.depths()
    listed = [id(weight) for depth in depths for weight in depth]
    assert len(depths) == len(encoder.strides)
    assert len(listed) == len(set(listed))
    assert set(listed) == {id(weight) for weight in encoder.parameters() if weight.requires_grad}
    layers = encoder.encoder.layers if kind == "whisper" else encoder.encoder.encoder.layers
    assert all(
        {id(weight) for weight in layer.parameters()} <= {id(weight) for weight in depth}
        for layer, depth in zip(layers, depths[1:], strict=True)
    )


@pytest.mark.parametrize("kind", FAMILY)
def test_nothing_is_hidden_from_the_encoder_at_random_in_training(kind: str, random_backbone: Make) -> None:
    """Masks and left-out layers are drawn from a state that no seed reaches, and fail on short lines."""
    encoder = backbone(str(random_backbone(kind))).train()
    heard = []
    for _ in range(2):
        torch.manual_seed(0)  # of dropout
        heard.append(encoder(WAVE))
    assert all(torch.equal(one, other) for one, other in zip(*heard, strict=True))
    assert len(encoder(WAVE[:, : 5 * 320])) == 3
