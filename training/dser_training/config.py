"""A run's settings: one YAML file, any of its values overridden on the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml

from dser_ext.errors import DserError
from dser_training.corpora.augmentation import Augmentation

HEADS = ("voice", "plain")
LAYERS = ("all", "last")
OBJECTIVES = ("cross-entropy", "dirichlet")
TRAINED = ("all", "head", "projection and head")
KINDS: dict[str, tuple[str, tuple[type, ...]]] = {
    "str": ("text", (str,)),
    "bool": ("true or false", (bool,)),
    "int": ("a whole number", (int,)),
    "int | None": ("a whole number", (int, type(None))),
    "float": ("a number", (int, float)),
    "float | None": ("a number", (int, float, type(None))),
    "tuple[float, float]": ("two numbers, [LOW, HIGH]", (tuple,)),
    "list[str]": ("a list", (list,)),
    "dict[str, str]": ("names and values", (dict,)),
    "dict[str, float]": ("names and values", (dict,)),
    "Augmentation": ("names and values", (Augmentation,)),
}
"""Of each annotation in a configuration, what to write and what that is read as."""
COUNTS = (
    "feature_size",
    "smoothing_frames",
    "epochs",
    "measure_every",
    "voices_per_batch",
    "clips_per_voice",
    "clip_frames",
)


class ConfigError(DserError):
    """A configuration that cannot be used."""


@dataclass(frozen=True)
class UtteranceConfig:
    """Settings of the utterance stage."""

    backbone: str  # hub name or folder of a Whisper, Wav2Vec2, HuBERT or WavLM encoder
    corpora: dict[str, str] = field(default_factory=dict)  # name → folder, to train on
    train_splits: list[str] = field(default_factory=lambda: ["train"])  # of their clips
    shares: dict[str, float] = field(default_factory=dict)  # of a corpus that is heard in an epoch; 1 if not named
    validate: str = ""  # folder with RAVDESS, to measure on and never to train on; empty for none
    bursts: str = ""  # folder with vocal bursts that break into lines; empty for none
    run: str = "runs/utterance"  # folder for checkpoints and logs
    start: str = ""  # folder of a run whose networks training starts from; empty for the backbone alone
    seed: int = 2508
    halve_after: int | None = None  # layers of a Whisper backbone after which it works at 25 frames a second
    frozen_layers: int = 0  # of the backbone, from the sound up, that stay as they are
    layers: str = "all"  # of the backbone, each projected; or "last", as in the paper
    feature_size: int = 32  # D
    head: str = "voice"  # or "plain", the paper's, which knows no voice
    smoothing_frames: int = 75  # moving average in the head, 1.5 s
    half_known_seconds: float = 8.0  # of speech, after which a voice counts half for Σα
    train: str = "all"  # or "projection and head" or "head", with what the frozen rest hears kept
    estimated: bool = False  # the voice head, in closed form: first where it alone is trained, else in the end
    objective: str = "cross-entropy"  # or "dirichlet", the likelihood of the mixtures
    votes: float = 0.0  # share of the raters' mixture in a clip's label, where there is one; the rest is the intended
    label_smoothing: float = 0.1
    line_loss: float = 0.3  # weight of telling the voice's own lines, too
    mixed: float = 0.0  # share of lines that are averaged with another of the voice, and their labels with them
    epochs: int = 20
    patience: int = 6  # epochs without a better result on held-out actors, after which training ends
    measure_every: int = 1  # epochs
    voices_per_batch: int = 3
    clips_per_voice: int = 20
    clip_frames: int = 120  # of each clip, 2.4 s; longer ones are cut at a random place
    silence_frames: int = 40  # at most, around the longest line of a batch; shorter ones have more
    frames_per_clip: int = 4  # that are told besides the clip's mean
    paired: float = 0.3  # share of clips that are heard in pairs, one after the other
    learning_rate: float = 1e-3  # of projection and head
    backbone_learning_rate: float = 1e-4  # of the last layer
    layer_decay: float = 0.8  # learning rate of a layer relative to that of the next
    last_learning_rate: float = 0.05  # at the end, relative to the first
    warm_up: float = 0.05  # share of the steps in which the learning rate rises
    weight_decay: float = 0.01
    dropout: float = 0.3  # of what a frozen backbone hears
    averaging: float = 0.98  # of the weights over steps; 0 for none
    bfloat16: bool = True
    workers: int = 1  # processes that prepare batches
    augmentation: Augmentation = field(default_factory=Augmentation)


class _Loader(yaml.SafeLoader):
    """YAML, but for 1e-4, which it takes for text."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def load(path: str | Path, overrides: list[str]) -> UtteranceConfig:
    """Read a YAML file and apply KEY=VALUE overrides. Raises ConfigError naming what is wrong."""
    return from_settings(path, document(path, overrides))


