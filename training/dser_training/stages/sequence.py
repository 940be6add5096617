"""Stage 2: the sequence model, which tells when the emotion changes in one pass over the whole line.

It learns from splices, whose borders are known, and from speech that the teacher, the utterance model in sliding
windows, has told (paper, stage 2).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn

from dser_ext.emotion.names import EMOTIONS
from dser_ext.emotion.track import FRAME_RATE
from dser_ext.recognition.speech import HOP, held
from dser_training.config import ConfigError, SequenceConfig
from dser_training.corpora.clip import Clip, CorpusError, acted, by_speaker
from dser_training.corpora.clips import read
from dser_training.corpora.splices import Spliced
from dser_training.evaluation import sets
from dser_training.evaluation.changes import figures, shares
from dser_training.heads import NONSPEECH, Guesses, Heard, PlainHead
from dser_training.networks import FeatureNetwork
from dser_training.segments import SequenceHead
from dser_training.stages.checkpoint import load_best, save_model
from dser_training.stages.development import FRAMES, Told, fit_sharpness, rated_of
from dser_training.stages.model import UtteranceModel, telling_loss
from dser_training.stages.run import Figures, Run
from dser_training.stages.sequences import (
    Line,
    SequenceBatch,
    SequenceBatches,
    batch_of,
    line_of,
    made,
    splices_of,
    taught,
    voice_of,
)
from dser_training.stages.sounds import sound
from dser_training.stages.utterance import load as load_utterance
from dser_training.windows import features_in_windows

log = logging.getLogger(__name__)

MEASURED = {"changes": 4, "stay": 2, "glide": 1}
"""Splices of each held-out speaker that training is watched on."""
FIRST_STEP = 0.3  # weight of what changes are judged by, which is learned by itself in the first half of the epochs
STEADINESS = tuple(range(0, 25, 4))  # that are tried
HELD_OUT = "held-out actors"
MOST_INVENTED = 1.0  # changes a minute, in lines of one emotion
INVENTED_WEIGHT = 0.005  # of a change a minute invented in one emotion, in mean absolute error
HEARD = {"alone": False, "with the voice": True}
WATCHED = ("mean_absolute_error", "frame_error", "border_median", "missed", "invented_in_one")


class SequenceModel(nn.Module):
    """The feature network of an utterance model, and a head that tells a whole line."""

    def __init__(self, config: SequenceConfig, utterance: UtteranceModel) -> None:
        super().__init__()
        self.config, self.network = config, utterance.network
        shape = (utterance.config.feature_size, config.smoothing_frames)
        self.head = (
            PlainHead(*shape, config.objective == "dirichlet")
            if isinstance(utterance.head, PlainHead)
            else SequenceHead(*shape, utterance.config.half_known_seconds)
        )
        self.head.load_state_dict(self.head.state_dict() | utterance.head.state_dict())
        if isinstance(self.head, SequenceHead):
            self.head.first_sharpness.copy_(self.head.log_sharpness)

    def forward(self, batch: SequenceBatch) -> Tensor:
        """The loss of a batch, a scalar."""
        features = batch.features
        if batch.waves is not None:
            with torch.autocast(batch.waves.device.type, torch.bfloat16, enabled=self.config.bfloat16):
                features = features_in_windows(self.network, batch.waves)
        *first, last = self.head.hear_line_in_steps(features, batch.speech, batch.lines, batch.weights)
        if first and batch.first:
            return self._loss(first[0], batch)
        return self._loss(last, batch) + FIRST_STEP * sum(self._loss(heard, batch) for heard in first)

    def learned(self) -> Iterable[nn.Parameter]:
        """What training changes besides the feature network."""
        return self.head.learned()

    def _loss(self, heard: Heard, batch: SequenceBatch) -> Tensor:
        spoken = batch.speech > 0
        at_speech = heard._replace(logits=heard.logits[spoken], log_total=heard.log_total[spoken])
        # A segment head learns where borders are and nothing else. The Dirichlet likelihood would have mixtures lie
        # inside the simplex, whether borders are right or not, even where it learned Σα, too.
        objective = self.config.objective if isinstance(self.head, PlainHead) else "cross-entropy"
        loss = telling_loss(self.head, at_speech, batch.target[spoken], batch.target[spoken], objective)
        moved = heard.logits.softmax(-1).diff(dim=1).abs().sum(-1) * batch.speech[:, 1:]
        return loss + self.config.steadiness * FRAME_RATE / 2 * moved.sum() / batch.speech.sum().clamp(min=1)


def train(config: SequenceConfig) -> Path:
    """Train as configured and return the run's folder. The same settings and seed give the same result.

    A run that was interrupted goes on after its last finished epoch. Raises ConfigError, CorpusError, CheckpointError,
    BackboneError, or FloatingPointError where the loss is no number any more.
    """
    accelerator = Accelerator(log_with="tensorboard", project_dir=config.run)
    teacher = load_utterance(config.start)
    config = replace(config, utterance=teacher.config)
    if config.train == "all" and not isinstance(teacher.head, PlainHead):
        raise ConfigError(f"{config.run}: a head that measures against a voice learns alone; set train to 'head'")
    clips = [clip for corpus, folder in config.corpora.items() for clip in read(corpus, folder)]
    told = [clip for corpus, folder in config.speech.items() for clip in read(corpus, folder)]
    learned = acted([clip for clip in clips if clip.split == "train"])
    if not learned and not told:
        raise CorpusError("nothing to learn from; name a corpus with training speakers in `corpora`, or `speech`")
    lines = made(teacher.network, learned, config)
    lines += taught(teacher, [clip for clip in told if clip.split not in ("develop", "test")], config)
    held_out = acted([clip for clip in clips if clip.split == "develop"])
    watched = {
        HELD_OUT: watched_lines(teacher, held_out, config),
        "validation": watched_lines(teacher, acted(sets.clips("ravdess", config)), config),
    }
    watched = {name: found for name, found in watched.items() if found}

    def measure(networks: SequenceModel) -> tuple[float, Figures]:
        found = {name: figures_of(networks, lines) for name, lines in watched.items()}
        first = next(iter(found.values()))
        badness = [
            first[f"mean_absolute_error {voice}"] + INVENTED_WEIGHT * first[f"invented_in_one {voice}"]
            for voice in HEARD
        ]
        return 1 - sum(badness) / len(badness), found

    torch.manual_seed(config.seed)
    model = SequenceModel(config, teacher)
    whole = _whole_lines(teacher.network, held_out, config)
    if isinstance(model.head, SequenceHead) and whole:
        # Told in one segment, as they are while no hazard is learned; changes are judged by lines told like that.
        calibrate(model.head, whole)
        model.head.first_sharpness.copy_(model.head.log_sharpness)
    Run(accelerator, config, model, SequenceBatches(config, lines), measure if watched else None).fit()
    if accelerator.is_main_process:
        model.load_state_dict(load_best(config.run))
        if isinstance(model.head, SequenceHead) and whole:
            calibrate(model.head, whole)
            fit_steady(model, watched.get(HELD_OUT, []))
        save_model(config.run, config, model.state_dict())
    accelerator.end_training()
    return Path(config.run)


def restored(config: SequenceConfig, tensors: dict[str, Tensor]) -> SequenceModel:
    """The networks of a run, ready to use."""
    assert config.utterance is not None
    model = SequenceModel(config, UtteranceModel(config.utterance))
    model.load_state_dict(tensors)
    return model.requires_grad_(False).eval()


def watched_lines(teacher: UtteranceModel, clips: Sequence[Clip], config: SequenceConfig) -> list[Line]:
    """Splices of held-out speakers, the same ones every time."""
    lines = []
    for number, (speaker, own) in enumerate(by_speaker(clips).items()):
        random = np.random.default_rng([config.seed, number])
        voice = voice_of(teacher.network, speaker, own, config.bfloat16)
        lines += splices_of(teacher.network, voice, MEASURED, config.bfloat16, random)
    return lines


@torch.no_grad()
def told(networks: SequenceModel, line: Line, voice: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mixture of every frame, (F, 6), as recognition gives it: held through pauses."""
    batch = batch_of([line], [voice], networks.config)
    features = batch.features
    if batch.waves is not None:
        features = features_in_windows(networks.network, batch.waves)
    heard = networks.head.hear_line(features, batch.speech, batch.lines, batch.weights)
    concentration = networks.head.concentrations(heard)[0].numpy()
    return shares(held(concentration, line.speech, NONSPEECH))


