"""actors.yaml: which CREMA-D actors train, develop and test, drawn once from a seed and then for good."""

from __future__ import annotations

import random
from pathlib import Path

import yaml

SEED = 14920
DEVELOP, TEST = 12, 12
ACTORS_FILE = Path(__file__).with_name("actors.yaml")


def draw(actors: list[str], seed: int = SEED) -> dict[str, list[str]]:
    """Split actors into train, develop and test; the same list and seed give the same split."""
    shuffled = random.Random(seed).sample(sorted(actors), len(actors))
    develop, test, train = shuffled[:DEVELOP], shuffled[DEVELOP : DEVELOP + TEST], shuffled[DEVELOP + TEST :]
    return {"train": sorted(train), "develop": sorted(develop), "test": sorted(test)}


def actors() -> dict[str, list[str]]:
    """The committed split: {"train": 55 actors, "develop": 12, "test": 12}."""
    document = yaml.safe_load(ACTORS_FILE.read_text(encoding="utf-8"))
    return {name: [str(actor) for actor in document[name]] for name in ("train", "develop", "test")}
