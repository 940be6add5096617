"""Stage 1: the utterance model, alone as in the paper, or measured against the speaker's voice.

Runs under Hugging Face accelerate: on one CPU or GPU as it is, on several with
`accelerate launch --no_python dser-train utterance --config …`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from dser_ext.recognition.speech import loud_frames
from dser_training.config import UtteranceConfig
from dser_training.corpora.clip import Clip, CorpusError, acted
from dser_training.corpora.clips import read
from dser_training.evaluation import sets
from dser_training.heads import VoiceHead
from dser_training.networks import FeatureNetwork
from dser_training.stages.batches import Batches
from dser_training.stages.checkpoint import CheckpointError, load_best, load_model, save_model
from dser_training.stages.development import accuracy, calibrate, heard
from dser_training.stages.kept import KeptBatches, hear
from dser_training.stages.model import UtteranceModel
from dser_training.stages.run import Figures, Run
from dser_training.stages.sounds import sound
from dser_training.stages.speech import fit_speech
from dser_training.stages.statistics import estimate

log = logging.getLogger(__name__)

SCALE_CLIPS, SPEECH_CLIPS = 500, 1000  # enough to fit the scale and the speech output on


def train(config: UtteranceConfig) -> Path:
    """Train as configured and return the run's folder. The same settings and seed give the same result.

    A run that was interrupted goes on after its last finished epoch, with the result that it would have had.
    Raises CorpusError, BackboneError, CheckpointError, or FloatingPointError where the loss is no number any more.
    """
    accelerator = Accelerator(log_with="tensorboard", project_dir=config.run)
    torch.manual_seed(config.seed)
    learned, held_out = lines(config)
    model = UtteranceModel(config)
    some = [learned[index] for index in np.random.default_rng(config.seed).permutation(len(learned))]
    if config.start:
        restore(model, load_model(config.start)[1], config.start)
    else:
        fit_scale(model.network, some[:SCALE_CLIPS])
    validation = acted([clip for clip in sets.clips("ravdess", config) if not clip.reference_only])
    batches = _batches(model, config, learned)
    if config.train == "head":
        estimate_if_asked(model, batches)

    def measure(networks: UtteranceModel) -> tuple[float, Figures]:
        found = {"held-out actors": held_out, "validation": validation}
        figures = {name: accuracy(networks, heard(networks, clips)) for name, clips in found.items() if clips}
        return sum(figures["held-out actors"].values()) / 2, figures

    Run(accelerator, config, model, batches, measure if held_out else None).fit()
    if accelerator.is_main_process:
        restore(model, load_best(config.run), config.run)
        if config.train != "head":
            estimate_if_asked(model, batches)
        finish(model.requires_grad_(False).eval(), some[:SPEECH_CLIPS], held_out)
        save_model(config.run, config, model.state_dict())
    accelerator.end_training()
    return Path(config.run)


def estimate_if_asked(model: UtteranceModel, batches: Batches | KeptBatches) -> None:
    """Set the head in closed form where the configuration says so; heads that know no voice stay as they are."""
    if model.config.estimated and isinstance(batches, KeptBatches) and isinstance(model.head, VoiceHead):
        estimate(model, batches.kept)


def finish(model: UtteranceModel, clips: Sequence[Clip], held_out: Sequence[Clip]) -> None:
    """Fit what is not trained with the rest: the speech output, and how sharp mixtures are."""
    right = fit_speech(model.network, clips, model.config.seed)
    log.info("speech or not: %.4f of held-out frames right", right)
    if isinstance(model.head, VoiceHead) and held_out:
        calibrate(model.head, heard(model, held_out))


def lines(config: UtteranceConfig) -> tuple[list[Clip], list[Clip]]:
    """The clips to train on, and those of held-out actors. Raises CorpusError if there are none to train on."""
    clips = [clip for corpus, folder in config.corpora.items() for clip in read(corpus, folder)]
    learned = [c for c in clips if c.split in config.train_splits and (c.emotion is not None or c.mixture)]
    if not learned:
        raise CorpusError("the training split is empty; name a corpus with training speakers in `corpora`")
    return learned, acted([clip for clip in clips if clip.split == "develop" and clip.split not in config.train_splits])


def load(folder: str | Path) -> UtteranceModel:
    """The networks of a run, ready to use. Raises CheckpointError or BackboneError."""
    config, tensors = load_model(folder)
    if not isinstance(config, UtteranceConfig):
        raise CheckpointError(f"{folder}: a run of another stage; name one of the utterance stage")
    return restored(config, tensors, folder)


def restored(config: UtteranceConfig, tensors: dict[str, Tensor], folder: str | Path) -> UtteranceModel:
    """The networks of a run that was read, ready to use. Raises CheckpointError or BackboneError."""
    model = UtteranceModel(config)
    restore(model, tensors, folder)
    return model.requires_grad_(False).eval()


def restore(model: UtteranceModel, tensors: dict[str, Tensor], folder: str | Path) -> None:
    """Put weights back. Raises CheckpointError where they are another model's; another kind of head is left out."""
    own = model.state_dict()
    if model.head.state_dict().keys() != {key.removeprefix("head.") for key in tensors if key.startswith("head.")}:
        tensors = {key: tensor for key, tensor in tensors.items() if not key.startswith("head.")}
    wrong = [key for key, tensor in tensors.items() if key not in own or own[key].shape != tensor.shape]
    if wrong:
        raise CheckpointError(f"{folder}: its networks are not those of this configuration ({wrong[0]})")
    model.load_state_dict(own | tensors)


@torch.no_grad()
def fit_scale(network: FeatureNetwork, clips: Sequence[Clip]) -> None:
    """Set the mean and deviation that the layers are standardised with, over the speech of these clips."""
    count, total, squares = 0, torch.zeros_like(network.mean).double(), torch.zeros_like(network.mean).double()
    for clip in clips:
        samples = sound(clip)
        hidden = network.flat(network.raw(torch.from_numpy(samples)[None]))[0]
        hidden = hidden[torch.from_numpy(loud_frames(samples))].double()
        count, total, squares = count + len(hidden), total + hidden.sum(0), squares + hidden.square().sum(0)
    mean = total / max(1, count)
    network.mean.copy_(mean.float())
    network.std.copy_((squares / max(1, count) - mean.square()).clamp(min=1e-8).sqrt().float())


def _batches(model: UtteranceModel, config: UtteranceConfig, clips: Sequence[Clip]) -> Batches | KeptBatches:
    if config.train != "all":
        return KeptBatches(config, hear(model.network.eval(), clips, config))
    bursts = [clip for clip in read("bursts", config.bursts) if clip.split == "train"] if config.bursts else []
    for clip in [*clips, *bursts]:
        sound(clip)  # decoded here once, and not in every epoch anew by the processes that prepare its batches
    return Batches(config, clips, bursts, model.network.backbone.longest_frames)
