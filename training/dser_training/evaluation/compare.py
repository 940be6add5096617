"""Compare variants of the utterance stage on frozen backbones: Table 2 of the paper, and studies like it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dser_training.evaluation.comparison import Comparison
from dser_training.evaluation.figures import rounded
from dser_training.evaluation.report import save
from dser_training.evaluation.variant import Variant
from dser_training.evaluation.voices import ALL, NONE, SETTINGS

log = logging.getLogger(__name__)

Document = dict[str, Any]
Figures = dict[str, Any]

SCHEMA = "dser.comparison/1"
FIGURES = {
    "accuracy": ("accuracy", ".3f"),
    "calibration_error": ("calibration error", ".3f"),
    "log_likelihood": ("log-likelihood", ".2f"),
}
"""What tables call a figure, and how they write it."""
HEAD = """\
Variants of the utterance stage on frozen backbones: mean and, after ±, standard deviation over training with seeds \
{seeds}. Each is trained for all its epochs; only how sharp mixtures are is set on held-out actors, those of CREMA-D \
develop. A line is told by the mean over its speech, and the voice is made of the means of the speaker's other lines, \
unlabelled, the same ones for all variants and seeds. A head that knows no voice is measured without one.

*Accuracy*: the strongest emotion is the intended one. *Calibration error*: the expected one of the strongest \
emotion's share, 15 equally wide bins, against the intended emotion. *Log-likelihood*: the mean log-density, in nats, \
of the shares of the raters' votes on the voice alone, smoothed to 0.9 share + 0.1 / 6; the uniform distribution has \
4.79."""


def compare(comparison: Comparison, output: str | Path | None = None) -> str:
    """Train and measure every variant with every seed, as far as that is not done, and return the tables as Markdown.

    With `output` they are written into that folder, and the figures of each seed as JSON. The same settings give the
    same figures. Raises what `Variant` does, ConfigError, and FormatError if a file cannot be written.
    """
    document: Document = {"schema": SCHEMA, "seeds": comparison.seeds, "settings": comparison.settings, "variants": {}}
    for name, config in comparison.configs().items():
        variant = Variant(config, comparison.sets)
        found = []
        for seed in comparison.seeds:
            found.append(variant.figures(seed))
            _log_accuracy(f"{name}, seed {seed}", found[-1])
        document["variants"][name] = {"settings": comparison.variants[name], "sets": _over_seeds(found)}
    text = markdown(document)
    if output is not None:
        save(document, text, Path(output) / "comparison")
    return text


def markdown(document: Document) -> str:
    """For each set a table of each figure: variants in rows, voice settings in columns."""
    sections = [HEAD.format(seeds=", ".join(map(str, document["seeds"])))]
    variants = {name: variant["sets"] for name, variant in document["variants"].items()}
    for title in dict.fromkeys(title for sets in variants.values() for title in sets):
        found = {name: sets[title] for name, sets in variants.items() if title in sets}
        sections.append(f"## {title}, {max(settings[NONE]['lines'] for settings in found.values())} lines")
        sections += filter(None, (_table(figure, found) for figure in FIGURES))
    return "\n\n".join(sections)


def _table(figure: str, found: dict[str, Figures]) -> str:
    """Empty where no variant has the figure."""
    words, form = FIGURES[figure]
    if all(settings[NONE][figure] is None for settings in found.values()):
        return ""
    rows = [
        [name, *(_cell(settings.get(setting, {}).get(figure), form) for setting in SETTINGS)]
        for name, settings in found.items()
    ]
    lines = [[words, *SETTINGS], ["---"] * (1 + len(SETTINGS)), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Figures | None, form: str) -> str:
    if value is None:
        return "–"
    return f"{value['mean']:{form}}" + (f" ± {value['std']:{form}}" if value["std"] is not None else "")


def _over_seeds(found: Sequence[dict[str, Figures]]) -> dict[str, Figures]:
    """Each figure's mean and deviation over the seeds, and itself for each; by set and voice setting."""
    return {
        title: {
            setting: {
                "lines": said["lines"],
                **{figure: _spread([seed[title][setting][figure] for seed in found]) for figure in FIGURES},
            }
            for setting, said in settings.items()
        }
        for title, settings in found[0].items()
    }


def _spread(values: list[float | None]) -> Figures | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    std = np.std(known, ddof=1) if len(known) > 1 else None
    return rounded({"mean": np.mean(known), "std": std}) | {"seeds": known}


def _log_accuracy(what: str, found: dict[str, Figures]) -> None:
    for title, settings in found.items():
        said = [f"{settings[setting]['accuracy']:.3f} with {setting}" for setting in (NONE, ALL) if setting in settings]
        log.info("%s, %s: accuracy %s", what, title, ", ".join(said))