def document(path: str | Path, overrides: list[str]) -> Any:
    """What a YAML file holds, with KEY=VALUE overrides (values are YAML, SECTION.KEY for those of a section).

    Raises ConfigError naming what is wrong.
    """
    try:
        settings: Any = yaml.load(Path(path).read_text(encoding="utf-8"), _Loader)
        for override in overrides:
            key, equals, value = override.partition("=")
            if not equals:
                raise ConfigError(f"{override}: write KEY=VALUE")
            section, dot, name = key.partition(".")
            if dot:
                settings.setdefault(section, {})[name] = yaml.load(value, _Loader)
            else:
                settings[key] = yaml.load(value, _Loader)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: not a YAML document of settings") from error
    return settings


def from_settings(path: str | Path, settings: Any) -> UtteranceConfig:
    """A configuration of plain values, as YAML and JSON give them; None is the default.

    Raises ConfigError naming what is wrong.
    """
    if not isinstance(settings, dict):
        raise ConfigError(f"{path}: not a YAML document of settings")
    settings = {key: value for key, value in settings.items() if value is not None}
    _check_names(path, settings, UtteranceConfig)
    try:
        config = UtteranceConfig(**_pairs(settings, UtteranceConfig))
    except TypeError as error:
        raise ConfigError(f"{path}: {error}") from error
    if isinstance(config.augmentation, dict):
        _check_names(path, config.augmentation, Augmentation)
        config = replace(config, augmentation=Augmentation(**_pairs(config.augmentation, Augmentation)))
    _check_values(path, config)
    _check_values(path, config.augmentation)
    for key, choices in (("head", HEADS), ("layers", LAYERS), ("objective", OBJECTIVES), ("train", TRAINED)):
        if getattr(config, key) not in choices:
            raise ConfigError(f"{path}: {key} is {getattr(config, key)!r}; choose {' or '.join(map(repr, choices))}")
    if config.estimated and config.train == "all":
        raise ConfigError(f"{path}: estimated is for what was kept; set train to 'projection and head' or 'head'")
    for key in COUNTS:
        if getattr(config, key) < 1:
            raise ConfigError(f"{path}: {key} is {getattr(config, key)}; write a number of at least 1")
    if config.smoothing_frames % 2 == 0:
        raise ConfigError(
            f"{path}: smoothing_frames is {config.smoothing_frames}; write an odd number, for a middle one"
        )
    return config


def _pairs(settings: dict[str, Any], kind: type) -> dict[str, Any]:
    """Settings with what YAML and JSON write as a list made the pair of numbers that is meant."""
    pairs = {setting.name for setting in fields(kind) if str(setting.type).startswith("tuple")}
    return {key: tuple(value) if key in pairs and isinstance(value, list) else value for key, value in settings.items()}


def _check_names(path: str | Path, settings: dict[Any, Any], kind: type) -> None:
    known = {setting.name for setting in fields(kind)}
    if unknown := sorted(map(str, set(settings) - known)):
        raise ConfigError(f"{path}: {unknown[0]} is no setting; those are {', '.join(sorted(known))}")


def _check_values(path: str | Path, settings: UtteranceConfig | Augmentation) -> None:
    for setting in fields(settings):
        value, (wanted, kinds) = getattr(settings, setting.name), KINDS[str(setting.type)]
        pair = isinstance(value, tuple)
        if type(value) not in kinds or (pair and [type(end) in (int, float) for end in value] != [True, True]):
            raise ConfigError(f"{path}: {setting.name} is {value!r}; write {wanted}")
