"""A run's settings: one YAML file, any of its values overridden on the command line."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml

from dser_ext.errors import DserError
from dser_training.corpora.augmentation import Augmentation

KINDS_OF_SPLICES = {"changes": 0.4, "stay": 0.5, "glide": 0.1}
"""Several emotions, one that stays, and one that slowly becomes another."""

OBJECTIVES = ("cross-entropy", "dirichlet")
CHOICES: dict[str, dict[str, tuple[str, ...]]] = {
    "utterance": {
        "head": ("voice", "plain"),
        "layers": ("all", "last"),
        "train": ("all", "head", "projection and head"),
    },
    "sequence": {"train": ("all", "head")},
    "preference": {"ties": ("ignored", "used")},
}
"""What a setting of a stage may be."""
COUNTS = (
    "feature_size",
    "smoothing_frames",
    "epochs",
    "measure_every",
    "voices_per_batch",
    "clips_per_voice",
    "clip_frames",
    "voices",
    "splices_per_voice",
    "sequences_per_batch",
    "lines_per_batch",
)


class ConfigError(DserError):
    """A configuration that cannot be used."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Settings of a training run, whatever it trains."""

    run: str  # folder for checkpoints and logs
    corpora: dict[str, str] = field(default_factory=dict)  # name → folder, to train on
    validate: str = ""  # folder with RAVDESS, to measure on and never to train on; empty for none
    bursts: str = ""  # folder with vocal bursts that break into lines; empty for none
    seed: int = 2508
    objective: str = "cross-entropy"  # or "dirichlet", the likelihood of the mixtures
    label_smoothing: float = 0.1
    epochs: int = 20
    patience: int = 6  # epochs without a better result on held-out actors, after which training ends
    measure_every: int = 1  # epochs
    learning_rate: float = 1e-3  # of projection and head
    backbone_learning_rate: float = 1e-4  # of the last layer
    layer_decay: float = 0.8  # learning rate of a layer relative to that of the next
    frozen_layers: int = 0  # of the backbone, from the sound up, that stay as they are
    last_learning_rate: float = 0.05  # at the end, relative to the first
    warm_up: float = 0.05  # share of the steps in which the learning rate rises
    weight_decay: float = 0.01
    averaging: float = 0.98  # of the weights over steps; 0 for none
    bfloat16: bool = True
    workers: int = 1  # processes that prepare batches
    augmentation: Augmentation = field(default_factory=Augmentation)


@dataclass(frozen=True)
class UtteranceConfig(RunConfig):
    """Settings of the utterance stage."""

    backbone: str  # hub name or folder of a Whisper, Wav2Vec2, HuBERT or WavLM encoder
    run: str = field(default="runs/utterance", kw_only=True)
    train_splits: list[str] = field(default_factory=lambda: ["train"])  # of their clips
    shares: dict[str, float] = field(default_factory=dict)  # of a corpus that is heard in an epoch; 1 if not named
    start: str = ""  # folder of a run whose networks training starts from; empty for the backbone alone
    halve_after: int | None = None  # layers of a Whisper backbone after which it works at 25 frames a second
    layers: str = "all"  # of the backbone, each projected; or "last", as in the paper
    feature_size: int = 32  # D
    head: str = "voice"  # or "plain", the paper's, which knows no voice
    smoothing_frames: int = 75  # moving average in the head, 1.5 s
    half_known_seconds: float = 8.0  # of speech, after which a voice counts half for Σα
    train: str = "all"  # or "projection and head" or "head", with what the frozen rest hears kept
    estimated: bool = False  # the voice head, in closed form: first where it alone is trained, else in the end
    votes: float = 0.0  # share of the raters' mixture in a clip's label, where there is one; the rest is the intended
    line_loss: float = 0.3  # weight of telling the voice's own lines, too
    mixed: float = 0.0  # share of lines that are averaged with another of the voice, and their labels with them
    voices_per_batch: int = 3
    clips_per_voice: int = 20
    clip_frames: int = 120  # of each clip, 2.4 s; longer ones are cut at a random place
    silence_frames: int = 40  # at most, around the longest line of a batch; shorter ones have more
    frames_per_clip: int = 4  # that are told besides the clip's mean
    paired: float = 0.3  # share of clips that are heard in pairs, one after the other
    dropout: float = 0.3  # of what a frozen backbone hears


