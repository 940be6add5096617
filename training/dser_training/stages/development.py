"""How well the networks in training do on held-out actors, alone and with the voice's other lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dser_ext.emotion.names import EMOTIONS
from dser_ext.emotion.track import FRAME_RATE
from dser_ext.recognition.speech import HOP, loud_frames
from dser_training.corpora.clip import Clip
from dser_training.evaluation.metrics import VOTES_SMOOTHING
from dser_training.heads import Guesses, Head, VoiceHead
from dser_training.losses import dirichlet_nll, soft_labels
from dser_training.networks import smoothed_speech
from dser_training.stages.model import UtteranceModel
from dser_training.stages.sounds import sound

ROWS = 16  # lines heard at once
FRAMES = 8  # of a line that stand for all of it
ROUNDS = 60  # of fitting a few numbers

Told = tuple[Tensor, Guesses, Tensor, Tensor]
"""Of N lines: what frames are told from, (N, M, D), where their speakers may lie, what they intend, (N,), and what
raters heard, (N, 6), NaN where nobody was asked."""


@dataclass(frozen=True)
class Lines:
    """Some lines of one speaker: frames (N, FRAMES, D), means (N, D), seconds (N,), and what they intend (N,).

    rated: (N, 6), what raters heard, in the open simplex; NaN where nobody was asked.
    """

    frames: Tensor
    means: Tensor
    seconds: Tensor
    intended: Tensor
    rated: Tensor

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
    """Set how sharp mixtures are, and how sure, without a voice and with one.

    Sharpness by the likelihood of what the lines intend; Σα by that of what raters heard, where they were asked.
    """
    with torch.no_grad():
        guessed = [(voice, head.guesses(*voice.voices(known))) for voice in voices for known in (False, True)]
    fit_sharpness(head, [(voice.frames, guesses, voice.intended, voice.rated) for voice, guesses in guessed])


def fit_sharpness(head: VoiceHead, lines: Sequence[Told]) -> None:
    """Set the sharpness of mixtures and the level of Σα by lots of lines that count alike."""

    def unlikelihood() -> Tensor:
        loss = torch.zeros(())
        for frames, guesses, intended, _ in lines:
            mixture = head.log_mixture(frames, guesses).exp().mean(dim=1)
            loss = loss - mixture.gather(1, intended[:, None]).clamp(min=1e-6).log().mean()
        return loss

    def unsureness() -> Tensor:
        loss = torch.zeros(())
        for frames, guesses, _, rated in lines:
            asked = ~rated[:, 0].isnan()
            heard = head.told(frames[asked], Guesses(*(part[asked] for part in guesses)))
            loss = loss + dirichlet_nll(head.concentrations(heard), rated[asked][:, None].expand_as(heard.logits))
        return loss

    _minimise(unlikelihood, [head.log_sharpness.zero_()])
    if all((~rated[:, 0].isnan()).any() for *_, rated in lines):
        _minimise(unsureness, [head.total.bias, head.lost.bias])


def _minimise(loss: Callable[[], Tensor], numbers: Sequence[Tensor]) -> None:
    """Move a few numbers to where the loss is least."""
    optimiser = torch.optim.Adam([number.requires_grad_(True) for number in numbers], lr=0.05)
    for _ in range(ROUNDS):
        for number, gradient in zip(numbers, torch.autograd.grad(loss(), numbers), strict=True):
            number.grad = gradient  # and of nothing else, which may be trained later
        optimiser.step()
    for number in numbers:
        number.requires_grad_(False)


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
    rated = rated_of(clips)
    return [Lines(frames[own], means[own], seconds[own].float(), intended[own], rated[own]) for own in voices]


def rated_of(clips: Sequence[Clip]) -> Tensor:
    """What raters heard in lines, smoothed into the open simplex, (N, 6); NaN where nobody was asked."""
    unknown = (float("nan"),) * len(EMOTIONS)
    shares = torch.tensor([unknown if clip.mixture is None else clip.mixture for clip in clips])
    return soft_labels(shares, VOTES_SMOOTHING)
