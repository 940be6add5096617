"""How often a model bundle is right, through the same code that animators run.

Accuracy: argmax of the time-mean of `mean` against the intended emotion, and the deviation over speakers beside it.
Spread: the standard deviation that the model gives, averaged over a line's frames and emotions; the median line's.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dser_ext.audio import AudioFile
from dser_ext.emotion.names import EMOTIONS, NEUTRAL
from dser_ext.recognition.bundle import CARD
from dser_ext.recognition.recognizer import Recognizer
from dser_ext.recognition.voice import of_the_others
from dser_training.config import UtteranceConfig
from dser_training.corpora.clips import Clip, read

log = logging.getLogger(__name__)


class Result(NamedTuple):
    """What came of a line: emotions as indices into EMOTIONS, the median frame's Σα, and the mean spread."""

    speaker: str
    emotion: int
    guess: int
    total: float
    spread: float


def evaluate(config: UtteranceConfig, folder: str | Path) -> str:
    """Markdown table of accuracy on CREMA-D's development and test actors, RAVDESS and held-out read speech, each with
    and without the voice; the figures also go into the bundle's card."""
    recognizer = Recognizer(folder, "cpu")
    sets = {f"CREMA-D {name}": _only(read("crema-d", config.corpora["crema-d"]), name) for name in ("develop", "test")}
    if config.validate:
        sets["RAVDESS"] = read("ravdess", config.validate)
    if "read" in config.corpora:
        sets["read speech, held out"] = _only(read("read", config.corpora["read"]), "develop")
    report: dict[str, Any] = {}
    rows = [
        "| speech | voice | lines | accuracy | ± over speakers | spread | median Σα | neutral lines' Σα |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, clips in sets.items():
        for kind, results in _results(recognizer, clips).items():
            figures = _figures(results)
            report[f"{name}, {kind}"] = figures
            rows.append(
                f"| {name} | {kind} | {figures['lines']} | {figures['accuracy']:.3f} | {figures['std']:.3f} "
                f"| {figures['spread']:.3f} | {figures['total']:.2f} | {figures['neutral_total']:.2f} |"
            )
            log.info("%s", rows[-1])
    card = recognizer.bundle.card | {"metrics": report}
    (recognizer.bundle.folder / CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return "\n".join(rows)


def _only(clips: list[Clip], split: str) -> list[Clip]:
    return [clip for clip in clips if clip.split == split]


def _results(recognizer: Recognizer, clips: list[Clip]) -> dict[str, list[Result]]:
    """The result of every line, for each kind of voice."""
    voices: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        if clip.emotion is not None:
            voices[clip.speaker].append(clip)
    results: dict[str, list[Result]] = {"none": [], "all other lines": []}
    for speaker, lines in voices.items():
        hearings = [recognizer.hear(AudioFile(clip.path)) for clip in lines]
        others = of_the_others([hearing.profile for hearing in hearings])
        for clip, hearing, profile in zip(lines, hearings, others, strict=True):
            if clip.reference_only:
                continue
            for kind, voice in (("none", None), ("all other lines", profile)):
                track = recognizer.track(hearing, voice)
                guess = int(track.mean.mean(axis=0).argmax())
                total, spread = float(np.median(track.total)), float(track.std.mean())
                results[kind].append(Result(speaker, clip.emotion or 0, guess, total, spread))
    return results


def _figures(results: list[Result]) -> dict[str, Any]:
    speakers: dict[str, list[bool]] = defaultdict(list)
    emotions: dict[str, list[bool]] = defaultdict(list)
    for result in results:
        speakers[result.speaker].append(result.emotion == result.guess)
        emotions[EMOTIONS[result.emotion]].append(result.emotion == result.guess)
    neutral = [result.total for result in results if result.emotion == NEUTRAL]
    return {
        "lines": len(results),
        "accuracy": float(np.mean([result.emotion == result.guess for result in results])),
        "std": float(np.std([np.mean(right) for right in speakers.values()])),
        "spread": float(np.median([result.spread for result in results])),
        "total": float(np.median([result.total for result in results])),
        "neutral_total": float(np.median(neutral)) if neutral else 0.0,
        "recall": {emotion: float(np.mean(right)) for emotion, right in sorted(emotions.items())},
    }
