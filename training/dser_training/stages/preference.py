"""Stage 3: a model's head learns what people preferred, by direct preference optimisation (paper, equation 7).

It goes on from a model bundle, and gives another: a studio needs no run of the other stages for it. The features stay
as they are, and with them all voices; so does where the emotion changes, of which 1,500 answers tell too little (it has
seventy times as many weights). What is learned is how a segment is told, and how sure.
"""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from dser_ext.audio import AudioFile
from dser_ext.errors import FormatError
from dser_ext.recognition.bundle import ModelBundle
from dser_ext.recognition.hearing import Hearing
from dser_ext.recognition.recognizer import Recognizer
from dser_ext.recognition.voice import VoiceLines, VoiceProfile
from dser_training.bundles import head_of
from dser_training.config import PreferenceConfig
from dser_training.export import with_head
from dser_training.losses import preference, preference_margin, soft_labels
from dser_training.preferences.comparisons import Compared, read
from dser_training.segments import SequenceHead
from dser_training.stages.checkpoint import load_best
from dser_training.stages.run import Figures, Run

log = logging.getLogger(__name__)

BUNDLE = "model"  # folder in the run's


@dataclass(frozen=True, eq=False)
class Line:
    """A line that people compared sequences of. segments: (F, D), the mean over each frame's segment, which it is told
    from. speech: (F,) 1 or 0. pieces (N, D), seconds (N,): the voice it is measured against, N ≥ 0."""

    compared: Compared
    segments: Tensor
    speech: Tensor
    pieces: Tensor
    seconds: Tensor


@dataclass(frozen=True)
class PreferenceBatch:
    """B lines, and P comparisons of theirs. segments (B, F, D), speech (B, F); lines (B, N, D), weights (B, N): voices.
    row: (P,) whose line it is. better, worse: (P, F, 6) in the open simplex. tie: (P,) 1 or 0."""

    segments: Tensor
    speech: Tensor
    lines: Tensor
    weights: Tensor
    row: Tensor
    better: Tensor
    worse: Tensor
    tie: Tensor


class PreferenceModel(nn.Module):
    """The head that learns, and a frozen copy of what it was."""

    def __init__(self, config: PreferenceConfig, head: SequenceHead) -> None:
        super().__init__()
        self.config, self.head = config, head
        self.reference = copy.deepcopy(head)
        sharpness = head.log_sharpness.clone()
        del head.log_sharpness  # fitted in the other stages, and here learned like the rest
        head.log_sharpness = nn.Parameter(sharpness)

    def forward(self, batch: PreferenceBatch) -> Tensor:
        """The loss of a batch, a scalar: of each comparison the mean over the speech of its line, then over all.

        A tie that is used counts half in either order.
        """
        margin = self._margin(batch)
        losses, turned = (_spoken(preference(sign * margin, self.config.beta), batch) for sign in (1, -1))
        losses = torch.where(batch.tie > 0, (losses + turned) / 2, losses)
        counted = torch.ones_like(batch.tie) if self.config.ties == "used" else 1 - batch.tie
        return (losses * counted).sum() / counted.sum().clamp(min=1)

    def margins(self, batch: PreferenceBatch) -> Tensor:
        """By how much more than before the head expects the better sequence, (P,): the mean over its speech."""
        return _spoken(self._margin(batch), batch)

    def learned(self) -> Iterable[nn.Parameter]:
        """All of the head but where changes are."""
        return [weight for name, weight in self.head.named_parameters() if not name.startswith("hazard.")]

    def _margin(self, batch: PreferenceBatch) -> Tensor:
        """Of every frame, (P, F)."""
        policy = told(self.head, batch)
        with torch.no_grad():
            reference = told(self.reference, batch)
        return preference_margin(policy[batch.row], reference[batch.row], batch.better, batch.worse)


