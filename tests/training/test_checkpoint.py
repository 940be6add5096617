"""What a run writes comes back to the last bit, and what is damaged is said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from dser_training.config import ConfigError, UtteranceConfig
from dser_training.corpora.augmentation import Augmentation
from dser_training.stages.checkpoint import (
    CONFIG,
    MODEL,
    STATE,
    CheckpointError,
    load_model,
    load_state,
    save_model,
    save_state,
)
from safetensors import safe_open
from torch import Tensor, nn

SETTINGS = UtteranceConfig(
    "a", corpora={"crema-d": "here"}, halve_after=2, augmentation=Augmentation(room_seconds=(0.1, 0.2))
)
PROGRESS = {"epoch": 3, "step": 41, "best": 0.123456789012345678, "best_epoch": 2}


def network() -> tuple[nn.Sequential, torch.optim.AdamW]:
    torch.manual_seed(0)
    made = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))
    groups = [{"params": made[0].parameters(), "lr": 0.1}, {"params": [*made[1].parameters(), *made[2].parameters()]}]
    return made, torch.optim.AdamW(groups, lr=0.01, weight_decay=0.1)


def step(made: nn.Module, optimiser: torch.optim.Optimizer, seed: int) -> None:
    x = torch.randn(16, 4, generator=torch.Generator().manual_seed(seed))
    optimiser.zero_grad()
    made(x).square().mean().backward()
    optimiser.step()


def equal(first: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return first.keys() == other.keys() and all(
        torch.equal(tensor, other[key]) and tensor.dtype == other[key].dtype for key, tensor in first.items()
    )


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The folder of a run of three steps."""
    made, optimiser = network()
    for seed in range(3):
        step(made, optimiser, seed)
    average = {key: tensor / 2 for key, tensor in made.state_dict().items()}
    save_state(tmp_path, optimiser, {"model": made.state_dict(), "average": average}, PROGRESS)
    return tmp_path


def test_the_networks_and_their_settings_come_back_as_they_were(tmp_path: Path) -> None:
    weights = network()[0].state_dict() | {"half": torch.randn(3).half(), "turned": torch.randn(3, 5).T}
    save_model(tmp_path / "new" / "run", SETTINGS, weights)
    config, loaded = load_model(tmp_path / "new" / "run")
    assert config == SETTINGS
    assert equal(loaded, weights)


def test_a_run_that_goes_on_is_the_run_that_was_never_interrupted(state: Path) -> None:
    made, optimiser = network()
    for seed in range(6):
        step(made, optimiser, seed)
    other, its_optimiser = network()
    again = load_state(state, its_optimiser)
    assert again is not None
    weights, progress = again
    assert progress == PROGRESS
    other.load_state_dict(weights["model"])
    for seed in range(3, 6):
        step(other, its_optimiser, seed)
    assert equal(made.state_dict(), other.state_dict())
    memories = [each.state_dict() for each in (optimiser, its_optimiser)]
    assert memories[0]["param_groups"] == memories[1]["param_groups"]
    assert all(equal(memory, memories[1]["state"][index]) for index, memory in memories[0]["state"].items())


def test_sets_of_weights_are_kept_apart(state: Path) -> None:
    made, optimiser = network()
    save_state(state, optimiser, {"model": made.state_dict(), "average": {"0.weight": torch.zeros(2)}}, {})
    again = load_state(state, optimiser)
    assert again is not None
    assert again[0].keys() == {"model", "average"}
    assert equal(again[0]["model"], made.state_dict())
    assert equal(again[0]["average"], {"0.weight": torch.zeros(2)})


def test_a_run_that_has_not_begun_has_no_state(tmp_path: Path) -> None:
    assert load_state(tmp_path, network()[1]) is None


def test_files_are_safetensors_and_json_and_nothing_is_left_beside_them(state: Path) -> None:
    save_model(state, SETTINGS, network()[0].state_dict())
    save_model(state, replace(SETTINGS, seed=1), network()[0].state_dict())
    assert sorted(path.name for path in state.iterdir()) == sorted([CONFIG, MODEL, STATE])
    assert json.loads((state / CONFIG).read_text(encoding="utf-8"))["seed"] == 1
    for name in (MODEL, STATE):
        assert b"pickle" not in (state / name).read_bytes()
        with safe_open(state / name, "pt") as file:
            assert set(file.keys()) > set()


@pytest.mark.parametrize("damage", [b"", b"not safetensors at all", None])
def test_a_damaged_state_is_said_with_its_name(state: Path, damage: bytes | None) -> None:
    path = state / STATE
    path.write_bytes(path.read_bytes()[:-10] if damage is None else damage)
    _, optimiser = network()
    with pytest.raises(CheckpointError, match="damaged") as said:
        load_state(state, optimiser)
    assert str(said.value).startswith(f"{path}: ")
    assert "\n" not in str(said.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [(MODEL, b""), (MODEL, b"x" * 100), (MODEL, None), (CONFIG, b"{"), (CONFIG, b"\xff"), (CONFIG, None)],
)
def test_damaged_and_missing_networks_are_said_with_their_folder(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    save_model(tmp_path, SETTINGS, network()[0].state_dict())
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match="no usable checkpoint") as said:
        load_model(tmp_path)
    assert str(said.value).startswith(f"{tmp_path}: ")
    assert "\n" not in str(said.value)


def test_settings_that_are_none_are_said(tmp_path: Path) -> None:
    save_model(tmp_path, SETTINGS, network()[0].state_dict())
    (tmp_path / CONFIG).write_text('{"backbone": "a", "steps": 3}', encoding="utf-8")
    with pytest.raises(ConfigError, match="steps is no setting"):
        load_model(tmp_path)
