"""Candidates of a few lines of real speech, made without a model, and people who answer all about them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from dser_training.preferences.annotate.store import Store
from dser_training.preferences.candidates import SCHEMA

SAMPLES = Path(__file__).parents[4] / "samples"
LINES, PAIRS_OF_LINE = 6, ((0, 1), (1, 2))


def write_candidates(folder: Path, seed: int = 0) -> Path:
    """candidates.jsonl and pairs.jsonl of lines that can be heard."""
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(seed)
    sources = sorted((SAMPLES / "voice").glob("*.ogg"))[:LINES]
    with (folder / "candidates.jsonl").open("w") as file:
        for source in sources:
            row = {"schema": SCHEMA, "line": source.name, "source": str(source), "voice": None}
            row["sha256"] = hashlib.sha256(source.read_bytes()).hexdigest()
            row["candidates"] = [{"mixtures": random.dirichlet(np.ones(6), 100).round(4).tolist()} for _ in range(3)]
            file.write(json.dumps(row) + "\n")
    with (folder / "pairs.jsonl").open("w") as file:
        for pair in PAIRS_OF_LINE:
            for source in sources:
                file.write(json.dumps({"line": source.name, "candidates": pair}) + "\n")
    return folder


def finish(store: Store, *annotators: int, answer: str = "one") -> None:
    """Let annotators answer in turns until none is asked anything."""
    waiting = list(annotators)
    while waiting:
        for annotator in list(waiting):
            question, _ = store.question(annotator)
            if question is None:
                waiting.remove(annotator)
            else:
                store.answer(annotator, question.id, answer, 3.0)
