"""How good networks are on lines that a frozen backbone heard before, under the voice settings of an evaluation.

A line is told by the mean over its speech, as in the paper, and so is every line of a voice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dser_training.corpora.clip import Clip, by_speaker
from dser_training.evaluation import metrics
from dser_training.evaluation.voices import NONE, SETTINGS, draw
from dser_training.heads import VoiceHead
from dser_training.stages.development import Lines, rated_of
from dser_training.stages.kept import Kept
from dser_training.stages.model import UtteranceModel

Figures = dict[str, Any]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Speaker:
    """One speaker's lines.

    clips: N. heard: (N, W), the mean over each line's speech. seconds: (N,), of speech.
    voices: for each setting (N, N), 1 where the column's line stands in the voice of the row's.
    """

    clips: list[Clip]
    heard: Tensor
    seconds: Tensor
    voices: dict[str, Tensor]

    @classmethod
    def of(cls, clips: list[Clip], kept: dict[Clip, Kept]) -> Speaker:
        """Put one speaker's lines together, and draw their voices."""
        voices = {}
        for setting in SETTINGS:
            chosen = [set(draw(setting, clip, clips)) for clip in clips]
            voices[setting] = torch.tensor([[float(other in own) for other in clips] for own in chosen])
        heard = torch.stack([kept[clip].stacked[0] for clip in clips]).float()
        return cls(clips, heard, torch.tensor([kept[clip].seconds for clip in clips]), voices)

    def lines(self, model: UtteranceModel) -> Lines:
        """The lines as the networks hear them, the mean as the only frame."""
        means = model.network.project(self.heard)
        intended = torch.tensor([clip.emotion for clip in self.clips])
        return Lines(means[:, None], means, self.seconds, intended, rated_of(self.clips))


def speakers(kept: dict[Clip, Kept]) -> list[Speaker]:
    """The speakers of some labelled lines."""
    return [Speaker.of(own, kept) for own in by_speaker(kept).values()]


@torch.no_grad()
def figures(model: UtteranceModel, voices: list[Speaker]) -> dict[str, Figures]:
    """How good the networks are under each setting; those with a head that knows no voice only without one."""
    settings = SETTINGS if isinstance(model.head, VoiceHead) else (NONE,)
    return {setting: _figures([_told(model, speaker, setting) for speaker in voices]) for setting in settings}


def _told(model: UtteranceModel, speaker: Speaker, setting: str) -> tuple[list[Clip], Floats]:
    """The lines that are a test, and their concentrations (N, 6); a line that finds no other for its voice is none."""
    lines, weights = speaker.lines(model), speaker.voices[setting] * speaker.seconds
    heard = model.head.hear(lines.frames, lines.means.expand(len(lines.means), -1, -1), weights)
    concentration = model.head.concentrations(heard)[:, 0].double().numpy()
    tests = [
        number
        for number, clip in enumerate(speaker.clips)
        if not clip.reference_only and (setting == NONE or bool(weights[number].any()))
    ]
    return [speaker.clips[number] for number in tests], concentration[tests]


def _figures(told: list[tuple[list[Clip], Floats]]) -> Figures:
    """log_likelihood: of the raters' votes, in nats; None where there are none."""
    clips = [clip for own, _ in told for clip in own]
    concentration = np.concatenate([alpha for _, alpha in told])
    emotions = np.array([clip.emotion for clip in clips])
    mixtures = concentration / concentration.sum(axis=1, keepdims=True)
    rated = [number for number, clip in enumerate(clips) if clip.mixture is not None]
    shares = np.array([clips[number].mixture for number in rated])
    return {
        "lines": len(clips),
        "accuracy": metrics.accuracy(emotions, mixtures.argmax(axis=1)),
        "calibration_error": metrics.calibration_error(mixtures, emotions),
        "log_likelihood": metrics.log_likelihood(concentration[rated], shares) if rated else None,
    }
