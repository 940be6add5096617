"""A run: from a place with lines to a folder with their results, and nothing done twice.

Whatever interrupts it, the same command goes on where it was: what a line was made from is in the ledger.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from dser_ext.audio import AudioFile
from dser_ext.batch.job import FOLDER, NONE, Job, output_name
from dser_ext.batch.ledger import DONE, Ledger, Row
from dser_ext.batch.lines import Found, Line, clashes
from dser_ext.batch.store import fetched, is_remote, joined, present_in
from dser_ext.batch.voices import Voices
from dser_ext.batch.work import Outcome, Task
from dser_ext.emotion.style import Style
from dser_ext.errors import AudioError, DserError, FormatError
from dser_ext.formats import TRACK_FORMATS
from dser_ext.formats.files import remove_unfinished
from dser_ext.recognition.bundle import ModelBundle

PROGRESS_SECONDS = 0.1
MOST_UNANSWERED = 10  # in a row: Audio2Face is gone, and ten thousand lines need not find that out one by one
SETTINGS, LEFT_OUT = "settings", "left out"  # noted for the report
RUNNING = "running"  # noted while a run goes on: found by the next one, it says that this one was killed


class Engine(Protocol):
    """Whoever does the work: `Workers` on this machine, or a cluster."""

    @property
    def room(self) -> int:
        """How many more tasks can be taken."""

    def submit(self, task: Task) -> None:
        """Take a task."""

    def wait(self) -> list[Outcome]:
        """What has come of some tasks; after a while of none."""

    def close(self) -> None:
        """End; what is not finished is not done."""


@dataclass
class Summary:
    """How a run went. lines: all; kept: that were done before and are unchanged; failures: (name, error)."""

    lines: int = 0
    done: int = 0
    kept: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    speech_seconds: float = 0.0
    seconds: float = 0.0

    @property
    def finished(self) -> int:
        """Lines that need nothing more."""
        return self.done + self.kept + len(self.failures)

    @property
    def rate(self) -> float:
        """Lines a second that were worked on."""
        return (self.done + len(self.failures)) / self.seconds if self.seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        """For pipelines."""
        return {
            "lines": self.lines,
            "done": self.done,
            "unchanged": self.kept,
            "failed": len(self.failures),
            "failures": [{"line": name, "error": error} for name, error in self.failures],
            "left_out": self.left_out,
            "speech_seconds": round(self.speech_seconds, 2),
            "wall_seconds": round(self.seconds, 2),
        }


@dataclass
class _Plan:
    """What is to become of a line. said: the style as JSON. audio: SHA-256 of its file, where that is known."""

    line: Line
    style: Style
    said: str
    voice: str | None
    row: Row | None
    audio: str | None = None


class Run:
    """One run over the lines found.

    out: folder or URL that results go to. report, which may be set: told the summary so far, some times a second.
    """

    def __init__(self, job: Job, found: Found, out: str, ledger: Ledger, engine: Engine) -> None:
        self.job, self.out = job, out
        self._found, self._ledger, self._engine = found, ledger, engine
        self.report: Callable[[Summary], None] = lambda _: None
        bundle = ModelBundle.open(job.model)
        self._model, self._network = bundle.sha256, bundle.features_sha256
        self._voices = Voices(ledger, self._network, job.model)
        self._plans: dict[str, _Plan] = {}
        self._queue: deque[tuple[_Plan, bool]] = deque()  # and whether it is to be written, not only heard
        self._unheard: dict[str, int] = {}  # lines of a voice that must be heard before it can be frozen
        self._members: dict[str, list[_Plan]] = defaultdict(list)
        self._unanswered = 0  # lines that Audio2Face has failed at since it last did not
        self.summary = Summary(left_out=list(found.left_out))

    def check(self) -> None:
        """Raise FormatError, before any work, if two lines would have the same result, or none has a voice."""
        lines, formats = self._found.lines, self.job.formats
        if lines and self.job.voice_by not in (FOLDER, NONE) and not any(map(self.job.voice_of, lines)):
            raise FormatError(f"--voice-by {self.job.voice_by}: no line has a speaker in such a column; check its name")
        shared = clashes((output_name(line.name, name), line.name) for line in lines for name in formats)
        if shared:
            output, lines_of = next(iter(shared.items()))
            raise FormatError(
                f"{joined(self.out, output)}: would be the result of {' and of '.join(lines_of[:2])}"
                f"{f', and of {len(shared) - 1} more such pairs' * (len(shared) > 1)}; rename one of them"
            )

    def run(self, *, refresh_voices: bool = False) -> Summary:
        """Do what is to be done. Raises DserError if the run as a whole cannot go on; what is done stays done."""
        began = time.monotonic()
        try:
            if refresh_voices:
                self._ledger.thaw()
            self._present = present_in(self.out)
            if self._ledger.about(RUNNING):
                self._remove_unfinished()
            self._ledger.note(RUNNING, "yes")
            self._ledger.note(SETTINGS, json.dumps(self.job.to_json()))
            self._ledger.note(LEFT_OUT, json.dumps(self.summary.left_out))
            self._plan()
            self._work(began)
            self._ledger.note(RUNNING, "")
        except sqlite3.Error as error:
            raise DserError(
                f"{self._ledger.path}: cannot be used ({error}); free some space there and run again"
            ) from error
        finally:
            self._engine.close()
            self.summary.seconds = time.monotonic() - began
            with suppress(DserError, sqlite3.Error):
                self._ledger.commit()
        return self.summary

    def _plan(self) -> None:
        rows = self._ledger.rows()
        number = int(self._ledger.about("run") or 0) + 1
        lines = self._found.lines
        self._ledger.begin(number, ((each.name, each.source, each.stamp, dict(each.columns)) for each in lines))
        self.summary.lines = len(lines)
        said: dict[int, tuple[Style, str]] = {}  # a style and its text, made once for all lines that have it
        waiting: list[_Plan] = []
        for line in lines:
            row = rows.get(line.name)
            try:
                style = self.job.style_of(line)
                text = said.setdefault(id(style), (style, json.dumps(style.to_json(), sort_keys=True)))[1]
                plan = _Plan(line, style, text, self.job.voice_of(line), row, _known_audio(line, row))
            except DserError as error:
                self._failed(line.name, f"{line.name}: {error}")
                continue
            if self._is_done(plan):
                self._unchanged(line)
                continue
            self._ledger.waits(line.name, line.stamp, plan.audio)
            self._plans[line.name] = plan
            waiting.append(plan)
        self._enqueue(waiting)

    def _is_done(self, plan: _Plan) -> bool:
        row = plan.row
        if row is None or row.state != DONE or plan.audio is None:
            return False
        if plan.voice is not None and not self._voices.is_frozen(plan.voice):
            return False
        wanted = self._fingerprints(plan, plan.audio)
        return all(
            row.made.get(name) == mark and self._present(output_name(plan.line.name, name))
            for name, mark in wanted.items()
        )

    def _enqueue(self, plans: list[_Plan]) -> None:
        for plan in plans:
            if plan.voice is None or self._voices.is_frozen(plan.voice):
                self._queue.append((plan, plan.voice is None or plan.audio is not None))
            else:
                self._members[plan.voice].append(plan)
        for voice, members in self._members.items():
            unheard = [plan for plan in members if not self._is_kept(plan)]
            if unheard:
                self._unheard[voice] = len(unheard)
                self._queue.extend((plan, False) for plan in unheard)
            else:
                self._freeze(voice)

    def _is_kept(self, plan: _Plan) -> bool:
        return plan.audio is not None and self._ledger.is_kept(plan.audio, self._network)

    def _freeze(self, voice: str) -> None:
        """All lines of a voice were heard: now they can be told, before lines of other voices are heard."""
        members = [plan for plan in self._members[voice] if plan.audio is not None and plan.line.name in self._plans]
        self._voices.freeze(voice, [plan.audio for plan in members if plan.audio])
        for plan in reversed(members):
            if self._is_done(plan):  # it was made anew, and is as it was
                self._unchanged(plan.line)
            else:
                self._queue.appendleft((plan, True))

    def _work(self, began: float) -> None:
        in_hand, last = 0, 0.0
        while self._queue or in_hand:
            while self._queue and self._engine.room > 0:
                self._engine.submit(self._task(*self._queue.popleft()))
                in_hand += 1
            for outcome in self._engine.wait():
                in_hand -= 1
                self._take(outcome)
            self._ledger.commit(if_due=True)
            if time.monotonic() - last > PROGRESS_SECONDS:
                last = time.monotonic()
                self.summary.seconds = last - began
                self.report(self.summary)

    def _task(self, plan: _Plan, written: bool) -> Task:
        line, heard = plan.line, None
        if plan.audio is not None:
            heard = self._ledger.heard(plan.audio, self._network)
        task = Task(line.name, line.source, heard)
        if not written:
            return task
        places = {name: joined(self.out, output_name(line.name, name)) for name in self.job.formats}
        return replace(
            task,
            voice=self._voices.without(plan.voice, plan.audio or ""),
            style=plan.style,
            fps=self.job.fps,
            tolerance=self.job.tolerance,
            results={name: path for name, path in places.items() if name in TRACK_FORMATS},
            animations={name: path for name, path in places.items() if name not in TRACK_FORMATS},
            face=self.job.face,
        )

    def _take(self, outcome: Outcome) -> None:
        plan = self._plans[outcome.name]
        self._unanswered = self._unanswered + 1 if outcome.unanswered else 0
        if outcome.error is not None:
            del self._plans[outcome.name]
            self._failed(outcome.name, outcome.error)
            if self._unanswered == MOST_UNANSWERED:
                raise DserError(
                    f"Audio2Face failed {MOST_UNANSWERED} times in a row, the last time so: {outcome.error}"
                )
        if outcome.heard is not None:
            plan.audio = outcome.heard.audio
            self._ledger.keep(self._network, outcome.heard)
            self._ledger.heard_as(outcome.name, plan.audio)
        if outcome.statistics is not None and plan.audio is not None:
            made = {**(plan.row.made if plan.row else {}), **self._fingerprints(plan, plan.audio)}
            self._ledger.done(outcome, plan.audio, plan.voice, plan.said, made)
            self.summary.done += 1
            self.summary.speech_seconds += outcome.statistics["seconds"]
            return
        if plan.voice in self._unheard:
            self._unheard[plan.voice] -= 1
            if not self._unheard[plan.voice]:
                del self._unheard[plan.voice]
                self._freeze(plan.voice)
        elif outcome.error is None:
            self._queue.appendleft((plan, True))

    def _unchanged(self, line: Line) -> None:
        self._ledger.unchanged(line.name, line.stamp)
        self.summary.kept += 1

    def _failed(self, name: str, error: str) -> None:
        self._ledger.failed(name, error)
        self.summary.failures.append((name, error))

    def _remove_unfinished(self) -> None:
        """What a run that was killed left half written."""
        if is_remote(self.out):
            return  # stores take a file whole
        for folder in {Path(joined(self.out, line.name)).parent for line in self._found.lines}:
            remove_unfinished(folder)

    def _fingerprints(self, plan: _Plan, audio: str) -> dict[str, str]:
        voice = self._voices.sha256(plan.voice)
        return {name: self.job.fingerprint(name, plan.said, audio, self._model, voice) for name in self.job.formats}


def _known_audio(line: Line, row: Row | None) -> str | None:
    """What a line's file holds, if it was read before: by its stamp, or by reading it again."""
    if row is None or row.audio is None:
        return None
    if row.stamp == line.stamp and line.stamp:
        return row.audio
    try:
        with fetched(line.source) as path:
            return AudioFile(path).sha256
    except (OSError, AudioError):
        return None
