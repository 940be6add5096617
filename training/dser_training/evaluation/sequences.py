"""Table 3 of the paper on public data: the sequence model against the utterance model in sliding windows.

Each variant is an utterance model on a frozen backbone, and a sequence model on top of it. Both are trained, as far as
that is not done, and measured on the same splices. Window and stride are searched for on the develop actors with all
other lines as the voice, and the best ones are taken everywhere.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dser_ext.recognition.speech import held
from dser_training.config import ConfigError, SequenceConfig, UtteranceConfig, document, from_settings
from dser_training.corpora.clip import acted, by_speaker
from dser_training.evaluation.changes import Floats, figures, shares
from dser_training.evaluation.figures import rounded
from dser_training.evaluation.report import save
from dser_training.evaluation.sets import ACTED, clips
from dser_training.evaluation.spliced_lines import SPLICES, VOICES
from dser_training.evaluation.voices import ALL, SEED
from dser_training.heads import NONSPEECH
from dser_training.stages import sequence, utterance
from dser_training.stages.checkpoint import MODEL
from dser_training.stages.load import load
from dser_training.stages.model import UtteranceModel
from dser_training.stages.sequence import SequenceModel
from dser_training.stages.sequences import Line, splices_of, voice_of
from dser_training.stages.teacher import heard_in_windows, told_in_windows
from dser_training.stages.utterance import load as load_utterance

log = logging.getLogger(__name__)

Figures = dict[str, Any]

SCHEMA = "dser.sequences/1"
DEVELOP = "develop"
HEAD = """\
Utterance models in sliding windows, the best of those searched, and sequence models on top of them, on splices of \
speakers that nothing was trained on, {splices} of each. The voice is made of lines of the speaker that do not stand \
in the splice. *Error*: mean absolute error over all frames and the five emotions other than neutral. *Frame error*: \
share of frames whose strongest emotion is another. *Border*: how far changes lie from the true borders they are \
matched with, median in ms. *Missed*, *invented*: changes a minute; *in one*: in lines of one emotion."""
COLUMNS = ("model", "voice", "error", "frame error", "border", "missed", "invented", "in one", "flicker")


@dataclass(frozen=True)
class Sequences:
    """What is compared.

    settings, sequence: of all utterance and all sequence models. variants: by name the settings of a variant's
    utterance model. trained: by name the folder of a run of the sequence stage that is there already. windows,
    strides: seconds, that are searched. sets: names in ACTED; develop must be among them.
    """

    settings: dict[str, Any]
    sequence: dict[str, Any]
    variants: dict[str, dict[str, Any]]
    trained: dict[str, str]
    windows: list[float]
    strides: list[float]
    sets: list[str]


def compare(path: str | Path, overrides: list[str], output: str | Path | None = None) -> str:
    """Train and measure what a file says, and return the tables as Markdown; with `output` they are written there.

    Raises ConfigError, and what training does.
    """
    wanted = _read(path, overrides)
    document: dict[str, Any] = {"schema": SCHEMA, "variants": {}}
    for name in [*wanted.variants, *wanted.trained]:
        run = wanted.trained.get(name) or _trained(name, wanted)
        document["variants"][name] = _measured(run, wanted)
        if output is not None:  # as far as it is: each variant takes long
            save(document, markdown(document), Path(output) / "sequences")
    return markdown(document)


def _trained(name: str, wanted: Sequences) -> str:
    """The folder of a variant's sequence model; what was trained before is not trained again."""
    config = from_settings(name, wanted.settings | wanted.variants[name])
    assert isinstance(config, UtteranceConfig)
    config = replace(config, run=str(Path(config.run) / name.replace(", ", "-")))
    over = from_settings(name, {"stage": "sequence", **wanted.sequence, "start": config.run})
    assert isinstance(over, SequenceConfig)
    _check(over, wanted)
    if not (Path(config.run) / MODEL).exists():
        utterance.train(config)
    over = replace(over, run=f"{config.run}-sequence", objective=config.objective)
    if not (Path(over.run) / MODEL).exists():
        sequence.train(over)
    return over.run


def _check(config: SequenceConfig, wanted: Sequences) -> None:
    for name in wanted.sets:
        if not clips(name, config):
            raise ConfigError(f"{name}: nothing to measure on; name its folder in `sequence`, as corpora or validate")


