"""Simulated annotators, for measuring whether preferences teach a model anything: no person answered here.

They compare sequences of splices, whose truth is known, by a taste of their own, and now and then answer wrongly.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from dser_ext.audio import SAMPLE_RATE
from dser_ext.emotion.names import EMOTIONS
from dser_ext.formats.files import written_whole
from dser_training.corpora.clip import Clip, CorpusError, by_speaker
from dser_training.corpora.splices import draw, render
from dser_training.evaluation.changes import mean_absolute_error
from dser_training.evaluation.spliced_lines import SPLICES
from dser_training.preferences.comparisons import ONE, OTHER, SAME, rows

Mixtures = NDArray[np.float32]
Taste = Callable[[Mixtures, Mixtures], float]
"""A sequence (F, 6) and the truth (F, 6) → how good it is, the higher the better."""

KINDS = tuple(kind for kind, count in SPLICES.items() for _ in range(count))
"""Of a speaker's splices, in turn; as often as what is measured on has them."""
HAPPINESS = EMOTIONS.index("happiness")


def _nearer(mixtures: Mixtures, truth: Mixtures) -> float:
    return -mean_absolute_error(mixtures, truth)


def _happier(mixtures: Mixtures, truth: Mixtures) -> float:
    del truth
    return float(mixtures[:, HAPPINESS].mean())


TRUTH, HAPPIER = "nearer to the truth", "more happiness"
TASTES: dict[str, Taste] = {TRUTH: _nearer, HAPPIER: _happier}


@dataclass(frozen=True)
class Annotator:
    """taste: of TASTES. wrong: share of the answers that are the other way round. same_below: two whose goodness
    differs by less are the same to them."""

    taste: str = TRUTH
    wrong: float = 0.0
    same_below: float = 0.0


def make_lines(clips: Sequence[Clip], folder: Path, count: int, seed: int) -> dict[str, Mixtures]:
    """Write `count` splices of each speaker as FOLDER/SPEAKER/NNN.flac; the truth of each, (F, 6), by its name there.

    What lies there already is not written again. Raises CorpusError if a speaker's clips make no splice.
    """
    truth = {}
    for number, (speaker, own) in enumerate(by_speaker(clips).items()):
        random = np.random.default_rng([seed, number])
        name = speaker.replace("/", "-")
        (folder / name).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            spliced = render(draw(KINDS[index % len(KINDS)], own, random), random)
            path = folder / name / f"{index:03d}.flac"
            if not path.exists():
                with written_whole(path, "wb") as file:
                    soundfile.write(file, spliced.samples, SAMPLE_RATE, format="FLAC")
            truth[f"{name}/{path.name}"] = spliced.mixtures
    if not truth:
        raise CorpusError("no speakers to make lines of; name a corpus that has some")
    return truth


def answer(
    annotator: Annotator, candidates: Path, truth: dict[str, Mixtures], count: int, output: Path, seed: int
) -> None:
    """Write the annotator's answers to the first `count` pairs of a folder of candidates, as people's are."""
    sequences = {row["line"]: row["candidates"] for _, row in rows(candidates / "candidates.jsonl")}
    taste, random = TASTES[annotator.taste], np.random.default_rng(seed)
    with written_whole(output) as file:
        for _, pair in islice(rows(candidates / "pairs.jsonl"), count):
            true = truth[pair["line"]]
            one, other = (
                taste(*_alike(np.array(sequences[pair["line"]][index]["mixtures"], np.float32), true))
                for index in pair["candidates"]
            )
            wrong = random.random() < annotator.wrong
            said = SAME if abs(one - other) < annotator.same_below else ONE if (one > other) != wrong else OTHER
            row = {"line": pair["line"], "candidates": pair["candidates"], "answer": said, "annotator": "simulated"}
            file.write(json.dumps(row) + "\n")


def _alike(mixtures: Mixtures, truth: Mixtures) -> tuple[Mixtures, Mixtures]:
    count = min(len(mixtures), len(truth))
    return mixtures[:count], truth[:count]