def _whole_lines(network: FeatureNetwork, clips: Sequence[Clip], config: SequenceConfig) -> list[Line]:
    """Clips as they are, in no splice."""
    lines = []
    for speaker, own in by_speaker(clips).items():
        voice = voice_of(network, speaker, own, config.bfloat16)
        for clip, emotion in zip(voice.clips, voice.emotions, strict=True):
            samples = sound(clip)
            mixtures = np.tile(np.eye(len(EMOTIONS), dtype=np.float32)[emotion], (len(samples) // HOP, 1))
            lines.append(line_of(network, "whole", (clip,), voice, Spliced(samples, mixtures, ()), config.bfloat16))
    return lines


@torch.no_grad()
def calibrate(head: SequenceHead, lines: Sequence[Line]) -> None:
    """Set how sharp and how sure the mixtures of whole lines are, by held-out actors, without and with their voice."""
    told: dict[bool, list[Told]] = {False: [], True: []}
    for line in lines:
        chosen = np.flatnonzero(line.speech)[np.linspace(0, line.speech.sum() - 1, FRAMES).round().astype(int)]
        features, speech = line.features[None].float(), torch.from_numpy(line.speech)[None].float()
        intended, others = torch.from_numpy(line.mixtures[:1]).argmax(-1), line.others()
        for with_voice, found in told.items():
            guesses = head.guesses(line.voice.means[None, others], line.voice.seconds[None, others] * with_voice)
            frames = head.segments(features, speech, guesses)[-1][:, chosen]
            found.append((frames, guesses._replace(line_logits=features[:, :0, :0]), intended, rated_of(line.clips)))
    with torch.enable_grad():
        fit_sharpness(head, [_together(found) for found in told.values()])


def fit_steady(networks: SequenceModel, lines: Sequence[Line]) -> None:
    """Set how much likelier no change is: as little as keeps lines of one emotion at MOST_INVENTED changes a minute."""
    assert isinstance(networks.head, SequenceHead)
    for likelier in STEADINESS if lines else ():
        networks.head.steady.fill_(likelier)
        if figures_of(networks, lines)["invented_in_one with the voice"] <= MOST_INVENTED:
            return


def _together(lines: Sequence[Told]) -> Told:
    frames, guesses, intended, rated = zip(*lines, strict=True)
    return (
        torch.cat(frames),
        Guesses(*map(torch.cat, zip(*guesses, strict=True))),
        torch.cat(intended),
        torch.cat(rated),
    )


def figures_of(networks: SequenceModel, lines: Sequence[Line]) -> dict[str, float]:
    """How well changes are told, alone and with all other lines of the voice."""
    found = {}
    for words, with_voice in HEARD.items():
        tracks = [told(networks, line, line.others()[: None if with_voice else 0]) for line in lines]
        of_tracks = figures(tracks, lines)
        found |= {f"{name} {words}": of_tracks[name] for name in WATCHED}
    return found
