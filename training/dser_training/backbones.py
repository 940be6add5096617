"""Audio encoders from Hugging Face: waveform → what each layer hears, 50 or 25 frames a second."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, WhisperFeatureExtractor, WhisperModel

from dser_ext.errors import DserError
from dser_ext.recognition.speech import HOP


class BackboneError(DserError):
    """A backbone that cannot be had or used."""


class LogMel(nn.Module):
    """Whisper's log-mel spectrogram as convolutions, so that it goes into the ONNX file (Radford et al. 2022, 2.2)."""

    def __init__(self, mel_filters: Tensor) -> None:
        super().__init__()
        self.window, self.step = 400, 160
        angle = torch.arange(self.window // 2 + 1)[:, None] * torch.arange(self.window)[None] / self.window
        angle = 2 * torch.pi * angle.double()
        waves = torch.cat([angle.cos(), angle.sin()]) * torch.hann_window(self.window).double()
        self.register_buffer("waves", waves.float()[:, None], persistent=False)
        self.register_buffer("mel", mel_filters.float().T[:, :, None].contiguous(), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """(batch, samples) → (batch, mels, samples // 160), always in full precision."""
        with torch.autocast(waveform.device.type, enabled=False):
            padded = nn.functional.pad(waveform[:, None], (self.window // 2,) * 2, mode="reflect")
            real, imaginary = nn.functional.conv1d(padded, self.waves, stride=self.step)[..., :-1].chunk(2, dim=1)
            power = nn.functional.conv1d(real.square() + imaginary.square(), self.mel)
            log = power.clamp(min=1e-10).log10()
            return (torch.maximum(log, log.amax(dim=(1, 2), keepdim=True) - 8) + 4) / 4


class WhisperBackbone(nn.Module):
    """A Whisper encoder on the true length of the sound, without the 30 s padding.

    halve_after: layers after which neighbouring frames are averaged in pairs; what is left to do costs half. None for
    never.
    """

    def __init__(self, name_or_folder: str, halve_after: int | None = None) -> None:
        super().__init__()
        with _quiet():
            self.encoder = WhisperModel.from_pretrained(name_or_folder).float().encoder
        self.encoder.embed_positions.requires_grad_(False)  # sinusoids
        mel_filters = WhisperFeatureExtractor.from_pretrained(name_or_folder).mel_filters
        self.log_mel = LogMel(torch.as_tensor(mel_filters))
        count = len(self.encoder.layers)
        self.halve_after, self.width = halve_after, self.encoder.config.d_model
        if halve_after is not None and not 0 <= halve_after < count:
            raise BackboneError(f"{name_or_folder}: halve_after must be below its {count} layers, not {halve_after}")
        self.strides = [1 if halve_after is None or layer <= halve_after else 2 for layer in range(count + 1)]
        self.longest_frames: int | None = self.encoder.config.max_source_positions

    def forward(self, waveform: Tensor, position: int = 0) -> list[Tensor]:
        """(batch, samples) → of each layer (batch, frames / stride, width); frames are numbered from `position`."""
        hidden = nn.functional.gelu(self.encoder.conv1(self.log_mel(waveform)))
        hidden = nn.functional.gelu(self.encoder.conv2(hidden)).transpose(1, 2)
        hidden = hidden + self.encoder.embed_positions.weight[position : position + hidden.shape[1]]
        outputs = [hidden]
        for number, layer in enumerate(self.encoder.layers):
            hidden = layer(halved(hidden) if number == self.halve_after else hidden, None)
            hidden = hidden[0] if isinstance(hidden, tuple) else hidden
            outputs.append(hidden)
        outputs[-1] = self.encoder.layer_norm(outputs[-1])
        return outputs

    def depths(self) -> list[list[nn.Parameter]]:
        """Its weights from the sound up, one list a layer."""
        front = [*self.encoder.conv1.parameters(), *self.encoder.conv2.parameters()]
        layers = [list(layer.parameters()) for layer in self.encoder.layers]
        return [front, *layers[:-1], [*layers[-1], *self.encoder.layer_norm.parameters()]]


class Wav2Vec2Backbone(nn.Module):
    """Wav2Vec2, HuBERT or WavLM on the raw waveform."""

    longest_frames: int | None = None

    def __init__(self, name_or_folder: str) -> None:
        super().__init__()
        with _quiet():
            self.encoder = AutoModel.from_pretrained(name_or_folder).float()
        config = self.encoder.config
        config.layerdrop = 0.0  # a layer left out at random would leave its features out, too
        config.apply_spec_augment = False  # its masks are drawn from a state that no seed sets, and fail on short lines
        self.encoder.masked_spec_embed.requires_grad_(False)
        self.strides, self.width = [1] * (config.num_hidden_layers + 1), config.hidden_size
        self.context = _receptive_field(config.conv_kernel, config.conv_stride)

    def forward(self, waveform: Tensor, position: int = 0) -> list[Tensor]:
        """(batch, samples) → of each layer (batch, frames, width); there is no table of positions to start in."""
        del position
        missing = self.context - HOP
        padded = nn.functional.pad(waveform, (missing // 2, missing - missing // 2))
        mean, std = padded.mean(dim=1, keepdim=True), padded.std(dim=1, keepdim=True)
        return list(self.encoder((padded - mean) / (std + 1e-7), output_hidden_states=True).hidden_states)

    def depths(self) -> list[list[nn.Parameter]]:
        """Its weights from the sound up, one list a layer."""
        layers = [list(layer.parameters()) for layer in self.encoder.encoder.layers]
        inside = {id(weight) for layer in layers for weight in layer}
        trained = [weight for weight in self.encoder.parameters() if weight.requires_grad]
        return [[weight for weight in trained if id(weight) not in inside], *layers]


def backbone(name_or_folder: str, halve_after: int | None = None) -> WhisperBackbone | Wav2Vec2Backbone:
    """An audio encoder by hub name or folder. Raises BackboneError where it cannot be had or is of another kind."""
    try:
        kind = AutoConfig.from_pretrained(name_or_folder).model_type
        if kind == "whisper":
            return WhisperBackbone(name_or_folder, halve_after)
        if kind in ("wav2vec2", "hubert", "wavlm") and halve_after is None:
            return Wav2Vec2Backbone(name_or_folder)
    except (OSError, ValueError) as error:
        raise BackboneError(
            f"{name_or_folder}: no such folder with a model, and the hub has none of this name or cannot be reached"
        ) from error
    except SafetensorError as error:
        raise BackboneError(f"{name_or_folder}: its weights are damaged ({error}); get the model again") from error
    if halve_after is not None:
        raise BackboneError(f"{name_or_folder}: halve_after is for Whisper encoders; leave it out for a {kind} model")
    raise BackboneError(f"{name_or_folder}: a {kind} model is no audio encoder; use Whisper, Wav2Vec2, HuBERT or WavLM")


def halved(frames: Tensor) -> Tensor:
    """Neighbouring frames averaged in pairs, (batch, F, width) → (batch, ⌈F / 2⌉, width); an odd last one stays."""
    repeated = torch.cat([frames, frames[:, -1:]], dim=1)
    return repeated[:, : (frames.shape[1] + 1) // 2 * 2].unflatten(1, (-1, 2)).mean(dim=2)


def _receptive_field(kernels: list[int], strides: list[int]) -> int:
    field, step = 1, 1
    for kernel, stride in zip(kernels, strides, strict=True):
        field, step = field + (kernel - 1) * step, step * stride
    return field


@contextmanager
def _quiet() -> Iterator[None]:
    """An encoder without its decoder loads with pages of notes about what is missing."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
