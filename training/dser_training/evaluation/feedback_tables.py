"""What `feedback` found, as tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dser_training.evaluation.voices import ALL, NONE

Figures = dict[str, Any]

ERROR = "mean_absolute_error"
HEAD = """\
Stage 3, learned from **simulated** preferences: no person compared anything here. A program compares candidates of \
{lines} splices of actors that the model ({model}) was not trained on, and answers by a taste of its own, some answers \
the other way round. The trained model is measured on splices of actors that neither had a part in. *Error*: mean \
absolute error over all frames and the five emotions other than neutral, with all other lines of the speaker as the \
voice; *alone*: without a voice; in brackets the change against the model before. *Frame error*: share of frames whose \
strongest emotion is another. *Missed*, *invented*: changes a minute. *Likelier*: share of the right answers about \
voices held out whose better sequence the model holds likelier. Checkpoints are the best on voices held out, and where \
it says so the last."""
COMPARED = """\
## Answers that are nearer to the truth (table 3 of the paper)

*Sharpness alone* learns the two numbers that say how sharp mixtures are, and nothing else: what it gives is no better \
ear, but mixtures nearer to 0 and 1, which the error rewards (`frame error` does not)."""
COLUMNS = ("learned from", "likelier", "error", "frame error", "missed", "invented", "alone")


def markdown(document: Figures) -> str:
    """Tables of all that was tried so far."""
    before, trials = document["before"], document["trials"]
    sections = [HEAD.format(**document), COMPARED]
    compared = {name: trial["best"] for name, trial in trials.items() if name.startswith(("sharpness", "answers"))}
    titles = [title for title in before if title != "prefers"]
    for title in titles:
        rows = [["before", *_cells(before, before, title, before["prefers"]["nearer to the truth"])]]
        rows += [[name, *_cells(found, before, title, found["prefers"])] for name, found in compared.items()]
        sections += [f"### {title}", _table(COLUMNS, rows)]
    if betas := {name: trial for name, trial in trials.items() if name.startswith("β")}:
        rows = [
            [name, *(_error(trial[which], before, title, ALL) for title in titles for which in ("best", "last"))]
            for name, trial in betas.items()
        ]
        columns = ["β", *(f"{title}, {which}" for title in titles for which in ("best", "last"))]
        sections += ["## How closely it stays at what it was (table 4 of the paper)", _table(columns, rows)]
    sections += _others(trials, before, titles)
    return "\n\n".join(sections)


def _others(trials: Figures, before: Figures, titles: Sequence[str]) -> Iterable[str]:
    if ties := {name: trial for name, trial in trials.items() if name.startswith("ties")}:
        rows = [
            [name, *(_error(trial["best"], before, title, ALL) for title in titles), f"{trial['best']['prefers']:.3f}"]
            for name, trial in ties.items()
        ]
        yield "## Answers that two are the same"
        yield _table(["", *titles, "likelier"], rows)
    if happier := trials.get("more happiness"):
        rows = [
            [f"{title}, {setting}", f"{before[title][setting]['happiness']:.3f}",
             f"{happier['best'][title][setting]['happiness']:.3f}", _error(happier["best"], before, title, setting)]
            for title in titles
            for setting in (ALL, NONE)
        ]  # fmt: skip
        yield "## Another taste: whoever answers likes happiness, whatever is true"
        yield _table(["voice", "happiness before", "after", "error"], rows)


def _cells(found: Figures, before: Figures, title: str, prefers: float) -> list[str]:
    said = found[title][ALL]
    return [
        f"{prefers:.3f}",
        _error(found, before, title, ALL),
        f"{said['frame_error']:.3f}",
        *(f"{said[name]:.1f}" for name in ("missed", "invented")),
        _error(found, before, title, NONE),
    ]


def _error(found: Figures, before: Figures, title: str, setting: str) -> str:
    now, then = (each[title][setting][ERROR] for each in (found, before))
    return f"{now:.4f}" if found is before else f"{now:.4f} ({100 * (now / then - 1):+.1f} %)"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
