"""How well the networks in training do on held-out actors, alone and with the voice's other lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dser_ext.emotion.track import FRAME_RATE
from dser_ext.recognition.speech import HOP, loud_frames
from dser_training.corpora.clip import Clip
from dser_training.heads import Head, VoiceHead
from dser_training.networks import smoothed_speech
from dser_training.stages.model import UtteranceModel
from dser_training.stages.sounds import sound

ROWS = 16  # lines heard at once
FRAMES = 8  # of a line that stand for all of it
ROUNDS = 60  # of fitting two numbers


@dataclass(frozen=True)
class Lines:
    """Some lines of one speaker: frames (N, FRAMES, D), means (N, D), seconds (N,), and what they intend (N,)."""

    frames: Tensor
    means: Tensor
    seconds: Tensor
    intended: Tensor

    def logits(self, head: Head, with_voice: bool) -> Tensor:
        """(N, FRAMES, 6), each line measured against nothing or against all others."""
        return head.hear(self.frames, *self.voices(with_voice)).logits

    def voices(self, with_voice: bool) -> tuple[Tensor, Tensor]:
        """What each line is measured against: lines (N, N, D) and their weights (N, N)."""
        others = self.seconds * (1 - torch.eye(len(self.seconds))) * with_voice
        return self.means.expand(len(self.means), -1, -1), others


def accuracy(model: UtteranceModel, voices: Sequence[Lines]) -> dict[str, float]:
    """Share of lines whose intended emotion is the strongest on average, alone and with the voice's other lines."""
    result = {}
    with torch.no_grad():
        for kind, with_voice in (("alone", False), ("with the voice", True)):
            right = [
                voice.logits(model.head, with_voice).softmax(-1).mean(dim=1).argmax(-1) == voice.intended
                for voice in voices
            ]
            result[kind] = float(torch.cat(right).float().mean())
    return result


def calibrate(head: VoiceHead, voices: Sequence[Lines]) -> None:
    """Set how sharp mixtures are, without a voice and with one, by the likelihood of what the lines intend."""
    with torch.no_grad():
        guesses = [[head.guesses(*voice.voices(with_voice)) for with_voice in (False, True)] for voice in voices]
    sharpness = head.log_sharpness.zero_().requires_grad_(True)
    optimiser = torch.optim.Adam([sharpness], lr=0.05)
    for _ in range(ROUNDS):
        loss = torch.zeros(())
        for voice, guessed in zip(voices, guesses, strict=True):
            for guess in guessed:
                mixture = head.log_mixture(voice.frames, guess).exp().mean(dim=1)
                loss = loss - mixture.gather(1, voice.intended[:, None]).clamp(min=1e-6).log().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    sharpness.requires_grad_(False)


@torch.no_grad()
def heard(model: UtteranceModel, clips: Sequence[Clip]) -> list[Lines]:
    """Every speaker's lines, as the networks hear them, without those that have no speech."""
    clips = [clip for clip in clips if loud_frames(sound(clip)).any()]
    sounds = [sound(clip) for clip in clips]
    masks = [loud_frames(samples) for samples in sounds]
    order = np.argsort([len(samples) for samples in sounds], kind="stable")
    frames = torch.zeros(len(clips), FRAMES, model.config.feature_size)
    means = torch.zeros(len(clips), model.config.feature_size)
    for start in range(0, len(order), ROWS):
        rows = order[start : start + ROWS]
        waves = torch.zeros(len(rows), max(len(sounds[row]) for row in rows))
        speech = torch.zeros(len(rows), waves.shape[1] // HOP)
        for place, row in enumerate(rows):
            waves[place, : len(sounds[row])] = torch.from_numpy(sounds[row])
            speech[place, : len(masks[row])] = torch.from_numpy(masks[row])
        device = model.network.mean.device
        with torch.autocast(device.type, torch.bfloat16, enabled=model.config.bfloat16):
            features = model.network.features(model.network.hidden(waves.to(device))).float().cpu()
        spoken = smoothed_speech(features, speech, model.config.smoothing_frames)
        for place, row in enumerate(rows):
            own = np.flatnonzero(masks[row])
            means[row] = features[place, own].mean(dim=0)
            frames[row] = spoken[place, own[np.linspace(0, len(own) - 1, FRAMES).round().astype(int)]]
    seconds = torch.tensor([mask.sum() / FRAME_RATE for mask in masks])
    intended = torch.tensor([clip.emotion for clip in clips])
    speakers = np.array([clip.speaker for clip in clips])
    voices = [np.flatnonzero(speakers == speaker) for speaker in sorted(set(speakers))]
    return [Lines(frames[own], means[own], seconds[own].float(), intended[own]) for own in voices]
