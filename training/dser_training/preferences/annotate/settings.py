"""Settings of the annotation page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dser_ext.audio2face.connection import is_address
from dser_training.config import ConfigError, document, made_of

SHARES = ("overlap", "checks", "least_caught")


@dataclass(frozen=True)
class AnnotateConfig:
    """What people are asked, where their answers go, and who may come in."""

    candidates: str  # folder that dser-train candidates wrote
    store: str = ""  # SQLAlchemy URL of the answers; empty: answers.db in that folder
    listen: str = "127.0.0.1:8300"  # other machines only with TLS and the token of DSER_TOKEN
    certificate: str = ""  # PEM files, for TLS
    key: str = ""
    overlap: float = 0.1  # share of the pairs that every annotator answers, for how far they agree
    checks: float = 0.1  # share of an annotator's questions that check attention
    a2f: str = ""  # HOST:PORT of an Audio2Face-3D service that animates the faces; empty: our own rules
    least_caught: float = 0.0  # share of broken candidates that annotators must have caught to be exported


def load(path: str | Path, overrides: list[str]) -> AnnotateConfig:
    """Read a YAML file and apply KEY=VALUE overrides. Raises ConfigError naming what is wrong."""
    config = made_of(path, document(path, overrides), AnnotateConfig)
    for name in SHARES:
        if not 0 <= getattr(config, name) <= 1:
            raise ConfigError(f"{path}: {name} is {getattr(config, name)}; write a share from 0 to 1")
    if config.checks > 0.5:
        raise ConfigError(f"{path}: checks is {config.checks}; at most half of the questions can be checks")
    if (not config.certificate) != (not config.key):
        raise ConfigError(f"{path}: certificate and key go together; name both files")
    if config.store == "sqlite://" or ":memory:" in config.store:
        raise ConfigError(f"{path}: store is {config.store}, which nothing would remain of; write sqlite:///FILE")
    if config.a2f and not is_address(config.a2f):
        raise ConfigError(f"{path}: a2f is {config.a2f!r}; write HOST:PORT, for example localhost:52000")
    return config