def told(head: SequenceHead, batch: PreferenceBatch) -> Tensor:
    """Concentrations that a head tells the lines of a batch with, (B, F, 6)."""
    return head.concentrations(head.told(batch.segments, head.guesses(batch.lines, batch.weights)))


def _spoken(values: Tensor, batch: PreferenceBatch) -> Tensor:
    """The mean over the speech of each comparison's line, (P,)."""
    speech = batch.speech[batch.row]
    return (values * speech).sum(dim=1) / speech.sum(dim=1).clamp(min=1)


class PreferenceBatches(Dataset[PreferenceBatch]):
    """The batches of one epoch: some lines each, with all that was answered about them."""

    def __init__(self, config: PreferenceConfig, lines: Sequence[Line]) -> None:
        self.config, self.lines = config, list(lines)
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Shuffle anew."""
        order = np.random.default_rng([self.config.seed, epoch]).permutation(len(self.lines))
        size = self.config.lines_per_batch
        self.batches = [order[start : start + size] for start in range(0, len(order), size)]

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> PreferenceBatch:
        return batch_of([self.lines[index] for index in self.batches[number]], self.config.label_smoothing)


def batch_of(lines: Sequence[Line], smoothing: float) -> PreferenceBatch:
    """Lines side by side, followed by silence where they are shorter than others."""
    count = max(len(line.speech) for line in lines)
    known = max(1, max(len(line.seconds) for line in lines))
    size = lines[0].segments.shape[1]
    segments, speech = torch.zeros(len(lines), count, size), torch.zeros(len(lines), count)
    pieces, weights = torch.zeros(len(lines), known, size), torch.zeros(len(lines), known)
    rows, better, worse, ties = [], [], [], []
    for row, line in enumerate(lines):
        own = len(line.speech)
        segments[row, :own], speech[row, :own] = line.segments, line.speech
        pieces[row, : len(line.seconds)], weights[row, : len(line.seconds)] = line.pieces, line.seconds
        for comparison in line.compared.comparisons:
            rows.append(row)
            ties.append(float(comparison.tie))
            for chosen, index in zip((better, worse), comparison.candidates, strict=True):
                chosen.append(_of_length(line.compared.sequences[index], count))
    return PreferenceBatch(
        segments,
        speech,
        pieces,
        weights,
        torch.tensor(rows),
        soft_labels(torch.stack(better), smoothing),
        soft_labels(torch.stack(worse), smoothing),
        torch.tensor(ties),
    )


def train(config: PreferenceConfig) -> Path:
    """Train as configured; the folder of the bundle that came out. The same settings and seed give the same result.

    A run that was interrupted goes on after its last finished epoch. Raises ModelError, FormatError for what is wrong
    with candidates or comparisons, AudioError, or FloatingPointError where the loss is no number any more.
    """
    accelerator = Accelerator(log_with="tensorboard", project_dir=config.run)
    bundle = ModelBundle.open(config.model)
    head = head_of(bundle)
    lines = heard(read(config.comparisons, config.candidates), Recognizer(config.model, "cpu"), head)
    watched, learned = apart(lines, config)
    if not learned:
        raise FormatError(f"{config.comparisons}: answers about {len(lines)} lines are too few to learn from")
    torch.manual_seed(config.seed)
    model = fit(accelerator, PreferenceModel(config, head), watched, learned).networks
    folder = Path(config.run, BUNDLE)
    if accelerator.is_main_process:
        model.load_state_dict(load_best(config.run))
        answers = sum(len(line.compared.comparisons) for line in lines)
        about = {"preferences": {"from": bundle.name, "answers": answers, "beta": config.beta}}
        if watched:
            found = figures(model, watched)
            about["preferences"]["held_out"] = {name: round(value, 4) for name, value in found.items()}
            if found["loss"] >= math.log(2):  # that of the model as it was
                log.warning("on answers it did not learn from it is no better than before; collect more")
        with_head(bundle, model.head.eval(), folder, about)
    accelerator.end_training()
    return folder


def apart(lines: Sequence[Line], config: PreferenceConfig) -> tuple[list[Line], list[Line]]:
    """Lines that training is watched on, and those it learns from: of other voices, where there are several."""
    voices = {line.compared.voice for line in lines}
    whose = [line.compared.voice if len(voices) > 1 else line.compared.line for line in lines]
    order = np.random.default_rng(config.seed).permutation(sorted({str(name) for name in whose}))
    chosen = set(order[: round(config.held_out * len(order))])
    watched = [line for line, name in zip(lines, whose, strict=True) if str(name) in chosen]
    return watched, [line for line, name in zip(lines, whose, strict=True) if str(name) not in chosen]


def fit(accelerator: Accelerator, model: PreferenceModel, watched: Sequence[Line], learned: Sequence[Line]) -> Run:
    """Train a model; the run when it has ended, its best networks in the folder that its configuration names."""

    def measure(networks: PreferenceModel) -> tuple[float, Figures]:
        found = figures(networks, watched)
        return math.exp(-found["loss"]), {"held-out lines": found}

    batches = PreferenceBatches(model.config, learned)
    run = Run(accelerator, model.config, model, batches, measure if watched else None)
    run.fit()
    return run


@torch.no_grad()
def figures(networks: PreferenceModel, lines: Sequence[Line]) -> dict[str, float]:
    """loss: the mean over lines. agreement: share of the answers, without ties, that the head has moved towards."""
    losses, right = [], []
    for line in lines:
        batch = batch_of([line], networks.config.label_smoothing)
        losses.append(float(networks(batch)))
        right += (networks.margins(batch)[batch.tie == 0] > 0).tolist()
    return {"loss": float(np.mean(losses)), "agreement": float(np.mean(right)) if right else 0.0}


def heard(compared: Sequence[Compared], recognizer: Recognizer, head: SequenceHead) -> list[Line]:
    """What the bundle and its head hear of the lines; each against the other lines of its voice that were compared.

    Raises AudioError if one cannot be heard, and FormatError if it is not what was compared.
    """
    hearings = []
    for line in compared:
        hearing = recognizer.hear(AudioFile(line.source))
        if hearing.audio.sha256 != line.sha256:
            raise FormatError(f"{line.source}: is another sound than was compared; make the candidates anew")
        hearings.append(hearing)
    voices: dict[str, dict[str, VoiceProfile]] = {}
    for line, hearing in zip(compared, hearings, strict=True):
        if line.voice is not None and hearing.profile is not None:
            voices.setdefault(line.voice, {})[line.sha256] = hearing.profile
    known = {name: VoiceLines(name, profiles) for name, profiles in voices.items()}
    lines = []
    for line, hearing in zip(compared, hearings, strict=True):
        voice = known[line.voice].without(line.sha256) if line.voice in known else None
        lines.append(Line(line, *in_segments(hearing, voice, head)))
    return lines


@torch.no_grad()
def in_segments(
    hearing: Hearing, voice: VoiceProfile | None, head: SequenceHead
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What a head tells a line from: segments (F, D), speech (F,), and of the voice pieces (N, D) and seconds (N,)."""
    features, speech = torch.from_numpy(hearing.frames(0, hearing.count).copy()), torch.from_numpy(hearing.speech)
    speech = speech.float()
    pieces = torch.from_numpy(voice.pieces) if voice else features.new_zeros(0, features.shape[1])
    seconds = torch.from_numpy(voice.piece_seconds) if voice else features.new_zeros(0)
    guesses = head.guesses(pieces[None], seconds[None])
    return head.segments(features[None], speech[None], guesses)[-1][0], speech, pieces, seconds


def _of_length(mixtures: NDArray[np.float32], count: int) -> Tensor:
    """Cut, or held at the end: a candidate may be a frame shorter than what was heard."""
    cut = mixtures[:count]
    return torch.from_numpy(np.pad(cut, ((0, count - len(cut)), (0, 0)), mode="edge"))
