"""An evaluation's document as files and as Markdown: a table for each question, and in words what failed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dser_ext.emotion.names import EMOTIONS
from dser_ext.formats.files import written_whole
from dser_training.evaluation.failures import failures
from dser_training.evaluation.figures import with_and_without
from dser_training.evaluation.voices import ALL, NONE

Document = dict[str, Any]
Figures = dict[str, Any]
Rows = list[list[object]]

HEAD = """\
Emotions of whole lines, through the code that animators run. *Alone* is without a voice, *with the voice* is measured \
against all other lines of the speaker."""
ACCURACY = """\
The strongest emotion of a line's time-mean mixture against the intended one. The voice is made of the speaker's other \
lines, unlabelled, drawn without replacement, as many as there are; RAVDESS' calm lines count as neutral in it and are \
never scored, its surprised lines are left out. A line that a voice finds no other line for is left out with it. ECE: \
expected calibration error of the strongest emotion's share, 15 equally wide bins."""
VOTES = """\
Mean log-density, in nats, of the shares of the raters' votes on the voice alone, smoothed to 0.9 share + 0.1 / 6, \
under the Dirichlet distribution with the line's time-mean concentration. The uniform distribution has 4.79."""
CHANGES = """\
Splices of each speaker's lines, whose borders are known: several emotions one after the other, one that glides into \
another, and one that stays for ten seconds or more. The voice is made of lines that do not stand in the splice. Mean \
absolute error: over all frames and the five emotions other than neutral. A change counts if the new emotion stays the \
strongest for 0.25 s; it is matched with one true border within 1 s. Missed and invented: a minute of lines with \
changes; invented in one: a minute of lines of one emotion; flicker: how much of the mixture moves in a second of \
these."""
LIVE = """\
Splices told while they are spoken, with all other lines as the voice: each frame from at most 20 s before it up to \
so long after it, at most 0.2 s later than that."""
ROBUSTNESS = "The line and the voice's lines are changed alike."
BURSTS = """\
What the words of a line express by themselves, and with a laugh, sob or gasp of somebody else right before them, \
without a voice. Moved: half the summed differences of the mixtures. Happiness: how much its share grows."""
READ = "Share of lines in which neutral is strongest, and neutral's mean share of the mixture."
NONSPEECH = "Without a voice and with that of each speaker. Emotional: the largest time-mean share of another emotion."