def markdown(document: dict[str, Any]) -> str:
    """A table for each set."""
    sections = [HEAD.format(splices=sum(SPLICES.values()))]
    for title in next(iter(document["variants"].values())):
        rows = [
            [f"{name}, {model}", setting, *_cells(said)]
            for name, sets in document["variants"].items()
            for model, settings in sets[title].items()
            for setting, said in settings.items()
        ]
        lines = [COLUMNS, ["---"] * len(COLUMNS), *rows]
        sections.append(f"## {title}")
        sections.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join(sections)


def _cells(said: dict[str, float]) -> list[str]:
    return [
        *(f"{said[name]:.3f}" for name in ("mean_absolute_error", "frame_error")),
        f"{said['border_median']:.0f}",
        *(f"{said[name]:.1f}" for name in ("missed", "invented", "invented_in_one")),
        f"{said['flicker']:.2f}",
    ]


def _read(path: str | Path, overrides: list[str]) -> Sequences:
    form = document(path, overrides)
    names = {field.name for field in fields(Sequences)}
    if not isinstance(form, dict) or form.keys() != names:
        raise ConfigError(f"{path}: no table of sequences; it must have {', '.join(sorted(names))} and nothing else")
    if not set(form["sets"]) <= ACTED.keys() or DEVELOP not in form["sets"]:
        raise ConfigError(f"{path}: sets must be a list of {', '.join(ACTED)}, with {DEVELOP} among them")
    return Sequences(**form)


def _measured(run: str, wanted: Sequences) -> dict[str, dict[str, Figures]]:
    """By title of the set and name of the model, the figures of each voice setting."""
    model = load(run)
    if not isinstance(model, SequenceModel):
        raise ConfigError(f"{run}: no run of the sequence stage; name one")
    _check(model.config, wanted)
    teacher = load_utterance(model.config.start)
    found: dict[str, dict[str, Figures]] = {}
    best: tuple[float, float] | None = None
    for name in sorted(wanted.sets, key=lambda name: name != DEVELOP):
        lines, voices = _lines(teacher, model.config, name)
        grid = [(window, stride) for window in wanted.windows for stride in wanted.strides if stride <= window]
        for window, stride in grid if best is None else [best]:
            log.info("%s, windows of %.1f s every %.1f s", name, window, stride)
            heard = [heard_in_windows(teacher, line.samples, window, stride) for line in lines]
            told = {
                setting: _figures(lines, [_in_windows(teacher, *each) for each in zip(heard, lines, own, strict=True)])
                for setting, own in voices.items()
            }
            found.setdefault(ACTED[name], {})[_words(window, stride)] = told
        if best is None:
            errors = {key: found[ACTED[name]][_words(*key)][ALL]["mean_absolute_error"] for key in grid}
            best = min(errors, key=lambda key: errors[key])
            found[ACTED[name]] = {_words(*best): found[ACTED[name]][_words(*best)]}
        found[ACTED[name]]["sequence model"] = {
            setting: _figures(lines, [sequence.told(model, *each) for each in zip(lines, own, strict=True)])
            for setting, own in voices.items()
        }
    return found


def _words(window: float, stride: float) -> str:
    return f"windows of {window:g} s every {stride:g} s"


def _lines(
    teacher: UtteranceModel, config: SequenceConfig, name: str
) -> tuple[list[Line], dict[str, list[NDArray[np.int64]]]]:
    """Splices of a set's speakers, and for each voice setting the lines of the voice that each is measured against."""
    lines: list[Line] = []
    voices: dict[str, list[NDArray[np.int64]]] = {setting: [] for setting in VOICES}
    for number, (speaker, own) in enumerate(by_speaker(acted(clips(name, config))).items()):
        random = np.random.default_rng([SEED, number])
        voice = voice_of(teacher.network, speaker, own, config.bfloat16)
        for line in splices_of(teacher.network, voice, SPLICES, config.bfloat16, random):
            lines.append(line)
            order = random.permutation(line.others())
            for setting, most in VOICES.items():
                voices[setting].append(order[:most])
    return lines, voices


def _in_windows(
    teacher: UtteranceModel, windows: tuple[Tensor, Floats], line: Line, voice: NDArray[np.int64]
) -> Floats:
    """Held through pauses as the sequence model is."""
    mixtures = told_in_windows(teacher, windows, len(line.speech), line.voice.means[voice], line.voice.seconds[voice])
    return shares(held(mixtures, line.speech, NONSPEECH / NONSPEECH.sum()))


def _figures(lines: Sequence[Line], tracks: Sequence[Floats]) -> Figures:
    return rounded(figures(tracks, lines))
