"""Comparison: variants of one stage that are trained and measured alike, read from one YAML file."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from dser_training.config import ConfigError, UtteranceConfig, document, from_settings
from dser_training.evaluation.sets import ACTED


@dataclass(frozen=True)
class Comparison:
    """What is compared.

    settings: what all variants share. variants: by name the settings that are a variant's own.
    seeds: each variant is trained with. sets: it is measured on, names in ACTED.
    """

    settings: dict[str, Any]
    variants: dict[str, dict[str, Any]]
    seeds: list[int]
    sets: list[str]

    def configs(self) -> dict[str, UtteranceConfig]:
        """The whole configuration of each variant. Raises ConfigError where it cannot be compared."""
        configs = {name: from_settings(name, self.settings | own) for name, own in self.variants.items()}
        for name, config in configs.items():
            if config.train == "all":
                raise ConfigError(f'{name}: only a frozen backbone is compared; set train to "projection and head"')
        return configs


def load(path: str | Path, overrides: list[str]) -> Comparison:
    """Read a YAML file and apply KEY=VALUE overrides, such as seeds=[1] or settings.epochs=2.

    Raises ConfigError naming what is wrong.
    """
    form = document(path, overrides)
    names = {field.name for field in fields(Comparison)}
    if not isinstance(form, dict) or form.keys() != names:
        raise ConfigError(f"{path}: not a comparison; it must have {', '.join(sorted(names))} and nothing else")
    mappings = (form["settings"], form["variants"], *(form["variants"] or {}).values())
    if not all(isinstance(mapping, dict) for mapping in mappings) or not form["variants"]:
        raise ConfigError(f"{path}: settings must be names with values, and variants names with such settings")
    if not form["seeds"] or not all(isinstance(seed, int) for seed in form["seeds"]):
        raise ConfigError(f"{path}: seeds must be a list of whole numbers")
    if not form["sets"] or not set(form["sets"]) <= ACTED.keys():
        raise ConfigError(f"{path}: sets must be a list of {', '.join(ACTED)}")
    return Comparison(**form)