@dataclass(frozen=True)
class SequenceConfig(RunConfig):
    """Settings of the sequence stage. The backbone and the kind of head are those of the utterance model."""

    start: str  # folder of the run with the utterance model, which is the teacher, too
    run: str = field(default="runs/sequence", kw_only=True)
    utterance: UtteranceConfig | None = None  # of the model in `start`; read from there
    speech: dict[str, str] = field(default_factory=dict)  # name → folder, of speech that the teacher tells
    window_seconds: float = 1.4  # of the teacher (paper, stage 2)
    stride_seconds: float = 1.0
    train: str = "head"  # with what the frozen rest hears kept; or "all", with the paper's head
    smoothing_frames: int = 25  # moving average of the first guess; the paper's head has 5 and no other
    voices: int = 3  # that each speaker is heard in: their own, and virtual ones
    splices_per_voice: int = 15
    kinds: dict[str, float] = field(default_factory=lambda: dict(KINDS_OF_SPLICES))  # how often each kind is drawn
    sequences_per_batch: int = 8
    longest_seconds: float = 20.0  # of a sequence; longer ones are cut
    steadiness: float = 0.3  # weight of how much the mixture moves, in all of it a second


@dataclass(frozen=True)
class PreferenceConfig(RunConfig):
    """Settings of the preference stage, which goes on from any bundle whose head measures against a voice."""

    candidates: str  # folder that dser-train candidates wrote
    comparisons: str  # JSON Lines: what people answered
    model: str = "dser-base"  # shipped, or a folder
    run: str = field(default="runs/preference", kw_only=True)
    learning_rate: float = field(default=3e-3, kw_only=True)
    weight_decay: float = field(default=0.0, kw_only=True)  # beta pulls, and to what the model was
    label_smoothing: float = field(default=0.05, kw_only=True)  # moves mixtures into the open simplex
    beta: float = 0.1  # how closely the model stays at what it was (paper: 0.5; docs/evaluation/feedback)
    ties: str = "ignored"  # or "used": answers that two are the same pull what the model thinks of them together
    held_out: float = 0.2  # share of the voices whose answers training is watched on; of the lines where all have one
    lines_per_batch: int = 8
    train: str = "head"  # the features stay what the voices of studios were made with


CONFIGS: dict[str, type[RunConfig]] = {
    "utterance": UtteranceConfig,
    "sequence": SequenceConfig,
    "preference": PreferenceConfig,
}
"""By the name of the stage, `stage:` in a file; that of a file without is the utterance stage."""
Config = UtteranceConfig | SequenceConfig | PreferenceConfig
Kind = TypeVar("Kind")
KINDS: dict[str, tuple[str, tuple[type, ...]]] = {
    "str": ("text", (str,)),
    "bool": ("true or false", (bool,)),
    "int": ("a whole number", (int,)),
    "int | None": ("a whole number", (int, type(None))),
    "float": ("a number", (int, float)),
    "float | None": ("a number", (int, float, type(None))),
    "float | str": ("a number or a word", (int, float, str)),
    "tuple[float, float]": ("two numbers, [LOW, HIGH]", (tuple,)),
    "list[str]": ("a list", (list,)),
    "dict[str, str]": ("names and values", (dict,)),
    "dict[str, float]": ("names and values", (dict,)),
    "Augmentation": ("names and values", (Augmentation,)),
    "UtteranceConfig | None": ("what a run's config.json holds", (UtteranceConfig, type(None))),
}
"""Of each annotation in a configuration, what to write and what that is read as."""


