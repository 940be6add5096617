"""A run's settings: one YAML file, any of its values overridden on the command line."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from dser_ext.errors import DserError


class ConfigError(DserError):
    """A configuration that cannot be used."""


@dataclass(frozen=True)
class UtteranceConfig:
    """Settings of the utterance stage."""

    backbone: str  # hub name or folder of a Whisper, Wav2Vec2, HuBERT or WavLM encoder
    corpora: dict[str, str] = field(default_factory=dict)  # name → folder
    validate: str = ""  # folder with RAVDESS, to measure on and never to train on; empty for none
    run: str = "runs/utterance"  # folder for the checkpoint
    start: str = ""  # folder of a checkpoint whose networks training starts from; empty for the backbone alone
    seed: int = 2508
    feature_size: int = 128  # D
    smoothing_frames: int = 75  # moving average in the head, 1.5 s; 5 in the paper
    half_known_seconds: float = 8.0  # of speech, after which a voice counts half
    train_backbone: bool = False
    only_absolute: bool = False  # train nothing but what the head adds where no voice is known
    label_smoothing: float = 0.1
    steps: int = 400  # batches
    voices_per_batch: int = 6
    clips_per_voice: int = 96  # at most, in a batch
    learning_rate: float = 3e-3
    backbone_learning_rate: float = 5e-5
    weight_decay: float = 0.01
    dropout: float = 0.3


def load(path: str | Path, overrides: list[str]) -> UtteranceConfig:
    """Read a YAML file and apply KEY=VALUE overrides (values are YAML). Raises ConfigError naming what is wrong."""
    try:
        settings: Any = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        for override in overrides:
            key, equals, value = override.partition("=")
            if not equals:
                raise ConfigError(f"{override}: write KEY=VALUE")
            settings[key] = yaml.safe_load(value)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, TypeError) as error:
        raise ConfigError(f"{path}: not a YAML document of settings") from error
    known = {setting.name for setting in fields(UtteranceConfig)}
    if unknown := sorted(set(settings) - known):
        raise ConfigError(f"{path}: {unknown[0]} is no setting; those are {', '.join(sorted(known))}")
    try:
        return UtteranceConfig(**settings)
    except TypeError as error:
        raise ConfigError(f"{path}: {error}") from error
