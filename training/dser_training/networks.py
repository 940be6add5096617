"""The networks: waveform → features (backbone, all layers projected), and features + voice → concentrations."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, WhisperFeatureExtractor, WhisperModel

from dser_ext.audio import SAMPLE_RATE
from dser_ext.emotion.names import EMOTIONS
from dser_ext.emotion.track import FRAME_RATE
from dser_ext.errors import DserError

HOP = SAMPLE_RATE // FRAME_RATE  # samples a frame, of Whisper and of the Wav2Vec2 family
LEVEL = 0.05  # root mean square that speech is brought to; loudness must not decide the emotion
GATE = 1e-3  # -30 dB: frames this far below the loudest are pauses and do not count for the level
SMALLEST_POWER = 1e-10  # -100 dB: below it nothing is amplified further
FLOOR = 1e-6  # of a concentration (paper, head)
SPEECH_SMOOTHING = 15  # frames, 0.3 s, that tell speech from other sound
LARGEST = 8.0  # of |log Σα|


def levelled(waveform: Tensor) -> Tensor:
    """(batch, samples) at one level, each row by itself: the root mean square of the frames that are not pauses."""
    count = waveform.shape[1] // HOP
    power = waveform[:, : count * HOP].unflatten(1, (count, HOP)).square().mean(dim=2)
    loud = (power > GATE * power.amax(dim=1, keepdim=True)).float()
    mean = (power * loud).sum(dim=1, keepdim=True) / loud.sum(dim=1, keepdim=True).clamp(min=1)
    return waveform * (LEVEL / mean.clamp(min=SMALLEST_POWER).sqrt())


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

    @torch.autocast("cpu", enabled=False)
    def forward(self, waveform: Tensor) -> Tensor:
        """(batch, samples) → (batch, mels, samples // 160), always in full precision."""
        padded = nn.functional.pad(waveform[:, None], (self.window // 2,) * 2, mode="reflect")
        real, imaginary = nn.functional.conv1d(padded, self.waves, stride=self.step)[..., :-1].chunk(2, dim=1)
        power = nn.functional.conv1d(real.square() + imaginary.square(), self.mel)
        log = power.clamp(min=1e-10).log10()
        return (torch.maximum(log, log.amax(dim=(1, 2), keepdim=True) - 8) + 4) / 4


class WhisperBackbone(nn.Module):
    """A Whisper encoder on the true length of the sound, without the 30 s padding."""

    def __init__(self, name_or_folder: str) -> None:
        super().__init__()
        with _quiet():
            self.encoder = WhisperModel.from_pretrained(name_or_folder).float().encoder
        mel_filters = WhisperFeatureExtractor.from_pretrained(name_or_folder).mel_filters
        self.log_mel = LogMel(torch.as_tensor(mel_filters))
        self.layers, self.width = len(self.encoder.layers) + 1, self.encoder.config.d_model
        self.longest_frames: int | None = self.encoder.config.max_source_positions

    def forward(self, waveform: Tensor, position: int = 0) -> Tensor:
        """(batch, samples) → (batch, layers, frames, width); frames are numbered from `position`."""
        hidden = nn.functional.gelu(self.encoder.conv1(self.log_mel(waveform)))
        hidden = nn.functional.gelu(self.encoder.conv2(hidden)).transpose(1, 2)
        hidden = hidden + self.encoder.embed_positions.weight[position : position + hidden.shape[1]]
        outputs = [hidden]
        for layer in self.encoder.layers:
            hidden = layer(hidden, None)
            hidden = hidden[0] if isinstance(hidden, tuple) else hidden
            outputs.append(hidden)
        outputs[-1] = self.encoder.layer_norm(outputs[-1])
        return torch.stack(outputs, dim=1)


class Wav2Vec2Backbone(nn.Module):
    """Wav2Vec2, HuBERT or WavLM on the raw waveform."""

    longest_frames: int | None = None

    def __init__(self, name_or_folder: str) -> None:
        super().__init__()
        with _quiet():
            self.encoder = AutoModel.from_pretrained(name_or_folder).float()
        config = self.encoder.config
        self.layers, self.width = config.num_hidden_layers + 1, config.hidden_size
        self.context = _receptive_field(config.conv_kernel, config.conv_stride)

    def forward(self, waveform: Tensor, position: int = 0) -> Tensor:
        """(batch, samples) → (batch, layers, frames, width); it has no table of positions, so `position` is unused."""
        del position
        missing = self.context - HOP
        padded = nn.functional.pad(waveform, (missing // 2, missing - missing // 2))
        mean, std = padded.mean(dim=1, keepdim=True), padded.std(dim=1, keepdim=True)
        outputs = self.encoder((padded - mean) / (std + 1e-7), output_hidden_states=True)
        return torch.stack(outputs.hidden_states, dim=1)


class BackboneError(DserError):
    """A backbone that cannot be had or used."""


def backbone(name_or_folder: str) -> WhisperBackbone | Wav2Vec2Backbone:
    """An audio encoder by hub name or folder. Raises BackboneError where it cannot be had or is of another kind."""
    try:
        kind = AutoConfig.from_pretrained(name_or_folder).model_type
        if kind == "whisper":
            return WhisperBackbone(name_or_folder)
        if kind in ("wav2vec2", "hubert", "wavlm"):
            return Wav2Vec2Backbone(name_or_folder)
    except (OSError, ValueError) as error:
        raise BackboneError(
            f"{name_or_folder}: no such folder with a model, and the hub has none of this name or cannot be reached"
        ) from error
    raise BackboneError(f"{name_or_folder}: a {kind} model is no audio encoder; use Whisper, Wav2Vec2, HuBERT or WavLM")


class FeatureNetwork(nn.Module):
    """Waveform → features and the probability of speech.

    Every layer of the backbone is standardised and projected, and the projections are summed: a weighted sum of
    layers whose weights are matrices, which also makes features narrow enough to keep for hours of sound.
    """

    def __init__(self, encoder: WhisperBackbone | Wav2Vec2Backbone, size: int) -> None:
        super().__init__()
        self.backbone = encoder
        self.stacked = encoder.layers * encoder.width
        self.register_buffer("mean", torch.zeros(self.stacked))
        self.register_buffer("std", torch.ones(self.stacked))
        self.project = nn.Linear(self.stacked, size, bias=False)
        self.speech = nn.Linear(self.stacked, 1)

    def hidden(self, waveform: Tensor, position: int = 0) -> Tensor:
        """(batch, samples) → all layers side by side, standardised, (batch, frames, layers × width)."""
        layers = self.backbone(levelled(waveform), position)
        return (layers.transpose(1, 2).flatten(2) - self.mean) / self.std

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, samples) → features (batch, frames, size), speech (batch, frames) in [0, 1]."""
        hidden = self.hidden(waveform)
        return self.project(hidden), smoothed(self.speech(hidden), SPEECH_SMOOTHING)[..., 0].sigmoid()


class Head(nn.Module):
    """Features relative to a voice → concentrations.

    What is known of a voice grows with the seconds heard, known = s / (s + s0). The voice's mean, by as much as is
    known, is taken off the features; what is absolute in them counts by as much as is not known. Two layers give the
    logits of the expected mixture. Two others give the logarithm of how sure to be of it, Σα: the less is known of the
    voice, the smaller, for every frame.
    """

    def __init__(self, size: int, smoothing_frames: int, half_known_seconds: float) -> None:
        super().__init__()
        self.smoothing_frames = smoothing_frames
        self.half_known_seconds = half_known_seconds
        self.relative = nn.Linear(size, len(EMOTIONS))
        self.absolute = nn.Linear(size, len(EMOTIONS), bias=False)
        self.total, self.lost = nn.Linear(size, 1), nn.Linear(size, 1)

    def outputs(self, features: Tensor, voice_mean: Tensor, voice_seconds: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (batch, frames, 6) and log Σα (batch, frames, 1) of features that are smoothed already."""
        known = (voice_seconds / (voice_seconds + self.half_known_seconds))[:, None, None]
        relative = features - known * voice_mean[:, None]
        logits = self.relative(relative) + (1 - known) * self.absolute(features)
        # How sure to be is read off the features that tell the mixture; it has no say in what they are.
        total, lost = self.total(features.detach()), self.lost(features.detach())
        return logits, total - (1 - known) * nn.functional.softplus(lost)

    def forward(self, features: Tensor, speech: Tensor, voice_mean: Tensor, voice_seconds: Tensor) -> Tensor:
        """(batch, frames, size), 1 or 0 (batch, frames), (batch, size), (batch,) seconds → (batch, frames, 6)."""
        spoken = smoothed_speech(features, speech, self.smoothing_frames)
        return concentration(*self.outputs(spoken, voice_mean, voice_seconds))


def concentration(logits: Tensor, log_total: Tensor) -> Tensor:
    """g(z) = z² + 1e-6 (paper) of z = exp(a / 2), where a = log(expected share × Σα).

    On z itself, as in the paper, a class that is far from likely (z ≪ 0) gets a large concentration again; training
    learns to avoid that, but only for speech like its own. With the exponential in between, α grows with a.
    """
    activations = logits.log_softmax(-1) + log_total.clamp(min=-LARGEST, max=LARGEST)
    return (activations / 2).exp().square() + FLOOR


def smoothed(frames: Tensor, width: int) -> Tensor:
    """Moving average over time, (batch, frames, size); at the ends over the frames there are."""
    average = nn.functional.avg_pool1d(
        frames.transpose(1, 2), width, stride=1, padding=width // 2, count_include_pad=False
    )
    return average.transpose(1, 2)


def smoothed_speech(frames: Tensor, speech: Tensor, width: int) -> Tensor:
    """Moving average over the frames that hold speech, 1 or 0 (batch, frames); zero where the window has none.

    How much silence a recording has must not decide, nor set its lines apart from the speaker's profile, which is
    made of speech.
    """
    heard = speech[..., None].to(frames.dtype)
    return smoothed(frames * heard, width) / smoothed(heard, width).clamp(min=1e-6)


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
