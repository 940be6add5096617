"""Measure a model bundle: hear every line of the sets once, and answer each question in one document."""

from __future__ import annotations

import logging
import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dser_ext.errors import DserWarning
from dser_ext.recognition.bundle import ModelBundle
from dser_ext.recognition.recognizer import Recognizer
from dser_ext.recognition.voice import VoiceProfile
from dser_training.bundles import save_card
from dser_training.config import Config, ConfigError
from dser_training.corpora.clip import Clip
from dser_training.corpora.clips import read
from dser_training.corpora.conditions import CONDITIONS
from dser_training.evaluation import beside_bursts, nonspeech, pictures, spliced_lines
from dser_training.evaluation.figures import WORDS, by_actors, by_source, figures, rounded, with_and_without
from dser_training.evaluation.report import markdown, save, to_json
from dser_training.evaluation.results import Measurement, Result, measure
from dser_training.evaluation.sets import READ, SETS, clips
from dser_training.evaluation.voices import ALL, NONE, SEED, SETTINGS

log = logging.getLogger(__name__)

Document = dict[str, Any]

SCHEMA = "dser.evaluation/1"
PARTS = ("sets", "changes", "live", "actors", "robustness", "bursts", "read", "nonspeech", "pictures")
IN_CARD = ("lines", "accuracy", "std", "calibration_error", "votes", "spread", "total", "neutral_total", "recall")
"""Figures that go into the model's card, alone and with all other lines."""


def evaluate(
    config: Config,
    folder: str | Path,
    output: str | Path | None = None,
    *,
    sets: Sequence[str] = tuple(SETS),
    robustness: bool = False,
    as_json: bool = False,
) -> str:
    """The report on a bundle, as Markdown or JSON; with `output` both, and pictures, are written into that folder.

    sets: names in SETS. robustness: also in each of CONDITIONS and beside vocal bursts; each takes as long again.
    The headline figures go into the bundle's card if all sets were asked for. The same model gives the same bytes.

    Raises ModelError, CorpusError, ConfigError if there is nothing to measure on, FormatError if it cannot be written.
    """
    lines = _lines(config, sets)
    bursts = read("bursts", config.bursts) if robustness and config.bursts else []
    recognizer = Recognizer(folder, "cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DserWarning)
        document, examples = _document(recognizer, lines, robustness, bursts)
    if output is not None:
        document["pictures"] = _pictures(document, examples, Path(output))
    text = markdown(document)
    if output is not None:
        save(document, text, Path(output) / "evaluation")
    if set(sets) == set(SETS):
        _note(document, recognizer.bundle)
    return to_json(document) if as_json else text


def _lines(config: Config, sets: Sequence[str]) -> dict[str, list[Clip]]:
    """The lines of each set that has any, by the title it has in the report."""
    if unknown := [name for name in sets if name not in SETS]:
        raise ConfigError(f"{unknown[0]}: no such set; those are {', '.join(SETS)}")
    lines = {SETS[name]: clips(name, config) for name in SETS if name in sets}
    lines = {title: found for title, found in lines.items() if found}
    if not lines:
        raise ConfigError("the configuration names no corpus of the sets; set corpora or validate to their folders")
    return lines


def _document(
    recognizer: Recognizer, lines: dict[str, list[Clip]], robustness: bool, bursts: Sequence[Clip]
) -> tuple[Document, dict[str, spliced_lines.Example | None]]:
    """The figures, and of each set of acted lines a line whose emotion changes."""
    card = recognizer.bundle.card
    document: Document = {
        "schema": SCHEMA,
        "model": {name: card[name] for name in ("name", "version", "sha256")},
        "seed": SEED,
        **{part: {} for part in PARTS},
        "unheard": [],
    }
    examples: dict[str, spliced_lines.Example | None] = {}
    voices: list[VoiceProfile] = []
    for title, found in lines.items():
        acted = title not in READ.values()
        measurement = measure(recognizer, found, tuple(SETTINGS) if acted else (NONE, ALL))
        voices += measurement.voices
        document["unheard"] += measurement.unheard
        if not measurement.results[NONE]:
            continue
        document["sets"][title] = _settings(title, measurement)
        if acted:
            document["actors"][title] = _grouped(measurement, by_actors)
            spliced = spliced_lines.splices(recognizer, measurement.profiles)
            document["changes"][title] = rounded(spliced_lines.figures(recognizer, spliced))
            examples[title] = spliced_lines.example(recognizer, spliced)
            if robustness:
                document["live"][title] = rounded(spliced_lines.live(recognizer, measurement.profiles))
            if strangers := [burst for burst in bursts if burst.split == "test"]:
                document["bursts"][title] = beside_bursts.figures(recognizer, measurement.results[NONE], strangers)
        else:
            document["read"] = _grouped(measurement, by_source)
        if robustness:
            document["robustness"][title] = {}
            for name, condition in CONDITIONS.items():
                changed = measure(recognizer, found, (NONE, ALL), condition)
                document["robustness"][title][name] = _settings(f"{title}, {name}", changed)
                document["unheard"] += changed.unheard
    document["unheard"] = list(dict.fromkeys(document["unheard"]))
    document["nonspeech"] = _nonspeech(recognizer, voices)
    return document, examples


def _settings(title: str, measurement: Measurement) -> dict[str, Any]:
    """Figures of each voice setting that any line could be measured with."""
    found = {setting: figures(results) for setting, results in measurement.results.items() if results}
    for setting, said in found.items():
        log.info("%s, %s: accuracy %.3f of %d lines", title, setting, said["accuracy"], said["lines"])
    return found


def _grouped(measurement: Measurement, groups: Callable[[list[Result]], dict[str, list[Result]]]) -> dict[str, Any]:
    """Figures of each group of lines, alone and with all other lines."""
    found: dict[str, Any] = defaultdict(dict)
    for setting in (NONE, ALL):
        for name, results in groups(measurement.results[setting]).items():
            found[name][setting] = figures(results)
    return dict(found)


def _nonspeech(recognizer: Recognizer, voices: Sequence[VoiceProfile]) -> dict[str, Any]:
    """Figures of each kind of sound, without a voice and with each there is."""
    log.info("what is no speech, with %d voices", len(voices))
    profiles: dict[str, Sequence[VoiceProfile | None]] = {WORDS[NONE]: [None], WORDS[ALL]: voices}
    return {
        kind: {words: nonspeech.figures(recognizer, samples, some) for words, some in profiles.items() if some}
        for kind, samples in nonspeech.sounds().items()
    }


def _pictures(document: Document, examples: dict[str, spliced_lines.Example | None], folder: Path) -> dict[str, str]:
    """By what they show the names of the pictures of each set of acted lines, drawn into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {}
    for title in document["actors"]:
        file = f"{title.lower().replace(' ', '-')}.png"
        names[f"{title}: intended and heard"] = f"confusion-{file}"
        found = with_and_without(document["sets"][title])
        pictures.draw(title, {words: said["confusion"] for words, said in found}, folder / f"confusion-{file}")
        if example := examples[title]:
            names[f"{title}: a line whose emotion changes"] = f"changes-{file}"
            pictures.draw_changes(f"{title}, with the voice", *example, folder / f"changes-{file}")
    return names


def _note(document: Document, bundle: ModelBundle) -> None:
    """Put the headline figures into the bundle's card."""
    metrics = {
        f"{title}, {setting}": {name: settings[setting][name] for name in IN_CARD}
        for title, settings in document["sets"].items()
        for setting in (NONE, ALL)
        if setting in settings
    }
    save_card(bundle.card | {"metrics": metrics}, bundle.folder)