def save(document: Document, text: str, path: Path) -> None:
    """Write a document as JSON and as Markdown beside it, into a folder that is made where there is none.

    path: without the suffix. Raises FormatError if it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for suffix, content in ((".md", text), (".json", to_json(document))):
        with written_whole(path.with_suffix(suffix)) as file:
            file.write(f"{content}\n")


def to_json(document: Document) -> str:
    """As `save` writes it."""
    return json.dumps(document, indent=1, ensure_ascii=False)


def markdown(document: Document) -> str:
    """The whole report. A section without rows is left out."""
    model = document["model"]
    sections = [
        f"# {model['name']} {model['version']}",
        HEAD,
        _accuracy(document),
        _votes(document),
        _changes(document, "changes", "When the emotion changes", CHANGES, "voice"),
        _changes(document, "live", "Live", LIVE, "look-ahead"),
        _recall(document),
        _pictures(document),
        _actors(document),
        _robustness(document),
        _bursts(document),
        _read(document),
        _nonspeech(document),
        _failures(document),
    ]
    return "\n\n".join(section for section in sections if section)


def _accuracy(document: Document) -> str:
    columns = "speech", "voice", "lines", "voice's lines, mean", "least", "accuracy", "± over speakers", "ECE", "spread"
    rows: Rows = [
        [
            *(name, setting, figures["lines"], f"{figures['references']['mean']:.1f}", figures["references"]["min"]),
            *(figures["accuracy"], figures["std"], figures["calibration_error"], figures["spread"]),
            *(_two(figures["total"]), _two(figures["neutral_total"])),
        ]
        for name, settings in document["sets"].items()
        for setting, figures in settings.items()
    ]
    return _section("Accuracy", ACCURACY, [*columns, "median Σα", "neutral lines' Σα"], rows)


def _votes(document: Document) -> str:
    rows: Rows = [
        [name, setting, figures["votes"]["lines"], _two(figures["votes"]["log_likelihood"])]
        for name, settings in document["sets"].items()
        for setting, figures in settings.items()
        if figures["votes"]["lines"]
    ]
    return _section("Mixtures that raters heard", VOTES, ["speech", "voice", "lines", "log-likelihood"], rows)


def _changes(document: Document, part: str, title: str, words: str, setting: str) -> str:
    columns = (
        *("speech", setting, "splices", "mean absolute error", "frame error", "border error, median ms", "90 % ms"),
        *("borders a minute", "missed", "invented", "invented in one", "flicker"),
    )
    rows: Rows = [
        [
            *(name, which, said["lines"], said["mean_absolute_error"], said["frame_error"]),
            *(_at(said[key], 0) for key in ("border_median", "border_90")),
            *(_at(said[key], 1) for key in ("borders", "missed", "invented", "invented_in_one")),
            said["flicker"],
        ]
        for name, settings in document[part].items()
        for which, said in settings.items()
    ]
    return _section(title, words, columns, rows)


def _recall(document: Document) -> str:
    rows: Rows = [
        [name, words, *(figures["recall"].get(emotion) for emotion in EMOTIONS)]
        for name, settings in document["sets"].items()
        for words, figures in with_and_without(settings)
        if len(figures["recall"]) > 1
    ]
    return _section("Recall", "", ["speech", "voice", *EMOTIONS], rows)


def _pictures(document: Document) -> str:
    return "\n\n".join(f"![{name}]({file})" for name, file in document["pictures"].items())


def _actors(document: Document) -> str:
    rows: Rows = [
        [name, group, *(_of(settings, *key) for key in ((NONE, "speakers"), (NONE, "lines"), *_both("accuracy")))]
        for name, groups in document["actors"].items()
        for group, settings in groups.items()
    ]
    columns = ["speech", "actors", "number", "lines", *_twice("accuracy")]
    return _section("By sex and age of the actors", "", columns, rows)


def _robustness(document: Document) -> str:
    rows: Rows = [
        [
            *(name, condition, _of(settings, NONE, "unspoken")),
            *(_of(settings, *place) for key in ("accuracy", "calibration_error", "spread") for place in _both(key)),
            *(_two(_of(settings, *place)) for place in _both("votes", "log_likelihood")),
        ]
        for name, conditions in document["robustness"].items()
        for condition, settings in ({"as it is": document["sets"][name]} | conditions).items()
    ]
    columns = [column for name in ("accuracy", "ECE", "spread", "log-likelihood") for column in _twice(name)]
    return _section("Robustness", ROBUSTNESS, ["speech", "condition", "lines without speech", *columns], rows)


def _bursts(document: Document) -> str:
    rows: Rows = [
        [name, label, *figures.values()]
        for name, labels in document["bursts"].items()
        for label, figures in labels.items()
    ]
    columns = ["speech", "burst", "lines", "accuracy alone", "accuracy beside it", "moved", "happiness"]
    return _section("Vocal bursts beside the words", BURSTS, columns, rows)


def _read(document: Document) -> str:
    rows: Rows = [
        [
            *(source, words, figures["speakers"], figures["lines"], figures["neutral"], figures["neutral_share"]),
            *(figures["spread"], _two(figures["total"])),
        ]
        for source, settings in document["read"].items()
        for words, figures in with_and_without(settings)
    ]
    columns = ["source", "voice", "speakers", "lines", "neutral strongest", "neutral's share", "spread", "median Σα"]
    return _section("Read speech", READ, columns, rows)


def _nonspeech(document: Document) -> str:
    rows: Rows = [
        [
            *(kind, words, figures["sounds"], figures["voices"], figures["spoken"], figures["neutral"]),
            *(figures["emotional"], _two(figures["total"])),
        ]
        for kind, voices in document["nonspeech"].items()
        for words, figures in voices.items()
    ]
    columns = ["sound", "voice", "sounds", "voices", "taken for speech", "neutral strongest", "emotional", "median Σα"]
    return _section("What is no speech", NONSPEECH, columns, rows)


def _failures(document: Document) -> str:
    found = failures(document)
    return "\n".join(
        ["## What failed", "", *(f"- {sentence}" for sentence in found or ["Nothing that was looked for."])]
    )


def _section(title: str, words: str, columns: Sequence[str], rows: Rows) -> str:
    if not rows:
        return ""
    lines = [_row(columns), "|---" * len(columns) + "|", *(_row(map(_cell, row)) for row in rows)]
    return "\n\n".join(part for part in (f"## {title}", words, "\n".join(lines)) if part)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _two(value: float | None) -> str | None:
    return _at(value, 2)


def _at(value: float | None, digits: int) -> str | None:
    return None if value is None else f"{value:.{digits}f}"


def _twice(column: str) -> tuple[str, str]:
    return f"{column} alone", f"{column} with the voice"


def _both(*keys: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return (NONE, *keys), (ALL, *keys)


def _of(figures: Figures, *keys: str) -> Any:
    """What lies at the end of the keys; None where one leads nowhere."""
    found: Any = figures
    for key in keys:
        found = found.get(key) if found else None
    return found
