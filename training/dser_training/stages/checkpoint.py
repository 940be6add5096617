"""What a run writes: its networks, and where it was, as safetensors and JSON; each file whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from dser_ext.errors import DserError
from dser_ext.formats.files import written_whole
from dser_training.config import Config, from_settings, settings_of

MODEL, CONFIG = "model.safetensors", "config.json"  # what came out
BEST = "best.safetensors"  # the best so far, before what is fitted in the end
STATE = "last.safetensors"  # to go on from, in one file, so that its parts always fit each other


class CheckpointError(DserError):
    """A checkpoint that is missing, damaged or of other settings."""


def save_model(folder: str | Path, config: Config, tensors: Mapping[str, Tensor]) -> None:
    """Write the networks and the settings they were made with."""
    _write(Path(folder) / MODEL, tensors, {})
    _write_config(Path(folder), config)


def save_best(folder: str | Path, config: Config, tensors: Mapping[str, Tensor]) -> None:
    """Write the best networks so far, and the settings."""
    _write(Path(folder) / BEST, tensors, {})
    _write_config(Path(folder), config)


def load_model(folder: str | Path) -> tuple[Config, dict[str, Tensor]]:
    """The settings and weights of a run; of one that has not ended the best so far.

    Raises CheckpointError if it has none or they are damaged.
    """
    folder = Path(folder)
    try:
        settings = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        config = from_settings(folder / CONFIG, settings)
    except (OSError, ValueError) as error:
        raise _unusable(folder, error) from error
    return config, _load(folder, MODEL if (folder / MODEL).exists() else BEST)


def load_best(folder: str | Path) -> dict[str, Tensor]:
    """The best weights so far of a run. Raises CheckpointError if it has none or they are damaged."""
    return _load(Path(folder), BEST)


def _load(folder: Path, file: str) -> dict[str, Tensor]:
    try:
        return load_file(folder / file)
    except (OSError, ValueError, SafetensorError) as error:
        raise _unusable(folder, error) from error


def _unusable(folder: Path, error: Exception) -> CheckpointError:
    return CheckpointError(f"{folder}: no usable checkpoint there ({_reason(error)}); train that run first")


def _write_config(folder: Path, config: Config) -> None:
    with written_whole(folder / CONFIG) as file:
        json.dump(settings_of(config), file, indent=2)
        file.write("\n")


def save_state(folder: str | Path, optimiser: torch.optim.Optimizer, weights: Mapping[str, Mapping[str, Tensor]],
               progress: dict[str, Any]) -> None:  # fmt: skip
    """Write all that a killed run needs to go on: sets of weights by name, the optimiser's memory, and numbers."""
    tensors = {f"{name}/{key}": tensor for name, each in weights.items() for key, tensor in each.items()}
    for index, memory in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser/{index}/{key}": torch.as_tensor(value) for key, value in memory.items()}
    _write(Path(folder) / STATE, tensors, progress)


def load_state(
    folder: str | Path, optimiser: torch.optim.Optimizer
) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]] | None:
    """Sets of weights and numbers of an interrupted run, its optimiser's memory put back; None if there is none."""
    path = Path(folder) / STATE
    if not path.exists():
        return None
    weights: dict[str, dict[str, Tensor]] = {}
    memory: dict[int, dict[str, Tensor]] = {}
    try:
        with safe_open(path, "pt") as file:
            progress = json.loads(file.metadata()["progress"])
            for key in file.keys():  # noqa: SIM118 (no mapping)
                name, _, rest = key.partition("/")
                if name == "optimiser":
                    index, _, what = rest.partition("/")
                    memory.setdefault(int(index), {})[what] = file.get_tensor(key)
                else:
                    weights.setdefault(name, {})[rest] = file.get_tensor(key)
    except (OSError, ValueError, TypeError, KeyError, SafetensorError) as error:
        raise CheckpointError(f"{path}: damaged ({_reason(error)}); delete it to start the run anew") from error
    optimiser.load_state_dict({"state": memory, "param_groups": optimiser.state_dict()["param_groups"]})
    return weights, progress


def _write(path: Path, tensors: Mapping[str, Tensor], progress: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path, "wb") as file:
        file.write(
            save({key: tensor.contiguous() for key, tensor in tensors.items()}, {"progress": json.dumps(progress)})
        )


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
