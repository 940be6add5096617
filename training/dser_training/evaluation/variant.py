"""Variant: one way of training the utterance stage on a frozen backbone, and how good it is with each seed.

What the backbone hears and the figures of each seed are kept in the run's folder, under names that tell other weights,
settings or lines apart, but not other code. So what was stopped goes on, and variants make use of each other's hearing.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from dser_ext.formats.files import written_whole
from dser_training.config import ConfigError, UtteranceConfig
from dser_training.corpora.clip import Clip
from dser_training.evaluation import kept_lines, voices
from dser_training.evaluation.sets import ACTED, clips
from dser_training.heads import VoiceHead
from dser_training.stages.checkpoint import load_model
from dser_training.stages.development import calibrate
from dser_training.stages.kept import KEY_LENGTH, Kept, KeptBatches, Tensors, hear_once, key, once
from dser_training.stages.model import UtteranceModel
from dser_training.stages.run import Run
from dser_training.stages.utterance import SCALE_CLIPS, estimate_if_asked, fit_scale, lines, load, restore

log = logging.getLogger(__name__)

Figures = dict[str, Any]

ELSEWHERE = ("run", "validate", "workers")  # settings that do not change what is learned


class Variant:
    """A configuration, and the sets of lines that it is measured on, by title.

    Raises ConfigError if there are none, CorpusError, BackboneError or CheckpointError.
    """

    def __init__(self, config: UtteranceConfig, sets: Sequence[str]) -> None:
        self.config, self.folder = config, Path(config.run)
        self.learned, self.held_out = lines(config)
        self.tests = {ACTED[name]: found for name in sets if (found := clips(name, config))}
        if not self.tests:
            raise ConfigError("the settings name no corpus of the sets; set corpora or validate to their folders")
        self.network = _model(config).network.requires_grad_(False).eval()
        if not config.start:
            file = self.folder / f"scale-{key(self.network, self.learned, config)}.safetensors"
            self.network.load_state_dict(once(file, self._fitted_scale), strict=False)

    def figures(self, seed: int) -> dict[str, Figures]:
        """How good it is with a seed on each set, under each voice setting; trained if that was not done before.

        Raises FloatingPointError where the loss is no number any more.
        """
        config = self._with_seed(seed)
        path = Path(config.run) / f"figures-{self._tests_key}.json"
        if not path.exists():
            model = self._trained(config)
            found = {title: kept_lines.figures(model, speakers) for title, speakers in self._speakers.items()}
            with written_whole(path) as file:
                json.dump(found, file, indent=1)
        return dict(json.loads(path.read_text(encoding="utf-8")))

    def _with_seed(self, seed: int) -> UtteranceConfig:
        """Its configuration with another seed, and a folder of its own for what is learned then."""
        config = replace(self.config, seed=seed)
        settings = {name: value for name, value in asdict(config).items() if name not in ELSEWHERE}
        heard = key(self.network, self.learned, self.config)
        return replace(config, run=str(self.folder / _digest(settings, heard, _labels(self.learned))))

    def _trained(self, config: UtteranceConfig) -> UtteranceModel:
        """The networks after all epochs; only how sharp their mixtures are is set on held-out actors."""
        log.info("training in %s", config.run)
        model = _model(config)
        model.network.load_state_dict({"mean": self.network.mean, "std": self.network.std}, strict=False)
        model.network.backbone = nn.Identity()  # what it hears is kept
        accelerator = Accelerator()
        batches = KeptBatches(config, self._kept)
        Run(accelerator, config, model, batches).fit()
        model = load(config.run)
        estimate_if_asked(model, batches)
        if isinstance(model.head, VoiceHead) and self.held_out:
            calibrate(model.head, [speaker.lines(model) for speaker in self._held_out_speakers])
        return model

    def _fitted_scale(self) -> Tensors:
        order = np.random.default_rng(self.config.seed).permutation(len(self.learned))
        fit_scale(self.network, [self.learned[index] for index in order[:SCALE_CLIPS]])
        return {"mean": self.network.mean, "std": self.network.std}

    @cached_property
    def _kept(self) -> dict[Clip, Kept]:
        return hear_once(self.folder, self.network, self.learned, self.config)

    @cached_property
    def _speakers(self) -> dict[str, list[kept_lines.Speaker]]:
        return {title: self._heard(found) for title, found in self.tests.items()}

    @cached_property
    def _held_out_speakers(self) -> list[kept_lines.Speaker]:
        return self._heard(self.held_out)

    def _heard(self, found: list[Clip]) -> list[kept_lines.Speaker]:
        return kept_lines.speakers(hear_once(self.folder, self.network, found, self.config, as_used=True))

    @cached_property
    def _tests_key(self) -> str:
        """A name for the lines that are measured, and for how."""
        sets = [self.held_out, *self.tests.values()]
        heard = [key(self.network, found, self.config, as_used=True) for found in sets]
        return _digest(heard, list(map(_labels, sets)), list(self.tests), voices.SETTINGS, voices.SEED)


def _model(config: UtteranceConfig) -> UtteranceModel:
    """The networks that training starts from."""
    torch.manual_seed(config.seed)
    model = UtteranceModel(config)
    if config.start:
        restore(model, load_model(config.start)[1], config.start)
    return model


def _labels(found: Sequence[Clip]) -> list[object]:
    return [(clip.emotion, clip.mixture, clip.reference_only) for clip in found]


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:KEY_LENGTH]
