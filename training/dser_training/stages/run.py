"""Run: one training run of any stage, under Hugging Face accelerate: where it is, and how it goes on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import DataLoader

from dser_training.config import Config
from dser_training.corpora.clip import CorpusError
from dser_training.stages.checkpoint import CheckpointError, load_state, save_best, save_state

log = logging.getLogger(__name__)

LARGEST_GRADIENT = 1.0  # norm

Figures = dict[str, dict[str, float]]
Measure = Callable[[nn.Module], tuple[float, Figures]]
"""How good networks are on lines they do not learn from: a score, the higher the better, and figures by set."""


class Epochs(Protocol):
    """Batches by number, those of an epoch drawn anew."""

    def set_epoch(self, epoch: int) -> None:
        """Shuffle anew."""

    def __len__(self) -> int: ...

    def __getitem__(self, number: int) -> Any: ...


class Run:
    """One training run: where it is, and how it goes on."""

    def __init__(
        self,
        accelerator: Accelerator,
        config: Config,
        model: nn.Module,
        batches: Epochs,
        measure: Measure | None = None,
    ) -> None:
        self.accelerator, self.config, self.batches, self.measure = accelerator, config, batches, measure
        self.optimiser = torch.optim.AdamW(learned(model, config), weight_decay=config.weight_decay)
        self.model, self.optimiser = accelerator.prepare(model, self.optimiser)
        self.networks: Any = accelerator.unwrap_model(self.model)
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
        return bool(self.progress["measured"] - self.progress["best_epoch"] < self.config.patience or not self.measure)

    def _epoch(self) -> float:
        """The mean loss of an epoch."""
        self.batches.set_epoch(self.progress["epoch"])
        torch.manual_seed(self.config.seed + self.progress["epoch"])
        self.model.train(self.config.train != "head")
        if self.config.train == "projection and head":
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
        if self.measure and self.accelerator.is_main_process:
            current = {key: tensor.clone() for key, tensor in self.networks.state_dict().items()}
            self.networks.load_state_dict(self.average)
            score, figures = self.measure(self.networks.eval())
            self.networks.load_state_dict(current)
            for lines, its in figures.items():
                self.accelerator.log({f"{lines}, {name}": value for name, value in its.items()}, step=epoch)
                log.info("%s: %s", lines, ", ".join(f"{name} {value:.4f}" for name, value in its.items()))
        score = float(self.accelerator.gather(torch.tensor([score], device=self.accelerator.device)).max())
        self.progress["measured"] = epoch
        if score > self.progress["best"]:
            self.progress |= {"best": score, "best_epoch": epoch}
            if self.accelerator.is_main_process:
                save_best(self.config.run, self.config, self.average)


def learned(model: Any, config: Config) -> list[dict[str, Any]]:
    """What is trained, and how fast: deep layers of the backbone slower than those above them."""
    own = [weight for weight in model.learned() if weight.requires_grad]
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
