"""Tables 3 and 4 of the paper for stage 3, with simulated annotators: does a model get better by preferences?

All preferences here are made by a program (`preferences.simulated`) that compares sequences of splices with their
truth. The splices are of actors that the model was not trained on, and what is measured of others again.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from dser_ext.audio import SAMPLE_RATE, AudioArray
from dser_ext.formats.files import written_whole
from dser_ext.recognition.recognizer import Recognizer
from dser_training.bundles import head_of
from dser_training.config import ConfigError, PreferenceConfig, RunConfig, document, from_settings
from dser_training.corpora.clip import Clip, acted
from dser_training.evaluation import changes, spliced_lines
from dser_training.evaluation.feedback_tables import markdown
from dser_training.evaluation.figures import rounded
from dser_training.evaluation.report import save
from dser_training.evaluation.sets import ACTED, clips
from dser_training.evaluation.voices import ALL, NONE
from dser_training.losses import dirichlet_log_density
from dser_training.preferences.candidates import CandidatesConfig, make
from dser_training.preferences.comparisons import Compared, read
from dser_training.preferences.simulated import (
    HAPPIER,
    HAPPINESS,
    TASTES,
    TRUTH,
    Annotator,
    answer,
    make_lines,
)
from dser_training.segments import SequenceHead
from dser_training.stages.checkpoint import load_best
from dser_training.stages.preference import Line, PreferenceModel, apart, batch_of, fit, heard, in_segments, told
from dser_training.stages.sounds import sound

log = logging.getLogger(__name__)

Figures = dict[str, Any]

SCHEMA = "dser.feedback/1"
LONGEST_SECONDS = 60.0  # of a splice; those of three minutes do not come
SAME_BELOW = 0.02  # mean absolute error; the annotators of the study of ties call the two the same
FIGURES = "figures.json"
SHOWN = ("mean_absolute_error", "frame_error", "missed", "invented", "invented_in_one")
BEST, LAST = "best", "last"
VOICES = (ALL, NONE)


@dataclass(frozen=True)
class Feedback:
    """What is tried.

    corpora, validate: as of a run. learn_from: of ACTED, whose actors' splices are compared; lines: of each. sets: of
    ACTED, that it is measured on. preference: settings of the preference stage. counts: of comparisons. wrong: shares
    of wrong answers. betas: with the last of `counts` and `usual_wrong`, that all else is tried with, too.
    """

    corpora: dict[str, str]
    validate: str
    learn_from: str
    lines: int
    sets: list[str]
    preference: dict[str, Any]
    counts: list[int]
    wrong: list[float]
    usual_wrong: float
    betas: list[float]


@dataclass(frozen=True)
class Trial:
    """One training: by whose answers, how many, and how."""

    annotator: Annotator
    count: int
    settings: dict[str, Any]
    sharpness_alone: bool = False


@dataclass(frozen=True, eq=False)
class Measured:
    """A splice that is measured on: its truth, and of each voice setting what a head tells it from, as `in_segments`
    gives it."""

    known: changes.Known
    heard: dict[str, tuple[Tensor, Tensor, Tensor, Tensor]]


def _mixtures(head: SequenceHead, segments: Tensor, speech: Tensor, pieces: Tensor, seconds: Tensor) -> changes.Floats:
    """What a head tells, (F, 6); what is no speech is held by the segments around it."""
    del speech
    heard = head.told(segments[None], head.guesses(pieces[None], seconds[None]))
    return changes.shares(head.concentrations(heard)[0].numpy())


class SharpnessModel(PreferenceModel):
    """Learns how sharp mixtures are, and nothing else: what is left of stage 3 if only that were wrong."""

    def learned(self) -> Iterable[nn.Parameter]:
        """Of the mixture, without a voice and with all of it."""
        return [self.head.log_sharpness]


def study(path: str | Path, overrides: list[str], output: str | Path | None = None) -> str:
    """Train and measure what a file says, as far as that is not done, and return the tables as Markdown.

    With `output` they are written there, after every trial. The same settings give the same figures. Raises
    ConfigError, CorpusError, and what the preference stage does.
    """
    wanted = _read(path, overrides)
    desk = Desk(wanted, _config(path, wanted))
    document = {"schema": SCHEMA, "model": desk.config.model, "lines": len(desk.lines), "before": desk.before()}
    document["trials"] = {}
    for name, trial in trials(wanted).items():
        document["trials"][name] = desk.tried(name, trial, _config(path, wanted, trial.settings))
        if output is not None:
            save(document, markdown(document), Path(output) / "feedback")
    return markdown(document)


def trials(wanted: Feedback) -> dict[str, Trial]:
    """What is trained, by name."""
    usual = Annotator(TRUTH, wanted.usual_wrong)
    most = max(wanted.counts)
    found = {
        f"answers: {count}, {wrong:.0%} wrong": Trial(Annotator(TRUTH, wrong), count, {})
        for count in wanted.counts
        for wrong in wanted.wrong
    }
    found |= {f"β = {beta:g}": Trial(usual, most, {"beta": beta}) for beta in wanted.betas}
    found["sharpness alone"] = Trial(usual, most, {}, sharpness_alone=True)
    found |= {
        f"ties {ties}": Trial(replace(usual, same_below=SAME_BELOW), most, {"ties": ties})
        for ties in ("ignored", "used")
    }
    found[HAPPIER] = Trial(replace(usual, taste=HAPPIER), most, {})
    return found


class Desk:
    """What all trials share: lines with candidates, what the model hears of them, and what it is measured on."""

    def __init__(self, wanted: Feedback, config: PreferenceConfig) -> None:
        self.config, self.run = config, Path(config.run)
        self.recognizer = Recognizer(config.model, "cpu")
        self.head = head_of(self.recognizer.bundle)
        self.truth = make_lines(_clips(wanted.learn_from, wanted), self.run / "lines", wanted.lines, config.seed)
        self.candidates = self.run / "candidates"
        if not (self.candidates / "pairs.jsonl").exists():
            wishes = {"pairs": max(wanted.counts), "longest_line_seconds": LONGEST_SECONDS}
            make(CandidatesConfig(str(self.run / "lines"), str(self.candidates), config.model, **wishes))
        right = {taste: self.answers(Annotator(taste), max(wanted.counts), f"right-{number}")
                 for number, taste in enumerate(TASTES)}  # fmt: skip
        self.lines = {line.compared.line: line for line in heard(right[TRUTH], self.recognizer, self.head)}
        self.right = {taste: apart(self.of(own), config)[0] for taste, own in right.items()}
        self.sets = {ACTED[name]: self._measured(_clips(name, wanted)) for name in wanted.sets}

    def answers(self, annotator: Annotator, count: int, name: str) -> list[Compared]:
        """What an annotator says of the pairs that teach most."""
        file = self.run / f"{name}.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        answer(annotator, self.candidates, self.truth, count, file, self.config.seed)
        return read(file, self.candidates)

    def of(self, compared: Sequence[Compared]) -> list[Line]:
        """What is heard of lines that were compared."""
        return [replace(self.lines[each.line], compared=each) for each in compared]

    def before(self) -> Figures:
        """Of the model that training starts from."""
        return self._figures(self.head) | {"prefers": {taste: self._prefers(self.head, taste) for taste in TASTES}}

    def tried(self, name: str, trial: Trial, config: PreferenceConfig) -> Figures:
        """Figures of the best and of the last checkpoint; what was trained and measured before is read."""
        folder = self.run / "trials" / re.sub(r"[^\w.]+", "-", name)
        if (folder / FIGURES).exists():
            found: Figures = json.loads((folder / FIGURES).read_text(encoding="utf-8"))
            return found
        config = replace(config, run=str(folder))
        compared = self.answers(trial.annotator, trial.count, f"trials/{folder.name}/answers")
        torch.manual_seed(config.seed)
        kind = SharpnessModel if trial.sharpness_alone else PreferenceModel
        model = kind(config, head_of(self.recognizer.bundle))
        accelerator = Accelerator(log_with="tensorboard", project_dir=config.run)
        ended = fit(accelerator, model, *apart(self.of(compared), config))
        accelerator.end_training()
        found = {"settings": asdict(trial), "answers": sum(len(each.comparisons) for each in compared)}
        for checkpoint, weights in ((BEST, load_best(config.run)), (LAST, ended.average)):
            model.load_state_dict(weights)
            found[checkpoint] = self._figures(model.head) | {
                "prefers": self._prefers(model.head, trial.annotator.taste)
            }
        log.info("%s: %s", name, found[BEST])
        with written_whole(folder / FIGURES) as file:
            json.dump(found, file, indent=2)
        return found

    def _measured(self, clips: Sequence[Clip]) -> list[Measured]:
        hearings = {clip: self.recognizer.hear(AudioArray(sound(clip), SAMPLE_RATE)) for clip in clips}
        profiles = {clip: hearing.profile for clip, hearing in hearings.items() if hearing.profile is not None}
        found = []
        for splice in spliced_lines.splices(self.recognizer, profiles):
            own = {setting: in_segments(splice.heard, splice.voices[setting], self.head) for setting in VOICES}
            found.append(Measured(splice.line, own))
        return found

    @torch.no_grad()
    def _figures(self, head: SequenceHead) -> Figures:
        """By set and voice setting: how well splices are told, and what share of the mixture is happiness."""
        found: Figures = {}
        for title, splices in self.sets.items():
            for setting in VOICES:
                tracks = [_mixtures(head, *splice.heard[setting]) for splice in splices]
                said = changes.figures(tracks, [splice.known for splice in splices])
                happy = float(np.concatenate(tracks)[:, HAPPINESS].mean())
                shown = {name: said[name] for name in SHOWN}
                found.setdefault(title, {})[setting] = rounded(shown | {"happiness": happy})
        return found

    @torch.no_grad()
    def _prefers(self, head: SequenceHead, taste: str) -> float:
        """Share of the right answers about voices held out whose better sequence the head holds likelier."""
        right = []
        for line in self.right[taste]:
            batch = batch_of([line], self.config.label_smoothing)
            concentration = told(head, batch)[batch.row]
            better, worse = (dirichlet_log_density(concentration, each) for each in (batch.better, batch.worse))
            right += (((better - worse) * batch.speech[batch.row]).sum(dim=1) > 0).tolist()
        return round(float(np.mean(right)), 4)


def _read(path: str | Path, overrides: list[str]) -> Feedback:
    form = document(path, overrides)
    names = {field.name for field in fields(Feedback)}
    if not isinstance(form, dict) or form.keys() != names:
        raise ConfigError(f"{path}: no study of feedback; it must have {', '.join(sorted(names))} and nothing else")
    if not {form["learn_from"], *form["sets"]} <= ACTED.keys() or form["learn_from"] in form["sets"]:
        raise ConfigError(f"{path}: learn_from and sets must be of {', '.join(ACTED)}, and no set learned from")
    return Feedback(**form)


def _config(path: str | Path, wanted: Feedback, settings: dict[str, Any] | None = None) -> PreferenceConfig:
    own = {"candidates": "", "comparisons": "", **wanted.preference, **(settings or {}), "stage": "preference"}
    config = from_settings(path, own)
    assert isinstance(config, PreferenceConfig)
    return config


def _clips(name: str, wanted: Feedback) -> list[Clip]:
    config = RunConfig(run="", corpora=wanted.corpora, validate=wanted.validate)
    return acted(clips(name, config))
