"""Stage 1: the utterance model, alone as in the paper, or measured against the speaker's voice.

Runs under Hugging Face accelerate: on one CPU or GPU as it is, on several with
`accelerate launch --no_python dser-train utterance --config …`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.data import DataLoader

from dser_ext.recognition.speech import loud_frames
from dser_training.config import UtteranceConfig
from dser_training.corpora.clip import Clip, CorpusError, acted
from dser_training.corpora.clips import read
from dser_training.evaluation import sets
from dser_training.heads import VoiceHead
from dser_training.networks import FeatureNetwork
from dser_training.stages.batches import Batches
from dser_training.stages.checkpoint import (
    CheckpointError,
    load_best,
    load_model,
    load_state,
    save_best,
    save_model,
    save_state,
)
from dser_training.stages.development import accuracy, calibrate, heard
from dser_training.stages.kept import KeptBatches, hear
from dser_training.stages.model import UtteranceModel
from dser_training.stages.sounds import sound
from dser_training.stages.speech import fit_speech
from dser_training.stages.statistics import estimate

log = logging.getLogger(__name__)

SCALE_CLIPS, SPEECH_CLIPS = 500, 1000  # enough to fit the scale and the speech output on
LARGEST_GRADIENT = 1.0  # norm


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
    Run(accelerator, config, model, batches, held_out, validation).fit()
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


class Run:
    """One training run: where it is, and how it goes on."""

    def __init__(
        self,
        accelerator: Accelerator,
        config: UtteranceConfig,
        model: UtteranceModel,
        batches: Batches | KeptBatches,
        held_out: Sequence[Clip],
        validation: Sequence[Clip] = (),
    ) -> None:
        self.accelerator, self.config, self.batches = accelerator, config, batches
        self.held_out, self.validation = held_out, validation
        self.optimiser = torch.optim.AdamW(_groups(model, config), weight_decay=config.weight_decay)
        self.model, self.optimiser = accelerator.prepare(model, self.optimiser)
        self.networks: UtteranceModel = accelerator.unwrap_model(self.model)
        self.average = {key: tensor.clone() for key, tensor in self.networks.state_dict().items()}
        self.progress: dict[str, Any] = {"epoch": 0, "step": 0, "measured": 0, "best": -1.0, "best_epoch": 0}
        if state := load_state(config.run, self.optimiser):
            weights, self.progress = state
            try:
                self.networks.load_state_dict(weights["model"])
            except (KeyError, RuntimeError) as error:
                raise CheckpointError(
                    f"{config.run}: what lies there is of another configuration; name another `run` or delete it"
                ) from error
            self.average = weights["average"]
            log.info("going on after epoch %d", self.progress["epoch"])

    def fit(self) -> None:
        """Train until the epochs are done or nothing gets better; the best networks lie in the run's folder."""
        self.accelerator.init_trackers("tensorboard")
        while self.progress["epoch"] < self.config.epochs and self._hopeful():
            start = time.perf_counter()
            loss = self._epoch()
            self.progress["epoch"] += 1
            log.info("epoch %d of %d: loss %.4f, %.0f s", self.progress["epoch"], self.config.epochs, loss,
                     time.perf_counter() - start)  # fmt: skip
            self.accelerator.log({"loss": loss}, step=self.progress["epoch"])
            if self.progress["epoch"] % self.config.measure_every == 0 or self.progress["epoch"] == self.config.epochs:
                self._measure()
            if self.accelerator.is_main_process:
                weights = {"model": self.networks.state_dict(), "average": self.average}
                save_state(self.config.run, self.optimiser, weights, self.progress)
            self.accelerator.wait_for_everyone()

    def _hopeful(self) -> bool:
        return bool(self.progress["measured"] - self.progress["best_epoch"] < self.config.patience or not self.held_out)

    def _epoch(self) -> float:
        """The mean loss of an epoch."""
        self.batches.set_epoch(self.progress["epoch"])
        torch.manual_seed(self.config.seed + self.progress["epoch"])
        self.model.train(self.config.train != "head")
        if self.config.train != "all":
            self.networks.network.backbone.eval()
        share, own = self.accelerator.num_processes, self.accelerator.process_index
        count = len(self.batches) // share
        if not count:
            raise CorpusError(f"{len(self.batches)} batches are too few for {share} processes; start fewer")
        loader = DataLoader(
            self.batches, batch_size=None, sampler=range(own, count * share, share), num_workers=self.config.workers
        )
        total = 0.0
        for number, batch in enumerate(loader):
            self._set_rates()
            loss = self.model(to_device(batch, self.accelerator.device))
            if not torch.isfinite(loss):
                raise FloatingPointError(
                    f"the loss became {loss.item()} in epoch {self.progress['epoch']}, batch {number}; lower "
                    "learning_rate; what was learned until the last epoch is kept"
                )
            self.optimiser.zero_grad()
            self.accelerator.backward(loss)
            self.accelerator.clip_grad_norm_(self.model.parameters(), LARGEST_GRADIENT)
            self.optimiser.step()
            self._remember()
            self.progress["step"] += 1
            total += loss.item()
            if number % 20 == 0:
                log.info("epoch %d, batch %d of %d, loss %.4f", self.progress["epoch"], number, count, loss.item())
        return total / count

    def _set_rates(self) -> None:
        """A rise, then a straight fall to `last_learning_rate` of the first."""
        steps = max(1, len(self.batches) // self.accelerator.num_processes * self.config.epochs)
        done, rise = self.progress["step"] / steps, self.config.warm_up
        last = self.config.last_learning_rate
        factor = (done + 1 / steps) / rise if done < rise else 1 - (1 - last) * (done - rise) / (1 - rise)
        for group in self.optimiser.param_groups:
            group["lr"] = group["rate"] * factor

    @torch.no_grad()
    def _remember(self) -> None:
        """Move the average of the weights a step on; at first it follows closely."""
        keep = min(self.config.averaging, (1 + self.progress["step"]) / (10 + self.progress["step"]))
        for key, tensor in self.networks.state_dict().items():
            if tensor.is_floating_point() and self.config.averaging:
                self.average[key].lerp_(tensor, 1 - keep)
            else:
                self.average[key].copy_(tensor)

    def _measure(self) -> None:
        """Measure the averaged weights, and keep them if they are the best on held-out actors."""
        epoch = self.progress["epoch"]
        score = float(epoch)
        if self.held_out and self.accelerator.is_main_process:
            current = {key: tensor.clone() for key, tensor in self.networks.state_dict().items()}
            self.networks.load_state_dict(self.average)
            self.networks.eval()
            figures = accuracy(self.networks, heard(self.networks, self.held_out))
            elsewhere = accuracy(self.networks, heard(self.networks, self.validation)) if self.validation else {}
            self.networks.load_state_dict(current)
            score = (figures["alone"] + figures["with the voice"]) / 2
            self.accelerator.log(figures, step=epoch)
            for lines, its in (("held-out actors", figures), ("validation", elsewhere)):
                if its:
                    log.info("%s: %s", lines, ", ".join(f"{name} {value:.4f}" for name, value in its.items()))
        score = float(self.accelerator.gather(torch.tensor([score], device=self.accelerator.device)).max())
        self.progress["measured"] = epoch
        if score > self.progress["best"]:
            self.progress |= {"best": score, "best_epoch": epoch}
            if self.accelerator.is_main_process:
                save_best(self.config.run, self.config, self.average)


def _batches(model: UtteranceModel, config: UtteranceConfig, clips: Sequence[Clip]) -> Batches | KeptBatches:
    if config.train != "all":
        return KeptBatches(config, hear(model.network.eval(), clips, config))
    bursts = [clip for clip in read("bursts", config.bursts) if clip.split == "train"] if config.bursts else []
    for clip in [*clips, *bursts]:
        sound(clip)  # decoded here once, and not in every epoch anew by the processes that prepare its batches
    return Batches(config, clips, bursts, model.network.backbone.longest_frames)


def _groups(model: UtteranceModel, config: UtteranceConfig) -> list[dict[str, Any]]:
    """What is trained, and how fast: deep layers of the backbone slower than those above them."""
    own = [weight for weight in model.head.parameters() if weight.requires_grad]
    own += [] if config.train == "head" else [model.network.project.weight]
    groups = [{"params": own, "rate": config.learning_rate}]
    if config.train == "all":
        depths = model.network.backbone.depths()
        lowest = config.frozen_layers + 1 if config.frozen_layers else 0  # below the first layer lies the front end
        for depth in range(lowest, len(depths)):
            rate = config.backbone_learning_rate * config.layer_decay ** (len(depths) - 1 - depth)
            groups.append({"params": depths[depth], "rate": rate})
    model.requires_grad_(False)
    for group in groups:
        for weight in group["params"]:
            weight.requires_grad_(True)
    return groups


def to_device(batch: Any, device: torch.device) -> Any:
    """A batch with all its tensors on a device."""
    if device.type == "cpu":
        return batch
    moved = {}
    for name, value in vars(batch).items():
        if isinstance(value, Tensor):
            value = value.to(device)
        elif isinstance(value, list):
            value = [each.to(device) for each in value]
        moved[name] = value
    return type(batch)(**moved)