class _Loader(yaml.SafeLoader):
    """YAML, but for 1e-4, which it takes for text."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def load(path: str | Path, overrides: list[str]) -> Config:
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


def made_of(path: str | Path, settings: Any, kind: type[Kind]) -> Kind:
    """Settings of plain values, as a dataclass that declares them. Raises ConfigError naming what is wrong."""
    if not isinstance(settings, dict):
        raise ConfigError(f"{path}: not a YAML document of settings")
    check_names(path, settings, kind)
    try:
        config = kind(**settings)
    except TypeError as error:
        raise ConfigError(f"{path}: {error}") from error
    check_values(path, config)
    return config


def from_settings(path: str | Path, settings: Any) -> Config:
    """A configuration of plain values, as YAML and JSON give them; None is the default.

    Raises ConfigError naming what is wrong.
    """
    if not isinstance(settings, dict):
        raise ConfigError(f"{path}: not a YAML document of settings")
    settings = {key: value for key, value in settings.items() if value is not None}
    stage = settings.pop("stage", "utterance")
    if stage not in CONFIGS:
        raise ConfigError(f"{path}: stage is {stage!r}; choose {' or '.join(map(repr, CONFIGS))}")
    kind = CONFIGS[stage]
    check_names(path, settings, kind)
    try:
        config = kind(**_pairs(settings, kind))
    except TypeError as error:
        raise ConfigError(f"{path}: {error}") from error
    if isinstance(config.augmentation, dict):
        check_names(path, config.augmentation, Augmentation)
        config = replace(config, augmentation=Augmentation(**_pairs(config.augmentation, Augmentation)))
    if isinstance(config, SequenceConfig) and isinstance(config.utterance, dict):
        config = replace(config, utterance=from_settings(path, config.utterance))
    check_values(path, config)
    check_values(path, config.augmentation)
    for key, choices in (("objective", OBJECTIVES), *CHOICES[stage].items()):
        if getattr(config, key) not in choices:
            raise ConfigError(f"{path}: {key} is {getattr(config, key)!r}; choose {' or '.join(map(repr, choices))}")
    if isinstance(config, UtteranceConfig) and config.estimated and config.train == "all":
        raise ConfigError(f"{path}: estimated is for what was kept; set train to 'projection and head' or 'head'")
    if isinstance(config, SequenceConfig) and (
        set(config.kinds) - set(KINDS_OF_SPLICES) or not any(config.kinds.values())
    ):
        raise ConfigError(
            f"{path}: kinds is {config.kinds}; write how often each of {', '.join(KINDS_OF_SPLICES)} is drawn"
        )
    for key in COUNTS:
        if getattr(config, key, 1) < 1:
            raise ConfigError(f"{path}: {key} is {getattr(config, key)}; write a number of at least 1")
    if not isinstance(config, PreferenceConfig) and config.smoothing_frames % 2 == 0:
        raise ConfigError(
            f"{path}: smoothing_frames is {config.smoothing_frames}; write an odd number, for a middle one"
        )
    return config


def settings_of(config: Config) -> dict[str, Any]:
    """Plain values that `from_settings` makes the same configuration of."""
    [stage] = [name for name, kind in CONFIGS.items() if type(config) is kind]
    return {"stage": stage, **asdict(config)}


def _pairs(settings: dict[str, Any], kind: type) -> dict[str, Any]:
    """Settings with what YAML and JSON write as a list made the pair of numbers that is meant."""
    pairs = {setting.name for setting in fields(kind) if str(setting.type).startswith("tuple")}
    return {key: tuple(value) if key in pairs and isinstance(value, list) else value for key, value in settings.items()}


def check_names(path: str | Path, settings: dict[Any, Any], kind: type) -> None:
    """Raise ConfigError for what is no setting of this kind of configuration."""
    known = {setting.name for setting in fields(kind)}
    if unknown := sorted(map(str, set(settings) - known)):
        raise ConfigError(f"{path}: {unknown[0]} is no setting; those are {', '.join(sorted(known))}")


def check_values(path: str | Path, settings: Any) -> None:
    """Raise ConfigError for a setting that is not of the kind that its configuration declares."""
    for setting in fields(settings):
        value, (wanted, kinds) = getattr(settings, setting.name), KINDS[str(setting.type)]
        pair = isinstance(value, tuple)
        if type(value) not in kinds or (pair and [type(end) in (int, float) for end in value] != [True, True]):
            raise ConfigError(f"{path}: {setting.name} is {value!r}; write {wanted}")
